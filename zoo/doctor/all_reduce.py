"""Times an all-reduce, which adds up an array over all devices, as each training step does.

Importing this module is light. Every process calls the same functions in the same order.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

from zoo.backend import devices

FLOAT_BYTES = 4
# What waits for the network's delay; a small network's gradients; those of 16 million parameters.
SIZES = (4_000, 1_000_000, 64_000_000)
MIN_BYTES_OF_SPEED = 100_000  # Less takes the network's delay, whatever its speed.
REPEATS = 5
MAX_SECONDS = 2.0  # A size that would take longer each time is left out.

Step = Callable[[], Any]


def measure_all_reduce() -> list[dict[str, Any]]:
    """Times all-reduces over the devices that `zoo.backend.devices` has set up.

    Each device holds an array of float32 and gets the sum over all devices. A time is the median of
    five, with the wait for the result; over several processes the mean of their medians.

    Returns:
        {devices, processes, bytes, seconds, bytes_per_second, skipped} of each size: bytes of the
        array on each device, and bytes over seconds; `skipped` says why there is no number. Empty
        with one device.

    Raises:
        ArithmeticError: a sum is wrong.
    """
    there = devices.current()
    if not there.several:
        return []
    rows: list[dict[str, Any]] = []
    for size in SIZES:
        row: dict[str, Any] = {
            "devices": there.count, "processes": there.processes, "bytes": size,
            "seconds": None, "bytes_per_second": None, "skipped": None,
        }  # fmt: skip
        rows.append(row)
        if len(rows) > 1:
            expected = _expected(rows[-2], size)
            if expected is None or expected > MAX_SECONDS:
                row["skipped"] = f"it would take more than {MAX_SECONDS:g} s each time"
                continue
        row["seconds"] = _mean(_median_seconds(size // FLOAT_BYTES))
        row["bytes_per_second"] = size / row["seconds"]
    return rows


def _expected(before: dict[str, Any], size: int) -> float | None:
    """Seconds that a size will take about, by the one before it; None where that was left out."""
    if before["skipped"]:
        return None
    seconds: float = before["seconds"]
    return seconds if before["bytes"] < MIN_BYTES_OF_SPEED else seconds * size / before["bytes"]


def _median_seconds(numbers: int) -> float:
    """Compiles the all-reduce of an array, checks its sum, and times it."""
    count = devices.current().count
    step = _tensorflow_step(numbers) if devices.strategy() is not None else _jax_step(numbers)
    total = step()
    if total != count * (count + 1) / 2:
        raise ArithmeticError(
            f"an all-reduce over {count} devices gave {total:g} for the sum of 1 to {count}"
        )
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _jax_step(numbers: int) -> Step:
    """Device i holds i + 1; every device gets the sum."""
    import jax
    import numpy as np

    count = devices.current().count
    rows = np.broadcast_to(np.arange(1, count + 1, dtype=np.float32)[:, None], (count, numbers))
    parts = devices.place(rows, batch_size=count)

    reduce = jax.jit(lambda parts: devices.constrain(parts.sum(axis=0), batch_size=-1))

    def step() -> float:
        mine = reduce(parts).addressable_data(0)
        return float(mine.block_until_ready()[-1])

    return step


def _tensorflow_step(numbers: int) -> Step:
    """As `_jax_step`, over the replicas of TensorFlow's strategy."""
    import tensorflow as tf

    strategy = devices.strategy()
    parts = strategy.experimental_distribute_values_from_function(
        lambda context: tf.fill([numbers], context.replica_id_in_sync_group + 1.0)
    )

    def add(part: Any) -> Any:
        context = tf.distribute.get_replica_context()
        return context.all_reduce(tf.distribute.ReduceOp.SUM, part)

    reduce = tf.function(lambda parts: strategy.run(add, (parts,)))

    def step() -> float:
        results = strategy.experimental_local_results(reduce(parts))
        return float(max(result[-1].numpy() for result in results))

    return step


def _mean(seconds: float) -> float:
    """The mean over processes, the same number in all of them, so that all decide alike by it."""
    if devices.current().processes == 1:
        return seconds
    import numpy as np
    from jax.experimental import multihost_utils

    return float(np.mean(multihost_utils.process_allgather(np.float32(seconds))))
