"""Exports a trained run. An export counts only after a comparison with the run."""

from zoo.export.export import export
from zoo.export.formats import FORMATS

__all__ = ["FORMATS", "export"]
