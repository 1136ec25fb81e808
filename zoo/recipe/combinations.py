"""Checks for words of a recipe that are valid by themselves and wrong together."""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Any

from zoo.recipe.backbone import backbone_of
from zoo.recipe.nested_stages import inner_stacks, stages
from zoo.recipe.network import Stage
from zoo.recipe.schedules import times_stepped
from zoo.recipe.schema import Recipe
from zoo.recipe.words.word import MAX_GROWTH
from zoo.recipe.yaml_reader import KeyPath

# Initializers that need the shape of a kernel.
KERNEL_INITIALIZERS = (
    "auto",
    "Orthogonal",
    "lsuv",
    "dirac",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "xavier",
    "torch_uniform",
    "VarianceScaling",
)


# ResNet-1202 has 1,202 kernels, the deepest networks published some 10,000 (Xiao et al. 2018).
MAX_KERNELS = 10_000


def combinations(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Such words, as (path, sentence).

    Args:
        recipe: valid word by word.
    """
    yield from _repeats(recipe.model.stack, ("model", "stack"), MAX_KERNELS)
    yield from _rates(recipe)
    yield from _inherited_maxout(recipe)
    yield from _orders(recipe)
    yield from _initializers(recipe)
    yield from _class_priors(recipe)
    yield from _backbone(recipe)
    yield from _many_labels(recipe)


def _backbone(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A preprocessing in front of a network that was trained with another."""
    data = recipe.data
    given = "preprocess" in data.model_fields_set and data.preprocess != "none"
    if given and backbone_of(recipe.model):
        yield (
            ("data", "preprocess"),
            "a backbone scales images by itself, as its weights want them. Expected none, or no "
            f"such key. Received {data.preprocess}.",
        )


def _many_labels(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A loss that needs one class an image, for a source that gives any number of them."""
    source, loss = recipe.data.source, recipe.train.loss.word
    if loss not in ("auto", "sigmoid") and source.has_many_labels:
        yield ("train", "loss"), needs_one_class(loss, source.word)


def needs_one_class(loss: str, source: str) -> str:
    """Says that a loss does not fit images with any number of classes, and what does.

    Args:
        loss: word of `train.loss`.
        source: word of `data.source`.
    """
    return (
        f"{loss} needs one class an image, and the images of data.source.{source} have any number "
        f"of classes. Expected train.loss: sigmoid, or no such key. Received {loss}."
    )


def _orders(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    model = recipe.model
    places: list[tuple[KeyPath, tuple[str, ...]]] = []
    if "order" in model.defaults.model_fields_set:
        places.append((("model", "defaults", "order"), model.defaults.order))
    for path, stage in stages(model.stack, ("model", "stack")):
        order = getattr(stage.options, "order", None)
        if order is not None:
            places.append(((*path, "order"), order))
    for path, order in places:
        twice = sorted({part for part in order if order.count(part) > 1})
        missing = [part for part in ("conv", "bn", "act") if part not in order]
        if twice:
            yield path, f"{', '.join(twice)} given twice. Expected each part once."
        elif missing:
            yield (
                path,
                f"{', '.join(missing)} missing. Expected conv, bn and act, each once "
                "(batch_norm: none and activation: linear leave theirs out), "
                "and pool and dropout where wanted.",
            )


def _initializers(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    model = recipe.model
    places: list[tuple[KeyPath, Any]] = [(("model", "defaults"), model.defaults)]
    places += [(path, stage.options) for path, stage in stages(model.stack, ("model", "stack"))]
    for path, block in [*places, (("model", "head"), model.head)]:
        for key in ("kernel_initializer", "depthwise_initializer", "gate_initializer"):
            initializer = getattr(block, key, None)
            if initializer and initializer.word == "class_priors":
                yield (*path, key), "class_priors is for the bias of model.head alone."
            if initializer:
                yield from _limits((*path, key), initializer)
        initializer = getattr(block, "bias_initializer", None)
        if initializer:
            yield from _limits((*path, "bias_initializer"), initializer)
        if initializer and initializer.word in KERNEL_INITIALIZERS:
            yield (
                (*path, "bias_initializer"),
                f"{initializer.word} is for kernels; a bias has no fan. Expected zeros, Constant "
                "or another word that draws single values.",
            )
        elif initializer and initializer.word == "class_priors" and block is not model.head:
            yield (*path, "bias_initializer"), "class_priors is for the bias of model.head alone."


def _inherited_maxout(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Sums and whitened images that would inherit maxout, but have no wider kernel before it."""
    if recipe.model.defaults.activation.word != "maxout":
        return
    for path, stage in stages(recipe.model.stack, ("model", "stack")):
        sums = stage.word == "branches" and stage.options.merge == "add"
        affected = sums or stage.word in ("residual", "whiten", "squeeze_excite")
        if affected and stage.options.activation is None:
            yield (
                (*path, "activation"),
                "required here, since model.defaults.activation is maxout, which would leave a "
                "part of the channels: no kernel is made wider for it. Expected linear or another.",
            )


def _class_priors(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    head, path = recipe.model.head, ("model", "head", "bias_initializer")
    if head.bias_initializer.word != "class_priors":
        return
    if not head.use_bias:
        yield path, "class_priors needs a bias: drop use_bias: false, or this."
    if recipe.train.loss.word not in ("auto", "softmax", "sigmoid"):
        loss = recipe.train.loss.word
        yield path, f"class_priors are for loss: softmax or sigmoid. Received loss: {loss}."


def _repeats(stack: tuple[Stage, ...], path: KeyPath, most: int) -> Iterator[tuple[KeyPath, str]]:
    """The first repeat with which a stack has too many stages; nothing is repeated to find out."""
    total = 0
    for index, stage in enumerate(stack):
        here = (*path, index, stage.word)
        repeat = getattr(stage.options, "repeat", 1)
        for keys, inner in inner_stacks(stage.options):
            found = list(_repeats(inner, (*here, *keys), most))
            if found:
                yield from found
                return
        total += _count((stage,))
        if total > most:
            at = (*here, "repeat") if repeat > 1 else here
            yield (
                at,
                f"makes {total:,} stages of the network, with all that repeats. Expected at most "
                f"{most:,} in all.",
            )
            return


def _count(stack: tuple[Stage, ...]) -> int:
    """Number of stages, those in groups and blocks counted as often as they repeat."""
    total = 0
    for stage in stack:
        inner = inner_stacks(stage.options)
        count = sum(_count(stack) for _, stack in inner) if inner else 1
        total += getattr(stage.options, "repeat", 1) * count
    return total


def _rates(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Schedules whose factor, again and again, leaves the range of numbers."""
    schedule, path = recipe.train.schedule, ("train", "schedule")
    times = {"exponential": recipe.train.epochs}.get(schedule.word, 0)
    factors = None
    if schedule.word == "step":
        times = times_stepped(schedule.options, recipe.train.epochs)
        factors = schedule.options.factors
    if factors and sum(map(log, factors)) > log(MAX_GROWTH):
        yield (
            (*path, "step", "factors"),
            f"together multiply the learning rate by more than {MAX_GROWTH:g}. Expected factors "
            "below 1, with which the rate falls.",
        )
    if times and not factors and times * log(schedule.options.factor) > log(MAX_GROWTH):
        yield (
            (*path, schedule.word, "factor"),
            f"multiplies the learning rate by more than {MAX_GROWTH:g}, {times:,} times over. "
            f"Expected at most {MAX_GROWTH ** (1 / times):.3g}; below 1, the rate falls. "
            f"Received {schedule.options.factor:g}.",
        )
    if schedule.word == "reduce_on_plateau":
        for index, group in enumerate(recipe.train.learning_rate_factors):
            if group.linear_fall:
                yield (
                    ("train", "learning_rate_factors", index, "linear_fall"),
                    "falls whatever the schedule says, but reduce_on_plateau changes the learning "
                    "rate itself. Expected false, or another schedule.",
                )


def _limits(path: KeyPath, initializer: Any) -> Iterator[tuple[KeyPath, str]]:
    options = initializer.options
    if initializer.word == "RandomUniform" and options.minval > options.maxval:
        yield (
            (*path, "RandomUniform", "minval"),
            "above maxval. Expected a lower limit below the upper one. "
            f"Received minval {options.minval:g}, maxval {options.maxval:g}.",
        )
