"""Words on single weights: their learning rates, penalties on them, and averages of them."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import MAX_TEXT, Count, Fraction, Model, NotNegative
from zoo.recipe.slow_pattern import checked_pattern
from zoo.recipe.words.word import MAX_EPOCHS, POSITIVE


class Factor(Model):
    """Another learning rate or weight decay for some variables; the first match counts."""

    pattern: str = Field(
        min_length=1,
        max_length=MAX_TEXT,
        description="Regular expression, searched in paths such as conv1/kernel and conv1_bn/beta.",
    )
    factor: NotNegative = Field(1.0, description="Multiplies the learning rate.")
    until_epoch: float | None = Field(
        None,
        ge=POSITIVE["ge"],
        le=MAX_EPOCHS,
        description="Epochs after which these variables are frozen; none: never.",
    )
    linear_fall: bool = Field(
        False,
        description="Instead of following the schedule, fall linearly from the optimizer's "
        "learning rate times factor to 0 at until_epoch.",
    )
    weight_decay: NotNegative | None = Field(
        None,
        description="Weight decay of these variables, biases and norms included; none: the "
        "optimizer's, of kernels alone.",
    )

    @model_validator(mode="after")
    def _falls_somewhere(self) -> Factor:
        if self.linear_fall and self.until_epoch is None:
            raise PydanticCustomError(
                "linear_fall",
                "linear_fall needs until_epoch: the epochs after which the learning rate is 0",
                {"at": ("linear_fall",)},
            )
        return self

    @field_validator("pattern")
    @classmethod
    def _is_pattern(cls, pattern: str) -> str:
        return checked_pattern(pattern, "conv[12]_bn/ or ^fc.*/kernel$")


class Regularizer(Model):
    """A penalty added to the loss."""

    l2: NotNegative = Field(0.0, description="Adds l2 * sum(w^2) to the loss, as Keras does.")
    l1: NotNegative = Field(0.0, description="Adds l1 * sum(|w|) to the loss, as Keras does.")

    @model_validator(mode="after")
    def _penalises(self) -> Regularizer:
        if not self.model_fields_set:
            raise PydanticCustomError(
                "penalty", "no strength is given. Expected l2, l1 or both, such as {l2: 1e-4}"
            )
        return self


class Ema(Model):
    """A moving average of the trained weights; validation and the kept model use it."""

    @model_validator(mode="before")
    @classmethod
    def _read_number(cls, value: Any) -> Any:
        """Lets `ema: 0.99` stand for `ema: {momentum: 0.99}`."""
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"momentum": value} if number else value

    momentum: Fraction = Field(
        0.999,
        description="Share of the average kept at each update; at most "
        "(1 + updates) / (10 + updates).",
    )


class Lookahead(Model):
    """Slow weights to which the network is set back: slow += (1 - d) (net - slow); net = slow."""

    every: Count = Field(5, description="Updates between two such steps.")
    decay: Fraction = Field(0.95, description="d = decay^every * (step / all steps)^power.")
    power: NotNegative = Field(3.0, description="The higher, the later d grows.")
