"""Writes docs/recipe.md from the schema: `python docs/make_recipe.py` (or `make docs`)."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

FILE = Path(__file__).resolve().with_name("recipe.md")
sys.path.insert(0, str(FILE.parent.parent))  # The checkout's zoo, installed or not.

from annotated_types import Ge, Gt, Le, Lt  # noqa: E402 (after the path)
from pydantic import BaseModel  # noqa: E402
from pydantic.fields import FieldInfo  # noqa: E402

from zoo.recipe import Data, Recipe  # noqa: E402
from zoo.recipe.fields import (  # noqa: E402
    MAX_COUNT,
    MAX_MINUTES,
    MAX_WIDTH,
    Choice,
    NoOptions,
)
from zoo.recipe.network import complete  # noqa: E402
from zoo.recipe.presets import PRESETS  # noqa: E402
from zoo.recipe.words.word import (  # noqa: E402
    BELOW_1,
    LARGEST,
    MAX_EPOCHS,
    MAX_GROWTH,
    MAX_SIDE,
    SMALLEST,
)

INTRO = """\
# The recipe

<!-- Made by docs/make_recipe.py from zoo/recipe/schema.py and zoo/recipe/words/: edit those. -->

Every block, key and word of a recipe. `zoo schema` prints the same as JSON Schema, for editors.

A **word with options** is written as the word (`relu`), as the word with its first option
(`{leaky_relu: 0.1}`) or with named options (`{leaky_relu: {negative_slope: 0.1}}`). A **pair** is
`[height, width]`, or one whole number for both; a **range** is `[low, high]`. `none` is allowed
where the type says so. Numbers and words follow YAML 1.2: `1e-3` is a number; `yes`, `no`, `on` and
`off` are words, not booleans.

The tables leave out bounds that only keep numbers where computing makes sense: a number with a
fraction is at most 1e9 in size and, where it must be above 0, at least 1e-37 (about what float32
holds); a side, a kernel, a stride or a window is at most 65,535 pixels (the largest JPEG file), a
number of filters, units, images in a batch or batches 1,048,576, a number of epochs 1,000,000, a
time ten years; the stages of a network, with all that repeats, are 10,000 at most. With every
default written out, a recipe holds at most 100,000 values, so that a run's recipe can be read
again.

## Variants

A recipe that differs little from another says only what differs. `extends` names the other one: a
recipe that ships, or a file, whose path is relative to this one.

```yaml
extends: resnet20                     # or extends: ../base.yaml
name: resnet20-leaky                  # a variant has a name of its own
data: cifar100                        # other images of another size: a preset replaces the base's
model:
  defaults: {activation: {leaky_relu: 0.1}}
train:
  optimizer: {TorchSGD: {weight_decay: 5e-4}}     # its other options are those of the base
  early_stopping: none
set:
  model.stack[0].conv.filters: 12     # one value of a list
```

- Maps are merged key by key; `{SGD: 0.1}` counts as `{SGD: {learning_rate: 0.1}}`. A list, a
  number, a word alone (`SGD`: with its defaults) and another word (`{Adam: ...}`) replace what the
  base has.
- `none` takes a key of the base away, so that its default holds; where `none` is itself a value,
  such as of `batch_norm`, it is that value.
- `set` changes single values of the base, by paths as `--set` has them, where a list would have to
  be repeated. Between braces, such a path needs quotes.
- The order is: the base, the variant, the preset of `data`, `set`, then `--set`.
- The base cannot be a variant itself. Relative paths of the base's data are meant from the base's
  file. Errors name the file that holds the line. The recipe that a run keeps, and
  `zoo show --yaml`, have everything written out. `zoo diff BASE VARIANT` shows what differs.
