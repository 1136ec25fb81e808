"""Fills in what a recipe leaves to its defaults, so that nothing about a run is implicit."""

from __future__ import annotations

from typing import Any

from zoo.recipe.backbone import backbone_of
from zoo.recipe.backbone_stage import BackboneStage
from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import (
    Activation,
    Initializer,
    KernelStage,
    SqueezeExcite,
    Whiten,
)
from zoo.recipe.nested_stages import stages, with_inner_stacks
from zoo.recipe.network import Branches, Defaults, Residual, Stage
from zoo.recipe.norms import NORMS, BatchNorm, GroupNorm, LayerNorm, norm_follows_kernel
from zoo.recipe.places import place, place_path
from zoo.recipe.schema import Recipe
from zoo.recipe.train_block import Loss, Train
from zoo.recipe.words import ACTIVATIONS, ORDER

OWN_GAIN2 = 2.0  # Of an activation of the user's own: as ReLU.
INHERITED = (
    "order",
    "padding",
    "activation",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
)


def resolved(recipe: Recipe) -> Recipe:
    """Returns the recipe with all defaults filled in.

    These are the options of stages, `auto`, `use_bias` and absolute paths.

    Args:
        recipe: a valid recipe.
    """
    defaults = recipe.model.defaults
    if defaults.group_norm or defaults.layer_norm:
        defaults = defaults.model_copy(update={"batch_norm": None})
    stack = _stack(recipe.model.stack, defaults)
    head = recipe.model.head
    if "kernel_regularizer" not in head.model_fields_set:
        head = head.model_copy(update={"kernel_regularizer": defaults.kernel_regularizer})
    if head.kernel_initializer.word == "auto":
        head = head.model_copy(update={"kernel_initializer": fan_in_scaling(1.0)})
    weights = recipe.model.weights
    if weights and weights.source:
        weights = weights.with_source(place_path(weights.source, None, typed=False).path)
    parts = {
        "defaults": defaults, "blocks": {}, "stack": stack, "head": head, "weights": weights,
    }  # fmt: skip
    model = recipe.model.model_copy(update=parts)
    source = place(recipe.data.source, None, typed=False).source
    update: dict[str, Any] = {"image_size": recipe.image_size, "source": source}
    if backbone_of(recipe.model):
        update["preprocess"] = "none"
    data = recipe.data.model_copy(update=update)
    return recipe.model_copy(update={"model": model, "data": data, "train": _train(recipe)})


def _train(recipe: Recipe) -> Train:
    """The `train` block with the loss that its source asks for in the place of `auto`."""
    train = recipe.train
    if train.loss.word != "auto":
        return train
    word = "sigmoid" if recipe.data.source.has_many_labels else "softmax"
    return train.model_copy(update={"loss": Loss.model_validate(word)})


def with_value_range(recipe: Recipe, value_range: tuple[float, float] | None) -> Recipe:
    """Returns the recipe with the measured range in the place of `value_range: auto`.

    Args:
        recipe: as trained.
        value_range: (low, high) of the training images; None if none has more than 8 bits.
    """
    if recipe.data.value_range != "auto":
        return recipe
    data = recipe.data.model_copy(update={"value_range": value_range})
    return recipe.model_copy(update={"data": data})


def full_order(order: tuple[str, ...]) -> tuple[str, ...]:
    """An order with pool and dropout, where it leaves them out, at its end."""
    return (*order, *(part for part in ORDER if part not in order))


def fan_in_scaling(gain2: float) -> Choice:
    """The initializer with Var(w) = gain2 / fan_in."""
    initializer_names = {1.0: "lecun_normal", 2.0: "he_normal"}
    return Initializer.model_validate(
        initializer_names.get(gain2) or {"VarianceScaling": {"scale": gain2, "mode": "fan_in"}}
    )


def with_defaults(stage: Stage, defaults: Defaults, after: tuple[Stage, ...]) -> Stage:
    """Returns a stage with all defaults filled in.

    Args:
        stage: as given, or resolved.
        defaults: `model.defaults` of a resolved recipe.
        after: the stages of the same stack that follow it.
    """
    return _stage(stage, defaults, after)


def _stack(stack: tuple[Stage, ...], defaults: Defaults) -> tuple[Stage, ...]:
    return tuple(_stage(stage, defaults, stack[index + 1 :]) for index, stage in enumerate(stack))


def _stage(stage: Stage, defaults: Defaults, after: tuple[Stage, ...]) -> Stage:
    """A stage with all defaults filled in.

    Args:
        stage: as given.
        defaults: of the network.
        after: the stages of the same stack that follow it, as given.
    """
    options: Any = stage.options
    update = with_inner_stacks(options, lambda stack: _stack(stack, defaults))
    if isinstance(options, Residual):
        update |= _sum_and_projection(options, update["stack"], defaults)
    elif isinstance(options, Branches):
        adds = options.merge == "add"
        linear = Activation.model_validate("linear")
        update["activation"] = options.activation or (defaults.activation if adds else linear)
    elif isinstance(options, SqueezeExcite):
        update = _squeeze_excite(options, defaults)
    elif isinstance(options, BackboneStage):
        return stage.model_copy(update={stage.word: options.resolved()})
    elif isinstance(options, Whiten):
        keys = ("activation", "bias_initializer")
        update = {key: getattr(options, key) or getattr(defaults, key) for key in keys}
    elif isinstance(options, KernelStage):
        resolved_stage = _kernel_stage(options, defaults, after)
        return stage.model_copy(update={stage.word: resolved_stage})
    elif stage.word in NORMS:
        norm = _filled(options, getattr(defaults, stage.word))
        return stage.model_copy(update={stage.word: norm})
    return _updated(stage, update) if update else stage


