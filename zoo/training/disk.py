"""The disk of a run folder: its free space before a training, and what is kept when it fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zoo.backend import processes
from zoo.errors import StorageFault
from zoo.files import storage
from zoo.rundir import Run


def require_room(run: Run, state: Iterable[Any], weights: Iterable[Any]) -> None:
    """Require room for the files without which no training ends: a state and the best model.

    A long training keeps more states at a time; one that ends before its first checkpoint does not.
    Files that a resumed run has already count as room.

    Args:
        run: run folder.
        state: variables of a saved state.
        weights: variables of the model alone.

    Raises:
        StorageFault: the disk has less room.
    """
    if not run.owned:
        return
    present = [*run.state_files(), *([run.model_file] if run.model_file.is_file() else [])]
    needed = _bytes(state) + _bytes(weights)
    needed -= sum(file.stat().st_size for file in present)
    storage.require_space(run.folder, needed, "this training")


def with_kept(fault: StorageFault, run: Run) -> StorageFault:
    """Add to a disk's failure what is kept of a run, and how to continue it.

    Args:
        fault: the failure.
        run: run folder.
    """
    states = run.state_files()
    kept = "No state of the training was saved yet; it begins again from the start."
    if states:
        step = int(states[0].stem.removeprefix("step-"))
        kept = f"The training up to step {step} is kept."
    return fault.adding(f"{kept} Then resume with: {processes.resume_command(run)}")


def _bytes(variables: Iterable[Any]) -> int:
    """Bytes of variables as a state file stores them."""
    total = 0
    for variable in variables:
        bits = int("".join(filter(str.isdigit, str(variable.dtype))) or 8)
        size = 1
        for length in variable.shape:
            size *= int(length)
        total += size * bits // 8
    return total
