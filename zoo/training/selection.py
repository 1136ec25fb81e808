"""Chooses what selects the best epoch, where a recipe leaves that to its data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zoo.class_metrics import say_never_predicted
from zoo.datasets.splits import Split
from zoo.errors import Problem, RecipeError
from zoo.labels import class_counts, is_multi_label
from zoo.recipe import Recipe
from zoo.recipe.monitors import MULTI_LABEL_ONLY, SINGLE_LABEL_ONLY, weighs_classes_alike
from zoo.recipe.schedules import monitors

# Largest class over smallest from which a split is strongly unbalanced. Fernandez et al. 2008 ("A
# study of the behaviour of linguistic fuzzy rule based classification systems in the framework of
# imbalanced data-sets") and the KEEL repository call more than 9 a high imbalance: of two classes,
# the rare one then has less than a tenth of the images, so that naming the other one for each
# image is right for more than nine in ten.
STRONG_IMBALANCE = 9.0
UNEVEN = 1.5  # Largest over smallest from which weights of the classes make a difference.


def imbalance(labels: np.ndarray) -> float:
    """Images of the largest class over those of the smallest that has any.

    Args:
        labels: in either form of `zoo.labels`, with at least one image.
    """
    counts = class_counts(np.asarray(labels), 0)
    counts = counts[counts > 0]
    return float(counts.max() / counts.min()) if len(counts) else 1.0


def choose_monitor(recipe: Recipe, train: Split) -> tuple[str, str | None]:
    """Chooses `train.monitor`.

    Args:
        recipe: resolved.
        train: the training split.

    Returns:
        The metric, and why it was chosen; None for the reason if the recipe gives the metric, or if
        it is `val_accuracy`, as nothing is unusual.
    """
    monitor = recipe.train.monitor
    if monitor != "auto":
        return monitor, None
    if is_multi_label(train.labels):
        return "val_mean_average_precision", "images have any number of classes"
    if recipe.train.class_weight is not None:
        return "val_balanced_accuracy", "train.class_weight is set"
    ratio = imbalance(train.labels)
    if ratio > STRONG_IMBALANCE:
        reason = f"the largest class has {ratio:.3g} times the training images of the smallest"
        return "val_balanced_accuracy", reason
    return "val_accuracy", None


def require_defined(recipe: Recipe, validation: Split) -> None:
    """Checks that the validation split has what the monitors measure.

    Args:
        recipe: with its monitor.
        validation: the validation split.

    Raises:
        RecipeError: a monitor is for images with one class each, or for images with any number
            of classes, and the images have the other kind; or it is `val_auc`, and all validation
            images are of one class, or have the same classes; or no validation image has a class.
    """
    _require_kind(recipe, is_multi_label(validation.labels))
    if is_multi_label(validation.labels) and not np.any(validation.labels):
        message = "no validation image has any class, so that nothing can be measured on them."
        raise RecipeError([Problem(path="data.source", message=message)])
    if len(np.unique(validation.labels, axis=0)) > 1:
        return
    problems = [
        Problem(
            path=path,
            message="val_auc: undefined, as all validation images are of one class. Expected "
            "images of two classes or more. See data.source, or choose another metric.",
        )
        for path, monitor in monitors(recipe.train).items()
        if monitor == "val_auc"
    ]
    if problems:
        raise RecipeError(problems)


def _require_kind(recipe: Recipe, multi_label: bool) -> None:
    """Refuses monitors that are not defined for this kind of labels."""
    images, wrong, advice = (
        ("have any number of classes", SINGLE_LABEL_ONLY, "val_mean_average_precision or val_f1")
        if multi_label
        else ("have one class each", MULTI_LABEL_ONLY, "val_balanced_accuracy or val_f1")
    )
    problems = [
        Problem(
            path=path,
            message=f"{monitor}: undefined, as the images {images}. Expected {advice}, for "
            f"example. Received {monitor}.",
        )
        for path, monitor in monitors(recipe.train).items()
        if monitor in wrong
    ]
    if problems:
        raise RecipeError(problems)


def with_monitor(recipe: Recipe, train: Split) -> tuple[Recipe, str | None]:
    """Writes the chosen `train.monitor` into a recipe, so that the recipe alone repeats the choice.

    Args:
        recipe: resolved.
        train: the training split.

    Returns:
        The recipe, and a line for the user; None where there is nothing to say.
    """
    monitor, reason = choose_monitor(recipe, train)
    config = recipe.train.model_copy(update={"monitor": monitor})
    chosen = recipe.model_copy(update={"train": config})
    if reason is None:
        return chosen, None
    return chosen, f"monitor: {monitor} ({reason}; train.monitor: val_accuracy asks for another)"


def unnamed_classes(recipe: Recipe, train: Split, class_names: Sequence[str], epoch: int) -> str:
    """Says that the model that was kept takes no image for some classes, and what may help.

    Args:
        recipe: with its monitor.
        train: the training split.
        class_names: of these classes.
        epoch: that was kept, from 1.
    """
    remedies = []
    # Of many classes each is rare by itself: fewer images have it than have not.
    uneven = is_multi_label(train.labels) or imbalance(train.labels) > UNEVEN
    if recipe.train.class_weight is None and uneven:
        remedies.append("set train.class_weight: balanced")
    if not weighs_classes_alike(recipe.train.monitor):
        better = "mean_average_precision" if is_multi_label(train.labels) else "balanced_accuracy"
        remedies.append(f"set train.monitor: val_{better}")
    remedies.append("train for more epochs")
    *others, last = remedies
    advice = f"{', '.join(others)}, or {last}" if others else last
    said = say_never_predicted(class_names, "validation image")
    return f"warning: in the epoch that was kept ({epoch}), {said}: {advice}."
