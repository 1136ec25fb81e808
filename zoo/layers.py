"""The former place of `zoo.model.layers`: scripts that load saved models import it by this name."""

from zoo.model.layers import FixedConv2D, Maxout, PadShortcut

__all__ = ["FixedConv2D", "Maxout", "PadShortcut"]
