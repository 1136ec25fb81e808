"""Where a recipe's images come from, with their splits."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.fields import MAX_PATH, MAX_TEXT, Choice, Model
from zoo.recipe.shown import cut
from zoo.recipe.slow_pattern import checked_pattern

# Enough for any vocabulary: ImageNet-21k has 21,841 classes.
MAX_CLASSES = 2**24
# Of a path: no letter, and easily written by a backslash in double quotes.
_CONTROL = re.compile("[\x00-\x1f\x7f-\xa0\u2028\u2029]")


def _read_path(path: str) -> str:
    r"""Refuses what "C:\temp\new" becomes in double quotes: a tab, and a line break.

    On POSIX a name may hold such characters: absolute paths, as runs have them, may.
    """
    found = _CONTROL.search(path)
    if found and not path.startswith("/"):
        raise PydanticCustomError(
            "path",
            "holds {letter}, which no Windows path has: in double quotes, \\t is a tab and \\n a "
            "line break. Write the path in single quotes, or with / instead of \\",
            {"letter": ascii(found[0])},
        )
    return path


PathText = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(_read_path)]
Name = Annotated[str, Field(max_length=MAX_TEXT)]
SplitShare = Annotated[float, Field(gt=0.0, lt=1.0)]
AUTO = "auto"
HERE = "."
PARENT = "parent"


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise PydanticCustomError(
            "inside",
            "not inside the data set. Expected the name of a folder in it, or a path relative to "
            "it. Received '{given}'",
            {"given": name},
        )
    return name


FolderName = Annotated[str, Field(min_length=1, max_length=MAX_PATH), AfterValidator(_inside)]


class Digits(Model):
    """The 1,797 8x8 grey digits that scikit-learn ships: 1,257 train, 180 validation, 360 test."""


class Folder(Model):
    """Image files, a folder for each class."""

    path: PathText = Field(
        description="Holds train/CLASS, validation/CLASS, test/CLASS, or CLASS folders alone.",
    )
    validation_split: SplitShare | None = Field(
        None,
        description="Share of training images kept for validation where it has no folder; "
        "none: 0.1.",
    )
    test_split: SplitShare | None = Field(
        None,
        description="Share of images kept for the test where there are only class folders; "
        "none: 0.1.",
    )
    split_seed: int = Field(
        0, ge=0, lt=2**31, description="Seed of these splits, apart from the run's seed."
    )
    train: FolderName = Field(
        AUTO,
        description="Folder of the training images in path; auto: by its name; .: path itself, "
        "all of whose folders are classes.",
    )
    validation: FolderName | None = Field(
        AUTO, description="Folder of the validation images; auto: by its name; none: left out."
    )
    test: FolderName | None = Field(
        AUTO,
        description="Folder of the test images; auto: by its name; none: left out, and no test.",
    )
    labels_from: Literal["folder", "filename"] = Field(
        "folder",
        description="folder: the folders of a split are its classes; filename: what stands before "
        "the number in a file's name is its class, as in cat.0.jpg.",
    )
    label_pattern: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        description="Regular expression, searched in a file's name; its first group is the class. "
        "Needs labels_from: filename.",
    )
    group: str | None = Field(
        None,
        min_length=1,
        max_length=MAX_TEXT,
        description="What keeps images of one patient or video in one split. parent: the folder "
        "within that of the class, as in CLASS/PATIENT/*.jpg; else a regular expression, searched "
        "in a file's path within its split, whose group is the name: '(patient[0-9]+)_'.",
    )
    follow_links: bool = Field(
        False, description="Whether links may lead out of path; if not, they are errors."
    )

    @field_validator("label_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        return pattern and checked_pattern(pattern, r"^([a-z]+)_\d+")

    @field_validator("group")
    @classmethod
    def _is_group(cls, pattern: str | None) -> str | None:
        if pattern is None or pattern == PARENT:
            return pattern
        checked_pattern(pattern, r"(patient\d+)_")
        groups = re.compile(pattern).groups
        if groups > 1:
            raise PydanticCustomError(
                "group",
                "which of {count} groups in ( ) is the name? Expected one; write the others as "
                "(?: ). Received '{pattern}'",
                {"count": groups, "pattern": cut(pattern)},
            )
        return pattern

    @model_validator(mode="after")
    def _fits(self) -> Folder:
        if self.label_pattern is not None and self.labels_from == "folder":
            raise PydanticCustomError(
                "label_pattern",
                "says how to read labels from names of files, and labels come from folders; set "
                "labels_from: filename, or drop it",
                {"at": ("label_pattern",)},
            )
        return self


class Tfds(Model):
    """A TensorFlow Datasets builder."""

    name: Name = Field(min_length=1, description="Builder, with config and version if wanted.")
    train: Name = Field("train[:90%]", description="Split to train on.")
    validation: Name = Field("train[90%:]", description="Split to choose the best epoch by.")
    test: Name | None = Field(
        "test", description="Split to measure the trained network on, or none."
    )
    data_dir: PathText | None = Field(
        None, description="Folder of the prepared data; none: TFDS's own."
    )
    num_classes: int | None = Field(
        None,
        ge=1,
        le=MAX_CLASSES,
        description="Number of classes of the data set, so that zoo show need not load it.",
    )


class Source(Choice):
    """Where the images come from. A source carries its own splits."""

    digits: Digits | None = Field(None, description="scikit-learn's digits, offline.")
    folder: Folder | None = Field(None, description="A folder of image files.")
    tfds: Tfds | None = Field(None, description="A TensorFlow Datasets builder.")
