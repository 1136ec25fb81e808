"""Imports the backend and asks it for its devices and speed, in a process of its own.

    python -m zoo.doctor.probe QUESTION

A backend may crash or hang while it is imported; the doctor must not. QUESTION is what
`zoo.doctor.question.Question.as_text` writes. The answer is a JSON document in the last line on
stdout. Importing this module is light.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zoo import backend
from zoo.backend import devices, processes
from zoo.backend.hardware import processor
from zoo.doctor import all_reduce, meeting
from zoo.doctor.question import Question
from zoo.errors import EnvironmentFault, ZooError
from zoo.files.json_files import dumps

SECONDS = 300.0  # After that the process counts as hung.

DTYPES = ("float32", "bfloat16", "float16")
SIZE, CHANNELS, KERNEL = 32, 64, 3
FIRST_BATCH, BATCH = 2, 128
MAX_SECONDS_PER_STEP = 0.5  # A slower device gets a smaller batch.
TIMED_SECONDS, MAX_STEPS = 0.3, 200
MAX_ERROR = 200  # Characters.

# Takes images, kernel and the gradient by the output; returns the output and both gradients.
Step = Callable[[Any, Any, Any], tuple[Any, Any, Any]]


def probe(name: str, question: Question) -> dict[str, Any]:
    """Run this module in a process of its own.

    Args:
        name: the Keras backend.
        question: what to look at.

    Returns:
        What `answer` returns, or {error} with the reason, for people.
    """
    command = [sys.executable, "-m", "zoo.doctor.probe", question.as_text()]
    path = os.pathsep.join(
        filter(None, (str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")))
    )
    environment = {**os.environ, "KERAS_BACKEND": name, "PYTHONPATH": path}
    seconds = SECONDS if question.launch is None else SECONDS + 2 * meeting.MEETING_SECONDS
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired:
        return {"error": f"{name} did not answer in {seconds:.0f} s"}
    lines = done.stdout.splitlines()
    try:
        answered = json.loads(lines[-1])
    except (IndexError, ValueError):
        return _lost(question, done) or {"error": f"{name} crashed: {_ending(done)}"}
    return answered if isinstance(answered, dict) else {"error": f"{name} answered nonsense"}


def _lost(question: Question, done: subprocess.CompletedProcess[str]) -> dict[str, Any] | None:
    """The answer where JAX's distributed runtime ended the process, with a message in C++."""
    launch = question.launch
    if launch is None or done.returncode != -signal.SIGABRT:
        return None
    absent = "RegisterTask" in done.stderr
    what = "did not all come" if absent else "lost each other"
    return {
        "together_error": f"the {launch.processes} processes {what}"
        + (f" within {meeting.MEETING_SECONDS} s" if absent else "")
    }


def _ending(done: subprocess.CompletedProcess[str]) -> str:
    """Say how a process ended that gave no answer."""
    if done.returncode < 0:
        return f"the process was ended by {signal.Signals(-done.returncode).name}"
    lines = done.stderr.strip().splitlines()
    return _short(lines[-1]) if lines else f"exit code {done.returncode}"


def answer(question: Question) -> dict[str, Any]:
    """Import Keras on $KERAS_BACKEND, list the devices, and measure.

    Args:
        question: what to look at.

    Returns:
        seconds: of the import;
        devices: {name, kind, memory_total, memory_free} of each of this process, bytes or None;
        speed: what `measure` returns for each dtype; empty if quick;
        all_reduce: what `measure_all_reduce` returns, if several devices were asked for;
        processes: what `meeting.exchange` returns, if there are several;
        together_error: why the devices or processes cannot train together.
        {error: ...} alone if the backend cannot be used.
    """
    launch = question.launch
    if launch is not None and launch.process:
        reason = meeting.wait_for_first(launch)
        if reason is not None:
            return {"together_error": reason}
    processes.plan(launch)
    start = time.perf_counter()
    try:
        backend.prepare(devices=question.devices)
        if launch is not None:
            reason = meeting.join()
            if reason is not None:
                return {"together_error": reason}
        listed = backend_devices()
    except EnvironmentFault as fault:
        return {"error": fault.message}
    except Exception as error:  # Whatever a broken installation raises.
        text = _short(f"{type(error).__name__}: {error}")
        return {"error": f"the backend {os.environ['KERAS_BACKEND']} cannot be used: {text}"}
    seconds = time.perf_counter() - start
    speed = [] if question.quick else [measure(dtype) for dtype in DTYPES]
    facts = {"seconds": seconds, "devices": listed, "speed": speed}
    return {**facts, **_together(question, listed, speed)}


def _together(question: Question, listed: list[Any], speed: list[Any]) -> dict[str, Any]:
    """What several devices or processes do together."""
    found: dict[str, Any] = {}
    launch = question.launch
    try:
        if launch is not None:
            own = meeting.describe(launch, listed, speed)
            found["processes"] = meeting.exchange(meeting.KeyValueStore(), launch, own)
        devices.set_up(question.devices if launch is None else "all")
        found["all_reduce"] = all_reduce.measure_all_reduce()
    except ZooError as fault:
        found["together_error"] = fault.message
    except Exception as error:  # Of the runtime, the network or the driver.
        found["together_error"] = _short(f"{type(error).__name__}: {error}")
    return found


