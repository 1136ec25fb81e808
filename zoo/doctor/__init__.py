"""`zoo doctor`: what there is to train with, what is missing, and what mends it.

`host`, `gpus`, `packages` and `folders` collect facts; `probe` imports the backend in a process of
its own, which meets those of other processes (`meeting`); `problems` judges the facts. Light:
nothing here imports a framework in this process.
"""

from zoo.doctor.examination import Report, examine
from zoo.doctor.question import Question

__all__ = ["Question", "Report", "examine"]
