"""Shortens the training of a recipe in proportion: the trials of a search are shorter trainings."""

from __future__ import annotations

from typing import Any

from zoo.recipe.schema import Recipe
from zoo.recipe.words.word import MAX_EPOCHS, SMALLEST


def with_epochs(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe trained for another number of epochs, with a schedule that ends with them.

    What the recipe gives in epochs shrinks in proportion: warm-up, the epochs of steps, cycles, the
    end of a variable's training; the patience of `reduce_on_plateau`, in whole epochs, down to 1,
    and its cooldown. The factor of an exponential schedule changes so that the last learning
    rate stays the same. Early stopping is left out.

    A training that is cut off says little about its end: while the learning rate is still high, its
    accuracy is below that of a complete training of as many epochs.

    Args:
        recipe: resolved.
        epochs: of the new training.
    """
    train = recipe.train
    share = epochs / train.epochs
    update: dict[str, Any] = {
        "epochs": epochs,
        "early_stopping": None,
        "learning_rate_factors": tuple(
            group.model_copy(update={"until_epoch": group.until_epoch * share})
            if group.until_epoch is not None
            else group
            for group in train.learning_rate_factors
        ),
    }
    options, word = train.schedule.options, train.schedule.word
    schedule: dict[str, Any] = {}
    if hasattr(options, "warmup_epochs"):
        schedule["warmup_epochs"] = min(options.warmup_epochs * share, epochs)
    if getattr(options, "at_epochs", None):
        schedule["at_epochs"] = tuple(epoch * share for epoch in options.at_epochs)
    for name in ("every", "decay_epochs", "first_decay_epochs"):
        if getattr(options, name, None) is not None:
            schedule[name] = min(max(getattr(options, name) * share, SMALLEST), float(MAX_EPOCHS))
    if word == "exponential":
        schedule["factor"] = max(options.factor ** (1 / share), SMALLEST)
    if word == "reduce_on_plateau":
        schedule["patience"] = min(max(round(options.patience * share), 1), MAX_EPOCHS)
        schedule["cooldown"] = min(round(options.cooldown * share), MAX_EPOCHS)
    if schedule:
        options = options.model_copy(update=schedule)
        update["schedule"] = train.schedule.model_copy(update={word: options})
    return recipe.model_copy(update={"train": train.model_copy(update=update)})
