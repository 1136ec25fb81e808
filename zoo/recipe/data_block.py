"""The `data` block of a recipe."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from zoo.recipe import words
from zoo.recipe.fields import Choice, Model, Pair, choice, tuple_of, without_required
from zoo.recipe.pixels import Transparency, ValueRange
from zoo.recipe.presets import PRESETS
from zoo.recipe.source import Source
from zoo.recipe.subset import Classes, Fold
from zoo.recipe.words.word import LARGEST, POSITIVE

if TYPE_CHECKING:
    Augmentation = Choice
    Preset = str
else:
    Preset = Literal[tuple(PRESETS)]
    Augmentation = choice(
        "Augmentation",
        "A random change of training images.",
        words.AUGMENTATIONS,
        "augmentation",
    )


class Data(Model):
    """The images: where they are, and how they are read, normalised and augmented."""

    model_config = ConfigDict(json_schema_extra=without_required)

    preset: Preset | None = Field(
        None,
        exclude=True,
        description="A known data set, with its source, image_size and color_mode; "
        "keys beside it win. `data: cifar10` is `data: {preset: cifar10}`.",
    )
    source: Source = Field(
        description="digits, {folder: PATH}, {csv: {...}}, {shards: PATH} or {tfds: NAME}."
    )
    classes: Classes | None = Field(
        None,
        description="Classes to learn, in the order of their labels: [cat, dog], or merged ones: "
        "{pet: [cat, dog], other: all_others}, where other is every class that is not named. "
        "Without all_others their images are left out. none: all classes.",
    )
    fold: Fold | None = Field(
        None,
        description="A fold of cross-validation, as `zoo train --folds` sets it; none: the splits "
        "of the source.",
    )
    image_size: Pair | None = Field(
        None, description="[height, width] in pixels; needed unless a preset or digits give it."
    )
    color_mode: Literal["rgb", "grayscale"] = Field("rgb", description="Channels: 3 or 1.")
    interpolation: Literal["bilinear", "bicubic", "nearest", "area", "lanczos3"] = Field(
        "bilinear", description="How images of another size are resized, with antialiasing."
    )
    crop_to_aspect_ratio: bool = Field(
        False, description="Keep the aspect ratio: cut the longer side off."
    )
    pad_to_aspect_ratio: bool = Field(
        False, description="Keep the aspect ratio: pad the shorter side with black."
    )
    transparency: Transparency | None = Field(
        None,
        description="What becomes of alpha; none: it is dropped, and training stops where that "
        "empties most images of a class.",
    )
    value_range: ValueRange | None = Field(
        None,
        description="Values that become 0 and 255 in images of more than 8 bits a channel; auto: "
        "the smallest and largest of the training images; none: 0 and 65,535 (the high byte).",
    )
    preprocess: Literal[
        "none",
        "scale01",
        "scale11",
        "mean_image",
        "channel_mean",
        "channel_meanstd",
        "global_mean",
        "global_meanstd",
        "samplewise_mean",
        "samplewise_meanstd",
    ] = Field(
        "channel_meanstd",
        description="Normalisation; its statistics come from the training split alone, or from the "
        "image itself.",
    )
    augment: tuple_of(Augmentation) = Field(  # type: ignore[valid-type]
        (),
        description="Random changes of the training images, drawn for each image, in this order.",
    )
    on_bad_image: Literal["error", "skip"] = Field(
        "error",
        description="error: an unreadable file stops the run; skip: it is left out and listed.",
    )
    max_megapixels: float = Field(
        50.0,
        ge=POSITIVE["ge"],
        le=LARGEST,
        description="Larger images count as unreadable: a small file can unpack to gigabytes.",
    )
    loading: Literal["auto", "resident", "streamed"] = Field(
        "auto",
        description="resident: decoded once into a cache; streamed: decoded as needed; "
        "auto: resident if it fits into half the free memory.",
    )

    @model_validator(mode="after")
    def _fits(self) -> Data:
        if self.preset is not None:
            raise PydanticCustomError(
                "not_written_out",
                "is read from a recipe, before its values are changed. Write the preset's own keys",
                {"at": ("preset",)},
            )
        if self.crop_to_aspect_ratio and self.pad_to_aspect_ratio:
            raise PydanticCustomError(
                "aspect",
                "crop_to_aspect_ratio and pad_to_aspect_ratio exclude each other; keep one of them",
                {"at": ("pad_to_aspect_ratio",)},
            )
        return self
