"""What a Keras backend would find on this machine, without importing a backend. Light.

Importing TensorFlow takes seconds, and a process that has imported it cannot go back. So the
packages, CUDA libraries, device files and the driver's version are looked at instead. The answer is
a good guess, not a proof; `zoo doctor` imports the backend and shows the devices that it found.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# The oldest major version of NVIDIA's driver for each CUDA release: the installation pages of JAX,
# docs.jax.dev/en/latest/installation.html, and of TensorFlow, tensorflow.org/install/pip.
OLDEST_DRIVER = {12: 525, 13: 580}
CUDNN = "libcudnn.so.9*"
LIBRARY_FOLDERS = (
    "usr/local/cuda/lib64",
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
)
NVIDIA_SMI_SECONDS = 10.0


@dataclass(frozen=True)
class JaxPlugin:
    """A package that brings a kind of device to JAX.

    Args:
        module: its module.
        device: the kind of device, for people.
        files: globs of the device files below `/`; one is there if the device is.
        platforms: names of the kind in $JAX_PLATFORMS.
        cuda: CUDA's release, for NVIDIA's devices.
    """

    module: str
    device: str
    files: tuple[str, ...]
    platforms: tuple[str, ...]
    cuda: int | None = None


NVIDIA = "NVIDIA GPU"
# The last two are in WSL 2.
NVIDIA_FILES = ("dev/nvidia[0-9]*", "proc/driver/nvidia/gpus/*", "usr/lib/wsl/lib/libcuda.so*")
JAX_PLUGINS = (
    JaxPlugin("jax_cuda13_plugin", NVIDIA, NVIDIA_FILES, ("cuda", "gpu"), 13),
    JaxPlugin("jax_cuda12_plugin", NVIDIA, NVIDIA_FILES, ("cuda", "gpu"), 12),
    JaxPlugin("jax_rocm7_plugin", "AMD GPU", ("dev/kfd",), ("rocm", "gpu")),
    JaxPlugin("libtpu", "TPU", ("dev/accel[0-9]*", "dev/vfio/[0-9]*"), ("tpu",)),
)


def _importable(module: str) -> bool:
    """Whether a top-level module can be found, without importing it."""
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def installed_version(distribution: str) -> str | None:
    """Return the version of an installed distribution; None if it is not installed."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _requires(distribution: str) -> Sequence[str]:
    """Return the requirements of an installed distribution, as its metadata write them."""
    try:
        return importlib.metadata.requires(distribution) or ()
    except importlib.metadata.PackageNotFoundError:
        return ()


def _nvidia_smi_lists_gpu() -> bool:
    """Whether `nvidia-smi -L` lists a GPU."""
    if shutil.which("nvidia-smi") is None:
        return False
    try:
        done = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=NVIDIA_SMI_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and "GPU" in done.stdout


@dataclass(frozen=True)
class System:
    """Where the facts come from; tests put others in.

    Args:
        environ: environment variables.
        root: the folder that holds /dev, /proc and /usr.
        importable: whether a top-level module can be found.
        version: the version of an installed distribution, or None.
        requires: the requirements of an installed distribution.
        nvidia_smi_lists_gpu: whether `nvidia-smi -L` lists a GPU.
    """

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    root: Path = Path("/")
    importable: Callable[[str], bool] = _importable
    version: Callable[[str], str | None] = installed_version
    requires: Callable[[str], Sequence[str]] = _requires
    nvidia_smi_lists_gpu: Callable[[], bool] = _nvidia_smi_lists_gpu

    def exists(self, patterns: Sequence[str]) -> bool:
        """Whether a file matches one of these globs below the root."""
        return any(next(self.root.glob(pattern), None) is not None for pattern in patterns)

    def driver(self) -> int | None:
        """Return the major version of NVIDIA's driver; None if /proc does not tell it."""
        try:
            text = (self.root / "proc/driver/nvidia/version").read_text(encoding="utf-8")
        except OSError:
            return None
        match = re.search(r"NVRM version:.*?\s(\d{3,})\.\d+", text)
        return int(match[1]) if match else None

    def has_nvidia_gpu(self) -> bool:
        """Whether there is an NVIDIA GPU that $CUDA_VISIBLE_DEVICES does not hide."""
        visible = self.environ.get("CUDA_VISIBLE_DEVICES")
        if visible is not None and (not visible.strip() or visible.strip().startswith("-")):
            return False
        return self.exists(NVIDIA_FILES) or self.nvidia_smi_lists_gpu()

    def has_library(self, pattern: str) -> bool:
        """Whether a shared library lies in a folder in which the loader looks."""
        folders = [self.root / folder for folder in LIBRARY_FOLDERS]
        folders += [
            Path(path) for path in self.environ.get("LD_LIBRARY_PATH", "").split(":") if path
        ]
        if "CONDA_PREFIX" in self.environ:
            folders.append(Path(self.environ["CONDA_PREFIX"]) / "lib")
        return any(next(folder.glob(pattern), None) is not None for folder in folders)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """The backends that are installed, and what keeps each from the accelerator.

    Args:
        tensorflow: whether TensorFlow is installed.
        jax: whether JAX is.
        accelerator: the device, such as `NVIDIA GPU`; None if there is none, or a hidden one.
        tensorflow_obstacle: what keeps TensorFlow from it; None if nothing does.
        jax_obstacle: what keeps JAX from it; None if nothing does.
    """

    tensorflow: bool
    jax: bool
    accelerator: str | None = None
    tensorflow_obstacle: str | None = None
    jax_obstacle: str | None = None


