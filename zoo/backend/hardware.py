"""Names of the processors and accelerators of this machine. Light."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path


def gpus() -> list[str]:
    """Names of the accelerators that the backend sees."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [
            tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
            for gpu in tf.config.get_visible_devices("GPU")
        ]
    import jax

    return [device.device_kind for device in jax.devices() if device.platform != "cpu"]


def processor() -> str:
    """Returns the name of the CPU; platform.processor() is empty on most Linux systems."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def count_nvidia(environ: Mapping[str, str], root: Path = Path("/")) -> int:
    """Counts NVIDIA's GPUs that this process may see, without a backend.

    Args:
        environ: the environment variables; CUDA_VISIBLE_DEVICES limits the GPUs.
        root: the folder that holds /proc, where the driver lists the GPUs.
    """
    folder = root / "proc/driver/nvidia/gpus"
    there = len(list(folder.iterdir())) if folder.is_dir() else 0
    wish = environ.get("CUDA_VISIBLE_DEVICES")
    if wish is None:
        return there
    # CUDA stops at the first entry that names none, such as -1.
    named = 0
    for entry in wish.split(","):
        if not entry.strip() or entry.strip().startswith("-"):
            break
        named += 1
    return min(named, there)
