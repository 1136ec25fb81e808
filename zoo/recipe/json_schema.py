"""The JSON Schema of recipes, for editors: what may stand where, and what each key and word does.

Pydantic makes the schema from the models of `zoo.recipe.schema`. Added here: the type and the
default in each description, a description of each word of a list, the form of a word's first option
where it stands alone, and rules that hold between keys. What only loading can tell, such as shapes
that do not fit, an editor does not underline. Light.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, get_args

from zoo.files.json_files import dumps
from zoo.plugins.part import Part
from zoo.recipe import own_parts
from zoo.recipe.described import blocks, default_of, kind_of
from zoo.recipe.fields import FIRST_ALONE, NONE, Choice, NoOptions
from zoo.recipe.kernel_stages import NEVER_NONE, KernelStage
from zoo.recipe.network import NAME_PATTERN, Stage, complete
from zoo.recipe.schema import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_LINK = re.compile(r"\[(\w+)\]\(#\w+\)")
_ENTRY_RULES: dict[str, Any] = {
    "oneOf": [
        {"required": ["values"], "not": {"required": ["step"]}},
        {"required": ["min_value", "max_value"]},
    ],
    "if": {"properties": {"sampling": {"const": "log"}}, "required": ["sampling"]},
    "then": {
        "properties": {"min_value": {"exclusiveMinimum": 0}},
        "not": {"anyOf": [{"required": ["values"]}, {"required": ["step"]}]},
    },
}
# The digits have a size of their own.
_SOURCES: list[dict[str, Any]] = [
    {"required": ["source", "image_size"]},
    {
        "required": ["source"],
        "properties": {
            "source": {"anyOf": [{"const": "digits"}, {"type": "object", "required": ["digits"]}]}
        },
    },
]


def document(parts: Sequence[Part] = ()) -> dict[str, Any]:
    """Return the JSON Schema of a recipe.

    Args:
        parts: of a user's own, whose words it gets.
    """
    complete()
    schema: dict[str, Any] = {"$schema": DIALECT, **Recipe.model_json_schema()}
    definitions = schema["$defs"]
    seen: dict[Any, None] = {}
    blocks(Recipe, seen)
    for model in seen:
        own = schema if model is Recipe else definitions.get(model.__name__)
        if own is None:
            continue
        if "_" in model.__name__ or model is NoOptions:
            own.pop("description", None)  # That of its word.
        if issubclass(model, Choice):
            _describe_words(own, model, definitions)
        else:
            for name, field in model.model_fields.items():
                _describe(own["properties"].get(name), field)
            if issubclass(model, KernelStage):
                for name in own["properties"].keys() & set(NEVER_NONE):
                    options = own["properties"][name].get("anyOf", [])
                    options[:] = [option for option in options if option != NONE]
    _add_rules(schema, definitions)
    own_parts.in_schema(schema, parts)
    _without_titles(schema)
    return schema


def text(parts: Sequence[Part] = ()) -> str:
    """Return the JSON Schema of a recipe as the text of its file.

    Args:
        parts: of a user's own, whose words it gets.
    """
    return dumps(document(parts), indent=1) + "\n"


def _add_rules(schema: dict[str, Any], definitions: dict[str, dict[str, Any]]) -> None:
    """Add rules that hold between keys."""
    definitions["Entry"].update(_ENTRY_RULES)
    definitions["Entry"]["properties"]["values"].update(minItems=2, uniqueItems=True)
    variant, whole = schema["anyOf"]
    variant["required"].append("name")
    whole["not"] = {"required": ["set"]}
    whole["properties"]["data"]["anyOf"][-1:] = _SOURCES
    definitions["Network"]["properties"]["blocks"]["propertyNames"] = {
        "pattern": f"^{NAME_PATTERN}$",
        "not": {"enum": list(Stage.model_fields)},
    }
    # A parameter may stand for any value: a stage of a block is described, and never underlined.
    stages = definitions["Block"]["properties"]["stack"]["anyOf"][0]
    stages["items"] = {"anyOf": [{"$ref": "#/$defs/Stage"}, stages["items"]]}


def _describe(entry: dict[str, Any] | None, field: Any) -> None:
    """Add type and default to a key's description."""
    if entry is None or "description" not in entry:
        return
    kind = _LINK.sub(r"\1", kind_of(field.annotation, field.metadata)).replace("`", "")
    default = default_of(field).strip("*`")
    if field.description.endswith("default: model.defaults."):
        default = "default: that of model.defaults"
        if "or none" not in field.description:
            kind = kind.removesuffix(" or none")
        entry.pop("default", None)
    elif default != "required":
        default = f"default {default}"
    # An editor writes the default behind a key that is chosen from its list.
    if entry.get("default", "") is None:
        if NONE in entry.get("anyOf", []):
            entry["default"] = "none"
        else:
            del entry["default"]
    entry["description"] = f"{field.description} ({kind}; {default})"


def _without_titles(value: Any) -> None:
    """Take out the titles that pydantic makes of names: editors show them above descriptions."""
    if isinstance(value, dict) and isinstance(value.get("title"), str):
        del value["title"]
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            _without_titles(item)


def _describe_words(
    own: dict[str, Any], model: type[Choice], definitions: dict[str, dict[str, Any]]
) -> None:
    """Describe the words of a choice, and say what may stand in the place of their options."""
    *others, with_options = own["anyOf"]
    for word, entry in with_options["properties"].items():
        for part in entry["anyOf"]:
            first = part.pop(FIRST_ALONE, None)
            if first is not None:
                part.update(_alone(first, model, word, definitions))
    for words in others:
        if "enum" in words:
            words["enumDescriptions"] = [
                model.model_fields[word].description or "" for word in words["enum"]
            ]


def _alone(
    first: str, model: type[Choice], word: str, definitions: dict[str, dict[str, Any]]
) -> dict[str, Any]:
    """Return the schema of a word's first option, given without its name: `cutout: 8`."""
    options = get_args(model.model_fields[word].annotation)[0]
    own = definitions[options.__name__]
    if not first or set(own.get("required", [])) - {first}:
        return {"type": "null"} if not own.get("required") else {"not": {}}
    value = {key: part for key, part in own["properties"][first].items() if key != "default"}
    kinds = [value]
    if not own.get("required"):
        kinds.append({"type": "null"})
    return {"not": {"type": "object"}, "anyOf": kinds}
