"""The `tune` block of a recipe: what a search may change, in which stages, and for how long.

The names are KerasTuner's. `space.py` checks the paths of the space against the recipe.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WrapValidator, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import MAX_COUNT, Epochs, Minutes, Model, as_tuple, tuple_of
from zoo.recipe.monitors import AutoMonitor
from zoo.recipe.shown import listed


def _as_given(value: Any, check: Callable[[Any], float]) -> float:
    """A number that stays an `int` if given as one: a range of two may be of whole numbers."""
    number = check(value)
    return value if isinstance(value, int) else number


Number = Annotated[float, WrapValidator(_as_given)]
Trials = Annotated[int, Field(ge=1, le=100_000)]


class Entry(Model):
    """The values that one key of the recipe may take: a range or a list."""

    min_value: Number | None = Field(None, description="Lowest value of a range.")
    max_value: Number | None = Field(None, description="Highest value of a range.")
    sampling: Literal["linear", "log"] = Field(
        "linear", description="log: every decade is equally likely; for rates and decays."
    )
    step: Annotated[float, Field(gt=0), WrapValidator(_as_given)] | None = Field(
        None, description="Distance between values of a linear range, or none."
    )
    values: Annotated[tuple[Any, ...], BeforeValidator(as_tuple)] | None = Field(
        None, description="The values, instead of a range."
    )
    when: dict[str, Any] | None = Field(
        None,
        description="Search only where another path of the space has this value, or one of these: "
        "{train.optimizer: SGD}.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Entry:
        ends = (self.min_value, self.max_value)
        if (self.values is None) == (ends == (None, None)):
            given = "neither a range nor a list" if self.values is None else "a range and a list"
            raise PydanticCustomError(
                "entry", "{given}. Expected min_value and max_value, or values", {"given": given}
            )
        if self.values is not None:
            self._require_values()
            return self
        if self.min_value is None or self.max_value is None:
            missing = "min_value" if self.min_value is None else "max_value"
            raise PydanticCustomError(
                "entry", "half a range. Expected {missing} as well", {"missing": missing}
            )
        received = f"min_value {self.min_value:g}, max_value {self.max_value:g}"
        if self.min_value >= self.max_value:
            raise PydanticCustomError(
                "entry",
                "not a range. Expected min_value below max_value. Received {received}",
                {"received": received},
            )
        if self.sampling == "log" and self.min_value <= 0:
            raise PydanticCustomError(
                "entry",
                "no logarithm. Expected min_value above 0 for sampling: log. Received {received}",
                {"received": received},
            )
        if self.step is not None and (
            self.sampling == "log" or self.step > self.max_value - self.min_value
        ):
            raise PydanticCustomError(
                "entry",
                "not a step of this range. Expected at most max_value - min_value, and sampling: "
                "linear. Received {step} with sampling: {sampling}",
                {"step": f"{self.step:g}", "sampling": self.sampling, "at": ("step",)},
            )
        return self

    def _require_values(self) -> None:
        values = self.values or ()
        different = [value for i, value in enumerate(values) if value not in values[:i]]
        if len(different) < 2 or len(different) < len(values):
            raise PydanticCustomError(
                "entry",
                "nothing to choose from. Expected two or more different values. Received {given}",
                {"given": f"[{listed(map(repr, values))}]", "at": ("values",)},
            )
        if self.sampling != "linear" or self.step is not None:
            raise PydanticCustomError(
                "entry", "values exclude sampling and step; those belong to a range"
            )


class SearchStage(Model):
    """One pass over the space: a number of trials, each a complete short training."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", description="Names its trials.")
    trials: Trials = Field(description="Trials of this stage.")
    epochs: Epochs = Field(
        description="Epochs of a trial. Its schedule is made to end with them; what the recipe "
        "gives in epochs, such as warmup_epochs, shrinks in proportion."
    )
    oracle: Literal["random", "bayesian", "hyperband"] = Field(
        "random", description="How KerasTuner draws values; hyperband also draws the epochs."
    )
    prune: Literal["auto", "median", "asha", "none"] = Field(
        "auto",
        description="Stop trials that fall behind: below the median of the others (median) or "
        "outside the best third (asha). auto: median in the first of several stages, else none.",
    )


