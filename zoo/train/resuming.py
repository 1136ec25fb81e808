"""Goes on with a run that was interrupted or killed, or that is given more epochs.

It ends with the same weights, bit for bit, as a run that nothing interrupted.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from zoo import recipe as recipes
from zoo.artifact.trained_run import require_same_classes
from zoo.artifact.warm_start import warm_start
from zoo.data.load import load as load_data
from zoo.data.normalise import Normalisation, normalisation
from zoo.data.splits import Splits
from zoo.errors import DataError, RunError
from zoo.load import require_source_alone
from zoo.plan import plan
from zoo.progress import progress_bar
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.train import checkpoint, extension, run_metadata
from zoo.train.loop.choose import begun, choose
from zoo.train.settings import TrainingSettings
from zoo.train.training import Training, prepare_keras, recorded_flags


def resume(
    path: str | Path, settings: TrainingSettings | None = None, overrides: Sequence[str] = ()
) -> Run:
    """Continues an interrupted or killed run to the weights that it would have had.

    A run that is done is returned as it is, unless it is given more epochs.

    Args:
        path: the run folder.
        settings: as for `train`.
        overrides: changes of `data.source`, for data that were moved; and `train.epochs=N`, for
            more epochs, where a run of N epochs would have been the same so far.

    Returns:
        The run, with status `done`.

    Raises:
        UsageError: a change of anything but `data.source` and `train.epochs`.
        RecipeError: a change that does not make a valid recipe.
        RunError: there is no such run, it is still running, or it cannot have more epochs.
        DamagedFile: a file of the run was cut, edited, or is another run's.
        DataError: the data are no longer those that the run began with.
        Diverged: as for `train`.
        Interrupted: as for `train`.
    """
    settings = settings or TrainingSettings()
    run = Run.open(path)
    info = run.started_info()
    more, moved = extension.split(overrides)
    require_source_alone(run.recipe_file, moved)
    if info["status"] == "done" and not more:
        settings.print_line(
            f"{run} is done already: nothing to resume. More epochs: --set train.epochs=N"
        )
        return run
    if info["status"] == "diverged":
        raise RunError(
            f"{run}: {info.get('reason', 'diverged')} Going on would diverge again: "
            "start a new run with a lower learning rate."
        )
    with run.locked():
        return _resumed(run, info, settings, moved, more)


def _resumed(
    run: Run,
    info: dict[str, Any],
    settings: TrainingSettings,
    moved: Sequence[str],
    more: Sequence[str],
) -> Run:
    extension.require_recipe(run, info)
    planned = recipes.reload(run.recipe_file, moved)
    recipe = extension.longer(run, planned, info, more) if more else planned
    if info["status"] == "done" and recipe is planned:
        settings.print_line(f"{run} is done already, with as many epochs: nothing to resume.")
        return run
    prepare_keras(recipe)
    if info["backend"] != keras.backend.backend():
        raise RunError(
            f"{run}: was begun with KERAS_BACKEND={info['backend']}; resume it with that backend."
        )
    with progress_bar(settings.console) as report:
        data = load_data(recipe, progress=report)
        scaling = _scaling(recipe, data, info)
    if data.fingerprint != info["data"]["fingerprint"]:
        raise DataError(
            f"{run}: the data changed since it began. Expected fingerprint "
            f"{info['data']['fingerprint'][:12]}. Received {data.fingerprint[:12]}; "
            "restore the old data, or start a new run."
        )
    require_same_classes(run, info, data)
    run.sweep()
    warning = run_metadata.changed_versions(info)
    if warning:
        settings.print_line(warning)
    loop = choose(recipe, data, begun(info))
    saved = checkpoint.newest(run, settings.print_line)
    if recipe is not planned:
        extension.write(run, planned, recipe, saved)
    run.update(
        status="running", host=socket.gethostname(), pid=os.getpid(), **recorded_flags(settings)
    )
    warm = None
    if saved is None:  # Else the state holds all weights, and nobody needs the file any more.
        warm = warm_start(recipe, plan(recipe, len(data.class_names)))
    return Training(run, recipe, data, scaling, settings, loop, warm).go(saved)


def _scaling(recipe: Recipe, data: Splits, info: dict[str, Any]) -> Normalisation:
    """The normalisation that the run began with: with trained weights, it may be theirs."""
    if info.get("warm_start"):
        return Normalisation.from_json(info["normalisation"])
    return normalisation(recipe.data.preprocess, data.train)
