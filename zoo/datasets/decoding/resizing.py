"""Resizes images as training does; `zoo.export.resample` computes the same in a graph."""

from __future__ import annotations

import numpy as np
from PIL import Image

from zoo.datasets.spec import ImageSpec

RESAMPLING = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "area": Image.Resampling.BOX,
    "lanczos3": Image.Resampling.LANCZOS,
}


def resized(image: Image.Image, spec: ImageSpec) -> Image.Image:
    """Returns an image at the size of a spec.

    Args:
        image: of mode L or RGB.
        spec: has the size, the interpolation, and whether to crop or pad.
    """
    resample = RESAMPLING[spec.interpolation]
    size = (spec.width, spec.height)
    width, height = image.size
    if image.size == size:
        return image
    if spec.pad_to_aspect_ratio:
        scale = min(spec.width / width, spec.height / height)
        inner = (
            min(spec.width, max(1, round(width * scale))),
            min(spec.height, max(1, round(height * scale))),
        )
        canvas = Image.new(image.mode, size)
        left, top = (spec.width - inner[0]) // 2, (spec.height - inner[1]) // 2
        canvas.paste(_scaled(image, inner, resample), (left, top))
        return canvas
    if spec.crop_to_aspect_ratio:
        # The window of keras.utils.image_dataset_from_directory, rounding included.
        crop_width = max(1, min(width, int(height * spec.width / spec.height)))
        crop_height = max(1, min(height, int(width * spec.height / spec.width)))
        left, top = (width - crop_width) // 2, (height - crop_height) // 2
        box = (left, top, left + crop_width, top + crop_height)
        # Not resize(box=...), which also reads pixels outside of the box.
        image = image.crop(box)
    return _scaled(image, size, resample)


def _scaled(image: Image.Image, size: tuple[int, int], resample: Image.Resampling) -> Image.Image:
    if resample is not Image.Resampling.NEAREST:
        # The width first. Pillow's own order depends on its version and the image's shape, and an
        # export must round as training did.
        return image.resize((size[0], image.height), resample).resize(size, resample)
    # In integers: Pillow sums up a fraction, which an export cannot reproduce.
    values = np.asarray(image)
    for axis, (old, new) in enumerate(zip(values.shape, reversed(size), strict=False)):
        values = values.take((2 * np.arange(new) + 1) * old // (2 * new), axis)
    return Image.fromarray(np.ascontiguousarray(values))
