"""Exports of a trained run, each read again and compared with the model before it counts."""

from zoo.export.export import export
from zoo.export.formats import FORMATS

__all__ = ["FORMATS", "export"]
