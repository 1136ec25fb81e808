"""Where a recipe's images come from, with their splits."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe.csv_source import Csv
from zoo.recipe.fields import MAX_TEXT, Choice, Model
from zoo.recipe.shards_source import Shards
from zoo.recipe.slow_pattern import checked_pattern
from zoo.recipe.source_fields import AUTO, FolderName, PathText, SplitShare, checked_group

Name = Annotated[str, Field(max_length=MAX_TEXT)]
# Enough for any vocabulary: ImageNet-21k has 21,841 classes.
MAX_CLASSES = 2**24
PARENT = "parent"


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
        description="Regular expression, searched in a file's name, or if it holds a slash in its "
        "path within its split; its first group is the class. Needs labels_from: filename.",
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
    manifest: PathText | None = Field(
        None,
        description="File of the names, sizes and hashes of all images, which are then neither "
        "listed nor verified; zoo show --write-manifest writes it; none: images are verified.",
    )

    @field_validator("label_pattern")
    @classmethod
    def _is_pattern(cls, pattern: str | None) -> str | None:
        return pattern and checked_pattern(pattern, r"^([a-z]+)_\d+")

    @field_validator("group")
    @classmethod
    def _is_group(cls, pattern: str | None) -> str | None:
        return pattern if pattern is None or pattern == PARENT else checked_group(pattern)

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
    csv: Csv | None = Field(None, description="A table with a row for each image.")
    shards: Shards | None = Field(None, description="Tar files of images, as of WebDataset.")
    tfds: Tfds | None = Field(None, description="A TensorFlow Datasets builder.")

    @property
    def has_many_labels(self) -> bool:
        """Whether an image has any number of classes."""
        return bool(getattr(self.options, "has_many_labels", False))