"""
PRESETS_INTRO = """\
A preset has these values. The names are those of TensorFlow Datasets. The digits are there; other
images are downloaded when they are first needed."""
PLAIN = {int: "whole number", float: "number", bool: "true, false", str: "text"}
# Bounds that the introduction speaks of.
FAR = {
    MAX_COUNT, 2**31, 2**24, MAX_WIDTH, MAX_SIDE, MAX_EPOCHS, -MAX_EPOCHS, MAX_MINUTES, MAX_GROWTH,
    LARGEST, -LARGEST,
}  # fmt: skip
SHORT = {SMALLEST: "> 0", -SMALLEST: "< 0", BELOW_1: "< 1"}
SIGNS = ((Ge, "ge", ">="), (Gt, "gt", ">"), (Le, "le", "<="), (Lt, "lt", "<"))


def anchor(model: type[BaseModel]) -> str:
    """A link to the section of a model."""
    return f"[{model.__name__}](#{model.__name__.lower()})"


def kind_of(kind: Any, metadata: list[Any]) -> str:
    """A type as readers see it: `whole number >= 1`, `a, b or none`, `list of Stage`.

    Args:
        kind: the annotation of a field.
        metadata: pydantic's, which holds the limits of numbers.
    """
    inner = get_args(kind)
    if get_origin(kind) is Annotated:
        inside = [part for extra in inner[1:] for part in getattr(extra, "metadata", [extra])]
        return kind_of(inner[0], [*inside, *metadata])
    if type(None) in inner:
        others = tuple(part for part in inner if part is not type(None))
        of = others[0] if len(others) == 1 else Union[others]  # noqa: UP007 - made at run time
        return f"{kind_of(of, metadata)} or none"
    if get_origin(kind) is Literal:
        return ", ".join(f"`{word}`" for word in inner)
    if kind is Any:
        return "any"
    if get_origin(kind) is dict:
        of = "paths" if inner[0] is str else "names"
        return f"map of {of} to {kind_of(inner[1], [])}"
    if set(inner) == {tuple[str, ...], dict[str, tuple[str, ...] | str]}:
        return "list of names, or map of names to names or all_others"
    if set(inner) == {float, tuple[float, float]}:
        return "number or range"
    if get_origin(kind) in (Union, UnionType):
        of = " or ".join(kind_of(part, []) for part in inner)
        return "number" if set(inner) == {int, float} else of
    if get_origin(kind) is tuple:
        of = kind_of(inner[0], [])
        if Ellipsis in inner:
            return f"list of {of}"
        if len(inner) == 3:
            return f"list of three {of}s"
        return f"range, {of}" if of.startswith(PLAIN[float]) else "pair"
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return anchor(kind)
    return " ".join([PLAIN[kind], " and ".join(limits(metadata))]).strip()


def limits(metadata: list[Any]) -> Iterator[str]:
    """The limits of a number, without those that only keep it where computing makes sense."""
    for kind, name, sign in SIGNS:
        for limit in metadata:
            if isinstance(limit, kind) and (value := getattr(limit, name)) not in FAR:
                yield SHORT.get(value, f"{sign} {value:g}")


def default_of(field: FieldInfo) -> str:
    """The default of a field as readers see it."""
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    return f"`{written(value)}`"


def written(value: Any) -> str:
    """A value as a recipe would give it, in one line."""
    if isinstance(value, Choice):
        options = value.options
        given = {key: getattr(options, key) for key in sorted(options.model_fields_set)}
        return written({value.word: given}) if given else value.word
    if isinstance(value, BaseModel):
        keys = type(value).model_fields
        plain = {key: getattr(value, key) for key in keys if PLAIN.get(keys[key].annotation)}
        return written(plain)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def cell(text: str) -> str:
    """Text for a cell of a table."""
    return text.replace("|", "\\|")


def rows(model: type[BaseModel]) -> Iterator[str]:
    """The table of a block's keys."""
    yield "| key | type | default | |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        kind = kind_of(field.annotation, field.metadata)
        default, text = default_of(field), field.description or ""
        if text.endswith("default: model.defaults."):
            default = "`model.defaults`"
            if "or none" not in text:
                kind = kind.removesuffix(" or none")
        yield f"| `{name}` | {kind} | {default} | {cell(text)} |"


def words(model: type[Choice]) -> Iterator[str]:
    """The table of a choice's words."""
    yield "| word | | options |"
    yield "|---|---|---|"
    for word, field in model.model_fields.items():
        options: type[BaseModel] = get_args(field.annotation)[0]
        yield f"| `{word}` | {cell(field.description or '')} | {listed(options)} |"


def listed(options: type[BaseModel]) -> str:
    """The options of a word, one a line of a cell."""
    if options is NoOptions:
        return ""
    if "_" not in options.__name__:  # A block with a section of its own.
        return anchor(options)
    return "<br>".join(
        f"`{name}`: {cell(field.description or '')} "
        f"{kind_of(field.annotation, field.metadata)}; {default_of(field)}"
        for name, field in options.model_fields.items()
    )


def blocks(model: type[BaseModel], seen: dict[type[BaseModel], None]) -> None:
    """Adds a model and all models in it to `seen`, in the order in which a reader meets them."""
    if model in seen:
        return
    seen[model] = None
    for field in model.model_fields.values():
        for inner in models(field.annotation):
            blocks(inner, seen)


def models(kind: Any) -> Iterator[type[BaseModel]]:
    """The models in an annotation."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        yield kind
    for inner in get_args(kind):
        yield from models(inner)


def presets() -> Iterator[str]:
    """The table of the presets of `data`."""
    yield "| preset | source | image_size | color_mode | classes |"
    yield "|---|---|---|---|--:|"
    for name, block in PRESETS.items():
        source = block["source"]
        tfds = source["tfds"] if isinstance(source, dict) else {}
        splits = [f"{key}: {tfds[key]}" for key in ("train", "validation", "test") if tfds]
        text = f"{tfds['name']}: {', '.join(splits)}" if tfds else source
        size = written(tuple(block["image_size"]))
        cropped = ", cropped" if block.get("crop_to_aspect_ratio") else ""
        classes = tfds.get("num_classes", 10)
        yield f"| `{name}` | {text} | {size}{cropped} | {block['color_mode']} | {classes} |"


def page() -> str:
    """The whole page."""
    complete()
    seen: dict[type[BaseModel], None] = {}
    blocks(Recipe, seen)
    lines = [INTRO]
    for model in seen:
        if model is NoOptions or "_" in model.__name__:
            continue  # The options of a word are in the table of its choice.
        lines += [f"## {model.__name__}", "", inspect.getdoc(model) or "", ""]
        if issubclass(model, Choice):
            lines += [*words(model), ""]
        elif model.model_fields:
            lines += [*rows(model), ""]
        else:
            lines += ["No keys.", ""]
        if model is Data:
            lines += [PRESETS_INTRO, "", *presets(), ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    FILE.write_text(page(), encoding="utf-8")
    print(f"wrote {FILE.name}")
