"""A trial as it is handed to a worker, and the recipe that it trains. Light."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from zoo.recipe import Recipe, Template, shortened


@dataclass(frozen=True, kw_only=True)
class Job:
    """A trial to be run; `epochs` is None for a whole training."""

    trial: str
    stage: str
    index: int
    values: Mapping[str, Any]
    seed: int
    epochs: int | None
    rule: str = "none"
    rivals: Mapping[str, Sequence[float]] = field(default_factory=dict)


def trial_recipe(
    template: Template, values: dict[str, Any], seed: int, epochs: int | None, objective: str
) -> Recipe:
    """The recipe that a trial trains: its values and seed, and a schedule of so many epochs."""
    filled = template.filled(values)
    train = filled.train.model_copy(update={"monitor": objective})
    filled = filled.model_copy(update={"seed": seed, "train": train, "tune": None})
    return filled if epochs is None else shortened(filled, epochs)
