"""Stages without a kernel, a norm or an activation, and dropout of a block's stack."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

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


class StochasticDepth(Model):
    """A residual block's stack is left out for some images of a step (Huang et al. 2016).

    Training multiplies the stack's outputs by 0 with the probability `rate`, else by
    1 / (1 - rate), drawn for each image. So predictions use the whole network as it is; the paper
    multiplies by 1 - rate there, which is the same on average.
    """

    @model_validator(mode="before")
    @classmethod
    def _read_number(cls, value: Any) -> Any:
        """Lets `stochastic_depth: 0.2` stand for `stochastic_depth: {rate: 0.2}`."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"rate": value} if number else value

    rate: Fraction = Field(description="Share of images for which the stack is left out.")
    growth: Literal["none", "linear"] = Field(
        "none",
        description="linear: the l-th of a network's L residual blocks has the rate times l / L, "
        "as in the paper.",
    )
