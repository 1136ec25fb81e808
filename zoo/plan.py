"""From a recipe to the list of its layers: names, shapes, parameters, FLOPs. No TensorFlow.

`model.build` makes exactly these layers, so what `zoo show` prints is what Keras trains. Here too
belongs everything that can be wrong with a stack before any data or framework is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import prod
from pathlib import Path as FilePath
from typing import Any

from zoo.data import layout
from zoo.errors import DataError, Problem, RecipeError
from zoo.reader import Path
from zoo.recipe.network import Layered
from zoo.recipe.resolve import full_order, resolved
from zoo.recipe.schema import Recipe

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One Keras layer to be built.

    Attributes:
        kind: key of `model.BUILD`.
        output_shape: without the batch: (height, width, channels) or (units,).
        trainable: number of trained weights; `fixed`: of weights that are not (batch norm's
            running statistics).
        flops: floating point operations an image in inference; a multiply-add counts as 2.
        options: the recipe's words for it.
    """

    kind: str
    name: str
    output_shape: Shape
    trainable: int = 0
    fixed: int = 0
    flops: int = 0
    options: Any = None

    @property
    def parameters(self) -> int:
        return self.trainable + self.fixed

    @property
    def values(self) -> int:
        """Activations an image."""
        return prod(self.output_shape)