def _kernel_stage(stage: KernelStage, defaults: Defaults, after: tuple[Stage, ...]) -> KernelStage:
    given = stage.model_fields_set
    update: dict[str, Any] = {
        key: getattr(defaults, key)
        for key in INHERITED
        if key in type(stage).model_fields and key not in given
    }
    if given.intersection(NORMS):
        update |= {key: _norm(stage, defaults, key) for key in NORMS}
    else:
        update |= {key: getattr(defaults, key) for key in NORMS}
    filled: Any = stage.model_copy(update=update)
    order = full_order(filled.order)
    update = {"order": order}
    if filled.kernel_initializer.word == "auto":
        activation = filled.activation
        if activation.word == "linear":
            activation = _next_activation(after) or activation
        update["kernel_initializer"] = fan_in_scaling(_gain2(activation))
    if filled.use_bias is None:
        shifted = (filled.batch_norm or filled.group_norm) and norm_follows_kernel(order)
        update["use_bias"] = not (shifted or _norm_is_next(filled, after))
    depthwise = getattr(filled, "depthwise_initializer", None)
    if depthwise is not None and depthwise.word == "auto":
        # No activation follows the depthwise convolution.
        update["depthwise_initializer"] = fan_in_scaling(1.0)
    resolved_stage: KernelStage = filled.model_copy(update=update)
    return resolved_stage


def _gain2(activation: Choice) -> float:
    if activation.part:  # Only running it would tell; most are rectifiers of a kind.
        return OWN_GAIN2
    return float(ACTIVATIONS[activation.word].gain2(activation.options))


def _next_activation(after: tuple[Stage, ...]) -> Choice | None:
    """The activation on its own that follows, whatever norm, pool or dropout lies between."""
    for stage in after:
        if stage.word == "activation":
            activation: Choice = stage.options
            return activation
        if stage.word not in (*NORMS, "pool", "dropout", "spatial_dropout"):
            return None
    return None


def _norm_is_next(stage: Any, after: tuple[Stage, ...]) -> bool:
    """Whether a norm on its own follows a single kernel, and takes a bias away."""
    alone = stage.repeat == 1 and stage.activation.word == "linear" and not stage.norm
    return bool(alone and after and after[0].word in ("batch_norm", "group_norm"))


def _norm(stage: KernelStage | Residual, defaults: Defaults, key: str) -> Any:
    """The norm that a stage gives, with the keys that it leaves out from the defaults' norm."""
    return _filled(getattr(stage, key), getattr(defaults, key))


def _filled(own: Any, common: Any) -> Any:
    """A norm, with the keys that it leaves out from another of its kind, if there is one."""
    if own is None or common is None:
        return own
    inherited = {name: getattr(common, name) for name in type(own).model_fields}
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return own.model_copy(update={**inherited, **given})


def _sum_and_projection(
    block: Residual, stack: tuple[Stage, ...], defaults: Defaults
) -> dict[str, Any]:
    """The options of a block's sum and projection, with the defaults filled in.

    Args:
        block: as given.
        stack: of the block, resolved.
        defaults: of the network.
    """
    kernel = block.kernel_initializer or defaults.kernel_initializer
    given = block.model_fields_set
    update: dict[str, Any] = {
        "activation": block.activation or defaults.activation,
        # No activation follows a projection.
        "kernel_initializer": fan_in_scaling(1.0) if kernel.word == "auto" else kernel,
    }
    for key in ("kernel_regularizer", "stochastic_depth"):
        if key not in given:
            update[key] = getattr(defaults, key)
    if given.intersection(NORMS):
        update |= {key: _norm(block, defaults, key) for key in NORMS}
    elif not block.pre_activation:
        norm = _last_norm(stack)
        kinds = dict(zip(NORMS, (BatchNorm, GroupNorm, LayerNorm), strict=True))
        update |= {key: norm if isinstance(norm, kind) else None for key, kind in kinds.items()}
    if block.use_bias is None:
        update["use_bias"] = not any(update.get(key) for key in NORMS)
    return update


def _last_norm(stack: tuple[Stage, ...]) -> Any:
    """The norm of the last stage of a resolved stack that can have one; None: it has none."""
    for _, stage in reversed(list(stages(stack, ()))):
        if isinstance(stage.options, KernelStage):
            return stage.options.norm
        if stage.word in NORMS:
            return stage.options
    return None


def _squeeze_excite(block: SqueezeExcite, defaults: Defaults) -> dict[str, Any]:
    """The options of squeeze-and-excitation, with the defaults filled in."""
    activation = block.activation or defaults.activation
    first = block.kernel_initializer or defaults.kernel_initializer
    gate = block.gate_initializer or defaults.kernel_initializer
    update: dict[str, Any] = {
        "activation": activation,
        "kernel_initializer": fan_in_scaling(_gain2(activation)) if first.word == "auto" else first,
        "gate_initializer": fan_in_scaling(1.0) if gate.word == "auto" else gate,
        "bias_initializer": block.bias_initializer or defaults.bias_initializer,
    }
    if "kernel_regularizer" not in block.model_fields_set:
        update["kernel_regularizer"] = defaults.kernel_regularizer
    return update


def _updated(stage: Stage, update: dict[str, Any]) -> Stage:
    return stage.model_copy(update={stage.word: stage.options.model_copy(update=update)})
