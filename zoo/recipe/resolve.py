"""Fills in what a recipe leaves to its defaults, so that nothing about a run is implicit."""

from __future__ import annotations

from typing import Any

import yaml

from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import Initializer, KernelStage, Whiten
from zoo.recipe.network import Defaults, Group, Residual, Stage
from zoo.recipe.norms import NORMS, norm_follows_kernel
from zoo.recipe.places import place, place_path
from zoo.recipe.schema import Recipe
from zoo.recipe.words import ACTIVATIONS, ORDER
from zoo.recipe.yaml_reader import plain

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
    stack = tuple(_stage(stage, defaults) for stage in recipe.model.stack)
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
    data = recipe.data.model_copy(update={"image_size": recipe.image_size, "source": source})
    return recipe.model_copy(update={"model": model, "data": data})


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


def _stage(stage: Stage, defaults: Defaults) -> Stage:
    options: Any = stage.options
    if isinstance(options, Residual | Group):
        update: dict[str, Any] = {"stack": tuple(_stage(s, defaults) for s in options.stack)}
        if isinstance(options, Residual):
            update |= _sum_and_projection(options, defaults)
        return _updated(stage, update)
    if isinstance(options, Whiten):
        keys = ("activation", "bias_initializer")
        return _updated(
            stage, {key: getattr(options, key) or getattr(defaults, key) for key in keys}
        )
    if isinstance(options, KernelStage):
        return stage.model_copy(update={stage.word: _kernel_stage(options, defaults)})
    return stage


def _kernel_stage(stage: KernelStage, defaults: Defaults) -> KernelStage:
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
        gain2 = ACTIVATIONS[activation.word].gain2(activation.options)
        update["kernel_initializer"] = fan_in_scaling(gain2)
    if filled.use_bias is None:
        shifted = filled.batch_norm or filled.group_norm
        update["use_bias"] = not (shifted and norm_follows_kernel(order))
    depthwise = getattr(filled, "depthwise_initializer", None)
    if depthwise is not None and depthwise.word == "auto":
        # No activation follows the depthwise convolution.
        update["depthwise_initializer"] = fan_in_scaling(1.0)
    resolved_stage: KernelStage = filled.model_copy(update=update)
    return resolved_stage


def _norm(stage: KernelStage, defaults: Defaults, key: str) -> Any:
    """The norm that a stage gives, with the keys that it leaves out from the defaults' norm."""
    own, common = getattr(stage, key), getattr(defaults, key)
    if own is None or common is None:
        return own
    inherited = {name: getattr(common, name) for name in type(own).model_fields}
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return own.model_copy(update={**inherited, **given})


def _sum_and_projection(block: Residual, defaults: Defaults) -> dict[str, Any]:
    """The options of a block's sum and projection, with the defaults filled in."""
    kernel = block.kernel_initializer or defaults.kernel_initializer
    update: dict[str, Any] = {
        "activation": block.activation or defaults.activation,
        # No activation follows a projection.
        "kernel_initializer": fan_in_scaling(1.0) if kernel.word == "auto" else kernel,
    }
    if "kernel_regularizer" not in block.model_fields_set:
        update["kernel_regularizer"] = defaults.kernel_regularizer
    return update


def _updated(stage: Stage, update: dict[str, Any]) -> Stage:
    return stage.model_copy(update={stage.word: stage.options.model_copy(update=update)})


def written_size(data: Any) -> tuple[int, int]:
    """How many values a recipe's data hold, and how many characters of text."""
    values = characters = 0
    pending = [data]
    while pending:
        item = pending.pop()
        values += 1
        if isinstance(item, dict):
            pending += item.values()
            characters += sum(map(len, item))
        elif isinstance(item, list | tuple):
            pending += item
        elif isinstance(item, str):
            characters += len(item)
    return values, characters


class _Dumper(yaml.SafeDumper):
    """Writes values so that `zoo.recipe.yaml_reader` reads the same values back."""

    def ignore_aliases(self, data: Any) -> bool:
        """Writes what occurs twice twice: a reader of a recipe should not look for anchors."""
        return True


class _Empty:
    """A parameter without a default: `none`, which stands for other empty values, is one."""


def _with_empty_parameters(data: Any) -> Any:
    """The data of a valid recipe, with parameters that are written as `null`."""
    model = data.get("model") if isinstance(data, dict) else None
    blocks = model.get("blocks") if isinstance(model, dict) else None
    if not isinstance(blocks, dict):
        return data
    written: dict[str, Any] = {}
    for name, block in blocks.items():
        given = dict(block)
        defaults = given.get("parameters", {})
        empty = {key: _Empty() for key, default in defaults.items() if default is None}
        written[name] = {**given, "parameters": {**defaults, **empty}} if empty else given
    return {**data, "model": {**data["model"], "blocks": written}}


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = None if isinstance(plain(text), str) and text != "none" else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _float(dumper: yaml.SafeDumper, value: float) -> yaml.Node:
    mantissa, e, exponent = repr(value).partition("e")
    if e and "." not in mantissa:
        mantissa += ".0"  # PyYAML would tag 1e-05, which YAML 1.1 takes for text.
    return dumper.represent_scalar("tag:yaml.org,2002:float", mantissa + e + exponent)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(float, _float)
_Dumper.add_representer(
    type(None), lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:str", "none")
)
_Dumper.add_representer(
    _Empty, lambda dumper, _: dumper.represent_scalar("tag:yaml.org,2002:null", "null")
)
_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))


def dump(recipe: Recipe) -> str:
    """A recipe as YAML text; loading it gives the same recipe."""
    return dump_data(recipe.model_dump())


def dump_data(data: Any) -> str:
    """A recipe's data, as given or resolved, as YAML text; reading it gives the same data."""
    data = _with_empty_parameters(data)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)
