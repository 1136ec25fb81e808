"""Training: `train` a recipe in a new run folder, `resume` an interrupted one."""

from zoo.training.resuming import resume
from zoo.training.run_training import train
from zoo.training.settings import TrainingSettings

Settings = TrainingSettings  # The former name, which scripts use.

__all__ = ["Settings", "TrainingSettings", "resume", "train"]
