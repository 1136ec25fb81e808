"""What manifest.json of an export holds. Keys that are not named here are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from zoo.rundir.schema import ImageRangesInfo, Pair, Stored

Colour = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]
Pixels = Annotated[int, Field(ge=1, le=2**20)]


class ImageInfo(Stored):
    """`image`: how images become the model's input."""

    height: Pixels
    width: Pixels
    channels: Annotated[int, Field(ge=1, le=4)]
    interpolation: str
    crop_to_aspect_ratio: bool = False
    pad_to_aspect_ratio: bool = False
    transparency: Literal["drop", "alpha"] | Colour = "drop"
    value_range: Pair | None = None


class FileInfo(Stored):
    """An entry of `files`."""

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    bytes: Annotated[int, Field(ge=0)] | None = None


class Manifest(Stored):
    """manifest.json."""

    format: Literal["saved_model", "keras", "onnx", "litert"]
    classes: Annotated[list[str], Field(min_length=1)]
    image: ImageInfo
    image_ranges: ImageRangesInfo | None = None
    files: dict[str, FileInfo]
