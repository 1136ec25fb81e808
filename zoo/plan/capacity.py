"""Whether a machine can hold the training of a recipe at all. Light."""

from __future__ import annotations

import os
from math import isqrt
from pathlib import Path

from zoo.errors import DataError, EnvironmentFault
from zoo.plan import Plan, num_classes, own_layers, plan
from zoo.plan.memory import LeastMemory, least_memory
from zoo.recipe.schema import Recipe
from zoo.text.sizes import size_text

ALWAYS_THERE = 2**30  # Bytes; a machine that can import TensorFlow has as much.


def memory_of_machine(enough: int = 0) -> int | None:
    """Returns the bytes of the largest memory here: of the host, or of a GPU.

    Args:
        enough: if the host has so many, GPUs, which answer slowly, are not asked.
    """
    from zoo.doctor import gpus, host  # Slow to import, and seldom asked.

    described = host.describe(Path("/"))
    known = [described[key] for key in ("memory_total", "memory_limit") if described[key]]
    memory = min(known) if known else _physical()
    if memory is not None and memory >= enough:
        return memory
    sizes = [gpu["memory_total"] for gpu in gpus.list_gpus() if gpu["memory_total"]]
    return max([memory, *sizes]) if memory is not None else None


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def shortage(recipe: Recipe, planned: Plan) -> str | None:
    """Says that this machine cannot hold a training, and what fits; None if it may.

    Args:
        recipe: resolved.
        planned: its plan.
    """
    least = least_memory(recipe, planned)
    if least.total < ALWAYS_THERE:
        return None
    memory = memory_of_machine(least.total)
    if memory is None or least.total <= memory:
        return None
    return (
        f"training needs at least {size_text(least.total)} ({size_text(least.weights)} for "
        f"{planned.parameters:,} weights and the optimizer, {size_text(least.image)} for each "
        f"of {least.batch_size:,} images of a step); this machine has {size_text(memory)}. "
        f"{_advice(recipe, least, memory)}"
    )


def _advice(recipe: Recipe, least: LeastMemory, memory: int) -> str:
    fits = least.largest_batch(memory)
    if fits >= 1:
        return f"What fits: train.batch_size of {fits:,} at most."
    if least.weights > memory:
        layer = least.heaviest
        if layer.kind == "backbone":
            return f"The backbone alone has {layer.parameters:,} weights: take a smaller one."
        return (
            f"{layer.name} alone has {layer.parameters:,} weights: pool or stride before it, or "
            "take fewer filters or units."
        )
    height, width = recipe.image_size
    shrink = (memory - least.weights) / least.image
    sides = [max(isqrt(int(side * side * shrink)), 1) for side in (height, width)]
    return (
        f"Not even one image fits: {least.widest.name} is the widest layer. What fits: "
        f"data.image_size of about [{sides[0]}, {sides[1]}], or fewer filters."
    )


def require_memory(recipe: Recipe) -> None:
    """Refuses a training that this machine cannot hold, before anything is loaded or built.

    Args:
        recipe: resolved.

    Raises:
        EnvironmentFault: it cannot.
    """
    if not own_layers.can_plan(recipe):
        return  # Known once their code may run: it is asked again then.
    try:
        classes = num_classes(recipe)
    except DataError:
        classes = 2  # Only the data tell; the rest of the network is known.
    lacking = shortage(recipe, plan(recipe, classes))
    if lacking:
        raise EnvironmentFault(f"{recipe.name}: {lacking}")


def relief(recipe: Recipe, planned: Plan) -> str:
    """Says what a training that ran out of memory holds at least, and what makes that less.

    Args:
        recipe: resolved.
        planned: its plan.
    """
    least = least_memory(recipe, planned)
    each = size_text(least.image)
    if least.image * least.batch_size >= least.weights and least.batch_size > 1:
        advice = f"Lower train.batch_size: each of {least.batch_size:,} images takes {each} or more"
    elif least.image >= least.weights:
        advice = f"An image takes {each} or more: lower data.image_size, or the filters before "
        advice += f"{least.widest.name}"
    else:
        smaller = (
            "a smaller network" if least.heaviest.kind == "backbone" else "fewer filters or units"
        )
        advice = f"Take {smaller}: {least.heaviest.name} has "
        advice += f"{least.heaviest.parameters:,} of {planned.parameters:,} weights"
    if recipe.data.source.word != "digits" and recipe.data.loading != "streamed":
        advice += "; or set data.loading: streamed, which keeps images in their files"
    return f"out of memory; the training needs {size_text(least.total)} at least. {advice}."
