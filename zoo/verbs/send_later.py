"""Sends runs to trackers after their training. Light until a tracker is connected."""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

from zoo.errors import EnvironmentFault, UsageError, ZooError
from zoo.rundir import Folds
from zoo.rundir.folder import Folder
from zoo.trackers.contract import Tracker
from zoo.trackers.names import KINDS, make, parse
from zoo.trackers.record import open_folder
from zoo.trackers.sender import Sender, read_entry, trackers_of
from zoo.trackers.troubles import said
from zoo.verbs.teller import Teller


def send(out: Teller, paths: Sequence[str], to: Sequence[str] | None, register: str | None) -> None:
    """Sends what trackers lack of runs, searches and cross-validations.

    Args:
        out: is told what was sent, and where it is.
        paths: of their folders.
        to: words of `--to`; None for the trackers that each was trained with, or sent to before.
        register: name of the model in MLflow's registry; None: it is not registered.

    Raises:
        UsageError: no tracker is named, or one that does not exist.
        RunError: a path is no such folder, or a process works in it.
        EnvironmentFault: a package is missing, or a server does not take the runs.
    """
    named = None if to is None else parse(to, "--to")
    folders = [open_folder(path, out.note) for path in paths]
    jobs = [(folder, _names(folder, named)) for folder in folders]
    if register is not None and any("mlflow" not in names for _, names in jobs):
        raise UsageError("--register is for MLflow's registry. Add --to mlflow.")
    senders: dict[str, tuple[Any, Sender]] = {}
    for folder, _ in jobs:
        if not os.access(folder.folder, os.W_OK):  # Else it would be sent anew the next time.
            raise EnvironmentFault(
                f"{folder}: is read-only. What trackers have received is noted there, so that "
                "nothing is sent twice. Send a copy of the folder."
            )
    rows: list[dict[str, Any]] = []
    for folder, names in jobs:
        for name in names:
            server = read_entry(folder, name).get("uri")  # Runs may be on different ones.
            before, sender = senders.get(name, (None, None))
            if sender is None or before != server:
                if sender is not None:
                    sender.tracker.close()
                sender = Sender(_connected(name, folder, register), out.note)
                senders[name] = server, sender
            row = {"folder": str(folder), "tracker": name, **_sent(folder, sender)}
            rows.append(row)
            out.result({"sent": rows})
            place = f": {row['place']}" if row["place"] else ""
            out.text(f"sent      {folder} to {name}{place}")
    for _, sender in senders.values():
        sender.tracker.close()


def _names(folder: Folder, named: Sequence[str] | None) -> Sequence[str]:
    """The trackers that get a folder: those named, else those it was trained with or sent to.

    Raises:
        UsageError: there are none.
    """
    names = named
    if names is None:
        names = list(dict.fromkeys([*(folder.info().get("log") or ()), *trackers_of(folder)]))
    if not names:
        raise UsageError(
            f"{folder}: was trained without trackers, and sent to none later. Expected --to with "
            f"one or more of {', '.join(KINDS)}."
        )
    return names


def _connected(name: str, folder: Folder, register: str | None) -> Tracker:
    tracker = make(name)
    if register is not None and name == "mlflow":
        tracker.register = register  # type: ignore[attr-defined]
    try:
        tracker.connect(read_entry(folder, name))
    except ZooError as error:
        message = error.message.partition("; or train without")[0]
        raise EnvironmentFault(message.replace("--log", "--to", 1)) from error
    return tracker


def _sent(folder: Folder, sender: Sender) -> dict[str, Any]:
    """Sends a folder; returns where it is and how many epochs or trials were new.

    Raises:
        RunError: a process works in it.
        EnvironmentFault: the tracker did not take all of it.
    """
    title = KINDS[sender.tracker.name].title
    try:
        # MLflow prints links.
        with folder.locked(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            entry: Any = {}
            for each in _parts(folder):
                entry = sender.send_now(each, final=True, gone=True)
    except ZooError:
        raise
    except Exception as error:
        raise EnvironmentFault(
            f"{folder}: {title}: {said(error)}. What it took is noted: the same command goes on "
            "from there."
        ) from error
    return {"place": sender.tracker.place(entry), "epochs": entry.get("epochs")}


def _parts(folder: Folder) -> Iterator[Folder]:
    """A folder; of a cross-validation, each fold that was begun comes first."""
    if isinstance(folder, Folds):
        count = int(folder.info()["of"])
        runs = (folder.run(index) for index in range(1, count + 1))
        yield from (run for run in runs if run.info_file.is_file())
    yield folder
