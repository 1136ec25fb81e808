"""Keras's backend: prepared before Keras is imported, and asked about devices and variables.

Importing this module is light: Keras is imported inside the functions.
"""

from __future__ import annotations

import importlib.metadata
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo import interrupts
from zoo.backend import compilation_cache, processes
from zoo.backend.choice import BACKENDS, keras_json, settle
from zoo.backend.device_request import Request
from zoo.backend.found_devices import divide_cpu
from zoo.backend.hardware import gpus, processor
from zoo.errors import EnvironmentFault
from zoo.text.shortened import in_one_line

if TYPE_CHECKING:
    import numpy as np


def prepare(
    deterministic: bool = False,
    seed: int | None = None,
    preferred: str | None = None,
    say: Callable[[str], None] | None = None,
    devices: Request = None,
) -> Any:
    """Imports Keras on the backend that `zoo.backend.choice` decides on, without its messages.

    On JAX, compiled functions are kept on the disk (`zoo.backend.compilation_cache`).

    Args:
        deterministic: whether operations must give the same bits every time.
        seed: seed for Python, numpy and the backend; None to leave them alone.
        preferred: the backend of what is resumed or opened; $KERAS_BACKEND wins over it.
        say: told in a line which backend was taken, if that is news to the user.
        devices: devices that will be asked for: on a machine that has only its CPU, parts of it.

    Returns:
        The module `keras`.

    Raises:
        EnvironmentFault: the backend is not installed, or zoo does not train on it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Take GPU memory as needed: an export is read in a second process beside the training.
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")
    name = settle(preferred, say)
    if name not in BACKENDS:
        raise EnvironmentFault(
            f"KERAS_BACKEND={name}: zoo does not train on it. Expected one of: "
            f"{', '.join(BACKENDS)}."
        )
    if name == "tensorflow" and platform.machine() in ("x86_64", "AMD64"):
        # Off by default on processors without AVX-512 VNNI, where it is faster too.
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    if deterministic and name == "jax" and not _jax_has_started():
        flag = "--xla_gpu_deterministic_ops=true"
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {flag}".strip()
    try:
        with quiet():
            keras = _keras(name)
            if name == "tensorflow":
                import tensorflow as tf

                tf.config.list_physical_devices()  # Looks for GPUs while messages are held back.
                divide_cpu(name, devices)
            else:
                _keep_tensorflow_out(keras)
                divide_cpu(name, devices)
                _require_platforms()
                compilation_cache.enable()
    except ImportError as error:
        if interrupts.received():  # What modules in C make of KeyboardInterrupt.
            raise KeyboardInterrupt from None
        raise EnvironmentFault(
            f"the backend {name} cannot be used: {str(error).rstrip('.')}. Install it with "
            f"`{BACKENDS[name]}`, or choose another with KERAS_BACKEND."
        ) from None
    # TensorFlow warns of retracing when one network after another is built.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    _ignore_keras_json(keras)
    if seed is not None:
        keras.utils.set_random_seed(seed)
    if deterministic and name == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
    return keras


def _jax_has_started() -> bool:
    """Whether JAX has read its flags: processes that train together import it before that."""
    if "jax" not in sys.modules:
        return False
    if processes.count() == 1:
        return True
    from jax._src import xla_bridge

    return bool(xla_bridge.backends_are_initialized())


def _keras(backend: str) -> Any:
    """Imports Keras, if it is not imported yet, without packages that it imports for others.

    Those take a third of the time: scikit-learn and matplotlib, for which Keras has wrappers, and
    JAX, for a converter of TensorFlow. In this process the wrappers then say that they are missing.

    Raises:
        EnvironmentFault: its keras.json holds what it does not know.
        ImportError: Keras or its backend is missing.
    """
    unused = ("sklearn", "matplotlib", *(["jax"] if backend == "tensorflow" else []))
    try:
        with hidden(*unused):
            import keras
    except ImportError:
        raise
    except Exception as error:
        file = keras_json(os.environ)
        if not file.is_file():
            raise
        reason = in_one_line(error) or type(error).__name__
        raise EnvironmentFault(
            f"Keras cannot be imported ({reason}), perhaps for what {file} holds. Expected "
            '{"backend": "tensorflow", "floatx": "float32"} or the like; mend or remove that file.'
        ) from None
    return keras


def _require_platforms() -> None:
    """Requires that JAX finds the devices that the environment asks for.

    Without such a wish it takes those that it finds.

    Raises:
        EnvironmentFault: it does not.
    """
    wish = next((v for v in ("JAX_PLATFORMS", "JAX_PLATFORM_NAME") if os.environ.get(v)), None)
    if wish is None:
        return
    import jax

    try:
        jax.devices()
    except (RuntimeError, AssertionError) as error:  # An assertion, where it knows the platform.
        reason = f" ({in_one_line(error)})" if str(error) else ""
        raise EnvironmentFault(
            f"{wish}={os.environ[wish]}: JAX has no such device here{reason}. Unset {wish}, or set "
            "it to cpu."
        ) from None


def _ignore_keras_json(keras: Any) -> None:
    """Sets what keras.json may have changed: a recipe means the same network on every machine.

    Networks are built for `channels_last`; types are those of the recipe's `dtype_policy`.
    """
    keras.config.set_image_data_format("channels_last")
    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)


def _keep_tensorflow_out(keras: Any) -> None:
    """Lets Keras on JAX believe that TensorFlow is not installed.

    Where TensorFlow is installed, Keras imports it as soon as it sets a seed or saves a model. That
    takes seconds and prints lines, and JAX needs none of it. Keras asks only once, so it is asked
    while TensorFlow is hidden. TensorFlow can still be imported afterwards.
    """
    import numpy as np

    with hidden("tensorflow"):
        keras.saving.serialize_keras_object(np.float32(0))


@contextmanager
def hidden(*packages: str) -> Iterator[None]:
    """Lets the code of the block believe that packages are not installed, unless they are imported.

    They can be imported afterwards. Hiding JAX from `import tensorflow` saves a second: a converter
    of TensorFlow imports it.
    """
    hidden = [package for package in packages if package not in sys.modules]
    for package in hidden:
        sys.modules[package] = None  # type: ignore[assignment]  # Python: not to be found.
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]


@contextmanager
def quiet() -> Iterator[None]:
    """Holds back what C++ libraries write to stderr; shows it if the block fails.

    ZOO_VERBOSE_START=1 shows everything at once.
    """
    if os.environ.get("ZOO_VERBOSE_START"):
        yield
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held_back:
        os.dup2(held_back.fileno(), 2)
        try:
            yield
        except Exception:  # Not KeyboardInterrupt: what was held back has no part in it.
            os.dup2(stderr, 2)
            held_back.seek(0)
            os.write(2, held_back.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


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


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the host or the device ran out of memory.

    TensorFlow has a class for it, JAX a word in its error's message. oneDNN, which computes for
    TensorFlow on CPUs, has a number: dnnl_out_of_memory is 1.
    """
    name = type(error).__name__
    if name == "AbortedError":
        return "exception:Status:1," in str(error).replace(" ", "")
    if name in ("JaxRuntimeError", "XlaRuntimeError"):
        return "RESOURCE_EXHAUSTED" in str(error)
    return isinstance(error, MemoryError) or "ResourceExhausted" in name


