"""Stages without a kernel, a norm or an activation."""

from __future__ import annotations

from pydantic import Field

from zoo.recipe.fields import Fraction, Model


class Dropout(Model):
    """Dropout on its own."""

    rate: Fraction = Field(description="Share of units dropped in training.")


class SpatialDropout(Model):
    """Dropout of whole channels (Tompson et al. 2015)."""

    rate: Fraction = Field(description="Share of channels dropped in training.")


class AlphaDropout(Model):
    """Dropout that keeps the mean and variance of selu's outputs (Klambauer et al. 2017)."""

    rate: Fraction = Field(description="Share of units dropped in training.")


class Flatten(Model):
    """Height, width and channels into one vector."""
