"""Bytes and numbers that processes which train together exchange over their devices. Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.backend import processes

CHUNK = 2**24  # Bytes that go over the devices at once.


def broadcast(data: bytes | None) -> bytes:
    """Sends bytes of process 0 to all processes, over the devices.

    Args:
        data: the bytes in process 0; None in the others.
    """
    if processes.count() == 1:
        return data or b""
    import jax
    import numpy as np

    topic = f"bytes/{_number()}"
    length = int(processes.from_first(topic, lambda: str(len(data or b""))))
    devices = np.array(jax.devices())
    mesh = jax.sharding.Mesh(devices, ("device",))
    by_device = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("device"))
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    # Integers: adding zeros to floats would turn -0.0 into 0.0.
    first_row = jax.jit(lambda rows: rows[0], out_shardings=everywhere)
    parts = []
    for begin in range(0, length, CHUNK):
        size = min(CHUNK, length - begin)
        row = np.zeros((1, -(-size // 4)), np.uint32)
        if data is not None:
            row.view(np.uint8)[0, :size] = np.frombuffer(data, np.uint8, size, begin)
        rows = jax.make_array_from_callback(
            (len(devices), row.shape[1]), by_device, lambda _, row=row: row
        )
        parts.append(np.asarray(first_row(rows)).view(np.uint8)[:size].tobytes())
    return b"".join(parts)


_broadcasts = 0


def _number() -> int:
    """Numbers the broadcasts of this process; all processes make the same ones."""
    global _broadcasts
    _broadcasts += 1
    return _broadcasts


def gather(numbers: Sequence[int]) -> list[list[int]]:
    """Gathers a few integers of each process over the devices, in the order of the processes.

    Args:
        numbers: those of this process; each process gives as many, of 32 bits.
    """
    if processes.count() == 1:
        return [list(numbers)]
    import jax
    import numpy as np

    devices = np.array(jax.devices())
    mesh = jax.sharding.Mesh(devices, ("device",))
    by_device = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec("device"))
    row = np.asarray([numbers], np.int32)
    rows = jax.make_array_from_callback((len(devices), row.shape[1]), by_device, lambda _: row)
    table = np.asarray(_replicated(mesh)(rows))
    owners = [device.process_index for device in devices.tolist()]
    return [table[owners.index(number)].tolist() for number in range(processes.count())]


_replicators: dict[Any, Any] = {}


def _replicated(mesh: Any) -> Any:
    """A compiled function that copies an array to each device of a mesh."""
    import jax

    if mesh not in _replicators:
        everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
        _replicators[mesh] = jax.jit(lambda rows: rows, out_shardings=everywhere)
    return _replicators[mesh]
