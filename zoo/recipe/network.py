"""The model block of the recipe language: the stages of a network and what they share."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe import words
from zoo.recipe.fields import Choice, Count, Fraction, Model, Pair, choice, listing
from zoo.recipe.norms import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    normalised,
    require_one_norm,
)
from zoo.recipe.yaml_reader import Path

if TYPE_CHECKING:
    Activation = Choice
    Initializer = Choice
    Pool = Choice
    GlobalPool = Choice
    Order = tuple[str, ...]
else:
    Activation = choice("Activation", "What follows the kernel.", words.ACTIVATIONS)
    Initializer = choice("Initializer", "How a kernel is drawn.", words.INITIALIZERS)
    Pool = choice("Pool", "Pooling over windows.", words.POOLS)
    GlobalPool = choice("GlobalPool", "Pooling over all positions.", words.GLOBAL_POOLS)
    Order = Annotated[
        listing(Literal["conv", "bn", "act", "pool", "dropout"]),
        Field(description="Order of the parts of a stage; pool and dropout, left out, come last."),
    ]


NEVER_NONE = (
    "order",
    "activation",
    "kernel_initializer",
    "bias_initializer",
    "depthwise_initializer",
    "padding",
)


class Regularizer(Model):
    """A penalty added to the loss."""

    l2: float = Field(ge=0, description="Adds l2 * sum(w^2) to the loss, as Keras does.")


class Layered(Model):
    """What conv and fc stages share; left out, it is taken from `model.defaults`."""

    use_bias: bool | None = Field(
        None, description="A bias; left out: only where no batch or group norm follows the kernel."
    )
    repeat: int = Field(
        1, ge=1, le=1000, description="How often; pool and dropout come in the last repeat."
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
        """The normalisation of a resolved stage; it stands at `bn` in the order."""
        return self.batch_norm or self.group_norm or self.layer_norm

    @property
    def norm_follows(self) -> bool:
        """Whether the norm of a resolved stage follows the kernel, before the activation."""
        return self.norm is not None and normalised(self.order or words.ORDER)

    @model_validator(mode="after")
    def _one_norm(self) -> Layered:
        require_one_norm(self)
        return self

    @model_validator(mode="after")
    def _none_where_it_means_something(self) -> Layered:
        for key in NEVER_NONE:
            if key in self.model_fields_set and getattr(self, key) is None:
                raise PydanticCustomError(
                    "no_none",
                    "cannot be none. Leave it out to take it from model.defaults{hint}",
                    {"at": (key,), "hint": "; linear is no activation" * (key == "activation")},
                )
        return self


class Convolving(Layered):
    """What conv and depthwise_conv stages share."""

    kernel_size: Pair = Field((3, 3), description="Height and width of the kernel.")
    strides: Pair = Field((1, 1), description="Step between positions; first repeat only.")
    padding: Literal["same", "valid"] | None = Field(
        None, description="same keeps the size (divided by strides); default: model.defaults."
    )
    dilation_rate: Pair = Field((1, 1), description="Spacing of the kernel's points.")
    pool: Pool | None = Field(None, description="Pooling at the end of the stage, or none.")

    @model_validator(mode="after")
    def _steps(self) -> Convolving:
        if max(self.strides) > 1 and max(self.dilation_rate) > 1:
            raise PydanticCustomError(
                "strides",
                "strides and dilation_rate cannot both be above 1; drop one of them",
                {"at": ("dilation_rate",)},
            )
        return self


class Conv(Convolving):
    """A stage of convolutions: [CONV-BN-ReLU] x repeat, with pooling and dropout at its end."""

    filters: Count = Field(description="Output channels.")
    groups: Count = Field(1, description="Groups into which channels are split.")

    @model_validator(mode="after")
    def _fits(self) -> Conv:
        if self.filters % self.groups:
            raise PydanticCustomError(
                "groups",
                "filters must be a multiple of groups. Received filters={filters}, groups={groups}",
                {"filters": self.filters, "groups": self.groups, "at": ("groups",)},
            )
        return self


class DepthwiseConv(Convolving):
    """A convolution of each channel on its own: [DEPTHWISE-BN-ReLU] x repeat."""

    depth_multiplier: Count = Field(1, description="Output channels an input channel.")


class SeparableConv(Convolving):
    """A depthwise convolution, then a 1x1 convolution: [DEPTHWISE-CONV-BN-ReLU] x repeat."""

    filters: Count = Field(description="Output channels.")
    depth_multiplier: Count = Field(1, description="Channels between the two, an input channel.")
    depthwise_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("auto"),
        description="How the depthwise kernel is drawn; kernel_initializer is of the 1x1 kernel.",
    )


class Whiten(Model):
    """A first layer that whitens patches: its kernel is computed from training images and fixed.

    Twice as many filters as a patch has values: the eigenvectors of the patches' second moments
    over the roots of their eigenvalues, and their negatives; a trained bias; the activation.
    """

    kernel_size: Pair = Field((2, 2), description="Height and width of a patch.")
    epsilon: float = Field(5e-4, gt=0, description="Added to the eigenvalues.")
    images: Count = Field(5000, description="Training images that the patches are taken from.")
    activation: Activation | None = Field(
        None, description="What follows; default: model.defaults."
    )


class Fc(Layered):
    """A stage of fully connected layers: [FC-BN-ReLU] x repeat."""

    units: Count = Field(description="Output units.")


class Dropout(Model):
    """Dropout on its own."""

    rate: Fraction = Field(description="Share of units dropped in training.")


class SpatialDropout(Model):
    """Dropout of whole channels (Tompson et al. 2015)."""

    rate: Fraction = Field(description="Share of channels dropped in training.")


class AlphaDropout(Model):
    """Dropout that keeps the mean and variance of selu's outputs (Klambauer et al. 2017)."""

    rate: Fraction = Field(description="Share of units dropped in training.")


