"""The versions of a model: loading, hot reload and states.

A new version is loaded and warmed up beside the old one and then replaces it in one step; the old
one is unloaded after its last request. A version that cannot be loaded changes nothing but its own
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
from zoo.serve.status import StatusError, clean_message

MAX_STATES = 100
POLL_SECONDS = 0.02  # Between two looks whether a version's last request is answered.
INT64_MAX = 2**63 - 1
Snapshot = tuple[tuple[str, int, int], ...]  # (path, bytes, time of change) of each file.


class Loaded(Protocol):
    """A loaded version: `servable.Servable`, or a fake in tests."""

    version: int
    in_flight: int


S = TypeVar("S", bound=Loaded)


@dataclass
class State:
    """The state of a version, for the status endpoint.

    Attributes:
        state: LOADING, AVAILABLE, UNLOADING or END, as in TensorFlow Serving.
        code: OK, or gRPC's name of an error.
        message: why the version could not be loaded.
        failed_files: the files that could not be loaded.
    """

    state: str
    code: str = "OK"
    message: str = ""
    failed_files: Snapshot = ()

    def as_json(self, version: int) -> dict[str, Any]:
        """The state as the status endpoint answers it."""
        return {
            "version": str(version),
            "state": self.state,
            "status": {"error_code": self.code, "error_message": self.message},
        }


class Versions(Generic[S]):
    """The versions of one model.

    Args:
        model_path: the folder of the versions.
        load: loads and warms up the version in a folder.
        note: called with a message for the user about what was loaded and unloaded.
        all_versions: serve all versions, not only the newest.
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
        self._all_versions = all_versions
        self._unloading: set[asyncio.Task[None]] = set()

    @property
    def newest(self) -> S | None:
        """The newest loaded version."""
        return self.loaded[max(self.loaded)] if self.loaded else None

    def start(self) -> None:
        """Loads the versions that exist now.

        Raises:
            DataError: there is no version, or one cannot be loaded.
        """
        folders = self._to_serve()
        if not folders:
            raise DataError(f"{self.model_path.folder}: holds no numeric version folder.")
        for version, folder in sorted(folders.items()):
            self.states[version] = State("LOADING")
            self.loaded[version] = self._load(folder, version)
            self.states[version] = State("AVAILABLE")
        freeze()

    def get(self, version: int | None = None) -> S:
        """Returns a loaded version.

        Args:
            version: its number; None for the newest.

        Raises:
            StatusError: it is not loaded.
        """
        servable = self.newest if version is None else self.loaded.get(version)
        if servable is None:
            raise not_found(self.model_path.name, version)
        return servable

    def status(self, version: int | None = None) -> dict[str, Any]:
        """The answer of the status endpoint, the newest version first.

        Args:
            version: the one version to describe; None for all.

        Raises:
            StatusError: there is no such version.
        """
        if version is not None and version not in self.states:
            raise StatusError(
                "NOT_FOUND", f"Could not find version {version} of model {self.model_path.name}"
            )
        numbers = sorted(self.states, reverse=True) if version is None else [version]
        return {"model_version_status": [self.states[key].as_json(key) for key in numbers]}

    def _to_serve(self) -> dict[int, Path]:
        """The folders of the versions that should be loaded."""
        folders = {v: folder for v, folder in self.model_path.versions().items() if v <= INT64_MAX}
        if self._all_versions or not folders:
            return folders
        newest = max(folders)
        return {newest: folders[newest]}

    async def watch(self, seconds: float) -> None:
        """Looks for new versions every `seconds` seconds until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            await self.refresh()

    async def refresh(self) -> None:
        """Loads new versions, and unloads those that they replace."""
        folders = await asyncio.to_thread(self._to_serve)
        for version, folder in sorted(folders.items()):
            if version not in self.loaded:
                await self._add(version, folder)
        if not folders.keys() & self.loaded.keys():
            return  # The folder is gone, or nothing new could be loaded: the old versions stay.
        for version in [v for v in self.loaded if v not in folders]:
            self._retire(version)

    async def _add(self, version: int, folder: Path) -> None:
        files = await asyncio.to_thread(snapshot, folder)
        state = self.states.get(version)
        if state and state.state == "END" and state.message and state.failed_files == files:
            return  # Loading failed, and the files have not changed.
        self.states[version] = State("LOADING")
        try:
            servable = await asyncio.to_thread(self._load, folder, version)
        except Exception as error:
            reason = _public_reason(error, folder, version)
            self.states[version] = State("END", "UNKNOWN", reason, files)
            self._note(f"version {version} cannot be loaded: {error}")
            return
        self.loaded[version] = servable
        self.states[version] = State("AVAILABLE")
        while len(self.states) > MAX_STATES:
            del self.states[min(self.states.keys() - self.loaded.keys())]
        freeze()
        self._note(f"version {version} is loaded")

    def _retire(self, version: int) -> None:
        servable = self.loaded.pop(version)
        self.states[version].state = "UNLOADING"
        task = asyncio.create_task(self._unload(servable))
        self._unloading.add(task)
        task.add_done_callback(self._unloading.discard)

    async def _unload(self, servable: S) -> None:
        version = servable.version
        while servable.in_flight:
            await asyncio.sleep(POLL_SECONDS)
        del servable
        await asyncio.sleep(0)
        freeze()
        self.states[version] = State("END")
        self._note(f"version {version} is unloaded")


def _public_reason(error: Exception, folder: Path, version: int) -> str:
    """Why a version cannot be loaded, without the server's paths; never empty."""
    if not isinstance(error, DataError):
        return "Loading failed. The server's log says why."
    return clean_message(str(error).replace(str(folder), f"version {version}"))


def not_found(name: str, version: int | None) -> StatusError:
    """The API's error for a model or a version that is not loaded."""
    which = f"Latest({name})" if version is None else f"Specific({name}, {version})"
    return StatusError("NOT_FOUND", f"Servable not found for request: {which}")


def snapshot(folder: Path) -> Snapshot:
    """Sizes and times of a version's files, to detect changes."""
    entries = []
    for path in folder.rglob("*"):
        try:
            stat = path.stat()
        except OSError:
            continue
        entries.append((str(path.relative_to(folder)), stat.st_size, stat.st_mtime_ns))
    return tuple(sorted(entries))


def freeze() -> None:
    """Hides all present objects from the garbage collector.

    A full collection over TensorFlow's hundreds of thousands of objects would delay a request by
    0.2 s.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
