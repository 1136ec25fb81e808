"""The source `csv`: which columns of a table hold the images, their labels and their splits."""

from __future__ import annotations

import codecs
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import AS_READ, MAX_TEXT, Model
from zoo.recipe.shown import received
from zoo.recipe.source_fields import AUTO, HERE, PathText, SplitShare
from zoo.recipe.words.word import MAX_ITEMS


def _column(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_COLUMNS:
        return value
    if isinstance(value, str) and 0 < len(value) <= MAX_TEXT:
        return value
    raise PydanticCustomError(
        "column",
        "not a column. Expected its name, or with header: false its number from 0. "
        "Received {given}",
        {"given": received(value)},
    )


def _columns(value: Any) -> Any:
    if not isinstance(value, list | tuple):
        return _column(value)
    if not 0 < len(value) <= MAX_ITEMS:
        raise PydanticCustomError(
            "columns",
            "Expected 1 to {most} columns. Received {count}",
            {"most": f"{MAX_ITEMS:,}", "count": f"{len(value):,}"},
        )
    columns = tuple(map(_column, value))
    if len(set(map(str, columns))) < len(columns):
        raise PydanticCustomError("columns", "names a column twice; leave one of them out", {})
    return columns


def _split_values(value: Any) -> Any:
    if value == AUTO or value is None:
        return value
    values = value if isinstance(value, list | tuple) else (value,)
    if not 0 < len(values) <= MAX_ITEMS or not all(isinstance(v, str | int) for v in values):
        raise PydanticCustomError(
            "split_values",
            "not values of the split column. Expected one, a list of them, or auto. "
            "Received {given}",
            {"given": received(value)},
        )
    # YAML's true is Python's True, and pandas writes it so.
    return tuple(str(value) for value in values)


def _encoding(name: str) -> str:
    try:
        is_text = codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        is_text = False
    if name != AUTO and not is_text:
        raise PydanticCustomError(
            "encoding",
            "unknown encoding '{given}'. Expected one that Python knows, such as utf-8, cp1252, "
            "latin-1, shift_jis, gb18030 or cp1251; or auto",
            {"given": name},
        )
    return name


_NAMED = {"tab": "\t", "comma": ",", "semicolon": ";", "space": " ", "pipe": "|"}


def _separator(text: str) -> str:
    return _NAMED.get(text, text)


def _delimiter(text: str) -> str:
    if text == AUTO or text in _NAMED:
        return _separator(text)
    if len(text) != 1 or text in '\r\n"':
        raise PydanticCustomError(
            "delimiter",
            "not a delimiter. Expected one character, tab, space, or auto. Received {given}",
            {"given": ascii(text)},
        )
    return text


MAX_COLUMNS = 2**20
_COLUMN_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "integer", "minimum": 0}]}
_VALUE_SCHEMA = {"type": ["string", "integer", "boolean"]}
Column = Annotated[str | int, PlainValidator(_column), WithJsonSchema(_COLUMN_SCHEMA)]
Columns = Annotated[
    str | int | tuple[str | int, ...],
    PlainValidator(_columns),
    AS_READ,
    WithJsonSchema(
        {"anyOf": [*_COLUMN_SCHEMA["anyOf"], {"type": "array", "items": _COLUMN_SCHEMA}]}
    ),
]
SplitValues = Annotated[
    str | tuple[str, ...],
    PlainValidator(_split_values),
    AS_READ,
    WithJsonSchema({"anyOf": [_VALUE_SCHEMA, {"type": "array", "items": _VALUE_SCHEMA}]}),
]


