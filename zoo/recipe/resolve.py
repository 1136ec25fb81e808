"""Writes out what a recipe leaves to its defaults, so that nothing about a run is implicit."""

from __future__ import annotations

import os
from typing import Any

import yaml

from zoo.recipe.fields import Choice
from zoo.recipe.network import Defaults, Group, Initializer, Layered, Residual, Stage, Whiten
from zoo.recipe.norms import NORMS, normalised
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
    """The same recipe with every default written out: stages, `auto`, biases, paths."""
    defaults = recipe.model.defaults
    if defaults.group_norm or defaults.layer_norm:
        defaults = defaults.model_copy(update={"batch_norm": None})
    stack = tuple(_stage(stage, defaults) for stage in recipe.model.stack)
    head = recipe.model.head
    if "kernel_regularizer" not in head.model_fields_set:
        head = head.model_copy(update={"kernel_regularizer": defaults.kernel_regularizer})
    if head.kernel_initializer.word == "auto":
        head = head.model_copy(update={"kernel_initializer": scaled(1.0)})
    model = recipe.model.model_copy(update={"defaults": defaults, "stack": stack, "head": head})
    data = recipe.data.model_copy(
        update={"image_size": recipe.image_size, "source": _source(recipe.data.source)}
    )
    return recipe.model_copy(update={"model": model, "data": data})


def full_order(order: tuple[str, ...]) -> tuple[str, ...]:
    """The order with pool and dropout, where they are left out, at its end."""
    return (*order, *(part for part in ORDER if part not in order))


def scaled(gain2: float) -> Choice:
    """The fan_in initializer with Var(w) = gain2 / fan_in."""
    words = {1.0: "lecun_normal", 2.0: "he_normal"}
    return Initializer.model_validate(
        words.get(gain2) or {"VarianceScaling": {"scale": gain2, "mode": "fan_in"}}
    )


def _stage(stage: Stage, defaults: Defaults) -> Stage:
    layered: Any = stage.options
    if isinstance(layered, Residual | Group):
        update: dict[str, Any] = {"stack": tuple(_stage(s, defaults) for s in layered.stack)}
        if isinstance(layered, Residual):
            update |= _around(layered, defaults)
        return _whole(stage, update)
    if isinstance(layered, Whiten) and layered.activation is None:
        return _whole(stage, {"activation": defaults.activation})
    if not isinstance(layered, Layered):
        return stage
    update = {
        key: getattr(defaults, key)
        for key in INHERITED
        if key in type(layered).model_fields and key not in layered.model_fields_set
    }
    if layered.model_fields_set.intersection(NORMS):
        update |= {key: _norm(layered, defaults, key) for key in NORMS}
    else:
        update |= {key: getattr(defaults, key) for key in NORMS}
    layered = layered.model_copy(update=update)
    order = full_order(layered.order)
    update = {"order": order}
    if layered.kernel_initializer.word == "auto":
        activation = layered.activation
        update["kernel_initializer"] = scaled(
            ACTIVATIONS[activation.word].gain2(activation.options)
        )
    if layered.use_bias is None:
        update["use_bias"] = not ((layered.batch_norm or layered.group_norm) and normalised(order))
    between = getattr(layered, "depthwise_initializer", None)
    if between is not None and between.word == "auto":
        update["depthwise_initializer"] = scaled(1.0)  # No activation follows it.
    return stage.model_copy(update={stage.word: layered.model_copy(update=update)})


def _norm(stage: Layered, defaults: Defaults, key: str) -> Any:
    """The stage's own norm, with what it leaves out taken from the norm of the same name."""
    own, common = getattr(stage, key), getattr(defaults, key)
    if own is None or common is None:
        return own
    left = {name: getattr(common, name) for name in type(own).model_fields}
    given = {name: getattr(own, name) for name in own.model_fields_set}
    return own.model_copy(update={**left, **given})


def _around(block: Residual, defaults: Defaults) -> dict[str, Any]:
    """What a block's sum and its projection take from the defaults."""
    kernel = block.kernel_initializer or defaults.kernel_initializer
    update: dict[str, Any] = {
        "activation": block.activation or defaults.activation,
        # No activation follows a projection.
        "kernel_initializer": scaled(1.0) if kernel.word == "auto" else kernel,
    }
    if "kernel_regularizer" not in block.model_fields_set:
        update["kernel_regularizer"] = defaults.kernel_regularizer
    return update


def _whole(stage: Stage, update: dict[str, Any]) -> Stage:
    return stage.model_copy(update={stage.word: stage.options.model_copy(update=update)})


def _source(source: Choice) -> Choice:
    """With absolute paths: a run may be resumed from another folder."""
    key = {"folder": "path", "tfds": "data_dir"}.get(source.word)
    path = getattr(source.options, key) if key else None
    if key is None or path is None:
        return source
    absolute = os.path.abspath(os.path.expanduser(path))
    options = source.options.model_copy(update={key: absolute})
    return source.model_copy(update={source.word: options})


class _Dumper(yaml.SafeDumper):
    """Writes what `zoo.recipe.yaml_reader` reads back as the same value."""


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
_Dumper.add_representer(tuple, lambda dumper, value: dumper.represent_list(value))


def dump(recipe: Recipe) -> str:
    """A recipe as YAML text that loads as the same recipe."""
    return dump_data(recipe.model_dump())


def dump_data(data: Any) -> str:
    """A recipe's data, as given or resolved, as YAML text that reads back as the same."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)
