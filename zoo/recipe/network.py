"""The `model` block of a recipe: the stages of a network and what they share."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError, PydanticKnownError

from zoo.recipe import words
from zoo.recipe.backbone_stage import BackboneStage
from zoo.recipe.fields import (
    MAX_COUNT,
    Choice,
    Model,
    Positive,
    tuple_of,
    without_required,
)
from zoo.recipe.kernel_stages import (
    Activation,
    Conv,
    DepthwiseConv,
    Fc,
    GlobalPool,
    Initializer,
    Order,
    Pool,
    SeparableConv,
    SqueezeExcite,
    Whiten,
)
from zoo.recipe.norms import (
    BatchNorm,
    GroupNorm,
    LayerNorm,
    require_one_norm,
)
from zoo.recipe.plain_stages import (
    AlphaDropout,
    Dropout,
    Flatten,
    SpatialDropout,
    StochasticDepth,
)
from zoo.recipe.trained_weights import TrainedWeights
from zoo.recipe.weights import Regularizer
from zoo.recipe.words.word import MAX_ITEMS

# A key of a map that is a name, not a path.
Name = Annotated[str, "name"]
NAME_PATTERN = "[A-Za-z][A-Za-z0-9_]{0,63}"
# Parameters may stand for any value, so that nothing in a stage is wrong for sure.
BLOCK_STACK_SCHEMA = {
    "anyOf": [
        {"type": "array", "minItems": 1, "items": {"type": ["object", "string"]}},
        {
            "type": "string",
            "pattern": r"^\$",
            "description": "A parameter that holds all stages, such as $body. $NAME stands for a "
            "parameter of the block wherever a value may stand, alone or in a product with whole "
            "numbers and other parameters: $filters * 4.",
        },
    ]
}
USE_SCHEMA = {
    "description": "A block of model.blocks, with its parameters, and repeat.",
    "type": ["object", "array", "string", "number", "boolean", "null"],
}


class Residual(Model):
    """Stages whose output is added to their input (He et al. 2016), then the activation."""

    stack: tuple_of("Stage", MAX_COUNT) = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages of the block; often the last activation is linear."
    )
    shortcut: Literal["auto", "identity", "projection", "pad"] = Field(
        "auto",
        description="What is added. identity: the input as it is; projection: a 1x1 convolution of "
        "it, and a norm; pad: every stride-th pixel of it, with added "
        "channels of zeros (the paper's option A); auto: identity where the shapes are equal, else "
        "projection.",
    )
    pre_activation: bool = Field(
        False,
        description="The block begins with a norm or an activation (order: [bn, act, conv]), and a "
        "projection or pad takes what comes out of these (He et al. 2016b; wide ResNets).",
    )
    stochastic_depth: StochasticDepth | None = Field(
        None,
        description="Leave the stack out for some images in training; default: model.defaults.",
    )
    use_bias: bool | None = Field(
        None, description="Add a bias to a projection; none: only where it has no norm."
    )
    kernel_initializer: Initializer | None = Field(
        None, description="How a projection's kernel is drawn; default: model.defaults."
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on a projection's kernel, or none; default: model.defaults."
    )
    batch_norm: BatchNorm | None = Field(
        None,
        description="Batch norm of a projection, or none; default: the norm of the block's last "
        "stage, and none with pre_activation.",
    )
    group_norm: GroupNorm | None = Field(
        None, description="Group norm of a projection instead of batch norm."
    )
    layer_norm: LayerNorm | None = Field(
        None, description="Layer norm of a projection instead of batch norm."
    )
    activation: Activation | None = Field(
        None, description="What follows the sum; default: model.defaults."
    )

    @property
    def norm(self) -> BatchNorm | GroupNorm | LayerNorm | None:
        """The norm of a resolved block's projection."""
        return self.batch_norm or self.group_norm or self.layer_norm

    @model_validator(mode="after")
    def _one_norm(self) -> Residual:
        require_one_norm(self)
        return self


class Group(Model):
    """Several stages, repeated together."""

    stack: tuple_of("Stage", MAX_COUNT) = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages to repeat."
    )
    repeat: int = Field(1, ge=1, le=1000, description="How many times.")


class Branches(Model):
    """Stacks side by side, each from the same input, whose outputs are joined."""

    stacks: tuple_of(tuple_of("Stage", MAX_COUNT), MAX_ITEMS) = Field(  # type: ignore[valid-type]
        min_length=2, description="The stacks; an empty one, [], is the input as it is."
    )
    merge: Literal["concat", "add"] = Field(
        "concat",
        description="concat: channels one behind the other, heights and widths being equal "
        "(Inception, DenseNet); add: the sum of equal shapes.",
    )
    activation: Activation | None = Field(
        None,
        description="What follows; default: linear for concat, that of model.defaults for add.",
    )

    @model_validator(mode="after")
    def _leads_somewhere(self) -> Branches:
        if not any(self.stacks):
            raise PydanticCustomError(
                "stacks",
                "all stacks are empty. Expected stages in one of them at least",
                {"at": ("stacks",)},
            )
        return self


