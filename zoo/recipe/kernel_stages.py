"""Stages with kernels, as a recipe describes them: convolutions and fully connected layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe import words
from zoo.recipe.fields import (
    MAX_WIDTH,
    Choice,
    Count,
    Fraction,
    Model,
    Pair,
    Positive,
    Width,
    choice,
    tuple_of,
)
from zoo.recipe.norms import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    norm_follows_kernel,
    require_one_norm,
)
from zoo.recipe.weights import Regularizer

if TYPE_CHECKING:
    Activation = Choice
    Initializer = Choice
    Pool = Choice
    GlobalPool = Choice
    Order = tuple[str, ...]
else:
    Activation = choice("Activation", "What follows the kernel.", words.ACTIVATIONS, "activation")
    Initializer = choice("Initializer", "How a kernel is drawn.", words.INITIALIZERS, "initializer")
    Pool = choice("Pool", "Pooling over windows.", words.POOLS)
    GlobalPool = choice("GlobalPool", "Pooling over all positions.", words.GLOBAL_POOLS)
    Order = Annotated[
        tuple_of(Literal["conv", "bn", "act", "pool", "dropout"]),
        Field(
            description="Order of the parts of a stage; pool and dropout come last where left out."
        ),
    ]


NEVER_NONE = (
    "order",
    "activation",
    "kernel_initializer",
    "bias_initializer",
    "depthwise_initializer",
    "padding",
)


class KernelStage(Model):
    """What stages with kernels share; what they leave out is taken from `model.defaults`."""

    use_bias: bool | None = Field(
        None, description="Add a bias; none: only where no batch or group norm follows the kernel."
    )
    repeat: int = Field(
        1, ge=1, le=1000, description="How many times; only the last has pool and dropout."
    )
    dropout: Fraction = Field(0.0, description="Share of units dropped in training.")
    order: Order | None = Field(None, description="Order of the parts; default: model.defaults.")
    activation: Activation | None = Field(
        None, description="What follows the kernel; default: model.defaults."
    )
    kernel_initializer: Initializer | None = Field(
        None, description="How the kernel is drawn; default: model.defaults."
    )
    bias_initializer: Initializer | None = Field(
        None, description="How the bias is drawn; default: model.defaults."
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on the kernel, or none; default: model.defaults."
    )
    batch_norm: BatchNorm | None = Field(
        None, description="Batch norm, or none to leave it out; default: model.defaults."
    )
    group_norm: GroupNorm | None = Field(None, description="Group norm instead of batch norm.")
    layer_norm: LayerNorm | None = Field(None, description="Layer norm instead of batch norm.")

    @property
    def norm(self) -> BatchNorm | GroupNorm | LayerNorm | None:
        """The norm of a resolved stage; `bn` in the order is its place, whatever its kind."""
        return self.batch_norm or self.group_norm or self.layer_norm

    @property
    def norm_follows(self) -> bool:
        """Whether a norm follows the kernel of a resolved stage, before the activation."""
        return self.norm is not None and norm_follows_kernel(self.order or words.ORDER)

    @model_validator(mode="after")
    def _one_norm(self) -> KernelStage:
        require_one_norm(self)
        return self

    @model_validator(mode="after")
    def _none_where_it_means_something(self) -> KernelStage:
        for key in NEVER_NONE:
            if key in self.model_fields_set and getattr(self, key) is None:
                raise PydanticCustomError(
                    "no_none",
                    "cannot be none. Leave it out to take it from model.defaults{hint}",
                    {"at": (key,), "hint": "; linear is no activation" * (key == "activation")},
                )
        return self


class ConvolutionStage(KernelStage):
    """What stages of convolutions share."""

    kernel_size: Pair = Field((3, 3), description="Height and width of the kernel.")
    strides: Pair = Field((1, 1), description="Step between positions, in the first repeat.")
    padding: Literal["same", "valid"] | None = Field(
        None, description="same keeps the size (divided by strides); default: model.defaults."
    )
    dilation_rate: Pair = Field((1, 1), description="Spacing of the kernel's points.")
    pool: Pool | None = Field(None, description="Pooling at the end of the stage, or none.")

    @model_validator(mode="after")
    def _steps(self) -> ConvolutionStage:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise PydanticCustomError(
                "strides",
                "strides and dilation_rate cannot both be above 1; drop one of them",
                {"at": ("dilation_rate",)},
            )
        return self


class Conv(ConvolutionStage):
    """A stage of convolutions: [CONV-BN-ReLU] x repeat, with pooling and dropout at its end."""

    filters: Width = Field(description="Output channels.")
    groups: Width = Field(1, description="Groups into which channels are split.")

    @model_validator(mode="after")
    def _fits(self) -> Conv:
        if self.filters % self.groups:
            raise PydanticCustomError(
                "groups",
                "filters must be a multiple of groups. Received filters={filters}, groups={groups}",
                {"filters": self.filters, "groups": self.groups, "at": ("groups",)},
            )
        return self


class DepthwiseConv(ConvolutionStage):
    """A convolution of each channel on its own: [DEPTHWISE-BN-ReLU] x repeat."""

    depth_multiplier: Width = Field(1, description="Output channels for each input channel.")


class SeparableConv(ConvolutionStage):
    """A depthwise convolution, then a 1x1 convolution: [DEPTHWISE-CONV-BN-ReLU] x repeat."""

    filters: Width = Field(description="Output channels.")
    depth_multiplier: Width = Field(
        1, description="Channels between the two convolutions, for each input channel."
    )
    depthwise_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("auto"),
        description="How the depthwise kernel is drawn; kernel_initializer draws the 1x1 kernel.",
    )


class Whiten(Model):
    """A first layer that whitens patches: its kernel is computed from training images and fixed.

    It has twice as many filters as a patch has values: the eigenvectors of the patches' second
    moments over the roots of their eigenvalues, and the negatives of these. A trained bias and the
    activation follow.
    """

    kernel_size: Pair = Field((2, 2), description="Height and width of a patch.")
    epsilon: Positive = Field(5e-4, description="Added to the eigenvalues.")
    images: Count = Field(5000, description="Training images that the patches are taken from.")
    activation: Activation | None = Field(
        None, description="What follows; default: model.defaults."
    )
    bias_initializer: Initializer | None = Field(
        None, description="How the bias is drawn; default: model.defaults."
    )


class Fc(KernelStage):
    """A stage of fully connected layers: [FC-BN-ReLU] x repeat."""

    units: Width = Field(description="Output units.")


class SqueezeExcite(Model):
    """Squeeze-and-excitation (Hu et al. 2018): a factor for each channel, from the image itself.

    The channels' means, a 1x1 convolution to fewer channels, the activation, a 1x1 convolution
    back, and the gate, which multiplies the channels.
    """

    ratio: float = Field(
        16.0, ge=1, le=MAX_WIDTH, description="Channels for each channel between the kernels."
    )
    min_units: Width = Field(
        8,
        description="Channels between the kernels at least, or as many as the input has: of a few "
        "units, all may be dead.",
    )
    activation: Activation | None = Field(
        None, description="What follows the first kernel; default: model.defaults."
    )
    gate: Literal["sigmoid", "hard_sigmoid"] = Field(
        "sigmoid", description="What follows the second kernel."
    )
    use_bias: bool = Field(True, description="Add biases.")
    kernel_initializer: Initializer | None = Field(
        None, description="How the first kernel is drawn; default: model.defaults."
    )
    gate_initializer: Initializer | None = Field(
        None, description="How the second kernel is drawn; default: model.defaults."
    )
    bias_initializer: Initializer | None = Field(
        None, description="How the biases are drawn; default: model.defaults."
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on the kernels, or none; default: model.defaults."
    )
