"""Names of the processors and accelerators of this machine. Light."""

from __future__ import annotations

import platform


def gpus() -> list[str]:
    """Names of the accelerators that the backend sees."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return [
            tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
            for gpu in tf.config.list_physical_devices("GPU")
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
