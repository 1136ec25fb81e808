"""More epochs for a run that has begun: which runs can have them, and what is written down.

A run is extended only where that gives, to the bit, what a run with as many epochs from the start
would have given. Batches are a function of seed and step, so what decides is what else knows the
length of the training: the schedule, Lookahead, and early stopping.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from zoo import recipe as recipes
from zoo.errors import RunError
from zoo.recipe import Recipe
from zoo.rundir import Run, write_text
from zoo.rundir.recipe_text import (
    read_recipe_text,
    require_unchanged,
    rewritten,
    text_digest,
)
from zoo.training.state_file import Saved

KEY = "train.epochs"
# Schedules that are laid over all planned epochs: with more of them, every step has another rate.
OVER_ALL_EPOCHS = {
    "cosine": "falls along half a cosine to the last planned epoch",
    "polynomial": "falls from the first epoch to the last planned one",
    "one_cycle": "falls along a line to the last planned epoch",
    "triangle": "rises and falls along lines to the last planned epoch",
}


def split(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    """Parts the changes of `train.epochs` from all other changes."""

    def is_epochs(override: str) -> bool:
        return override.partition("=")[0].strip() == KEY

    return [o for o in overrides if is_epochs(o)], [o for o in overrides if not is_epochs(o)]


def require_recipe(run: Run, info: Mapping[str, Any], moved: Sequence[str] = ()) -> None:
    """Requires that recipe.yaml is the run's; completes an extension that a crash cut in two.

    Args:
        run: the run.
        info: run.json.
        moved: overrides that say where data and parts are now.

    Raises:
        DamagedFile: recipe.yaml is missing, or was edited since the run began.
    """
    last = (info.get("extended") or [None])[-1]
    if last and text_digest(read_recipe_text(run)) == last["recipe_hash_before"]:
        text = rewritten(run, [f"{KEY}={last['to_epochs']}"], moved)
        write_text(run.recipe_file, text)
    require_unchanged(run, info, moved)


def longer(
    run: Run,
    recipe: Recipe,
    info: Mapping[str, Any],
    changes: Sequence[str],
    moved: Sequence[str] = (),
) -> Recipe:
    """The recipe of a run with more epochs.

    Args:
        run: the run.
        recipe: its recipe as it is.
        info: run.json.
        changes: `train.epochs=N`; of several, the last one counts.
        moved: overrides that say where data and parts are now.

    Returns:
        The recipe with N epochs; the same recipe if it has them already.

    Raises:
        RecipeError: N is no number of epochs.
        RunError: N is less than the run has; or the longer run would have been another one.
    """
    epochs = recipes.load(str(run.recipe_file), [*changes, *moved]).train.epochs
    if epochs == recipe.train.epochs:
        return recipe
    new_run = (
        "Begin a new run, which starts from the beginning, with this run's weights only if "
        f"model.weights names it: zoo train {run.recipe_file} --set {KEY}={epochs}"
    )
    if epochs < recipe.train.epochs:
        raise RunError(
            f"--set {KEY}={epochs}: the run is planned for {recipe.train.epochs} epochs, and can "
            f"only be given more. {new_run}"
        )
    reason = _obstacle(recipe, info)
    if reason:
        raise RunError(f"{run}: cannot be given more epochs: {reason}. {new_run}")
    return recipe.model_copy(update={"train": recipe.train.model_copy(update={"epochs": epochs})})


def _obstacle(recipe: Recipe, info: Mapping[str, Any]) -> str | None:
    """Why a longer training would have had other first epochs; None if it would not."""
    train = recipe.train
    shape = OVER_ALL_EPOCHS.get(train.schedule.word)
    # A polynomial with epochs of its own does not know how many are planned.
    if shape and not getattr(train.schedule.options, "decay_epochs", None):
        return (
            f"train.schedule: {train.schedule.word} {shape}, so that with more epochs each step "
            "would have had another learning rate"
        )
    if train.lookahead:
        return (
            "train.lookahead holds the weights ever more firmly until the last planned epoch, so "
            "that with more epochs each step would have had other weights"
        )
    if info["status"] == "done" and info.get("stopped_early"):
        return (
            f"early stopping ended it after epoch {info['epochs']}, and would have ended a longer "
            "training there too"
        )
    return None


def write(
    run: Run, old: Recipe, new: Recipe, saved: Saved | None, moved: Sequence[str] = ()
) -> None:
    """Writes an extension into run.json, then the longer recipe into recipe.yaml.

    A crash between the two leaves run.json with the hash of both texts: `require_recipe` goes on.

    Args:
        run: the run.
        old: its recipe.
        new: the recipe with more epochs.
        saved: the newest state of the training; None if there is none.
        moved: overrides that say where data and parts are now; recipe.yaml keeps the old places.

    Raises:
        RunError: the run is done, and holds no state to go on from.
    """
    info = run.info()
    if saved is None and info["status"] == "done":
        raise RunError(
            f"{run}: has no state to go on from, as the trials of a search have none. Begin a new "
            f"run: zoo train {run.recipe_file} --set {KEY}={new.train.epochs}"
        )
    text = rewritten(run, [f"{KEY}={new.train.epochs}"], moved)
    entry = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "from_epochs": old.train.epochs,
        "to_epochs": new.train.epochs,
        "after_step": int(saved[0]["step"]) if saved else 0,
        "recipe_hash_before": text_digest(read_recipe_text(run)),
    }
    run.update(
        status="running",
        recipe_hash=text_digest(text),
        extended=[*(info.get("extended") or []), entry],
        model_sha256=None,
    )
    write_text(run.recipe_file, text)
