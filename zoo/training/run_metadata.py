"""What run.json says about a run: at its start, and at its end."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Sequence
from typing import Any, get_args

import keras

from zoo import backend
from zoo.backend import devices
from zoo.datasets.normalise import Normalisation
from zoo.datasets.splits import Splits, ranges_of
from zoo.plugins import recipe_parts
from zoo.recipe import Recipe, dump
from zoo.recipe.monitors import Monitor
from zoo.rundir.recipe_text import text_digest
from zoo.rundir.schema import names_digest
from zoo.training.epoch_records import BestEpoch
from zoo.training.loop.choose import LoopChoice
from zoo.version import __version__


def changed_versions(info: dict[str, Any]) -> str | None:
    """A warning if packages or the device differ from those that a run began with."""
    now = backend.versions()
    changed = [
        f"{name} {old} -> {now.get(name, 'none')}"
        for name, old in info["versions"].items()
        if now.get(name) != old
    ]
    if not changed:
        return None
    return (
        f"warning: versions changed since the run began ({', '.join(changed)}): the weights "
        "may differ in their last bits from an uninterrupted run's."
    )


def at_start(
    recipe: Recipe, data: Splits, scaling: Normalisation, loop: LoopChoice
) -> dict[str, Any]:
    """Seed, versions, device, data and classes of a run that begins now, as run.json keeps them.

    Args:
        recipe: as trained.
        data: its splits.
        scaling: normalisation of the images.
        loop: which makes the steps.
    """
    return {
        "recipe_hash": text_digest(dump(recipe)),
        "name": recipe.name,
        "seed": recipe.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "zoo": __version__,
        "backend": keras.backend.backend(),
        "device": backend.device(),
        "devices": devices.current().count,
        "processes": devices.current().processes,
        "loop": loop.loop,
        "streams": loop.streams,
        "versions": backend.versions(),
        "git_commit": _commit(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "data": {
            "fingerprint": data.fingerprint,
            "train": len(data.train),
            "validation": len(data.validation),
            "test": None if data.test is None else len(data.test),
            "streamed": data.train.streamed,
            "notes": list(data.notes),
            **({} if data.manifest is None else {"manifest": dict(data.manifest)}),
        },
        "multi_label": data.multi_label,
        "class_names": list(data.class_names),
        "class_names_sha256": names_digest(data.class_names),
        "normalisation": scaling.as_json(),
        "value_range": data.value_range,
        "image_ranges": ranges_of(data.train).as_json(),
        **recipe_parts.recorded(recipe),
    }


def at_end(
    best: BestEpoch, class_names: Sequence[str], epochs: int, steps: int, parameters: int
) -> dict[str, Any]:
    """What training reached, as run.json keeps it.

    Args:
        best: the best epoch, if there is one.
        class_names: of the data.
        epochs: whole epochs made.
        steps: steps made.
        parameters: of the model.
    """
    values = {key: best.values.get(key) for key in get_args(Monitor)}
    return {
        "status": "done",
        "epochs": epochs,
        "steps": steps,
        "best_epoch": None if best.epoch is None else best.epoch + 1,
        "monitor": best.monitor,
        **values,
        "never_predicted": [class_names[number] for number in best.unnamed],
        "parameters": parameters,
    }


def _commit() -> str | None:
    """The commit of the folder that the user works in, if it is a git repository."""
    try:
        git = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return git.stdout.strip()
