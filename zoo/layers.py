"""Deprecated alias of `zoo.model.layers`, for scripts that load saved models."""

from zoo.model.layers import FixedConv2D, Maxout, PadShortcut, SamplewiseNormalization

__all__ = ["FixedConv2D", "Maxout", "PadShortcut", "SamplewiseNormalization"]
