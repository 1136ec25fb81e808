"""`zoo train` as one of several processes: which they are, how they meet, and how they end. Light.

Process 0 tells the user what happens and owns the run folder. The others print errors alone.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from functools import partial

import typer

from zoo.backend import choice, processes, supervisor
from zoo.backend.device_request import multiple_of_processes, parse
from zoo.backend.launch import launch
from zoo.cli.output import Output
from zoo.errors import EnvironmentFault, UsageError, ZooError


@dataclass(frozen=True)
class LaunchFlags:
    """Flags of `zoo train` that say which processes train together, as given.

    Args:
        distributed: `auto`, or None.
        coordinator: HOST:PORT, or None.
        num_processes: their number, or None.
        process_id: the index of this one, or None.
        heartbeat: seconds, or None.
    """

    distributed: str | None = None
    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None
    heartbeat: int | None = None


def settle(flags: LaunchFlags, devices: str | None, alone: list[str]) -> None:
    """Finds out which processes train together; refuses what several of them cannot do.

    Args:
        flags: as given.
        devices: `--devices` as given.
        alone: flags of the command line that only a process of its own has.

    Raises:
        UsageError: flags that are missing, wrong, or exclude each other.
        EnvironmentFault: the backend is not JAX, or JAX is not installed.
    """
    found = launch(
        flags.distributed, flags.coordinator, flags.num_processes, flags.process_id, os.environ
    )
    if found is None or found.processes == 1:
        if found is None and flags.heartbeat is not None:
            raise UsageError("--heartbeat belongs to several processes. Leave it out.")
        processes.plan(None)
        return
    if alone:
        raise UsageError(
            f"{' and '.join(alone)}: several processes make one training. Leave it out, or train "
            "in one process; zoo tune --on ray shares trainings out over hosts."
        )
    _require_jax()
    request = parse(devices)
    if isinstance(request, int) and request % found.processes:
        raise multiple_of_processes(request, found.processes)
    processes.plan(found, flags.heartbeat or processes.HEARTBEAT, devices)


def _require_jax() -> None:
    """Requires that JAX trains, without importing it.

    Raises:
        EnvironmentFault: another backend is asked for, or JAX is not installed.
    """
    taken = choice.choose(preferred="jax")
    if taken.backend != "jax":
        raise EnvironmentFault(
            f"several processes train on JAX alone. Received the backend {taken.backend} "
            f"({taken.reason}); set KERAS_BACKEND=jax."
        )
    if importlib.util.find_spec("jax") is None:
        raise EnvironmentFault(
            "several processes train on JAX alone, and it is not installed: "
            f"{choice.BACKENDS['jax']}"
        )


def meet(out: Output, task: str) -> None:
    """Meets the other processes, in a child of this process; returns in the child.

    Args:
        out: of the process; that of all but process 0 prints only errors from now on.
        task: what the process is to do, for people; the same one in all processes.

    Raises:
        SystemExit: in the parent, when the child has ended.
        PeerLost: in the parent, if another process was lost.
        EnvironmentFault: process 0 cannot listen on the coordinator's address; or, in the parent,
            the child crashed; or the processes are to do different things.
        UsageError: the processes were started with different numbers of them.
    """
    if processes.count() == 1:
        return
    supervisor.supervise(processes.name(), processes.heartbeat(), processes.START_SECONDS)
    out.on_failure = _on_failure
    say = out.note
    if not processes.is_first():
        out.follow(processes.name())
        say = partial(print, file=sys.stderr)
    processes.start(say, task)


def _on_failure(error: ZooError) -> None:
    """Lets the other processes know of an error, or parts from them if they have it, too."""
    if not error.agreed:
        processes.tell_end(error)
        return
    with contextlib.suppress(Exception):  # Another process, which is lost, may not part.
        processes.part()


def part(out: Output) -> None:
    """Ends the training together. Process 0 goes on alone; the others end here.

    Args:
        out: of the process.

    Raises:
        typer.Exit: in all processes but process 0.
        PeerLost: another process ended by an error.
    """
    if processes.count() == 1:
        return
    processes.part()
    supervisor.release_streams()
    out.on_failure = None
    if not processes.is_first():
        raise typer.Exit
