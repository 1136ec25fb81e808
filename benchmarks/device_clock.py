"""Clocks of a side of benchmarks/device.py, and its turns on the device.

Light: the processes that run PyTorch need nothing of zoo.
"""

from __future__ import annotations

import fcntl
import json
import os
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any


def report(**values: Any) -> None:
    """Sends the result of this process to the parent."""
    print("@" + json.dumps(values), flush=True)


class Turns:
    """Shares the device: many processes may start and compile, one alone is measured.

    Processes that compile hold a shared lock, a process that is measured an exclusive one. All of
    them queue up for either at a gate, so that none waits forever. Waiting is left out of the
    seconds that a process reports.

    Args:
        folder: where the lock files are; the same for all processes.
        started: `time.time()` when the parent started this process.
    """

    def __init__(self, folder: Path, started: float) -> None:
        self._device = os.open(folder / "device.lock", os.O_CREAT | os.O_RDWR)
        self._gate = os.open(folder / "gate.lock", os.O_CREAT | os.O_RDWR)
        self._started = started
        self.waited = 0.0
        self.is_alone = False

    def share(self) -> None:
        """Returns when no process is being measured; none will be before `alone` or the end."""
        self._wait(fcntl.LOCK_SH)

    def alone(self) -> None:
        """Returns when no other process works on the device; none will before this one ends."""
        if not self.is_alone:
            fcntl.flock(self._device, fcntl.LOCK_UN)
            self._wait(fcntl.LOCK_EX)
            self.is_alone = True

    def _wait(self, kind: int) -> None:
        begin = time.time()
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        fcntl.flock(self._device, kind)
        fcntl.flock(self._gate, fcntl.LOCK_UN)
        self.waited += time.time() - begin

    @property
    def seconds(self) -> float:
        """Seconds since the process was started, without those of waiting."""
        return time.time() - self._started - self.waited


class EpochClock:
    """Times the epochs of a training: the steps of each, without its validation.

    The first epoch compiles, beside other processes that do. From the second one on the process
    is alone.

    Args:
        turns: of this process.
        wait: waits until the device has made all steps that were started.
    """

    def __init__(self, turns: Turns, wait: Callable[[], None] = lambda: None) -> None:
        self.turns = turns
        self.wait = wait
        self.first_step: float | None = None
        self.epochs: list[float] = []
        self.validations: list[float] = []
        self._mark = 0.0

    def step_made(self) -> None:
        """The device made a step; the first one counts."""
        if self.first_step is None:
            self.first_step = self.turns.seconds

    def epoch_begins(self, epoch: int) -> None:
        """The next step is the first one of an epoch, from 0."""
        if epoch > 0:
            self.turns.alone()
        self._mark = time.perf_counter()

    def steps_end(self) -> None:
        """All steps of the epoch were started."""
        self.wait()
        now = time.perf_counter()
        self.epochs.append(now - self._mark)
        self._mark = now

    def epoch_ends(self) -> None:
        """The validation is done."""
        self.validations.append(time.perf_counter() - self._mark)

    def result(self, images_per_epoch: int) -> dict[str, Any]:
        """What a side reports of its time."""
        steady = median(self.epochs[1:] or self.epochs)
        return {
            "images_per_second": images_per_epoch / steady,
            "first_step_seconds": self.first_step,
            "epoch_seconds": self.epochs,
            "validation_seconds": self.validations,
            "images_per_epoch": images_per_epoch,
            "waited_seconds": self.turns.waited,
        }


class CompileClock:
    """Seconds that JAX spends on tracing and compiling: the union of what its monitor reports.

    To be made after Keras was imported, since what zoo sets up must come before JAX.
    """

    def __init__(self) -> None:
        import jax.monitoring

        self._spans: list[tuple[float, float]] = []
        jax.monitoring.register_event_duration_secs_listener(self._add)

    def _add(self, event: str, seconds: float, **_: Any) -> None:
        if event.startswith("/jax/core/compile/"):
            now = time.perf_counter()
            self._spans.append((now - seconds, now))

    @property
    def seconds(self) -> float:
        """So far; a trace within a trace counts once."""
        total, end = 0.0, 0.0
        for first, last in sorted(self._spans):
            total += max(0.0, last - max(first, end))
            end = max(end, last)
        return total


def compile_seconds(compiling: CompileClock | None, clock: EpochClock) -> float:
    """By JAX's monitor; on TensorFlow the first epoch's seconds over those of later ones."""
    if compiling is not None:
        return compiling.seconds
    return max(0.0, clock.epochs[0] - median(clock.epochs[1:] or clock.epochs))


def peak_bytes() -> dict[str, int | None]:
    """Peak memory of this process: on the device (None on a CPU), and on the host."""
    import keras

    host, device = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, None
    if keras.backend.backend() == "jax":
        import jax

        statistics = jax.local_devices()[0].memory_stats() or {}
        if jax.default_backend() != "cpu":
            device = statistics.get("peak_bytes_in_use")
    else:
        import tensorflow as tf

        if tf.config.list_physical_devices("GPU"):
            device = tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return {"peak_bytes": device, "peak_host_bytes": host}
