"""What the archives in `report/` of a run folder hold; see `schema.py`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from zoo.rundir.schema import Count, Seconds, Stored

Member = Annotated[str, Field(pattern=r"^[a-z0-9-]{1,80}\.(webp|png)$")]
MAX_KEPT = 2**24


class PredictionsIndex(Stored):
    """Index of the predictions of a split.

    The members are, for `kept` images of the split in their order: `labels` (int32 (kept,); of
    images with any number of classes uint8 (kept, classes)), `classes` (int32 (kept, top): the
    likeliest classes, the likeliest first), `probabilities` (float32 of the same shape),
    `true_probabilities` (float32 (kept,)), `indices` (int64 (kept,): in the split), `names` (JSON:
    paths). With any number of classes an image, `probabilities` is float32 (kept, classes), and
    there are no `classes` and `true_probabilities`.
    """

    format: Literal[1]
    split: Literal["test", "validation"]
    images: Count
    kept: Annotated[int, Field(ge=0, le=MAX_KEPT)]
    classes: Annotated[int, Field(ge=1, le=2**20)]
    top: Annotated[int, Field(ge=1, le=2**20)]
    multi_label: bool = False
    named: bool = False
    model_sha256: str | None
    fingerprint: str
    seconds: Seconds | None = None

    @model_validator(mode="after")
    def _fits(self) -> PredictionsIndex:
        if self.kept > self.images or self.top > self.classes:
            raise ValueError("kept and top: Expected at most the number of images and of classes")
        return self


class Thumbnail(Stored):
    """An image of a split."""

    index: Count
    member: Member


class ThumbnailsIndex(Stored):
    """Index of small images of a split."""

    format: Literal[1]
    split: Literal["test", "validation"]
    model_sha256: str | None
    fingerprint: str
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    images: list[Thumbnail]


class Sample(Stored):
    """A training image: as it is, as augmented, and as the network's first layer sees it."""

    label: str
    name: str = ""
    original: Member
    augmented: list[Member] = []
    augmented_labels: list[str] = []
    normalised: Member | None = None


class Kernels(Stored):
    """Kernels of the first layer, each an image from its lowest to its highest value.

    Attributes:
        layer: name of the layer.
        kind: `kernels` of a convolution, or `templates` of a layer that sees the whole image.
        height: of a kernel.
        width: of a kernel.
        channels: 3 are shown as colours; of others the mean is shown.
        count: number of kernels, shown or not.
        images: those that are shown.
    """

    layer: str
    kind: Literal["kernels", "templates"]
    height: Annotated[int, Field(ge=1)]
    width: Annotated[int, Field(ge=1)]
    channels: Annotated[int, Field(ge=1)]
    count: Annotated[int, Field(ge=1)]
    images: list[Member]


class SamplesIndex(Stored):
    """Index of what a training saw."""

    format: Literal[1]
    model_sha256: str | None
    fingerprint: str
    image_shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    normalisation: str
    normalised_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    augmentations: list[str] = []
    samples: list[Sample] = []
    kernels: Kernels | None = None
    counts: dict[str, list[Count]]
    original_sizes: dict[str, list[int]] | None = None
    duplicates: dict[str, Count] | None = None
