"""Training: `train` a recipe in a new run folder, `resume` an interrupted one."""

from zoo.train.training import Settings, resume, train

__all__ = ["Settings", "resume", "train"]