class Flatten(Model):
    """Height, width and channels into one vector."""


class Residual(Model):
    """Stages whose result is added to what came in (He et al. 2016), then the activation."""

    stack: listing("Stage") = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages of the block; often the last activation is linear."
    )
    shortcut: Literal["auto", "identity", "projection", "pad"] = Field(
        "auto",
        description="The way around: the input as it is; a 1x1 convolution with the norm of the "
        "block's last stage; or fewer pixels and added channels of zeros (pad, the paper's option "
        "A). auto: identity where the shapes are equal, else projection.",
    )
    kernel_initializer: Initializer | None = Field(
        None, description="How a projection's kernel is drawn; default: model.defaults."
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on a projection's kernel, or none; default: model.defaults."
    )
    activation: Activation | None = Field(
        None, description="What follows the sum; default: model.defaults."
    )


class Group(Model):
    """Several stages, several times."""

    stack: listing("Stage") = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages to repeat."
    )
    repeat: int = Field(1, ge=1, le=1000, description="How often.")


class Stage(Choice):
    """One stage of the stack."""

    conv: Conv | None = Field(None, description="[CONV-BN-ReLU-pool].")
    depthwise_conv: DepthwiseConv | None = Field(None, description="[DEPTHWISE-BN-ReLU-pool].")
    separable_conv: SeparableConv | None = Field(None, description="[DEPTHWISE-CONV-BN-ReLU-pool].")
    whiten: Whiten | None = Field(None, description="Whitening of patches, as the first layer.")
    residual: Residual | None = Field(None, description="Stages around which the input is added.")
    group: Group | None = Field(None, description="Stages that repeat together.")
    fc: Fc | None = Field(None, description="[FC-BN-ReLU].")
    pool: Pool | None = Field(None, description="Pooling over windows.")
    global_pool: GlobalPool | None = Field(None, description="Pooling over all positions.")
    flatten: Flatten | None = Field(None, description="Into one vector.")
    dropout: Dropout | None = Field(None, description="Dropout.")
    spatial_dropout: SpatialDropout | None = Field(None, description="Dropout of channels.")
    alpha_dropout: AlphaDropout | None = Field(None, description="Dropout for selu.")


class Defaults(Model):
    """What every conv and fc stage takes unless it says otherwise.

    A stage that names one of batch_norm, group_norm and layer_norm takes none of the others; of
    that one it takes what it leaves out from here.
    """

    order: Order = words.ORDER
    padding: Literal["same", "valid"] = Field("same", description="Padding of convolutions.")
    activation: Activation = Field(
        default_factory=lambda: Activation.model_validate("relu"), description="After each kernel."
    )
    kernel_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("auto"),
        description="How kernels are drawn.",
    )
    bias_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("zeros"),
        description="How biases are drawn.",
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on kernels; never on biases or batch norm."
    )
    batch_norm: BatchNorm | None = Field(
        default_factory=BatchNorm, description="Batch norm, or none to leave it out."
    )
    group_norm: GroupNorm | None = Field(None, description="Group norm instead of batch norm.")
    layer_norm: LayerNorm | None = Field(None, description="Layer norm instead of batch norm.")

    @model_validator(mode="after")
    def _one_norm(self) -> Defaults:
        require_one_norm(self)
        return self


class Head(Model):
    """The last layer: one logit a class, float32, no activation."""

    kernel_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate({"RandomNormal": {"stddev": 0.01}}),
        description="Small, so that the loss starts at ln(classes).",
    )
    bias_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("zeros"),
        description="How the biases are drawn.",
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on the kernel, or none; default: model.defaults."
    )
    use_bias: bool = Field(True, description="A bias a class.")
    scale: float = Field(1.0, gt=0, description="Factor on the logits.")


class Network(Model):
    """The network: a stack of stages between the image and the logits."""

    defaults: Defaults = Field(default_factory=Defaults, description="For all stages.")
    stack: listing(Stage) = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages, from the image to the head."
    )
    head: Head = Field(default_factory=Head, description="The layer of the logits.")


@cache
def complete() -> None:
    """Lets Residual and Group know what their stages are, for those who read the annotations."""
    Residual.model_rebuild()
    Group.model_rebuild()


def stages(stack: tuple[Stage, ...], path: Path) -> Iterator[tuple[Path, Stage]]:
    """All stages with their paths, those inside of others too."""
    for index, stage in enumerate(stack):
        here = (*path, index, stage.word)
        yield here, stage
        yield from stages(getattr(stage.options, "stack", ()), (*here, "stack"))
