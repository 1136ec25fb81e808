"""Which Keras backend runs, made ready before Keras is imported. Light until `prepare`."""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.errors import EnvironmentFault

if TYPE_CHECKING:
    import numpy as np

BACKENDS = {"tensorflow": "pip install tensorflow", "jax": "pip install jax"}


def prepare(deterministic: bool = False, seed: int | None = None) -> Any:
    """Imports Keras on the backend of KERAS_BACKEND, quietly; returns the module.

    Args:
        deterministic: asks the backend for operations that give the same bits every time.
        seed: seeds Python, numpy and the backend where given.

    Raises:
        EnvironmentFault: the backend is not installed, or is one that zoo does not train on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    # A GPU's memory is taken as it is needed: an export is read again beside a trainer.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    name = os.environ["KERAS_BACKEND"]
    if name not in BACKENDS:
        raise EnvironmentFault(
            f"KERAS_BACKEND={name}: zoo does not train on it. Expected one of: "
            f"{', '.join(BACKENDS)}."
        )
    if deterministic and name == "jax" and "jax" not in sys.modules:
        flag = "--xla_gpu_deterministic_ops=true"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    try:
        with quiet():
            import keras

            if name == "tensorflow":
                import tensorflow as tf

                tf.config.list_physical_devices()  # Looks for GPUs now, with all it says of them.
    except ImportError as error:
        raise EnvironmentFault(
            f"KERAS_BACKEND={name} cannot be used: {error}. Install it with `{BACKENDS[name]}`."
        ) from None
    # TensorFlow counts how often Keras traces its functions, a network after the other, and warns.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if seed is not None:
        keras.utils.set_random_seed(seed)
    if deterministic and name == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return keras


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back what C++ libraries write to stderr while they start; shows it if they fail."""
    if os.environ.get("ZOO_VERBOSE_START"):
        yield
        return
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as aside:
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(kept, 2)
            aside.seek(0)
            os.write(2, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def to_numpy(value: Any) -> np.ndarray:
    """Copies a Keras variable or a tensor into a numpy array of the same shape and dtype."""
    import keras
    import numpy as np

    return np.array(keras.ops.convert_to_numpy(value))


def sync(model: Any) -> None:
    """Brings the variables of a Keras model up to date while `fit` runs.

    JAX's trainer keeps the weights outside of the variables during an epoch; other backends need
    nothing.
    """
    jax_state_sync = getattr(model, "jax_state_sync", None)
    if jax_state_sync is not None:
        jax_state_sync()


def deterministic() -> bool:
    """Whether TensorFlow has been asked for determinism; it cannot be taken back in a process."""
    if os.environ.get("KERAS_BACKEND") != "tensorflow":
        return False
    from tensorflow.python.framework.config import is_op_determinism_enabled

    return bool(is_op_determinism_enabled())


def has_float64() -> bool:
    """Whether the backend computes in 64 bits where asked to; JAX does not by default."""
    import keras

    if keras.backend.backend() != "jax":
        return True
    import jax

    return bool(jax.config.jax_enable_x64)


def device() -> str:
    """The device that computes, in words: `cpu: AMD EPYC, 2 cores` or `gpu: NVIDIA ...`."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = [
            tf.config.experimental.get_device_details(gpu).get("device_name", "GPU")
            for gpu in tf.config.list_physical_devices("GPU")
        ]
    else:
        import jax

        gpus = [gpu.device_kind for gpu in jax.devices() if gpu.platform != "cpu"]
    if gpus:
        return f"gpu: {gpus[0]}" + (f" x{len(gpus)}" if len(gpus) > 1 else "")
    return f"cpu: {_processor()}, {os.cpu_count()} cores"


def on_gpu() -> bool:
    return device().startswith("gpu")


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """The versions that decide what a run gives."""
    found = {"python": platform.python_version()}
    for package in ("keras", "tensorflow", "jax", "numpy", "pillow", "scikit-learn"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
