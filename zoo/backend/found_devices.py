"""The devices that a backend finds on this machine. Light.

A machine without accelerators has one device, its CPU, which can be divided into logical ones
before the backend looks at it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from zoo.backend import processes
from zoo.backend.device_request import Request
from zoo.backend.hardware import gpus, processor
from zoo.backend.installation import look
from zoo.errors import EnvironmentFault

MOST_LOGICAL = 16  # Parts of a CPU that a training may ask for.
FORCE_COUNT = "--xla_force_host_platform_device_count"


@dataclass(frozen=True)
class Found:
    """The devices that the backend finds.

    Args:
        count: their number.
        kind: what the first one is called.
        on_cpu: whether they are parts of the CPU.
    """

    count: int
    kind: str
    on_cpu: bool


def divide_cpu(name: str, request: Request) -> None:
    """Divides the CPU into logical devices, for a machine that has nothing else.

    It must come before the backend looks at its devices for the first time; later it does nothing.

    Args:
        name: the backend, which is imported.
        request: as for `set_up`; each of several processes divides its CPU into its share.
    """
    if isinstance(request, int):
        request //= processes.count()
    if not isinstance(request, int) or not 1 < request <= MOST_LOGICAL:
        return
    if name == "jax":
        _divide_cpu_for_jax(request)
        return
    import tensorflow as tf

    cpus = tf.config.list_physical_devices("CPU")
    if not cpus or tf.config.list_physical_devices("GPU"):
        return
    if not tf.config.get_logical_device_configuration(cpus[0]):
        parts = [tf.config.LogicalDeviceConfiguration()] * request
        try:
            tf.config.set_logical_device_configuration(cpus[0], parts)
        except RuntimeError:
            return  # The devices are in use already; `set_up` counts them.


def _divide_cpu_for_jax(count: int) -> None:
    import jax

    if FORCE_COUNT in os.environ.get("XLA_FLAGS", ""):
        return  # The user's number.
    try:
        jax.config.update("jax_num_cpu_devices", count)
    except RuntimeError:
        return  # The devices are in use already.
    except AttributeError:  # Before JAX 0.5.
        flags = f"{os.environ.get('XLA_FLAGS', '')} {FORCE_COUNT}={count}".strip()
        os.environ["XLA_FLAGS"] = flags


def find(name: str) -> Found:
    """The devices that a backend, which is imported, finds."""
    names = gpus()
    if names:
        return Found(len(names), names[0], on_cpu=False)
    if name == "jax":
        import jax

        return Found(len(jax.devices()), processor(), on_cpu=True)
    import tensorflow as tf

    return Found(len(tf.config.list_logical_devices("CPU")), processor(), on_cpu=True)


def require(name: str, count: int, found: Found) -> None:
    """Requires that there are as many devices as asked for, of the kind that is meant.

    Args:
        name: the backend.
        count: devices asked for.
        found: devices found.

    Raises:
        EnvironmentFault: there are fewer; or they are parts of the CPU of a machine that has an
            accelerator which the backend cannot use.
    """
    if found.on_cpu and count > 1:
        installed = look()
        obstacles = {"jax": installed.jax_obstacle, "tensorflow": installed.tensorflow_obstacle}
        if installed.accelerator and obstacles.get(name):
            raise EnvironmentFault(
                f"--devices {count}: this machine has a {installed.accelerator}, and {name} "
                f"{obstacles[name]}. Mend that (`zoo doctor` shows how), or hide it by "
                "CUDA_VISIBLE_DEVICES= to try the command on parts of the CPU."
            )
    if count > found.count:
        raise _too_few(name, count, found)


def _too_few(name: str, count: int, found: Found) -> EnvironmentFault:
    """The error of a machine with fewer devices than asked for."""
    many = "s" if found.count > 1 else ""
    there = f"{name} finds {found.count} device{many} here ({found.kind})"
    if not found.on_cpu:
        expected = f"Expected at most {found.count}, or `all`"
    elif count > MOST_LOGICAL:
        expected = f"Expected at most {MOST_LOGICAL}, the parts that zoo divides a CPU into"
    else:
        expected = (
            "It was started before they were asked for, and divides its CPU no more: ask for them "
            "in a new process"
        )
    return EnvironmentFault(f"--devices {count}: {there}. {expected}.")
