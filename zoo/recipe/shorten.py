"""A shorter training with the shape of a longer one: what the trials of a search are."""

from __future__ import annotations

from typing import Any

from zoo.recipe.schema import Recipe


def shortened(recipe: Recipe, epochs: int) -> Recipe:
    """The recipe trained for so many epochs, with a schedule that is complete within them.

    What is given in epochs shrinks in proportion: warm-up, the epochs of steps, the end of a
    variable's training; the factor an epoch of an exponential schedule gives the same in all.
    Early stopping is left out. A learning rate that falls at the end makes the accuracy after some
    epochs of a long training worse than after as many of a short one, so that a cut-off training
    says little about its end.
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
    changed: dict[str, Any] = {}
    if hasattr(options, "warmup_epochs"):
        changed["warmup_epochs"] = min(options.warmup_epochs * share, epochs)
    if hasattr(options, "at_epochs"):
        changed["at_epochs"] = tuple(epoch * share for epoch in options.at_epochs)
    if word == "exponential":
        changed["factor"] = options.factor ** (1 / share)
    if changed:
        options = options.model_copy(update=changed)
        update["schedule"] = train.schedule.model_copy(update={word: options})
    return recipe.model_copy(update={"train": train.model_copy(update=update)})