class Confirm(Model):
    """Trains the best trials again, in full and with new seeds."""

    top: Annotated[int, Field(ge=1, le=100)] = Field(3, description="Number of trials, best first.")
    seeds: Annotated[int, Field(ge=1, le=100)] = Field(3, description="Trainings of each trial.")


class Tune(Model):
    """What `zoo tune` searches: a space, stages from coarse to fine, and their limits."""

    objective: AutoMonitor = Field(
        "auto",
        description="What trials are compared by, each in its best epoch. auto: as train.monitor.",
    )
    space: dict[str, Entry] = Field(
        min_length=1,
        description="Hyperparameters to search, by recipe path: train.optimizer.SGD.learning_rate.",
    )
    stages: tuple_of(SearchStage) = Field(  # type: ignore[valid-type]
        min_length=1, description="From coarse to fine; each narrows the ranges for the next."
    )
    confirm: Confirm | None = Field(
        default_factory=Confirm,
        description="Full trainings of the best trials at the end, or none.",
    )
    extend: Annotated[int, Field(ge=0, le=10)] = Field(
        1,
        description="Maximum number of extra rounds of the last stage, while its best trial lies "
        "at the edge of a range.",
    )
    max_minutes: Minutes | None = Field(
        None,
        description="Limit of the whole search, or none; part of it is reserved for confirm.",
    )
    trial_minutes: Minutes | None = Field(None, description="Limit of a trial, or none.")
    keep: Annotated[int, Field(ge=0, le=MAX_COUNT)] = Field(
        1, description="Number of trials of each stage, best first, whose models stay on disk."
    )

    @model_validator(mode="after")
    def _names(self) -> Tune:
        given = [stage.name for stage in self.stages]
        for index, name in enumerate(given):
            if name in given[:index] or name == "confirm":
                raise PydanticCustomError(
                    "stage_name",
                    "taken already. Expected a name of its own for each stage, not 'confirm'. "
                    "Received '{name}'",
                    {"name": name, "at": ("stages", index, "name")},
                )
        return self

    @property
    def searches_class_weights(self) -> bool:
        """Whether trials differ in the weights of their classes."""
        path = "train.class_weight"
        return any(key == path or key.startswith(f"{path}.") for key in self.space)


# Ranges of weight decay by optimizer. Decoupled decay is multiplied by the learning rate, which is
# about a thousandth for all but these two, so there it must be large.
DECAYS = {"SGD": (1e-6, 1e-2), "TorchSGD": (1e-6, 1e-2)}
DECAY = (1e-5, 1.0)
# Range of learning rates where nothing is known: CS231n notes 3, "lr = 10 ** uniform(-6, 1)".
RATES = (1e-6, 10.0)


def proposal(word: str, epochs: int, rates: tuple[float, float] = RATES) -> dict[str, Any]:
    """A `tune` block for a recipe that has none: learning rate and weight decay.

    Args:
        word: the recipe's optimizer.
        epochs: of the recipe's training.
        rates: lowest and highest learning rate.
    """
    low, high = DECAYS.get(word, DECAY)
    at = f"train.optimizer.{word}"
    return {
        "space": {
            f"{at}.learning_rate": {
                "min_value": rates[0], "max_value": rates[1], "sampling": "log",
            },
            f"{at}.weight_decay": {"min_value": low, "max_value": high, "sampling": "log"},
        },
        "stages": [
            {"name": "coarse", "trials": 16, "epochs": max(epochs // 4, 1)},
            {"name": "fine", "trials": 8, "epochs": max(epochs // 2, 1)},
        ],
        "confirm": {"top": 3, "seeds": 3},
    }  # fmt: skip