class Stage(Choice):
    """One stage of the stack: one of these, or a block of `model.blocks` by its name."""

    own_kind = "layer"

    backbone: BackboneStage | None = Field(
        None, description="A network of keras.applications, as the first stage."
    )
    conv: Conv | None = Field(None, description="[CONV-BN-ReLU-pool].")
    depthwise_conv: DepthwiseConv | None = Field(None, description="[DEPTHWISE-BN-ReLU-pool].")
    separable_conv: SeparableConv | None = Field(None, description="[DEPTHWISE-CONV-BN-ReLU-pool].")
    whiten: Whiten | None = Field(None, description="Whitened patches, as the first layer.")
    residual: Residual | None = Field(
        None, description="Stages whose input is added to their output."
    )
    branches: Branches | None = Field(
        None, description="Stacks side by side, whose outputs are concatenated or added."
    )
    group: Group | None = Field(None, description="Stages that repeat together.")
    squeeze_excite: SqueezeExcite | None = Field(
        None, description="A factor for each channel, computed from the means of all."
    )
    fc: Fc | None = Field(None, description="[FC-BN-ReLU].")
    batch_norm: BatchNorm | None = Field(None, description="Batch norm on its own.")
    group_norm: GroupNorm | None = Field(None, description="Group norm on its own.")
    layer_norm: LayerNorm | None = Field(None, description="Layer norm on its own.")
    activation: Activation | None = Field(None, description="An activation on its own.")
    pool: Pool | None = Field(None, description="Pooling over windows.")
    global_pool: GlobalPool | None = Field(None, description="Pooling over all positions.")
    flatten: Flatten | None = Field(None, description="Into one vector.")
    dropout: Dropout | None = Field(None, description="Dropout.")
    spatial_dropout: SpatialDropout | None = Field(None, description="Dropout of channels.")
    alpha_dropout: AlphaDropout | None = Field(None, description="Dropout for selu.")

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: Any, handler: Any) -> dict[str, Any]:
        """Adds uses of blocks, whose names only the recipe knows."""
        schema = super().__get_pydantic_json_schema__(core_schema, handler)
        with_options = schema["anyOf"][-1]
        with_options["additionalProperties"] = USE_SCHEMA
        schema["anyOf"].insert(1, {"type": "string", "pattern": f"^{NAME_PATTERN}$"})
        return schema


def _stages_or_parameter(value: Any) -> Any:
    """A block's stack as it is given: its stages are checked where the block is used."""
    if isinstance(value, list) and not value:
        raise PydanticKnownError(
            "too_short", {"field_type": "List", "min_length": 1, "actual_length": 0}
        )
    if not isinstance(value, list) and not (isinstance(value, str) and value.startswith("$")):
        raise PydanticKnownError("tuple_type")
    return value


class Block(Model):
    """A named stack with parameters; a stage elsewhere with that name stands for it.

    In the stack, `$filters` stands for the parameter `filters`, and `$filters * 4` for a multiple.
    A parameter may be a number, a word, a map or a list. The use `basic: {filters: 32}` gives the
    parameters that have no default; `repeat: 3` beside them repeats the block. A block may use the
    blocks above it. A run's recipe has the blocks written out.
    """

    model_config = ConfigDict(json_schema_extra=without_required)

    parameters: dict[Name, Any] = Field(
        default_factory=dict,
        description="Parameters with their defaults; one without (`filters: `) must be given.",
    )
    stack: Annotated[
        tuple[Stage, ...],
        PlainValidator(_stages_or_parameter),
        WithJsonSchema(BLOCK_STACK_SCHEMA),
    ] = Field(
        description="The stages that a use of the block stands for; or $NAME, a parameter that "
        "holds them."
    )


class Defaults(Model):
    """What stages with kernels take for keys that they leave out.

    A stage that names one of batch_norm, group_norm and layer_norm has only that norm. What it
    leaves out there is taken from the norm of the same name here, if any.
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
    stochastic_depth: StochasticDepth | None = Field(
        None, description="Leave stacks of residual blocks out for some images in training."
    )

    @model_validator(mode="after")
    def _one_norm(self) -> Defaults:
        require_one_norm(self)
        return self


class Head(Model):
    """The last layer: one logit a class, float32, no activation."""

    kernel_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate({"RandomNormal": {"stddev": 0.01}}),
        description="How the kernel is drawn; small, so that the loss starts at ln(classes).",
    )
    bias_initializer: Initializer = Field(
        default_factory=lambda: Initializer.model_validate("zeros"),
        description="How the biases are drawn.",
    )
    kernel_regularizer: Regularizer | None = Field(
        None, description="Penalty on the kernel, or none; default: model.defaults."
    )
    use_bias: bool = Field(True, description="Add a bias for each class.")
    scale: Positive = Field(1.0, description="Factor on the logits.")


class Network(Model):
    """The network: a stack of stages between the image and the logits."""

    model_config = ConfigDict(json_schema_extra=without_required)

    defaults: Defaults = Field(default_factory=Defaults, description="For all stages.")
    blocks: dict[Name, Block] = Field(
        default_factory=dict,
        exclude=True,  # Written out before a recipe is checked.
        description="Named stacks with parameters, which stages may use by their names.",
    )
    stack: tuple_of(Stage, MAX_COUNT) = Field(  # type: ignore[valid-type]
        min_length=1, description="The stages, from the image to the head."
    )
    head: Head = Field(default_factory=Head, description="The layer of the logits.")
    weights: TrainedWeights | None = Field(
        None, description="Trained weights to start from, and layers to freeze; none: all are new."
    )


def stages_schema() -> dict[str, Any]:
    """JSON Schema that lets editors underline a misspelt stage of a network without blocks."""
    stages = {"enum": list(Stage.model_fields)}
    is_stage = {"if": {"type": "object"}, "then": {"propertyNames": stages}, "else": stages}
    stack = {"description": Network.model_fields["stack"].description, "items": is_stage}
    return {"if": {"required": ["blocks"]}, "then": {}, "else": {"properties": {"stack": stack}}}


@cache
def complete() -> None:
    """Resolves the annotations of blocks that hold `Stage`, which is defined after them."""
    for block in (Block, Residual, Group, Branches):
        block.model_rebuild()
