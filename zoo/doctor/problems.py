"""Judges the facts that the doctor collected: what is wrong, and what mends it. Light.

Each judge takes the document of `zoo doctor --json`, as far as it is filled, and yields problems.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from zoo.backend.choice import BACKENDS, VARIABLE
from zoo.backend.installation import OLDEST_DRIVER
from zoo.doctor import cluster_problems
from zoo.doctor.host import usable_memory
from zoo.doctor.packages import EXTRAS, install, missing_required
from zoo.doctor.problem import Problem
from zoo.text.sizes import size_text

Facts = Mapping[str, Any]

MIN_MEMORY = 2 * 2**30  # TensorFlow, Keras and a small network take more than 1 GiB.
MIN_DISK = 2**30
GPU_EXTRAS = {"tensorflow": "gpu", "jax": "gpu-jax"}


def find(facts: Facts) -> list[Problem]:
    """Return all problems, the worst first."""
    judges = (_packages, _backend, _accelerator, _folders, _memory, _extras, cluster_problems.judge)
    problems = [problem for judge in judges for problem in judge(facts)]
    order = ("error", "warning", "info")
    return sorted(problems, key=lambda problem: order.index(problem.severity))


def _packages(facts: Facts) -> Iterator[Problem]:
    missing = missing_required(facts["packages"])
    if missing:
        yield Problem(
            "error",
            f"{', '.join(missing)}: not installed, and every training needs it",
            f"pip install {' '.join(missing)}",
        )


def _backend(facts: Facts) -> Iterator[Problem]:
    backend = facts["backend"]
    name = backend["name"]
    if name not in BACKENDS:
        yield Problem(
            "error",
            f"{VARIABLE}={name}: zoo does not train on it. Expected one of: {', '.join(BACKENDS)}",
            f"unset {VARIABLE}",
        )
    elif not facts["backends"][name]["installed"]:
        others = [other for other in BACKENDS if facts["backends"][other]["installed"]]
        fix = BACKENDS[name] + (f"; or export {VARIABLE}={others[0]}" if others else "")
        yield Problem("error", f"{name}, the backend, is not installed", fix)
    elif backend["error"] is not None:
        wish = re.match(r"(JAX_PLATFORMS|JAX_PLATFORM_NAME)=", backend["error"])
        fix = f"unset {wish[1]}" if wish else f"pip install --force-reinstall {name}"
        if "keras.json" in backend["error"]:
            fix = "mend or remove that file"
        yield Problem("error", backend["error"], fix)


def _accelerator(facts: Facts) -> Iterator[Problem]:
    """A GPU that the backend leaves unused."""
    name, devices = facts["backend"]["name"], facts["devices"]
    if name not in BACKENDS or (devices and any(entry["kind"] != "cpu" for entry in devices)):
        return
    accelerator = facts["accelerator"]
    if accelerator is None:
        if facts["gpus"]:
            yield Problem(
                "warning",
                "CUDA_VISIBLE_DEVICES hides every GPU, so that the CPU computes",
                "unset CUDA_VISIBLE_DEVICES",
            )
        return
    obstacle = facts["backends"][name]["obstacle"]
    if obstacle is None:
        if devices:
            yield Problem(
                "warning",
                f"{name} found no device beside the CPU, although its packages for the "
                f"{accelerator} are installed",
                "ZOO_VERBOSE_START=1 zoo train digits-tiny   # shows what the backend says of it",
            )
        return
    yield Problem("warning", f"the {accelerator} is not used: {name} {obstacle}", _gpu_fix(
        name, obstacle))  # fmt: skip


def _gpu_fix(name: str, obstacle: str) -> str:
    """Return what takes an obstacle of `zoo.backend.installation` away."""
    if "JAX_PLATFORMS" in obstacle:
        return "unset JAX_PLATFORMS"
    if "driver" in obstacle:
        older = f'; or pip install "jax[cuda12]", from {OLDEST_DRIVER[12]} on'
        return "install a newer NVIDIA driver" + (older if name == "jax" else "")
    if "tensorflow-cpu" in obstacle:
        return f"pip uninstall tensorflow-cpu; {install(GPU_EXTRAS[name])}"
    if "built for CPUs" in obstacle:
        return f"export {VARIABLE}=jax"
    return install(GPU_EXTRAS[name])


def _folders(facts: Facts) -> Iterator[Problem]:
    for folder in facts["folders"]:
        name, path = folder["name"], folder["path"]
        if not folder["writable"]:
            yield Problem("warning", f"{path}: cannot be written to", _FOLDER_FIXES[name])
        elif folder["free"] < MIN_DISK and name != "jax":
            yield Problem(
                "warning",
                f"{path}: its disk has {size_text(folder['free'])} left",
                f"free some space, or {_FOLDER_FIXES[name]}",
            )


_FOLDER_FIXES = {
    "data": "export ZOO_CACHE=FOLDER",
    "jax": "export ZOO_CACHE=FOLDER",
    "runs": "zoo train RECIPE --out FOLDER",
}


def _memory(facts: Facts) -> Iterator[Problem]:
    memory = usable_memory(facts["host"])
    if memory is not None and memory < MIN_MEMORY:
        yield Problem(
            "warning",
            f"{size_text(memory)} of memory can be used; a training may be killed",
            "end other processes, or raise the container's limit",
        )


def _extras(facts: Facts) -> Iterator[Problem]:
    for extra in EXTRAS:
        packages = facts["missing_extras"].get(extra.name)
        if packages:
            yield Problem(
                "info",
                f"{', '.join(packages)}: not installed; needed for {extra.purpose}",
                install(extra.name),
            )
