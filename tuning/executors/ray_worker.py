"""One worker of the Ray executor: an actor that trains trials in a thread. Light, and without Ray.

The executor asks for replies by calls that wait for one, so that a lost actor is noticed at once.
The images come with the actor if the executor has them decoded; else the node reads them itself.
"""

from __future__ import annotations

import io
import queue
import shutil
import socket
import tarfile
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tuning.executors import session
from tuning.executors.base import Kept
from tuning.executors.messages import Command, Keep, Reply, Setup, decode, encode
from tuning.executors.node_folder import NodeFolder, remove_orphans
from zoo.recipe import Recipe

if TYPE_CHECKING:
    from zoo.datasets.splits import Splits


class Queues(session.Channel):
    """The worker's end of two queues. Run folders travel as tar files, with the `Kept`.

    Args:
        folder: of the node, for files of this worker.
    """

    def __init__(self, folder: Path) -> None:
        self.commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self.replies: queue.SimpleQueue[tuple[bytes, bytes]] = queue.SimpleQueue()
        self._kept = folder / "kept"

    def send(self, reply: Reply) -> None:
        """Puts a reply, and a tar file with a `Kept`, where `TrialWorker.replies` finds them."""
        files = _packed(self._kept) if isinstance(reply, Kept) else b""
        self.replies.put((encode(reply), files))

    def receive(self) -> Command:
        """Waits for the next command; run folders are written on the node."""
        command = self.commands.get()
        return replace(command, folder=str(self._kept)) if isinstance(command, Keep) else command


class TrialWorker:
    """The actor.

    Args:
        recipe: text of the search's recipe.
        overrides: where data and parts of the user's own are, if they were moved.
        data: the splits of the recipe; None to read them from the node's disks.
        heartbeat: see `Setup`.
        plugins: likewise.
    """

    def __init__(
        self,
        recipe: str,
        overrides: Sequence[str],
        data: Splits | None,
        heartbeat: float,
        plugins: Mapping[str, str],
    ) -> None:
        remove_orphans()
        self._folder = NodeFolder()
        file = self._folder.path / "recipe.yaml"
        file.write_text(recipe, encoding="utf-8")
        self._queues = Queues(self._folder.path)
        setup = Setup(recipe=str(file), overrides=overrides, heartbeat=heartbeat, plugins=plugins)
        self._queues.commands.put(setup)
        load = session.load_data if data is None else _given(data)
        threading.Thread(target=self._work, args=(load,), daemon=True).start()

    def _work(self, load: session.LoadData) -> None:
        """Executes commands; runs in a thread of its own, so that calls are answered meanwhile."""
        session.work(self._queues, load)

    def command(self, line: bytes) -> None:
        """Takes a command, as `messages.encode` writes it."""
        self._queues.commands.put(decode(line))

    def replies(self, seconds: float) -> list[tuple[bytes, bytes]]:
        """Returns all replies, in their order; waits up to `seconds` for the first.

        Each comes as `messages.encode` writes it, with the tar file of a run folder or nothing.
        """
        replies = []
        try:
            replies.append(self._queues.replies.get(timeout=seconds))
            while True:
                replies.append(self._queues.replies.get_nowait())
        except queue.Empty:
            return replies

    def host(self) -> str:
        """The name of the node, once the actor runs on one."""
        return socket.gethostname()

    def close(self) -> None:
        """Removes the files of this worker from the node."""
        self._folder.remove()


def _given(data: Splits) -> session.LoadData:
    def load(recipe: Recipe, alive: Callable[[], None]) -> Splits:
        return data

    return load


def _packed(folder: Path) -> bytes:
    """Returns a tar file of a folder's content, and removes the folder."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        tar.add(folder, arcname=".")
    shutil.rmtree(folder)
    return packed.getvalue()


def unpack(files: bytes, folder: Path) -> None:
    """Writes the content of a tar file into a new folder.

    Raises:
        OSError: the folder cannot be written.
        tarfile.TarError: a name in it leads out of the folder.
    """
    with tarfile.open(fileobj=io.BytesIO(files)) as tar:
        tar.extractall(folder, filter="data")
