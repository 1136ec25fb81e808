"""The options of each kind of layer: one frozen dataclass per kind."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from zoo.plan.backbones import Backbone, backbone
from zoo.recipe.fields import Choice
from zoo.recipe.norms import BatchNorm, GroupNorm, LayerNorm
from zoo.recipe.weights import Regularizer


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base class of layer options; used directly for layers without options, such as `flatten`."""

    @property
    def trained(self) -> tuple[str, ...]:
        """Names of the layer's trained variables, as Keras names them."""
        return ()

    @property
    def trained_ever(self) -> bool:
        """Whether any variable is trained."""
        return bool(self.trained)

    def paths(self, name: str) -> tuple[str, ...]:
        """Paths of the trained variables, as Keras names them, such as `conv1/kernel`.

        Args:
            name: of the layer.
        """
        return tuple(f"{name}/{variable}" for variable in self.trained)


@dataclass(frozen=True, kw_only=True)
class KernelOptions(Options):
    """Options that all layers with a kernel share."""

    use_bias: bool
    kernel_initializer: Choice
    bias_initializer: Choice
    kernel_regularizer: Regularizer | None

    @property
    def trained(self) -> tuple[str, ...]:
        """The kernel, and the bias where there is one."""
        return ("kernel", "bias") if self.use_bias else ("kernel",)


@dataclass(frozen=True, kw_only=True)
class HiddenOptions(KernelOptions):
    """A layer with a trained kernel before the head: `conv`, `depthwise_conv` and `fc`.

    Attributes:
        activation: activation of its stage.
        norm_follows: whether a norm follows the kernel, before the activation.
    """

    activation: Choice
    norm_follows: bool

    def fans(self, before: tuple[int, ...]) -> tuple[int, int]:
        """Number of inputs of each output (fan_in), and of outputs of each input (fan_out).

        Args:
            before: shape of the layer's input, without the batch.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class ConvOptions(HiddenOptions):
    """A `conv` layer; `filters` counts all pieces of a maxout."""

    filters: int
    kernel_size: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    dilation_rate: tuple[int, int]
    groups: int

    def fans(self, before: tuple[int, ...]) -> tuple[int, int]:
        """See `HiddenOptions.fans`."""
        window = prod(self.kernel_size)
        return window * before[-1] // self.groups, window * self.filters


@dataclass(frozen=True, kw_only=True)
class DepthwiseConvOptions(HiddenOptions):
    """A `depthwise_conv` layer; `depth_multiplier` counts all pieces of a maxout."""

    kernel_size: tuple[int, int]
    strides: tuple[int, int]
    padding: str
    dilation_rate: tuple[int, int]
    depth_multiplier: int

    def fans(self, before: tuple[int, ...]) -> tuple[int, int]:
        """See `HiddenOptions.fans`."""
        window = prod(self.kernel_size)
        return window, window * self.depth_multiplier


@dataclass(frozen=True, kw_only=True)
class FcOptions(HiddenOptions):
    """An `fc` layer; `units` counts all pieces of a maxout."""

    units: int

    def fans(self, before: tuple[int, ...]) -> tuple[int, int]:
        """See `HiddenOptions.fans`."""
        return prod(before), self.units


@dataclass(frozen=True, kw_only=True)
class HeadOptions(KernelOptions):
    """The layer of the logits."""

    units: int


@dataclass(frozen=True, kw_only=True)
class WhitenOptions(KernelOptions):
    """A convolution whose kernel is computed from training images and stays fixed.

    Attributes:
        filters: twice the number of values in a patch.
        kernel_size: height and width of a patch.
        epsilon: added to the eigenvalues.
        images: number of training images that patches are taken from.
    """

    filters: int
    kernel_size: tuple[int, int]
    epsilon: float
    images: int

    @property
    def trained(self) -> tuple[str, ...]:
        """The bias alone."""
        return ("bias",)


@dataclass(frozen=True, kw_only=True)
class GateConvOptions(KernelOptions):
    """A 1x1 convolution of the channels' means, in squeeze-and-excitation."""

    filters: int


@dataclass(frozen=True, kw_only=True)
class NormOptions(Options):
    """A norm: `bn`, `gn` or `ln`."""

    norm: BatchNorm | GroupNorm | LayerNorm

    @property
    def trained(self) -> tuple[str, ...]:
        """Factor and shift, where they are learned."""
        learned = {"gamma": self.norm.scale, "beta": self.norm.center}
        return tuple(name for name, wanted in learned.items() if wanted)


