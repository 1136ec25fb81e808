"""Keeps in run.json the energy that a training took, where the device counts it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from zoo.backend.energy import EnergyMeter
from zoo.errors import DamagedFile, StorageFault
from zoo.rundir import Run


@contextmanager
def metered(run: Run) -> Iterator[None]:
    """Add the energy of the block to `energy` in run.json at its end, however it ends.

    Args:
        run: that trains in the block.
    """
    meter = EnergyMeter()
    try:
        yield
    finally:
        # An error that is on its way says more; a run that could not begin has no run.json.
        with suppress(StorageFault, DamagedFile):
            if run.info_file.is_file():
                before = run.info().get("energy")
                energy = meter.so_far(before)
                if energy is not None and energy != before:
                    run.update(energy=energy)
