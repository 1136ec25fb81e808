"""Each thing that can be wrong: how bad it is, and what mends it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doctor.facts import CPU, FOLDERS, GPU, LISTED, facts
from zoo.doctor.problems import find


def backends(tensorflow: str | None = None, jax: str | None = None) -> dict[str, Any]:
    """Both backends installed, with these obstacles."""
    return {
        "tensorflow": {"installed": True, "obstacle": tensorflow},
        "jax": {"installed": True, "obstacle": jax},
    }


def only(**changes: Any) -> tuple[str, str, str]:
    """Severity, message and fix of the one problem of these facts."""
    (problem,) = find(facts(**changes))
    return problem.severity, problem.message, problem.fix


def test_a_healthy_machine() -> None:
    assert find(facts()) == []
    assert find(facts(accelerator="NVIDIA GPU", gpus=[LISTED], devices=[GPU])) == []


def backend(name: str, error: str | None = None) -> dict[str, Any]:
    return {**facts()["backend"], "name": name, "error": error}


def test_a_required_package() -> None:
    packages = {**facts()["packages"], "keras": None, "pillow": None}
    severity, message, fix = only(packages=packages)
    assert (severity, fix) == ("error", "pip install keras pillow")
    assert message.startswith("keras, pillow: not installed")


@pytest.mark.parametrize(
    "installed, name, fix",
    [
        ((), "tensorflow", "pip install tensorflow"),
        (("jax",), "tensorflow", "pip install tensorflow; or export KERAS_BACKEND=jax"),
        (("tensorflow",), "jax", "pip install jax; or export KERAS_BACKEND=tensorflow"),
    ],
)
def test_no_backend(installed: tuple[str, ...], name: str, fix: str) -> None:
    found = {key: {"installed": key in installed, "obstacle": None} for key in backends()}
    severity, message, received = only(
        backend=backend(name, "not installed"), backends=found, devices=[]
    )
    assert (severity, received) == ("error", fix)
    assert message == f"{name}, the backend, is not installed"


def test_a_backend_on_which_zoo_does_not_train() -> None:
    severity, message, fix = only(backend=backend("torch", "zoo does not train on it"), devices=[])
    assert (severity, fix) == ("error", "unset KERAS_BACKEND")
    assert "KERAS_BACKEND=torch" in message


def test_a_backend_that_crashes() -> None:
    error = "tensorflow crashed: the process was ended by SIGILL"
    severity, message, fix = only(backend=backend("tensorflow", error), devices=[])
    assert severity == "error"
    assert "SIGILL" in message
    assert "--force-reinstall tensorflow" in fix


@pytest.mark.parametrize(
    "error, expected",
    [
        ("JAX_PLATFORMS=cuda: JAX has no such device here", "unset JAX_PLATFORMS"),
        (
            "Keras cannot be imported, perhaps for what /x/keras.json holds",
            "mend or remove that fi",
        ),
    ],
)
def test_what_the_environment_holds_is_not_mended_by_pip(error: str, expected: str) -> None:
    severity, _, fix = only(backend=backend("jax", error), devices=[])
    assert severity == "error"
    assert fix.startswith(expected)


@pytest.mark.parametrize(
    "name, obstacle, fix",
    [
        ("tensorflow", "lacks its CUDA 12 libraries", 'pip install "zoo-keras[gpu]"'),
        ("jax", "lacks its CUDA plugin", 'pip install "zoo-keras[gpu-jax]"'),
        (
            "jax",
            "needs NVIDIA's driver 580 or newer for CUDA 13, and 550 is installed",
            'install a newer NVIDIA driver; or pip install "jax[cuda12]", from 525 on',
        ),
        (
            "tensorflow",
            "needs NVIDIA's driver 525 or newer for CUDA 12, and 470 is installed",
            "install a newer NVIDIA driver",
        ),
        ("jax", "is limited by JAX_PLATFORMS=cpu", "unset JAX_PLATFORMS"),
        (
            "tensorflow",
            "is the package tensorflow-cpu, built without CUDA",
            'pip uninstall tensorflow-cpu; pip install "zoo-keras[gpu]"',
        ),
    ],
)
def test_an_unused_gpu(name: str, obstacle: str, fix: str) -> None:
    received = only(
        backend=backend(name), backends=backends(**{name: obstacle}), devices=[CPU],
        accelerator="NVIDIA GPU", gpus=[LISTED],
    )  # fmt: skip
    assert received == ("warning", f"the NVIDIA GPU is not used: {name} {obstacle}", fix)


def test_a_tpu_beside_tensorflow() -> None:
    obstacle = "is built for CPUs and NVIDIA GPUs"
    fix = only(backends=backends(obstacle), accelerator="TPU")[2]
    assert fix == "export KERAS_BACKEND=jax"


def test_a_gpu_that_the_backend_does_not_find() -> None:
    severity, message, fix = only(accelerator="NVIDIA GPU", gpus=[LISTED])
    assert severity == "warning"
    assert "found no device beside the CPU" in message
    assert "ZOO_VERBOSE_START=1" in fix


def test_a_hidden_gpu() -> None:
    assert only(gpus=[LISTED])[2] == "unset CUDA_VISIBLE_DEVICES"


@pytest.mark.parametrize(
    "index, fix",
    [(0, "export ZOO_CACHE=FOLDER"), (1, "export ZOO_CACHE=FOLDER"), (2, "--out FOLDER")],
)
def test_a_folder_that_cannot_be_written(index: int, fix: str) -> None:
    folders = [{**entry, "writable": i != index} for i, entry in enumerate(FOLDERS)]
    severity, message, received = only(folders=folders)
    assert severity == "warning"
    assert message.endswith("cannot be written to")
    assert fix in received


def test_a_full_disk() -> None:
    folders = [FOLDERS[0], {**FOLDERS[1], "free": 5 * 10**8}, {**FOLDERS[2], "free": 5 * 10**8}]
    assert "500.0 MB left" in only(folders=folders)[1]


def test_little_memory() -> None:
    severity, message, _ = only(host={**facts()["host"], "memory_limit": 10**9})
    assert severity == "warning"
    assert message.startswith("1.0 GB of memory")


def test_an_extra_and_the_order() -> None:
    """The worst comes first."""
    assert only(missing_extras={"plots": ["matplotlib"]}) == (
        "info",
        "matplotlib: not installed; needed for zoo check --plots, zoo tune --plots",
        'pip install "zoo-keras[plots]"',
    )
    problems = find(
        facts(missing_extras={"plots": ["matplotlib"]}, gpus=[LISTED], backend=backend("jax", "x"))
    )
    assert [problem.severity for problem in problems] == ["error", "warning", "info"]
