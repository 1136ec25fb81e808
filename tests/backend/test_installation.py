"""What is found on machines that are folders here: device files, drivers, libraries, packages."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from zoo.backend.installation import NVIDIA, Installation, System, look

REQUIREMENTS = (
    "keras>=3.12",
    "nvidia-cudnn-cu12<10.0,>=9.3.0.75; extra == 'and-cuda'",
    'nvidia-cuda-runtime-cu12<13.0; extra == "and-cuda"',
)
TF_CUDA = ("nvidia-cudnn-cu12", "nvidia-cuda-runtime-cu12")
JAX_CUDA = ("jax", "jax_cuda13_plugin", "nvidia-cudnn-cu13")


@pytest.fixture
def gpu(tmp_path: Path) -> Path:
    """The root of a machine with an NVIDIA GPU and a new driver."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/nvidia0").touch()
    set_driver(tmp_path, "580.65.06")
    return tmp_path


def set_driver(root: Path, version: str) -> None:
    file = root / "proc/driver/nvidia/version"
    file.parent.mkdir(parents=True, exist_ok=True)
    line = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build\n"
    file.write_text(f"{line}GCC version:  gcc version 12.3.0\n", encoding="utf-8")


def found(
    root: Path, packages: Sequence[str], lists_gpu: bool = False, **environ: str
) -> Installation:
    """What `look` finds where these packages are installed, modules and distributions alike."""
    return look(
        System(
            environ=environ,
            root=root,
            importable=lambda name: name in packages,
            version=lambda name: "1" if name in packages else None,
            requires=lambda name: REQUIREMENTS if name == "tensorflow" else (),
            nvidia_smi_lists_gpu=lambda: lists_gpu,
        )
    )


def test_nothing(tmp_path: Path) -> None:
    assert found(tmp_path, ()) == Installation(tensorflow=False, jax=False)


@pytest.mark.parametrize(
    "packages, tensorflow, jax",
    [
        (("tensorflow",), "lacks its CUDA 12 libraries", "is not installed"),
        (("tensorflow", "jax"), "lacks its CUDA 12 libraries", "lacks its CUDA plugin"),
        (("tensorflow", *TF_CUDA, "jax"), None, "lacks its CUDA plugin"),
        (("tensorflow", TF_CUDA[0], *JAX_CUDA), "lacks its CUDA 12 libraries", None),
        (("jax", "jax_cuda13_plugin"), "is not installed", "lacks its CUDA 13 libraries"),
        (("jax", "jax_cuda12_plugin", "nvidia-cudnn-cu12"), "is not installed", None),
    ],
)
def test_packages(
    gpu: Path, packages: tuple[str, ...], tensorflow: str | None, jax: str | None
) -> None:
    installation = found(gpu, packages)
    assert installation.accelerator == NVIDIA
    assert installation.tensorflow_obstacle == tensorflow
    assert installation.jax_obstacle == jax


def test_tensorflow_for_cpus(gpu: Path) -> None:
    system = System(
        environ={}, root=gpu, importable=lambda name: name == "tensorflow",
        version=lambda name: "2.21.0" if name == "tensorflow-cpu" else None,
    )  # fmt: skip
    assert look(system).tensorflow_obstacle == "is the package tensorflow-cpu, built without CUDA"


def test_libraries_of_the_system(gpu: Path) -> None:
    """As in TensorFlow's containers, where no pip package brings them."""
    folder = gpu / "usr/local/cuda/lib64"
    folder.mkdir(parents=True)
    (folder / "libcudart.so.12").touch()
    assert found(gpu, ("tensorflow",)).tensorflow_obstacle == "lacks its CUDA 12 libraries"
    other = gpu / "elsewhere"
    other.mkdir()
    (other / "libcudnn.so.9").touch()
    assert found(gpu, ("tensorflow",), LD_LIBRARY_PATH=str(other)).tensorflow_obstacle is None


def test_an_old_driver(gpu: Path) -> None:
    set_driver(gpu, "550.54.14")
    installation = found(gpu, ("tensorflow", *TF_CUDA, *JAX_CUDA))
    assert installation.tensorflow_obstacle is None
    assert installation.jax_obstacle == (
        "needs NVIDIA's driver 580 or newer for CUDA 13, and 550 is installed"
    )


@pytest.mark.parametrize("hidden", ["", "-1"])
def test_a_hidden_gpu(gpu: Path, hidden: str) -> None:
    assert found(gpu, JAX_CUDA, CUDA_VISIBLE_DEVICES=hidden).accelerator is None
    assert found(gpu, JAX_CUDA, CUDA_VISIBLE_DEVICES="1").accelerator == NVIDIA


def test_a_gpu_without_device_files(tmp_path: Path) -> None:
    assert found(tmp_path, JAX_CUDA).accelerator is None
    assert found(tmp_path, JAX_CUDA, lists_gpu=True).accelerator == NVIDIA


def test_jax_is_kept_to_other_platforms(gpu: Path) -> None:
    assert found(gpu, JAX_CUDA, JAX_PLATFORMS="cpu").jax_obstacle == (
        "is limited by JAX_PLATFORMS=cpu"
    )
    assert found(gpu, JAX_CUDA, JAX_PLATFORMS="cuda,cpu").jax_obstacle is None


def test_a_tpu(tmp_path: Path) -> None:
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev/accel0").touch()
    assert found(tmp_path, ("tensorflow", "jax")).accelerator is None
    installation = found(tmp_path, ("tensorflow", "jax", "libtpu"))
    assert installation.accelerator == "TPU"
    assert installation.jax_obstacle is None
    assert installation.tensorflow_obstacle


def test_this_machine() -> None:
    """The real probes say what importlib says."""
    installation = look()
    assert installation.jax == System().importable("jax")
    assert System().version("pytest") == pytest.__version__
    assert System().version("no-such-distribution") is None
    assert System().requires("no-such-distribution") == ()
    assert not System().importable("no.such.module")