@dataclass(frozen=True, kw_only=True)
class ActivationOptions(Options):
    """An activation without weights that keeps the shape: `act`."""

    activation: Choice


@dataclass(frozen=True, kw_only=True)
class GateActivationOptions(Options):
    """An activation in squeeze-and-excitation, of one value a channel: `gate_act`."""

    activation: Choice


@dataclass(frozen=True, kw_only=True)
class PreluOptions(Options):
    """A `prelu` layer; `negative_slope` is each channel's slope at the start."""

    negative_slope: float

    @property
    def trained(self) -> tuple[str, ...]:
        """The slopes."""
        return ("alpha",)


@dataclass(frozen=True, kw_only=True)
class MaxoutOptions(Options):
    """A `maxout` layer over groups of `pieces` neighbouring channels."""

    pieces: int


@dataclass(frozen=True, kw_only=True)
class PoolOptions(Options):
    """A `pool` layer: a word of `words.POOLS` and its window; no `strides`: the window's size."""

    word: str
    pool_size: tuple[int, int]
    strides: tuple[int, int] | None
    padding: str


@dataclass(frozen=True, kw_only=True)
class GlobalPoolOptions(Options):
    """A `global_pool` layer: a word of `words.GLOBAL_POOLS`; `keepdims`: height and width of 1."""

    word: str
    keepdims: bool = False


@dataclass(frozen=True, kw_only=True)
class DropoutOptions(Options):
    """A `dropout`, `spatial_dropout` or `alpha_dropout` layer."""

    rate: float


@dataclass(frozen=True, kw_only=True)
class StochasticDepthOptions(DropoutOptions):
    """A `stochastic_depth` layer: dropout of whole images.

    Attributes:
        block: which residual block of the network it belongs to, from 1 on; 0: `rate` is as given,
            else it grows linearly with the blocks.
    """

    block: int = 0


@dataclass(frozen=True, kw_only=True)
class ShortcutOptions(Options):
    """A `shortcut` layer: it takes every stride-th pixel and adds channels of zeros."""

    strides: tuple[int, int]
    channels: int


@dataclass(frozen=True, kw_only=True)
class ScaleOptions(Options):
    """A `scale` layer: a factor on the logits."""

    factor: float


@dataclass(frozen=True, kw_only=True)
class RescaleOptions(Options):
    """A `normalise` layer whose numbers are known before the data: `x * scale + offset`."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class BackboneOptions(Options):
    """A `backbone` layer: many layers of Keras, each named after it.

    Attributes:
        name: key of `words.BACKBONES`.
        image_size: height and width of the images.
        first_trained: index of the first layer that trains; the number of layers where none does.
        freeze_batch_norm: whether batch norm is frozen in layers that train, too.
        pretrained: whether its weights come from another training.
    """

    name: str
    image_size: tuple[int, int]
    first_trained: int
    freeze_batch_norm: bool
    pretrained: bool

    @property
    def trained_ever(self) -> bool:
        """Whether any layer trains."""
        return self.trainable > 0

    @property
    def scale_invariant(self) -> tuple[str, ...]:
        """Names of Keras layers with kernels that a norm follows: all, if there is batch norm.

        That of the few that none follows, such as those of squeeze-and-excitation, is no matter.
        """
        layers = self.network.layers
        if self.freeze_batch_norm or not any(layer.is_batch_norm for layer in layers):
            return ()
        kernels = (i for i, layer in enumerate(layers) if any("kernel" in v for v in layer.trained))
        return tuple(map(self.network.keras_name, kernels))

    @property
    def network(self) -> Backbone:
        """What is known of the network."""
        return backbone(self.name)

    def trains(self, index: int) -> bool:
        """Whether a layer of the network trains.

        Args:
            index: its place in Keras's order.
        """
        norm = self.network.layers[index].is_batch_norm
        return index >= self.first_trained and not (norm and self.freeze_batch_norm)

    @property
    def trainable(self) -> int:
        """Number of trained weights."""
        layers = enumerate(self.network.layers)
        return sum(layer.trainable for index, layer in layers if self.trains(index))

    @property
    def fixed(self) -> int:
        """Number of weights that are not trained."""
        layers = self.network.layers
        return sum(layer.trainable + layer.fixed for layer in layers) - self.trainable

    def paths(self, name: str) -> tuple[str, ...]:
        """See `Options.paths`; the last layer has the name of the whole."""
        return tuple(
            f"{self.network.keras_name(index)}/{variable}"
            for index, layer in enumerate(self.network.layers)
            if self.trains(index)
            for variable in layer.trained
        )
