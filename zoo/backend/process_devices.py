"""The devices of several processes that train together. Light."""

from __future__ import annotations

from typing import Any

from zoo.backend import processes
from zoo.backend.device_request import Request, multiple_of_processes
from zoo.errors import EnvironmentFault, ZooError


def of_processes(request: Request) -> list[Any]:
    """Returns JAX's devices that train, equal numbers in each process, in their order.

    Args:
        request: number of all of them together; else all.

    Raises:
        UsageError: the processes do not divide the number that was asked for.
        EnvironmentFault: a process has too few devices, or another number than the others.
    """
    import jax

    number = processes.count()
    own = [[d for d in jax.devices() if d.process_index == i] for i in range(number)]
    counts = [len(found) for found in own]
    each, rest = divmod(request, number) if isinstance(request, int) else (counts[0], 0)
    error: ZooError | None = None
    if rest or not each:
        error = multiple_of_processes(request, number)
    elif min(counts) < each or (not isinstance(request, int) and max(counts) > each):
        lists = ", ".join(f"process {i}: {count}" for i, count in enumerate(counts))
        error = EnvironmentFault(
            f"the processes have different numbers of devices, or too few ({lists}). Expected "
            f"{each} in each; choose a number of all together with --devices."
        )
    if error is not None:
        error.agreed = True
        raise error
    return [device for found in own for device in found[:each]]