def look(system: System | None = None) -> Installation:
    """Look at the packages and devices of this machine; takes milliseconds."""
    system = system or System()
    tensorflow, jax = system.importable("tensorflow"), system.importable("jax")
    if system.has_nvidia_gpu():
        return Installation(
            tensorflow=tensorflow,
            jax=jax,
            accelerator=NVIDIA,
            tensorflow_obstacle=tensorflow_obstacle(system) if tensorflow else "is not installed",
            jax_obstacle=jax_obstacle(system) if jax else "is not installed",
        )
    for plugin in JAX_PLUGINS if jax else ():
        if plugin.cuda or not (system.importable(plugin.module) and system.exists(plugin.files)):
            continue
        return Installation(
            tensorflow=tensorflow,
            jax=jax,
            accelerator=plugin.device,
            tensorflow_obstacle=f"is built for CPUs and {NVIDIA}s",
            jax_obstacle=_platform_obstacle(system, plugin),
        )
    return Installation(tensorflow=tensorflow, jax=jax)


def tensorflow_obstacle(system: System) -> str | None:
    """What keeps TensorFlow from an NVIDIA GPU, as the end of a sentence; None if nothing does."""
    if system.version("tensorflow") is None and system.version("tensorflow-cpu") is not None:
        return "is the package tensorflow-cpu, built without CUDA"
    libraries = [
        re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]
        for requirement in system.requires("tensorflow")
        if re.search(r"extra\s*==\s*['\"]and-cuda['\"]", requirement)
    ]
    release = next((int(m[1]) for lib in libraries if (m := re.search(r"-cu(\d+)$", lib))), 12)
    missing = [library for library in libraries if system.version(library) is None]
    has_packages = bool(libraries) and not missing
    in_system = system.has_library(CUDNN) and system.has_library(f"libcudart.so.{release}*")
    if not has_packages and not in_system:
        return f"lacks its CUDA {release} libraries"
    return _driver_obstacle(system, release)


def jax_obstacle(system: System) -> str | None:
    """What keeps JAX from an NVIDIA GPU, as the end of a sentence; None if nothing does."""
    plugins = [plugin for plugin in JAX_PLUGINS if plugin.cuda]
    found = next((plugin for plugin in plugins if system.importable(plugin.module)), None)
    if found is None or found.cuda is None:
        return "lacks its CUDA plugin"
    if system.version(f"nvidia-cudnn-cu{found.cuda}") is None and not system.has_library(CUDNN):
        return f"lacks its CUDA {found.cuda} libraries"
    return _driver_obstacle(system, found.cuda) or _platform_obstacle(system, found)


def _driver_obstacle(system: System, release: int) -> str | None:
    driver, oldest = system.driver(), OLDEST_DRIVER.get(release)
    if driver is None or oldest is None or driver >= oldest:
        return None
    return f"needs NVIDIA's driver {oldest} or newer for CUDA {release}, and {driver} is installed"


def _platform_obstacle(system: System, plugin: JaxPlugin) -> str | None:
    """What $JAX_PLATFORMS, a list of platforms, leaves out."""
    chosen = system.environ.get("JAX_PLATFORMS", "")
    names = [name.strip() for name in chosen.split(",") if name.strip()]
    if not names or set(names) & set(plugin.platforms):
        return None
    return f"is limited by JAX_PLATFORMS={chosen}"
