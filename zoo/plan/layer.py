"""The layers of a plan, with their shapes and costs."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from zoo.plan.options import (
    DropoutOptions,
    HiddenOptions,
    KernelOptions,
    NormOptions,
    Options,
)
from zoo.recipe.yaml_reader import KeyPath

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One Keras layer to be built.

    Attributes:
        kind: key of `model.layer_makers.BUILD`.
        name: name of the Keras layer.
        output_shape: without the batch: (height, width, channels) or (units,).
        trainable: number of trained weights.
        fixed: number of weights that are not trained, such as batch norm's running statistics.
        flops: floating point operations of inference for one image; a multiply-add counts as 2.
        flops_known: whether that is known; of code of the user's own it is not.
        inner_values: values for one image that layers inside of it put out; only a backbone has
            such layers.
        options: what the layer is made with; its class belongs to the kind.
        inputs: names of the layers that it follows; of the image alone there are none.
        path: path of its stage in the recipe.
        frozen: whether it is not trained, or not before `unfreeze_at_epoch`; its weights then
            count as fixed.
        unfreeze_at_epoch: epoch, from 1, from which on a frozen layer is trained; None: never.
    """

    kind: str
    name: str
    output_shape: Shape
    trainable: int = 0
    fixed: int = 0
    flops: int = 0
    flops_known: bool = True
    inner_values: int = 0
    options: Options = Options()
    inputs: tuple[str, ...] = ()
    path: KeyPath = ()
    frozen: bool = False
    unfreeze_at_epoch: int | None = None

    @property
    def has_kernel(self) -> bool:
        """Whether it has a kernel, trained or not."""
        return isinstance(self.options, KernelOptions)

    @property
    def trains_kernel(self) -> bool:
        """Whether the kernel is trained at first (False for `whiten`, and without a kernel)."""
        return "kernel" in self.options.trained and not self.frozen

    @property
    def is_hidden(self) -> bool:
        """Whether it has a kernel and is not the head: `conv`, `depthwise_conv`, `fc`."""
        return isinstance(self.options, HiddenOptions)

    @property
    def is_norm(self) -> bool:
        """Whether it is a batch, group or layer norm."""
        return isinstance(self.options, NormOptions)

    @property
    def is_dropout(self) -> bool:
        """Whether it is a dropout of any kind."""
        return isinstance(self.options, DropoutOptions)

    @property
    def norm_follows(self) -> bool:
        """Whether a norm follows its kernel, before the activation."""
        return isinstance(self.options, HiddenOptions) and self.options.norm_follows

    @property
    def penalties(self) -> dict[str, float]:
        """The strengths above 0 of the penalty on its kernel: `l1`, `l2`, both or none."""
        regularizer = getattr(self.options, "kernel_regularizer", None)
        given = {key: float(getattr(regularizer, key, 0.0)) for key in ("l1", "l2")}
        return {key: strength for key, strength in given.items() if strength}

    @property
    def parameters(self) -> int:
        """Number of weights, trained or not."""
        return self.trainable + self.fixed

    @property
    def trained_paths(self) -> tuple[str, ...]:
        """Paths of variables that are ever trained, as Keras names them: `conv1/kernel`."""
        if self.frozen and self.unfreeze_at_epoch is None:
            return ()
        return self.options.paths(self.name)

    @property
    def kept_values(self) -> int:
        """Values of layers inside of it that training stores: none if nothing there is trained."""
        return self.inner_values if self.options.trained_ever else 0

    @property
    def values(self) -> int:
        """Number of its output values for one image."""
        return prod(self.output_shape)


@dataclass(frozen=True)
class Plan:
    """The layers of a network, from the image to the logits.

    Attributes:
        layers: in the order in which they are built.
        bytes_per_value: size of an activation under the recipe's dtype policy.
    """

    layers: tuple[Layer, ...]
    bytes_per_value: int

    @property
    def num_classes(self) -> int:
        """Number of logits."""
        return self.layers[-1].output_shape[0]

    @property
    def trainable(self) -> int:
        """Number of trained weights."""
        return sum(layer.trainable for layer in self.layers)

    @property
    def fixed(self) -> int:
        """Number of weights that are not trained."""
        return sum(layer.fixed for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Number of weights, trained or not."""
        return self.trainable + self.fixed

    @property
    def flops(self) -> int:
        """Floating point operations of one image's inference, as far as they are known."""
        return sum(layer.flops for layer in self.layers)

    @property
    def uncounted(self) -> int:
        """Number of layers whose operations are unknown."""
        return sum(not layer.flops_known for layer in self.layers)

    @property
    def activation_bytes(self) -> int:
        """Bytes of all layers' outputs for one image, which training stores for backpropagation."""
        values = sum(layer.values + layer.kept_values for layer in self.layers)
        return values * self.bytes_per_value