@dataclass(frozen=True)
class Plan:
    """The layers of a network, from the image to the logits."""

    layers: tuple[Layer, ...]
    bytes_per_value: int

    @property
    def trainable(self) -> int:
        return sum(layer.trainable for layer in self.layers)

    @property
    def fixed(self) -> int:
        return sum(layer.fixed for layer in self.layers)

    @property
    def parameters(self) -> int:
        return self.trainable + self.fixed

    @property
    def flops(self) -> int:
        """Floating point operations of one image's inference."""
        return sum(layer.flops for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all layers' outputs for one image: what training keeps for backpropagation."""
        return sum(layer.values for layer in self.layers) * self.bytes_per_value


def plan(recipe: Recipe, num_classes: int) -> Plan:
    """Plans a resolved recipe.

    Args:
        recipe: as `recipe.load` returns it.
        num_classes: the number of logits.

    Raises:
        RecipeError: the stack does not fit the image.
    """
    walk = _Walk(recipe, num_classes)
    walk.go()
    if walk.problems:
        raise RecipeError(Problem(message=message) for _, message in walk.problems)
    narrow = recipe.train.dtype_policy in ("mixed_bfloat16", "mixed_float16")
    width = 8 if recipe.train.dtype_policy == "float64" else 2 if narrow else 4
    return Plan(tuple(walk.layers), width)


def problems(recipe: Recipe) -> list[tuple[Path, str]]:
    """What is wrong with the stack of a recipe that is valid word by word, as (path, sentence)."""
    found = [*_orders(recipe), *_biases(recipe)]
    if found:
        return found
    walk = _Walk(resolved(recipe), 2)
    walk.go()
    return walk.problems


def num_classes(recipe: Recipe) -> int:
    """The number of classes, as far as it is known without loading the data.

    Raises:
        DataError: it is not known.
    """
    source = recipe.data.source
    if source.word == "digits":
        return 10
    if source.word == "tfds":
        if source.options.num_classes is None:
            raise DataError(
                "the number of classes is not known without loading the data; "
                "say it with --set data.source.tfds.num_classes=N"
            )
        return int(source.options.num_classes)
    names = layout.class_names(FilePath(source.options.path))
    if names is None:
        raise DataError(
            f"{source.options.path}: holds no class folders. "
            "Expected train/CLASS/*.jpg or CLASS/*.jpg."
        )
    return len(names)


def _orders(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    model = recipe.model
    places: list[tuple[Path, tuple[str, ...]]] = []
    if "order" in model.defaults.model_fields_set:
        places.append((("model", "defaults", "order"), model.defaults.order))
    for index, stage in enumerate(model.stack):
        order = getattr(stage.options, "order", None)
        if order is not None:
            places.append((("model", "stack", index, stage.word, "order"), order))
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


def _biases(recipe: Recipe) -> Iterator[tuple[Path, str]]:
    model = recipe.model
    places: list[tuple[Path, Any]] = [(("model", "defaults"), model.defaults)]
    places += [
        (("model", "stack", index, stage.word), stage.options)
        for index, stage in enumerate(model.stack)
    ]
    for path, block in [*places, (("model", "head"), model.head)]:
        chosen = getattr(block, "bias_initializer", None)
        if chosen and chosen.word in ("auto", "Orthogonal"):
            yield (
                (*path, "bias_initializer"),
                f"{chosen.word} is for kernels; a bias has no fan. Expected zeros, Constant or "
                "another word that draws single values.",
            )


@dataclass
class _Walk:
    """Goes through the stack, from shape to shape."""

    recipe: Recipe
    num_classes: int
    layers: list[Layer] = field(default_factory=list)
    problems: list[tuple[Path, str]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    path: Path = ()
    stopped: bool = False

    @property
    def shape(self) -> Shape:
        return self.layers[-1].output_shape

    def go(self) -> None:
        image = self.recipe.image_shape
        self.layers.append(Layer(kind="image", name="image", output_shape=image))
        if self.recipe.data.preprocess != "none":
            self.add("normalise", "normalise", image, flops=2 * prod(image))
        for index, stage in enumerate(self.recipe.model.stack):
            self.path = ("model", "stack", index, stage.word)
            getattr(self, f"_{stage.word}")(stage.options)
            if self.stopped:
                return
        self.path = ("model", "head")
        self._vector()
        self._dense("logits", self.num_classes, self.recipe.model.head, kind="head")

    def fail(self, message: str, *more: str | int) -> None:
        self.problems.append(((*self.path, *more), message))
        self.stopped = True

    def number(self, kind: str) -> str:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}{self.counts[kind]}"

    def add(self, kind: str, name: str, shape: Shape, **more: Any) -> None:
        if not self.stopped:
            self.layers.append(Layer(kind=kind, name=name, output_shape=shape, **more))

    def spatial(self, what: str) -> bool:
        if self.stopped:
            return False
        if len(self.shape) == 3:
            return True
        self.fail(
            f"{what} needs an image, but gets a vector of {self.shape[0]}; "
            "put it in front of flatten, global_pool and fc"
        )
        return False

    def _vector(self) -> None:
        if not self.stopped and len(self.shape) == 3:
            self._flatten(None)

    # The stages, by their words.

    def _conv(self, conv: Any) -> None:
        base = self.number("conv")
        for repeat in range(1, conv.repeat + 1):
            name = base if conv.repeat == 1 else f"{base}_{repeat}"
            strides = conv.strides if repeat == 1 else (1, 1)
            last = repeat == conv.repeat
            for part in full_order(conv.order):
                if part == "conv":
                    self._convolution(name, conv, strides)
                elif part == "pool" and last and conv.pool:
                    self._pool(conv.pool)
                else:
                    self._part(part, name, conv, last)

    def _fc(self, fc: Any) -> None:
        base = self.number("fc")
        self._vector()
        for repeat in range(1, fc.repeat + 1):
            name = base if fc.repeat == 1 else f"{base}_{repeat}"
            for part in full_order(fc.order):
                if part == "conv":
                    self._dense(name, fc.units, fc)
                else:
                    self._part(part, name, fc, repeat == fc.repeat)

    def _part(self, part: str, name: str, stage: Layered, last: bool) -> None:
        """Batch norm, activation or dropout of a stage; pooling is the caller's."""
        if self.stopped:
            return
        if part == "bn" and stage.batch_norm:
            norm = stage.batch_norm
            channels = self.shape[-1]
            self.add(
                "bn",
                f"{name}_bn",
                self.shape,
                trainable=channels * (norm.center + norm.scale),
                fixed=2 * channels,
                flops=2 * prod(self.shape),
                options=norm,
            )
        elif part == "act" and stage.activation and stage.activation.word != "linear":
            self.add(
                "act", f"{name}_act", self.shape, flops=prod(self.shape), options=stage.activation
            )
        elif part == "dropout" and last and stage.dropout:
            self._dropout(stage.dropout)

    def _convolution(self, name: str, conv: Any, strides: tuple[int, int]) -> None:
        if not self.spatial("a conv stage"):
            return
        *size, channels = self.shape
        if channels % conv.groups:
            self.fail(
                f"groups={conv.groups} does not divide its {channels} input channels", "groups"
            )
            return
        reach = [d * (k - 1) + 1 for k, d in zip(conv.kernel_size, conv.dilation_rate, strict=True)]
        out = slide(size, reach, strides, conv.padding)
        if min(out) < 1:
            self.fail(
                f"{name} ({times(conv.kernel_size)}, padding: valid) turns {times(size)} into "
                f"{times(out)}: use padding: same, a smaller kernel or larger images"
            )
            return
        weights = prod(conv.kernel_size) * channels // conv.groups * conv.filters
        bias = conv.filters * conv.use_bias
        self.add(
            "conv",
            name,
            (*out, conv.filters),
            trainable=weights + bias,
            flops=prod(out) * (2 * weights + bias),
            options=conv.model_copy(update={"strides": strides}),
        )

    def _dense(self, name: str, units: int, options: Any, kind: str = "fc") -> None:
        if self.stopped:
            return
        weights = self.shape[0] * units
        bias = units * options.use_bias
        self.add(
            kind,
            name,
            (units,),
            trainable=weights + bias,
            flops=2 * weights + bias,
            options=options,
        )

    def _pool(self, pool: Any) -> None:
        if not self.spatial("pooling"):
            return
        name = self.number("pool")
        window = pool.options
        *size, channels = self.shape
        strides = window.strides or window.pool_size
        out = slide(size, window.pool_size, strides, window.padding)
        if min(out) < 1:
            self.fail(
                f"{name} turns {times(size)} into {times(out)}: drop a pool or use larger images"
            )
            return
        flops = prod(out) * channels * prod(window.pool_size)
        self.add("pool", name, (*out, channels), flops=flops, options=pool)

    def _global_pool(self, pool: Any) -> None:
        if self.spatial("global_pool"):
            name = self.number("global_pool")
            self.add("global_pool", name, self.shape[-1:], flops=prod(self.shape), options=pool)

    def _flatten(self, _: Any) -> None:
        self.add("flatten", self.number("flatten"), (prod(self.shape),))

    def _dropout(self, dropout: Any) -> None:
        rate = dropout if isinstance(dropout, float) else dropout.rate
        self.add("dropout", self.number("dropout"), self.shape, options=rate)


def slide(
    size: list[int] | Shape, window: list[int] | Shape, strides: Shape, padding: str
) -> tuple[int, int]:
    """Height and width after a window has slid over them; 0 or less where it does not fit."""
    if padding == "same":
        height, width = (-(-n // s) for n, s in zip(size, strides, strict=True))
    else:
        height, width = (
            max((n - k) // s + 1, 0) for n, k, s in zip(size, window, strides, strict=True)
        )
    return height, width


def times(size: list[int] | Shape) -> str:
    """(3, 3) as 3x3."""
    return "x".join(map(str, size))
