"""What is known of a part before its code runs. Light."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Kind of a part -> how sentences call it.
KINDS = {
    "activation": "an activation",
    "layer": "a layer",
    "augmentation": "an augmentation",
    "loss": "a loss",
    "metric": "a metric",
    "callback": "a callback",
    "initializer": "an initializer",
}
# Kind -> where a recipe takes it.
PLACES = {
    "activation": "activation",
    "layer": "model.stack",
    "augmentation": "data.augment",
    "loss": "train.loss",
    "metric": "train.metrics",
    "callback": "train.callbacks",
    "initializer": "kernel_initializer",
}


@dataclass(frozen=True)
class Origin:
    """Where the code of a part is.

    Attributes:
        reference: `FILE.py:NAME` with an absolute path, or `PACKAGE.MODULE:NAME`; with `WORD = `
            in front where the word is not the name.
        file: the file that holds the definition.
        module: of an installed package; None for a file of the user's.
        name: of the class or function in the file.
        line: of its definition.
        sha256: of the file's text.
    """

    reference: str
    file: Path
    module: str | None
    name: str
    line: int
    sha256: str

    @property
    def place(self) -> str:
        """The file and line, for people."""
        return f"{self.shown_file}:{self.line}"

    @property
    def shown_file(self) -> str:
        """The file, relative where it lies below the working directory."""
        try:
            relative = os.path.relpath(self.file)
        except (OSError, ValueError):
            return str(self.file)
        return str(self.file) if relative.startswith("..") else relative


# Not compared by value: a reader returns the same object for the same source.
@dataclass(frozen=True, eq=False)
class Part:
    """A class or function that a recipe uses by a word.

    Attributes:
        word: in the recipe.
        kinds: keys of `KINDS`. A layer is an activation, too; a function of labels and logits is a
            loss and a metric.
        origin: where its code is.
        description: first paragraph of its docstring.
        options: a pydantic model with a field for each option.
        unwritten: options whose defaults only running the code would tell; a recipe that leaves
            one out says nothing of it.
        is_class: whether it is a class; else a function.
    """

    word: str
    kinds: tuple[str, ...]
    origin: Origin
    description: str
    options: Any
    is_class: bool
    unwritten: frozenset[str] = field(default_factory=frozenset)

    @property
    def kind(self) -> str:
        """How a sentence calls it: `a layer`, `a loss or metric`."""
        first, *others = self.kinds
        if first == "layer":
            return KINDS[first]
        return " or ".join([KINDS[first], *(KINDS[kind].split(" ", 1)[1] for kind in others)])

    def as_json(self) -> dict[str, Any]:
        """The entry of `plugins` in run.json."""
        return {
            "word": self.word,
            "kind": self.kinds[0],
            "reference": self.origin.reference,
            "file": str(self.origin.file),
            "name": self.origin.name,
            "sha256": self.origin.sha256,
        }


def values_of(part: Part, options: Any) -> dict[str, Any]:
    """What a part is called with: the options that a recipe gives, and defaults that it writes.

    Args:
        part: the part.
        options: an object of `part.options`.
    """
    values: Mapping[str, Any] = options.model_dump()
    given = options.model_fields_set
    return {
        key: _plain(value)
        for key, value in values.items()
        if key in given or key not in part.unwritten
    }


def _plain(value: Any) -> Any:
    """A value as YAML gives it: lists, not tuples."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