def deterministic() -> bool:
    """Whether TensorFlow's deterministic operations are on; a process cannot turn them off."""
    if os.environ.get("KERAS_BACKEND") != "tensorflow":
        return False
    from tensorflow.python.framework.config import is_op_determinism_enabled

    return bool(is_op_determinism_enabled())


def has_float64() -> bool:
    """Whether the backend supports float64; JAX does not by default."""
    import keras

    if keras.backend.backend() != "jax":
        return True
    import jax

    return bool(jax.config.jax_enable_x64)


def device() -> str:
    """Describes the device that computes: `cpu: AMD EPYC, 2 cores` or `gpu: NVIDIA ...`."""
    found = gpus()
    if found:
        return f"gpu: {found[0]}" + (f" x{len(found)}" if len(found) > 1 else "")
    return f"cpu: {processor()}, {os.cpu_count()} cores"


def has_onednn() -> bool:
    """Whether TensorFlow computes with oneDNN; see `prepare`."""
    from tensorflow.python.util import _pywrap_util_port

    return bool(_pywrap_util_port.IsMklEnabled())


def on_gpu() -> bool:
    """Whether a GPU (or another accelerator of JAX) computes."""
    return bool(gpus())


def versions() -> dict[str, str]:
    """Returns {package: version} of Python and of the installed libraries that affect results."""
    versions = {"python": platform.python_version()}
    for package in ("keras", "tensorflow", "jax", "numpy", "pillow", "scikit-learn"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
