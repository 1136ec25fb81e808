"""Training: `train` a recipe in a new run folder, `resume` an interrupted one."""

from zoo.train.resuming import resume
from zoo.train.settings import TrainingSettings
from zoo.train.training import train

Settings = TrainingSettings  # The former name, which scripts use.

__all__ = ["Settings", "TrainingSettings", "resume", "train"]
