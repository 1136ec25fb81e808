"""The source `shards`: tar files of images and labels, as WebDataset writes them."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.brace_patterns import WrongBraces, expand
from zoo.recipe.fields import AS_READ, MAX_COUNT, MAX_PATH, MAX_TEXT, Model
from zoo.recipe.shown import cut, received
from zoo.recipe.source_fields import AUTO, PathText, SplitShare, checked_group
from zoo.recipe.words.word import MAX_ITEMS

ALL = "all"
WINDOW = 16_384  # Images that are shuffled together: 16 shards of 1,000.
_ADDRESS = re.compile(r"[a-z0-9+]{2,}://|pipe:", re.IGNORECASE)


def _pattern(pattern: Any) -> str:
    if not isinstance(pattern, str) or not 0 < len(pattern) <= MAX_PATH:
        raise PydanticCustomError(
            "shards",
            "not the name of a shard. Expected a name, a pattern (train-{000000..000146}.tar, "
            "train-*.tar) or a list of them. Received {given}",
            {"given": received(pattern)},
        )
    given = {"given": cut(pattern)}
    if _ADDRESS.match(pattern):
        raise PydanticCustomError(
            "shards",
            "an address. Expected files in path, which may be on a disk that hosts share; copy "
            "the shards there. Received '{given}'",
            given,
        )
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or pattern.startswith("~"):
        raise PydanticCustomError(
            "shards",
            "not inside of path. Expected a name or pattern relative to data.source.shards.path. "
            "Received '{given}'",
            given,
        )
    try:
        expand(pattern)
    except WrongBraces as error:
        raise PydanticCustomError(
            "shards",
            "holds {why}. Expected braces such as train-{000000..000146}.tar. Received '{given}'",
            {"why": str(error), **given},
        ) from None
    return pattern


def _patterns(value: Any) -> Any:
    if value is None:
        return None
    if not isinstance(value, list | tuple):
        return _pattern(value)
    if not 0 < len(value) <= MAX_ITEMS:
        raise PydanticCustomError(
            "shards",
            "Expected 1 to {most} names or patterns. Received {count}",
            {"most": f"{MAX_ITEMS:,}", "count": f"{len(value):,}"},
        )
    return tuple(map(_pattern, value))


def _names(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    names = value if isinstance(value, list | tuple) else ()
    # A number is a name as well: YAML reads 0 as one.
    texts = [str(n) if isinstance(n, int) and not isinstance(n, bool) else n for n in names]
    if not 1 < len(texts) <= MAX_ITEMS or not all(isinstance(n, str) and n for n in texts):
        raise PydanticCustomError(
            "class_names",
            "not names of classes. Expected a list of two or more, in the order of the labels, or "
            "the file that holds one a line. Received {given}",
            {"given": received(value)},
        )
    if len(set(texts)) < len(texts):
        raise PydanticCustomError("class_names", "names a class twice; leave one of them out", {})
    return tuple(texts)


def _window(value: Any) -> Any:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_COUNT
    if value == ALL or is_count:
        return value
    raise PydanticCustomError(
        "window",
        "not a number of images. Expected 1 or more, or all. Received {given}",
        {"given": received(value)},
    )


def _ending(text: str) -> str:
    return text.lower().removeprefix("*").removeprefix(".")


_TEXTS = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
ShardNames = Annotated[
    str | tuple[str, ...], PlainValidator(_patterns), AS_READ, WithJsonSchema(_TEXTS)
]
ClassNames = Annotated[
    str | tuple[str, ...], PlainValidator(_names), AS_READ, WithJsonSchema(_TEXTS)
]
Ending = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_ending)]


Window = Annotated[
    int | str,
    PlainValidator(_window),
    AS_READ,
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"const": ALL}]}),
]


class Shards(Model):
    """Tar files that hold images and their labels, as WebDataset writes them."""

    path: PathText = Field(description="Folder of the shards.")
    train: ShardNames = Field(
        AUTO,
        description="Shards to train on, in path: a name, a pattern (train-{000000..000146}.tar, "
        "train-*.tar) or a list of them; auto: by their names.",
    )
    validation: ShardNames | None = Field(
        AUTO, description="Shards of the validation images; auto: by their names; none: left out."
    )
    test: ShardNames | None = Field(
        AUTO, description="Shards of the test images; auto: by their names; none: left out."
    )
    image: Ending = Field(
        AUTO, description="Ending of the images, such as jpg or left.png; auto: any of an image."
    )
    label: Ending = Field(
        AUTO,
        description="Ending of the members that hold the labels: cls, txt, json ...; auto: json "
        "where label_key is given, else cls.",
    )
    label_key: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        description="Key of the label in JSON; a.b is the key b in the object of the key a.",
    )
    class_names: ClassNames | None = Field(
        None,
        description="Names of the classes in the order of their numbers: a list, or a text file in "
        "path with one a line; none: the labels themselves.",
    )
    group: Annotated[str, AfterValidator(checked_group)] | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        description="What keeps images of one patient or video in one split: a regular expression, "
        "searched in the name of an image in its shard, whose group is the name: "
        "'(patient[0-9]+)_'.",
    )
    shuffle_window: Window = Field(
        WINDOW,
        description="Images that a pass shuffles together, after it has shuffled the shards; all: "
        "all of them.",
    )
    validation_split: SplitShare | None = Field(
        None,
        description="Share of training images kept for validation where it has no shards; "
        "none: 0.1.",
    )
    test_split: SplitShare | None = Field(
        None,
        description="Share of images kept for the test; none: 0.1 where no shard's name says a "
        "split.",
    )
    split_seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of these splits, apart from the run's seed."
    )

    @model_validator(mode="after")
    def _fits(self) -> Shards:
        if self.label_key is not None and not is_json(self.label):
            raise PydanticCustomError(
                "label_key",
                "says which key of JSON is the label, and label is '{label}'; set label: json, or "
                "drop it",
                {"at": ("label_key",), "label": self.label},
            )
        if is_json(self.label) and self.label != AUTO and self.label_key is None:
            raise PydanticCustomError(
                "label_key",
                "missing: label is JSON. Expected the key of the label in it, such as label",
                {"at": ("label_key",)},
            )
        return self

    @property
    def label_ending(self) -> str:
        """The ending of the members that hold the labels."""
        if self.label != AUTO:
            return self.label
        return "json" if self.label_key is not None else "cls"


def is_json(ending: str) -> bool:
    """Whether members of an ending may hold JSON.

    Args:
        ending: as `label` has it.
    """
    return ending == AUTO or ending.split(".")[-1] in ("json", "jsn")
