"""C27: batch and learning rate beside those of the recipe that this one comes from."""

from __future__ import annotations

from zoo.checks.judge.batch_size import BatchAndRate, BatchGrowth
from zoo.checks.measure.subject import Subject
from zoo.recipe import Recipe


def batch_and_rate(recipe: Recipe, origin: str = "") -> BatchAndRate:
    """The batch and the learning rate of a recipe.

    Args:
        recipe: resolved.
        origin: where it stands.
    """
    train = recipe.train
    return BatchAndRate(
        images=train.batch_size * (train.gradient_accumulation_steps or 1),
        learning_rate=float(train.optimizer.options.learning_rate),
        optimizer=train.optimizer.word,
        origin=origin,
    )


def batch_growth(subject: Subject) -> BatchGrowth | None:
    """How batch and rate changed; None if nothing is known of others, or of another optimizer."""
    before, now = subject.before, batch_and_rate(subject.recipe)
    if before is None or before.optimizer != now.optimizer:
        return None
    return BatchGrowth(before=before, now=now)
