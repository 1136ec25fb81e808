"""Where a recipe's images come from, with their splits."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from zoo.recipe.fields import Choice, Count, Model

SplitShare = Annotated[float, Field(gt=0.0, lt=1.0)]


class Digits(Model):
    """The 1,797 8x8 grey digits that scikit-learn ships: 1,257 train, 180 validation, 360 test."""


class Folder(Model):
    """Image files, a folder for each class."""

    path: str = Field(
        min_length=1,
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


class Tfds(Model):
    """A TensorFlow Datasets builder."""

    name: str = Field(min_length=1, description="Builder, with config and version if wanted.")
    train: str = Field("train[:90%]", description="Split to train on.")
    validation: str = Field("train[90%:]", description="Split to choose the best epoch by.")
    test: str | None = Field(
        "test", description="Split to measure the trained network on, or none."
    )
    data_dir: str | None = Field(None, description="Folder of the prepared data; none: TFDS's own.")
    num_classes: Count | None = Field(
        None, description="Number of classes, so that zoo show need not load the data."
    )


class Source(Choice):
    """Where the images come from. A source carries its own splits."""

    digits: Digits | None = Field(None, description="scikit-learn's digits, offline.")
    folder: Folder | None = Field(None, description="A folder of image files.")
    tfds: Tfds | None = Field(None, description="A TensorFlow Datasets builder.")