def backend_devices() -> list[dict[str, Any]]:
    """List the devices of the backend: the accelerators, or the CPU if there are none."""
    import keras

    if keras.backend.backend() == "jax":
        import jax

        return [_jax_device(device) for device in jax.local_devices()]
    import tensorflow as tf

    if not backend.on_gpu():
        count = len(tf.config.list_logical_devices("CPU"))
        return [_device(processor(), "cpu")] * count
    details = map(tf.config.experimental.get_device_details, tf.config.list_physical_devices("GPU"))
    return [_device(detail.get("device_name", "GPU"), "gpu") for detail in details]


def _jax_device(device: Any) -> dict[str, Any]:
    if device.platform == "cpu":
        return _device(processor(), "cpu")
    memory = device.memory_stats() or {}
    total, used = memory.get("bytes_limit"), memory.get("bytes_in_use", 0)
    free = None if total is None else total - used
    return _device(device.device_kind, device.platform, total, free)


def _device(
    name: str, kind: str, total: int | None = None, free: int | None = None
) -> dict[str, Any]:
    return {"name": name, "kind": kind, "memory_total": total, "memory_free": free}


def measure(dtype: str) -> dict[str, Any]:
    """Time a convolution, forward and backward.

    3x3, 64 to 64 channels, on images of 32x32, channels last, padding `same`. The batch is 128, or
    as large as half a second allows. Forward, gradient by the images and gradient by the kernel
    take 2 * batch * 32 * 32 * 3 * 3 * 64 * 64 FLOPs each, counting the padding's.

    Args:
        dtype: of images, kernel and result.

    Returns:
        {dtype, flops_per_second, batch, skipped}: skipped says why there is no number.
    """
    result = {"dtype": dtype, "flops_per_second": None, "batch": None, "skipped": None}
    try:
        seconds = _seconds_per_step(dtype, FIRST_BATCH)
        batch = BATCH
        while batch > FIRST_BATCH and seconds * batch / FIRST_BATCH > MAX_SECONDS_PER_STEP:
            batch //= 2
        if batch > FIRST_BATCH:
            seconds = _seconds_per_step(dtype, batch)
    except Exception as error:  # Each backend has its own for a dtype that a device lacks.
        return {**result, "skipped": _short(f"{type(error).__name__}: {error}")}
    flops = 3 * 2 * batch * SIZE**2 * KERNEL**2 * CHANNELS**2
    return {**result, "flops_per_second": flops / seconds, "batch": batch}


def _seconds_per_step(dtype: str, batch: int) -> float:
    """Compile the step for a batch, then time it: at least one step, about 0.3 s of them."""
    import keras
    import numpy as np

    generator = np.random.default_rng(0)
    images = generator.standard_normal((batch, SIZE, SIZE, CHANNELS), np.float32)
    kernel = generator.standard_normal((KERNEL, KERNEL, CHANNELS, CHANNELS), np.float32)
    kernel *= (KERNEL**2 * CHANNELS) ** -0.5  # Outputs of variance 1: float16 does not overflow.
    arguments = [keras.ops.convert_to_tensor(x, dtype) for x in (images, kernel, images)]
    step = _jax_step() if keras.backend.backend() == "jax" else _tensorflow_step()
    _wait(step(*arguments))
    seconds = _time(step, arguments, 1)
    steps = min(MAX_STEPS, int(TIMED_SECONDS / max(seconds, 1e-9)))
    return _time(step, arguments, steps) if steps > 1 else seconds


def _time(step: Step, arguments: list[Any], steps: int) -> float:
    """Return the seconds of a step; the device is waited for at the end alone."""
    start = time.perf_counter()
    for _ in range(steps):
        outputs = step(*arguments)
    _wait(outputs)
    return (time.perf_counter() - start) / steps


def _wait(outputs: tuple[Any, Any, Any]) -> None:
    """Wait until the device has computed these."""
    import keras

    for output in outputs:
        keras.ops.convert_to_numpy(keras.ops.cast(output[0, 0, 0, 0], "float32"))


def _convolution(images: Any, kernel: Any) -> Any:
    import keras

    return keras.ops.conv(images, kernel, padding="same", data_format="channels_last")


def _jax_step() -> Step:
    import jax

    def step(images: Any, kernel: Any, gradient: Any) -> tuple[Any, Any, Any]:
        output, pull_back = jax.vjp(_convolution, images, kernel)
        return output, *pull_back(gradient)

    compiled: Step = jax.jit(step)
    return compiled


def _tensorflow_step() -> Step:
    import tensorflow as tf

    def step(images: Any, kernel: Any, gradient: Any) -> tuple[Any, Any, Any]:
        with tf.GradientTape() as tape:
            tape.watch([images, kernel])
            output = _convolution(images, kernel)
        return output, *tape.gradient(output, [images, kernel], output_gradients=gradient)

    compiled: Step = tf.function(step)
    return compiled


def _short(text: str) -> str:
    """Return the first line, cut to a length that people read."""
    line = text.strip().splitlines()[0] if text.strip() else ""
    return line if len(line) <= MAX_ERROR else f"{line[: MAX_ERROR - 3]}..."


if __name__ == "__main__":
    print("\n" + dumps(answer(Question.from_text(sys.argv[1]))))
