"""The backend and the device of a Python program, which are chosen once in a process. Light."""

from __future__ import annotations

import os
import sys
from typing import Any, Literal

from zoo import backend
from zoo.backend.choice import BACKENDS, VARIABLE
from zoo.errors import EnvironmentFault, UsageError

Device = Literal["cpu", "gpu"] | None
RESTART = "Restart Python (in a notebook: its kernel), and "


def prepare(device: Device = None) -> Any:
    """Imports Keras as the verbs do, on the backend that the environment asks for.

    Args:
        device: `cpu`: leave GPUs alone; `gpu`: require one; None: what the backend takes.

    Returns:
        The module `keras`.

    Raises:
        EnvironmentFault: Keras was imported with another backend, or the device cannot be had.
        UsageError: there is no such device.
    """
    require_choice(device)
    keras = backend.prepare()
    _require_gpu(device)
    return keras


def require_choice(device: Device = None) -> None:
    """Settles the device before Keras is imported, and refuses what comes too late.

    Args:
        device: see `prepare`. That a GPU is there is checked by `prepare` alone.

    Raises:
        EnvironmentFault: Keras was imported with another backend than KERAS_BACKEND now says, or
            with one on which zoo does not train; or a GPU is in use and the CPU is asked for.
        UsageError: there is no such device.
    """
    if device not in (None, "cpu", "gpu"):
        raise UsageError(f"device={device!r}: unknown. Expected 'cpu', 'gpu' or None.")
    keras = sys.modules.get("keras")
    imported = None if keras is None else str(keras.backend.backend())
    wanted = os.environ.get(VARIABLE) or imported
    if imported is not None and imported != wanted:
        raise EnvironmentFault(
            f"Keras was imported with the backend {imported} before {VARIABLE}={wanted} was set. "
            f"{RESTART}set {VARIABLE} before the first import of Keras."
        )
    if imported is not None and imported not in BACKENDS:
        raise EnvironmentFault(
            f"Keras was imported with the backend {imported}, on which zoo does not train. "
            f"{RESTART}set {VARIABLE} to one of: {', '.join(BACKENDS)}; or import zoo, and call "
            "one of its functions, before Keras."
        )
    if device == "cpu":
        _hide_gpus()


def _hide_gpus() -> None:
    """Lets this process compute on the CPU; its children, such as a search's workers, too."""
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    late = EnvironmentFault(
        f"device='cpu': this process computes on a GPU already. {RESTART}say device='cpu' in the "
        "first call."
    )
    if "jax" in sys.modules:
        import jax

        jax.config.update("jax_platforms", "cpu")  # Has no effect once devices are in use.
        if os.environ.get(VARIABLE) == "jax" and jax.default_backend() != "cpu":
            raise late
    if "tensorflow" in sys.modules:
        import tensorflow as tf

        try:
            tf.config.set_visible_devices([], "GPU")
        except RuntimeError:
            if tf.config.list_logical_devices("GPU"):
                raise late from None


def _require_gpu(device: Device) -> None:
    """Requires a GPU that Keras uses, if one is asked for.

    Raises:
        EnvironmentFault: there is none.
    """
    if device == "gpu" and not backend.on_gpu():
        raise EnvironmentFault(
            "device='gpu': the backend finds no GPU here; `zoo doctor` says why. Leave device out "
            "to train on the CPU."
        )
