"""What the options of a schedule say of a training: which are wrong together, when steps come.

Light.
"""

from __future__ import annotations

from math import ceil, log, log1p
from typing import Any

from pydantic_core import PydanticCustomError

from zoo.recipe.fields import Choice
from zoo.recipe.shown import listed
from zoo.recipe.warmup import SHARE as WARMUP_SHARE
from zoo.recipe.words.word import MAX_ITEMS


def require_fit(schedule: Choice, epochs: int) -> None:
    """Requires that a schedule's options go together, and fit the training.

    Args:
        schedule: the recipe's `train.schedule`.
        epochs: of the training.

    Raises:
        PydanticCustomError: `at` in its context is the path from `train` to the option at fault.
    """
    _require_warmup(schedule, epochs)
    if schedule.word == "step":
        _require_steps(schedule.options)
    if schedule.word == "cosine_restarts":
        _require_cycles(schedule.options, epochs)


def times_stepped(options: Any, epochs: int) -> int:
    """How often `step` multiplies the learning rate by its factor.

    Args:
        options: of `step`.
        epochs: of the training.
    """
    every: float | None = options.every
    if every is None:
        return len(options.at_epochs)
    return max(ceil(epochs / every) - 1, 0)


def monitors(train: Any) -> dict[str, str]:
    """The metrics of validation that a training watches, by their paths; own ones where given.

    Args:
        train: the recipe's `train`.
    """
    found = {"train.monitor": train.monitor}
    if train.early_stopping is not None and train.early_stopping.monitor:
        found["train.early_stopping.monitor"] = train.early_stopping.monitor
    own = getattr(train.schedule.options, "monitor", None)
    if own:
        found[f"train.schedule.{train.schedule.word}.monitor"] = own
    return found


def _error(word: str, option: str, message: str, **values: Any) -> PydanticCustomError:
    """An error at an option of a schedule; values stand for names in braces in the message."""
    return PydanticCustomError(
        "schedule",
        message,
        {**values, "at": ("schedule", word, option) if option else ("schedule", word)},
    )


def _require_warmup(schedule: Choice, epochs: int) -> None:
    warmup = getattr(schedule.options, "warmup_epochs", 0)
    if warmup > epochs:
        raise _error(
            schedule.word,
            "warmup_epochs",
            "longer than the training. Expected at most epochs={epochs}. Received {warmup}; "
            "with fewer epochs, set {key} too: {key}={example}",
            warmup=f"{warmup:g}",
            epochs=epochs,
            example=f"{WARMUP_SHARE * epochs:.3g}",
            key=f"train.schedule.{schedule.word}.warmup_epochs",
        )


def _require_steps(options: Any) -> None:
    at, every, factors = options.at_epochs, options.every, options.factors
    if at is None and every is None:
        raise _error(
            "step",
            "",
            "the epochs of its steps are missing. Expected at_epochs, such as [30, 60], or every, "
            "such as 30",
        )
    if at is not None and every is not None:
        raise _error("step", "every", "at_epochs and every exclude each other; keep one of them")
    if at is not None and (not at or min(at) <= 0 or list(at) != sorted(set(at))):
        raise _error(
            "step",
            "at_epochs",
            "not a rising list. Expected one or more epochs above 0, each above the one before it. "
            "Received {given}",
            given=f"[{listed(at)}]",
        )
    if factors is None:
        return
    if at is None:
        raise _error(
            "step",
            "factors",
            "factors are for at_epochs: one for each. Expected factor, a single number, with every",
        )
    if len(factors) != len(at):
        raise _error(
            "step",
            "factors",
            "not one for each of at_epochs. Expected {expected}. Received {given}",
            expected=f"{len(at)} number{'s' * (len(at) != 1)}",
            given=len(factors),
        )
    # A recipe with its defaults written out holds both.
    if options.factor != type(options).model_fields["factor"].default:
        raise _error("step", "factor", "factor and factors exclude each other; keep one of them")


def _require_cycles(options: Any, epochs: int) -> None:
    """Cycles of 0.001 of a training are a slip of the pen, and each has a place in the program."""
    ratio, growth = epochs / options.first_decay_epochs, options.t_mul - 1.0
    cycles = ratio if growth < 1e-9 else log1p(ratio * growth) / log(options.t_mul)
    if cycles > MAX_ITEMS:
        raise _error(
            "cosine_restarts",
            "first_decay_epochs",
            "makes {cycles} cycles of {epochs} epochs. Expected at most {most} cycles. Received "
            "{given}; a cycle is often a tenth of the training or more",
            cycles=f"{cycles:,.0f}",
            epochs=epochs,
            most=f"{MAX_ITEMS:,}",
            given=f"{options.first_decay_epochs:g}",
        )
