"""Writes docs/recipe.md from the schema: `python docs/make_recipe.py` (or `make docs`)."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

FILE = Path(__file__).resolve().with_name("recipe.md")
sys.path.insert(0, str(FILE.parent.parent))  # The checkout's zoo, installed or not.

from pydantic import BaseModel  # noqa: E402 (after the path)

from zoo.recipe import Data, Recipe  # noqa: E402
from zoo.recipe.described import anchor, blocks, default_of, kind_of, written  # noqa: E402
from zoo.recipe.fields import Choice, NoOptions  # noqa: E402
from zoo.recipe.network import complete  # noqa: E402
from zoo.recipe.presets import PRESETS  # noqa: E402

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
    if not model.model_fields:
        yield "Its words are those of your own parts: see [plugins.md](plugins.md)."
        return
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
