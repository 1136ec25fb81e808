"""Writes recipes as YAML that reads back as the same values. Light."""

from __future__ import annotations

from typing import Any

import yaml

from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import MAX_BYTES, MAX_NODES, KeyPath, plain

# Values of a resolved recipe for each value given: `conv: 8` becomes forty.
MOST_WRITTEN = 50


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


def unreadable(recipe: Recipe, data: Any) -> tuple[KeyPath, str] | None:
    """What is too long to be read again, with all defaults of a recipe written out.

    Args:
        recipe: resolved.
        data: of it, as given, blocks written out.

    Returns:
        The path and a sentence; None if the recipe can be read again.
    """
    if max(written_size(data)) < MAX_NODES // MOST_WRITTEN:
        return None
    sizes = {key: written_size(value) for key, value in recipe.model_dump().items() if value}
    if sum(values for values, _ in sizes.values()) > MAX_NODES - len(sizes):
        largest = max(sizes, key=lambda key: sizes[key])
        return (
            (largest,),
            f"too long: with all defaults written out, as runs keep it, it holds "
            f"{sizes[largest][0]:,} values. Expected at most {MAX_NODES:,} in a recipe; "
            f"stages that are alike can be a group with repeat.",
        )
    # A character may be written as ten, "\U0001F600".
    if sum(characters for _, characters in sizes.values()) > MAX_BYTES // 16:
        return (), f"holds too much text. Expected at most {MAX_BYTES // 16:,} characters."
    return None


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


def flow(data: Any) -> str:
    """Plain data as YAML in one line."""
    text = yaml.dump(
        data, Dumper=_Dumper, sort_keys=False, default_flow_style=True, width=float("inf")
    )
    return text.removesuffix("\n").removesuffix("...").removesuffix("\n")


def dump(recipe: Recipe) -> str:
    """A recipe as YAML text; loading it gives the same recipe."""
    return dump_data(recipe.model_dump())


def dump_data(data: Any) -> str:
    """A recipe's data, as given or resolved, as YAML text; reading it gives the same data."""
    data = _with_empty_parameters(data)
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, default_flow_style=None, width=120)
