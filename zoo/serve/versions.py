"""The versions of a model: which are loaded, in what state each is, and what comes later.

A new version is loaded and warmed up beside the old one, takes its place in one step, and the old
one goes when its last request is answered. One that cannot be loaded changes nothing but its own
state, and is tried again when its files change.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from zoo.errors import DataError
from zoo.serve.model_path import ModelPath
from zoo.serve.status import StatusError

MOST_STATES = 100
INT64 = 2**63 - 1
Snapshot = tuple[tuple[str, int, int], ...]


class Loaded(Protocol):
    """What is kept of a version: `servable.Servable`, or a test's stand-in."""

    version: int
    in_flight: int


S = TypeVar("S", bound=Loaded)


@dataclass
class State:
    """What the status endpoint says of a version."""

    state: str
    code: str = "OK"
    message: str = ""
    seen: Snapshot = ()  # The files that could not be loaded.

    def as_json(self, version: int) -> dict[str, Any]:
        return {
            "version": str(version),
            "state": self.state,
            "status": {"error_code": self.code, "error_message": self.message},
        }


class Versions(Generic[S]):
    """The versions of one model.

    Args:
        model_path: where they are.
        load: loads a folder, warm.
        note: is told what happens.
        all_versions: serve all of them, not only the newest.
    """

    def __init__(
        self,
        model_path: ModelPath,
        load: Callable[[Path, int], S],
        note: Callable[[str], None] = lambda text: None,
        all_versions: bool = False,
    ) -> None:
        self.model_path = model_path
        self.states: dict[int, State] = {}
        self.loaded: dict[int, S] = {}
        self._load = load
        self._note = note
        self._every = all_versions
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def newest(self) -> S | None:
        return self.loaded[max(self.loaded)] if self.loaded else None

    def start(self) -> None:
        """Loads what is there now.

        Raises:
            DataError: there is nothing, or it cannot be loaded.
        """
        wanted = self._wanted()
        if not wanted:
            raise DataError(f"{self.model_path.folder}: holds no numeric version folder.")
        for version, folder in sorted(wanted.items()):
            self.states[version] = State("LOADING")
            self.loaded[version] = self._load(folder, version)
            self.states[version] = State("AVAILABLE")
        freeze()

    def get(self, version: int | None = None) -> S:
        """The newest loaded version, or that of a number.

        Raises:
            StatusError: it is not loaded.
        """
        found = self.newest if version is None else self.loaded.get(version)
        if found is None:
            raise not_found(self.model_path.name, version)
        return found

    def status(self, version: int | None = None) -> dict[str, Any]:
        """What the status endpoint tells, the newest first.

        Raises:
            StatusError: nothing is known of that version.
        """
        if version is not None and version not in self.states:
            raise StatusError(
                "NOT_FOUND", f"Could not find version {version} of model {self.model_path.name}"
            )
        chosen = sorted(self.states, reverse=True) if version is None else [version]
        return {"model_version_status": [self.states[key].as_json(key) for key in chosen]}

    def _wanted(self) -> dict[int, Path]:
        """The folders of the versions that should be loaded."""
        found = {v: folder for v, folder in self.model_path.versions().items() if v <= INT64}
        if self._every or not found:
            return found
        newest = max(found)
        return {newest: found[newest]}

    async def watch(self, seconds: float) -> None:
        """Looks for new versions until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()

    async def refresh(self) -> None:
        """Loads what is new, and lets go of what it replaces."""
        wanted = await asyncio.to_thread(self._wanted)
        for version, folder in sorted(wanted.items()):
            if version not in self.loaded:
                await self._add(version, folder)
        if not wanted.keys() & self.loaded.keys():
            return  # The folder is gone, or nothing new could be loaded: the old ones stay.
        for version in [v for v in self.loaded if v not in wanted]:
            self._retire(version)

    async def _add(self, version: int, folder: Path) -> None:
        seen = await asyncio.to_thread(snapshot, folder)
        before = self.states.get(version)
        if before is not None and before.state == "END" and before.seen == seen and before.message:
            return  # It failed, and is still the same.
        self.states[version] = State("LOADING")
        try:
            found = await asyncio.to_thread(self._load, folder, version)
        except Exception as error:
            self.states[version] = State("END", "UNKNOWN", str(error), seen)
            self._note(f"version {version} cannot be loaded: {error}")
            return
        self.loaded[version] = found
        self.states[version] = State("AVAILABLE")
        while len(self.states) > MOST_STATES:
            del self.states[min(self.states.keys() - self.loaded.keys())]
        freeze()
        self._note(f"version {version} is loaded")

    def _retire(self, version: int) -> None:
        servable = self.loaded.pop(version)
        self.states[version].state = "UNLOADING"
        task = asyncio.create_task(self._leave(servable))
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def _leave(self, servable: S) -> None:
        version = servable.version
        while servable.in_flight:
            await asyncio.sleep(0.02)
        del servable
        await asyncio.sleep(0)
        freeze()
        self.states[version] = State("END")
        self._note(f"version {version} is unloaded")


def not_found(name: str, version: int | None) -> StatusError:
    """What the API says of a model or a version that is not loaded."""
    which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return StatusError("NOT_FOUND", f"Servable not found for request: {which}")


def snapshot(folder: Path) -> Snapshot:
    """What tells whether the files of a version have changed."""
    found = []
    for path in folder.rglob("*"):
        try:
            about = path.stat()
        except OSError:
            continue
        found.append((str(path.relative_to(folder)), about.st_size, about.st_mtime_ns))
    return tuple(sorted(found))


def freeze() -> None:
    """Takes what is there now out of the garbage collector's sight: a full sweep over TensorFlow's
    hundreds of thousands of objects would hold up a request by a fifth of a second.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
