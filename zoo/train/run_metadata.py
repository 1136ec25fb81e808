"""What run.json says of a run at its start, and what must be the same when it goes on."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import time
from typing import Any

import keras
from rich.console import Console

from zoo import __version__, backend
from zoo.data.normalise import Normalisation
from zoo.data.splits import Splits
from zoo.recipe import Recipe


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def warn_versions(info: dict[str, Any], console: Console) -> None:
    now = backend.versions()
    changed = [
        f"{name} {old} -> {now.get(name, 'none')}"
        for name, old in info["versions"].items()
        if now.get(name) != old
    ]
    if changed:
        console.print(
            f"warning: versions changed since the run began ({', '.join(changed)}): the weights "
            "may differ in their last bits from an undisturbed run's.",
            highlight=False,
        )


def facts(recipe: Recipe, data: Splits, scaling: Normalisation) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "seed": recipe.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "zoo": __version__,
        "backend": keras.backend.backend(),
        "device": backend.device(),
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
        },
        "class_names": list(data.class_names),
        "normalisation": scaling.as_json(),
    }


def _commit() -> str | None:
    """The commit of the folder that the user works in, if it is a git repository."""
    try:
        found = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip()
