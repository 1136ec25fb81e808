"""What a plan is made of: layers with their shapes and costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

Shape = tuple[int, ...]
Path = tuple[str | int, ...]


def _kernel(options: Any) -> tuple[str, ...]:
    return ("kernel", "bias") if options.use_bias else ("kernel",)


def _norm(options: Any) -> tuple[str, ...]:
    parts = {"gamma": options.scale, "beta": options.center}
    return tuple(name for name, wanted in parts.items() if wanted)


# Kind of layer -> names of its trained variables; a kind that is not here has none.
TRAINED: dict[str, Callable[[Any], tuple[str, ...]]] = {
    "conv": _kernel,
    "depthwise_conv": _kernel,
    "fc": _kernel,
    "head": _kernel,
    "whiten": lambda options: ("bias",),
    "bn": _norm,
    "gn": _norm,
    "ln": _norm,
    "prelu": lambda options: ("alpha",),
}


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
        inputs: names of the layers before it; none: the one above.
        path: of its stage in the recipe.
    """

    kind: str
    name: str
    output_shape: Shape
    trainable: int = 0
    fixed: int = 0
    flops: int = 0
    options: Any = None
    inputs: tuple[str, ...] = ()
    path: Path = ()

    @property
    def parameters(self) -> int:
        return self.trainable + self.fixed

    @property
    def trained_paths(self) -> tuple[str, ...]:
        """Paths of its trained variables, as Keras names them: `conv1/kernel`."""
        names = TRAINED[self.kind](self.options) if self.kind in TRAINED else ()
        return tuple(f"{self.name}/{name}" for name in names)

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
