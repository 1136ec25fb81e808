"""The contents of tune.json: a search's clock, stages, data and machine. Light."""

from __future__ import annotations

import math
import time
from typing import Any

from tuning.executors.base import Ready
from zoo.errors import DataError, RunError
from zoo.rundir import Search

SECONDS_BETWEEN_TICKS = 1.0


class SearchState:
    """tune.json, kept up to date while a search runs.

    Args:
        folder: the search's folder.
        info: contents of tune.json, also for a new search that has none yet.
    """

    def __init__(self, folder: Search, info: dict[str, Any]) -> None:
        self.folder = folder
        self.info = info
        self._seconds_before = float(info["seconds"])
        self._started = time.monotonic()
        self._written = -math.inf  # When tune.json was written.
        self._warned = False

    @property
    def seconds(self) -> float:
        """Seconds that the search has run, earlier parts included."""
        return self._seconds_before + time.monotonic() - self._started

    def update(self, **values: Any) -> None:
        """Writes tune.json with new values and the time that was spent."""
        self._written = time.monotonic()
        self.info |= values | {"seconds": round(self.seconds, 1)}
        self.folder.write_info(self.info)

    def tick(self) -> None:
        """Writes the time that was spent, unless that was done less than a second ago."""
        if time.monotonic() - self._written >= SECONDS_BETWEEN_TICKS:
            self.update()

    def check_worker(self, worker: Ready) -> list[str]:
        """Compares a worker with the first one of the search, whose data and machine are recorded.

        Returns:
            Notes for the user: remarks on the data, and what differs and may affect results.

        Raises:
            DataError: the worker has other data.
            RunError: the worker has another backend.
        """
        recorded = self.info.get("data")
        if recorded is None:
            data = {
                "fingerprint": worker.fingerprint, "train": worker.train,
                "validation": worker.validation, "classes": worker.classes,
                "balanced_images": worker.balanced_images, "multi_label": worker.multi_label,
            }  # fmt: skip
            machine = {
                "backend": worker.backend, "device": worker.device,
                "versions": dict(worker.versions),
            }  # fmt: skip
            objective = self.info.get("objective") or worker.monitor
            self.update(data=data, objective=objective, **machine)
            return [f"note: {note}" for note in worker.notes]
        notes = self._compare_machine(worker)
        if recorded["fingerprint"] != worker.fingerprint:
            raise DataError(
                f"{self.folder}: the data changed since the search began. Expected fingerprint "
                f"{recorded['fingerprint'][:12]} ({recorded['train']} training images). Received "
                f"{worker.fingerprint[:12]} ({worker.train}); restore the old data, or "
                "begin a new search without --resume."
            )
        return notes

    def _compare_machine(self, worker: Ready) -> list[str]:
        """Returns a warning, once, if versions or the device changed.

        Raises:
            RunError: the worker has another backend.
        """
        if self.info["backend"] != worker.backend:
            raise RunError(
                f"{self.folder}: was begun with KERAS_BACKEND={self.info['backend']}, and two "
                "backends give different trials; resume it with that one."
            )
        old = {"device": self.info["device"], **self.info["versions"]}
        new = {"device": worker.device, **worker.versions}
        changed = [f"{key} {old[key]} -> {new.get(key)}" for key in old if old[key] != new.get(key)]
        if not changed or self._warned:
            return []
        self._warned = True
        return [
            f"warning: changed since the search began: {', '.join(changed)}. Trials may differ "
            "a little from those before."
        ]
