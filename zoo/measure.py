"""Deprecated alias of `zoo.checks.measure`, for scripts written for earlier versions."""

from zoo.checks.measure import MEASURE, Subject

__all__ = ["MEASURE", "Subject"]
