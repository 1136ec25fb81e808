"""Goes on with a run that was interrupted or killed, or that is given more epochs.

It ends with the same weights, bit for bit, as a run that nothing interrupted.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import keras

from zoo import backend
from zoo import recipe as recipes
from zoo.artifact.trained_run import require_same_classes
from zoo.artifact.warm_start import warm_start
from zoo.backend import devices, processes, supervisor
from zoo.backend.device_request import require_devices
from zoo.datasets.load import load as load_data
from zoo.datasets.normalise import Normalisation, normalisation
from zoo.datasets.splits import Splits
from zoo.errors import DataError, EnvironmentFault, RunError, StorageFault
from zoo.loading import require_source_alone
from zoo.plan import plan
from zoo.plugins import recipe_parts
from zoo.progress import progress_bar
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.training import alike, checkpoint, extension, run_metadata
from zoo.training.energy import metered
from zoo.training.loop.choose import begun, choose
from zoo.training.preparing import prepare_keras
from zoo.training.run_training import Training
from zoo.training.settings import TrainingSettings
from zoo.training.state_file import Saved
from zoo.version import __version__


@devices.held_until_end()
def resume(
    path: str | Path | Run, settings: TrainingSettings | None = None, overrides: Sequence[str] = ()
) -> Run:
    """Continues an interrupted or killed run to the weights that it would have had.

    A run that is done is returned as it is, unless it is given more epochs.

    Args:
        path: the run folder, or the run.
        settings: as for `train`.
        overrides: changes of `data.source` and `plugins`, for data and parts of the user's own that
            were moved; and `train.epochs=N`, for more epochs, where a run of N epochs would have
            been the same so far.

    Returns:
        The run, with status `done`.

    Raises:
        UsageError: a change of anything but `data.source`, `plugins` and `train.epochs`.
        RecipeError: a change that does not make a valid recipe.
        RunError: there is no such run, it is still running, it cannot have more epochs, or it was
            begun with another number of devices.
        EnvironmentFault: there are fewer devices here than it was begun with.
        DamagedFile: a file of the run was cut, edited, or is another run's.
        DataError: the data are no longer those that the run began with.
        Diverged: as for `train`.
        Interrupted: as for `train`.
    """
    settings = settings or TrainingSettings()
    run = path if isinstance(path, Run) else Run.open(path)
    supervisor.tell(resume=processes.resume_command(run))
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
    with run.locked(), metered(run):
        with _marked_running(run):
            training = _resumable(run, info, settings, moved, more)
        return run if training is None else training[0].go(training[1])


@contextmanager
def _marked_running(run: Run) -> Iterator[None]:
    """Says in run.json that the run is running while its data are loaded, which may take long.

    Other hosts, which do not see the lock, would take it for a run that nobody works on, and
    `zoo runs --clean` would remove it. An error in the block brings the status back. A run that is
    done stays so: nobody removes it.
    """
    info = run.info()
    if info["status"] == "done":
        yield
        return
    before = {key: info.get(key) for key in ("status", "host", "pid")}
    run.update(status="running", host=socket.gethostname(), pid=os.getpid())
    try:
        yield
    except BaseException:
        with suppress(StorageFault):
            run.update(**before)
        raise


def _resumable(
    run: Run,
    info: dict[str, Any],
    settings: TrainingSettings,
    moved: Sequence[str],
    more: Sequence[str],
) -> tuple[Training, Saved | None] | None:
    """Prepares a run to be continued; returns None where it is done, with as many epochs."""
    recipe_parts.require_recorded(run, info, moved)
    extension.require_recipe(run, info, moved)
    planned = recipes.reload(run.recipe_file, moved)
    recipe_parts.require_same(run, info, planned)
    recipe = extension.longer(run, planned, info, more, moved) if more else planned
    if info["status"] == "done" and recipe is planned:
        settings.print_line(f"{run} is done already, with as many epochs: nothing to resume.")
        return None
    count = _prepared(run, recipe, info, settings)
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
    before = _devices_of(info)
    loop = alike.agreed_loop(choose(recipe, data, begun(info) if count == before else None))
    alike.require_alike(recipe, {**info, "zoo": __version__, "versions": backend.versions()})
    saved = checkpoint.newest_of_first(run, settings.print_line)
    if count != before:
        _note_devices(run, settings, before, count, saved)
    if recipe is not planned:
        extension.write(run, planned, recipe, saved, moved)
    run.update(
        status="running", host=socket.gethostname(), pid=os.getpid(),
        processes=processes.count(), **settings.recorded,
    )  # fmt: skip
    warm = None
    if saved is None and run.model_file.is_file():
        settings.print_note(
            "the run had saved no state yet (train.checkpoint_minutes says when it does): it "
            "begins again at epoch 1, and comes to the same weights"
        )
    if saved is None:  # Else the state holds all weights, and nobody needs the file any more.
        warm = warm_start(recipe, plan(recipe, len(data.class_names)))
    return Training(run, recipe, data, scaling, settings, loop, warm), saved


def _devices_of(info: dict[str, Any]) -> int:
    return int(info.get("devices") or 1)


def _prepared(run: Run, recipe: Recipe, info: dict[str, Any], settings: TrainingSettings) -> int:
    """Prepares Keras and the devices of a resumed run; returns how many devices there are.

    Raises:
        RunError: it was begun with another number, or with another backend.
        EnvironmentFault: there are fewer.
    """
    before, allowed = _devices_of(info), settings.allow_other_devices
    request = require_devices(before, settings.devices, allowed, str(run))
    try:
        count = prepare_keras(recipe, request, settings.print_note).count
    except EnvironmentFault as error:
        if request is None or settings.devices is not None or before == 1:
            raise
        fewer = EnvironmentFault(
            f"{run}: was begun with {before} devices. {error.message} To go on with another "
            "number, and other last bits, add --devices N --allow-other-devices."
        )
        fewer.agreed = error.agreed
        raise fewer from None
    require_devices(before, count, allowed, str(run))
    return count


def _note_devices(
    run: Run, settings: TrainingSettings, before: int, count: int, saved: Saved | None
) -> None:
    """Writes down, and tells, that a run goes on with another number of devices."""
    entry = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "from_devices": before,
        "to_devices": count,
        "after_step": int(saved[0]["step"]) if saved else 0,
    }
    changes = [*(run.info().get("devices_changed") or []), entry]
    run.update(devices=count, devices_changed=changes)
    settings.print_note(
        f"the run was begun with {before} of these devices and goes on with {count}: its weights "
        "will differ in their last bits from those of a run that nothing interrupted"
    )


def _scaling(recipe: Recipe, data: Splits, info: dict[str, Any]) -> Normalisation:
    """The normalisation that the run began with: with trained weights, it may be theirs."""
    if info.get("warm_start"):
        return Normalisation.from_json(info["normalisation"])
    return normalisation(recipe.data.preprocess, data.train)
