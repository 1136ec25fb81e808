"""The former place of `zoo.check.measure`: scripts that check networks import it by this name."""

from zoo.check.measure import MEASURE, Subject

__all__ = ["MEASURE", "Subject"]
