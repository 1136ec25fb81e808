"""Which loop a training takes: the device's where it can, else the host's, with the reason."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from zoo import backend
from zoo.augment.device import DEVICE_WORDS
from zoo.backend import devices
from zoo.datasets.splits import Splits
from zoo.errors import Problem, RecipeError
from zoo.recipe import Recipe
from zoo.recipe.words import MIXING
from zoo.text.sizes import size_text
from zoo.training.loop import resident

# Of the free memory, images that stay on the device may take so much. A device needs the rest for
# the network and its activations. On a CPU the images are in memory already, and other workers want
# theirs.
SHARE_OF_DEVICE, SHARE_OF_HOST = 0.4, 0.1


@dataclass(frozen=True)
class LoopChoice:
    """The loop of a training.

    Attributes:
        loop: `device` or `host`.
        streams: whether the images go to the device step by step; else they stay there. False for
            `host`.
        reason: why, as part of a sentence.
    """

    loop: str
    streams: bool
    reason: str

    def __str__(self) -> str:
        return f"loop: {self.loop} ({self.reason})"


def choose(recipe: Recipe, data: Splits, before: LoopChoice | None = None) -> LoopChoice:
    """Chooses the loop for a recipe's `train.loop`.

    Args:
        recipe: resolved.
        data: its splits.
        before: the loop that a resumed run began with; it goes on with that one.

    Raises:
        RecipeError: the recipe asks for the device loop, which cannot train it.
    """
    asked = before.loop if before else recipe.train.loop
    if asked == "host":
        return LoopChoice("host", False, before.reason if before else "the recipe asks for it")
    obstacle = _obstacle(recipe)
    if obstacle is None:
        return before or _device(data)
    if asked == "device":
        advice = "Resume the run where it began" if before else "Set train.loop to host or auto"
        problem = Problem(
            path="train.loop",
            message=f"device: {obstacle}. Expected a training that the device can make. {advice}.",
        )
        raise RecipeError([problem])
    return LoopChoice("host", False, obstacle)


def begun(info: Mapping[str, Any]) -> LoopChoice:
    """The loop that a run began with.

    Args:
        info: its run.json. Older runs do not name their loop, since there was only the host's, or
            do not say whether images are streamed, since none were in the device loop.
    """
    streams = bool(info.get("streams"))
    how = "streams its images" if streams else "began with it"
    return LoopChoice(info.get("loop") or "host", streams, f"the run {how}")


def _device(data: Splits) -> LoopChoice:
    """The device loop, with the images where they fit."""
    lack = _lack_of_memory(data)
    if data.train.streamed or data.validation.streamed:
        lack = "their files are decoded as needed"
    if lack is None:
        reason = f"{size_text(_needed(data))} of images stay on the device"
        return LoopChoice("device", False, reason)
    size = size_text(int(np.prod(data.image_shape)))
    count = len(data.train) + len(data.validation)
    return LoopChoice("device", True, f"streams {count:,} images of {size}: {lack}")


def _obstacle(recipe: Recipe) -> str | None:
    """What keeps a training from the device loop; None for nothing."""
    if devices.strategy() is not None:
        return "TensorFlow's MirroredStrategy takes batches that the host made"
    words = [step.word for step in recipe.data.augment]
    unknown = [word for word in words if word not in DEVICE_WORDS]
    if unknown:
        return f"{', '.join(unknown)} runs on the host"
    by_pillow = [word for word in words if word in ("rand_augment", "trivial_augment")]
    if by_pillow and not backend.on_gpu():
        return f"Pillow's {by_pillow[0]} is the faster one on a CPU"
    if recipe.train.jit_compile == "false" and keras.backend.backend() == "jax":
        return "train.jit_compile is false"
    if recipe.train.class_weight is not None and any(word in MIXING for word in words):
        return "mixed labels with class weights are weighted on the host"
    return None


def _lack_of_memory(data: Splits) -> str | None:
    """What says that the images take too much memory; None if they do not."""
    needed, free = _needed(data), free_memory()
    share = SHARE_OF_DEVICE if backend.on_gpu() else SHARE_OF_HOST
    if free is not None and needed > share * free:
        return (
            f"they take {size_text(needed)}, more than {share:.0%} of the "
            f"{size_text(free)} that are free on the device"
        )
    return None


def _needed(data: Splits) -> int:
    """Bytes of the images on a device; parts of a CPU hold as many copies in one memory."""
    copies = devices.current().count if devices.current().logical else 1
    splits = (data.train, data.validation)
    return copies * sum(resident.size(split, data.image_shape) for split in splits)


def free_memory() -> int | None:
    """Bytes that are free on the device that trains; None where nobody tells."""
    if not backend.on_gpu():
        return _free_memory_of_host()
    if keras.backend.backend() == "jax":
        import jax

        statistics = jax.devices()[0].memory_stats()
        if not statistics or "bytes_limit" not in statistics:
            return None
        return int(statistics["bytes_limit"] - statistics["bytes_in_use"])
    return _free_memory_of_gpu()


def _free_memory_of_host(meminfo: str = "/proc/meminfo") -> int | None:
    """Memory that a process may take, files that the system keeps in free memory not counted."""
    try:
        with open(meminfo, encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 2**10
    except OSError:
        pass  # Not Linux.
    try:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        return None


def _free_memory_of_gpu() -> int | None:
    """Free memory of the first GPU, as NVIDIA's driver tells it; TensorFlow does not."""
    import shutil
    import subprocess

    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=memory.free", "--format=csv,noheader,nounits"]
    try:
        lines = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
        return int(lines.splitlines()[0]) * 2**20
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
