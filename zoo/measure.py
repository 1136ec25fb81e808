"""Deprecated alias of `zoo.check.measure`, for scripts written for earlier versions."""

from zoo.check.measure import MEASURE, Subject

__all__ = ["MEASURE", "Subject"]