class Csv(Model):
    """A table with a row for each image: a CSV, TSV or Parquet file."""

    file: PathText = Field(description="The table; its first line names the columns.")
    image: Column = Field(description="Column of the images' paths, relative to root.")
    label: Columns = Field(
        description="Column of the class; or a list of columns that hold 1 for the classes of an "
        "image, else 0: multi-label.",
    )
    split: Column | None = Field(
        None,
        description="Column with train, validation (val, dev) or test; none: splits are drawn.",
    )
    group: Column | None = Field(
        None,
        description="Column that is equal for images of one patient, video or place; such images "
        "never lie in two splits; none: each image is by itself.",
    )
    root: PathText = Field(
        HERE,
        description="Folder of the images; a relative one is looked for beside the table first.",
    )
    label_separator: Annotated[str, AfterValidator(_separator)] | None = Field(
        None,
        min_length=1,
        max_length=10,
        description="Stands between the labels of one image, as in cat|dog: multi-label; also "
        "space, tab, comma, semicolon, pipe.",
    )
    multi_label: bool | None = Field(
        None,
        description="Whether an image has any number of classes; false: of several label columns "
        "exactly one holds 1; true: rows of one image add their labels; none: as label and "
        "label_separator say.",
    )
    image_suffix: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Added to paths that do not end as images do, such as .jpg.",
    )
    train: SplitValues = Field(
        AUTO, description="Value, or list of values, of the split column; auto: by their names."
    )
    validation: SplitValues | None = Field(
        AUTO, description="Likewise; none: such rows are left out."
    )
    test: SplitValues | None = Field(
        AUTO, description="Likewise; none: such rows are left out, and no test."
    )
    validation_split: SplitShare | None = Field(
        None,
        description="Share of training images kept for validation where no row says so; none: 0.1.",
    )
    test_split: SplitShare | None = Field(
        None,
        description="Share of images kept for the test; none: 0.1 where there is no split column.",
    )
    split_seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of these splits, apart from the run's seed."
    )
    header: bool = Field(
        True, description="Whether the first line names the columns; false: they are numbers."
    )
    delimiter: Annotated[str, AfterValidator(_delimiter)] = Field(
        AUTO, max_length=10, description="Between the columns; auto: comma, tab, semicolon or |."
    )
    encoding: Annotated[str, AfterValidator(_encoding)] = Field(
        AUTO, max_length=100, description="auto: UTF-8, or what the file's first bytes say."
    )
    follow_links: bool = Field(
        False, description="Whether links may lead out of root; if not, they are errors."
    )
    manifest: PathText | None = Field(
        None,
        description="File of the names, sizes and hashes of all images, which are then neither "
        "looked for nor verified; zoo show --write-manifest writes it; none: images are verified.",
    )

    @property
    def label_columns(self) -> tuple[str | int, ...]:
        """The columns of the labels, one or several."""
        return self.label if isinstance(self.label, tuple) else (self.label,)

    @property
    def columns(self) -> tuple[str | int, ...]:
        """All columns that are read: image, labels, and those of split and group if given."""
        more = [column for column in (self.split, self.group) if column is not None]
        return (self.image, *self.label_columns, *more)

    @property
    def has_many_labels(self) -> bool:
        """Whether an image has any number of classes."""
        if self.multi_label is None:
            return isinstance(self.label, tuple) or self.label_separator is not None
        return self.multi_label

    @model_validator(mode="after")
    def _fits(self) -> Csv:
        if self.label_separator is not None and isinstance(self.label, tuple):
            raise _misfit("label_separator", "label names columns that hold 0 or 1")
        if self.label_separator is not None and self.multi_label is False:
            raise _misfit("label_separator", "multi_label is false, so that each image has one")
        named = [n for n in ("train", "validation", "test") if getattr(self, n) != AUTO]
        if named and self.split is None:
            raise _misfit(named[0], "no column of splits is given; add split: COLUMN")
        values = [v for n in named for v in getattr(self, n) or ()]
        twice = next((v for v in values if values.count(v) > 1), None)
        if twice is not None:
            raise _misfit(named[-1], f"{received(twice)} is named for a split already")
        wrong = [c for c in self.columns if not isinstance(c, int)]
        if not self.header and wrong:
            raise _misfit(
                "header", f"without names of columns, {wrong[0]} must be a number, from 0"
            )
        return self


def _misfit(at: str, why: str) -> PydanticCustomError:
    return PydanticCustomError(
        "misfit", "does not fit: {why}; change one of the two", {"why": why, "at": (at,)}
    )
