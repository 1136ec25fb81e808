"""Mixed images and labels on the device; zoo/augment/mixing.py says what is done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from keras import ops

from zoo.augment.device.tensors import choose, look_up, per_image, rectangle_masks
from zoo.augment.mixing import ONE, ONE_BITS, PIXEL_BITS, PIXEL_ONE

Tensor = Any
HALF_BITS = ONE_BITS // 2


def mixup(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Averages images with their `partners`, int32 (batch,), by `weights` in units of 2^-24."""
    weights = per_image(ops.right_shift(draws["weights"], ONE_BITS - PIXEL_BITS))
    own = ops.cast(images, "int32") * weights
    other = ops.cast(_partners_of(images, draws), "int32") * (PIXEL_ONE - weights)
    return ops.cast(ops.right_shift(own + other + PIXEL_ONE // 2, PIXEL_BITS), "uint8")


def cutmix(images: Tensor, options: Any, draws: Mapping[str, Tensor]) -> Tensor:
    """Pastes the rectangle `tops`, `heights`, `lefts` and `widths` of the `partners`."""
    return choose(rectangle_masks(images, draws), _partners_of(images, draws), images)


def mix_labels(labels: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Averages each label and its partner's, with the weights that were drawn.

    A label times a weight has 48 bits, more than int32. So both are split into halves of 12 bits:
    (a 2^12 + b) (c 2^12 + d) = a c 2^24 + (a d + b c) 2^12 + b d.

    Args:
        labels: float32 (batch, classes), whole multiples of 2^-24 from 0 to 1.
        draws: int32 (batch,) `partners`, and `weights` in units of 2^-24.

    Returns:
        float32 (batch, classes), rounded to multiples of 2^-24, halves up.
    """
    whole = ops.cast(labels * float(ONE), "int32")
    weights = draws["weights"][:, None]
    high = middle = low = 0
    for label, weight in ((whole, weights), (_partners_of(whole, draws), ONE - weights)):
        label_high, label_low = _halves(label)
        weight_high, weight_low = _halves(weight)
        high += label_high * weight_high
        middle += label_high * weight_low + label_low * weight_high
        low += label_low * weight_low
    carry = ops.right_shift(low + ONE // 2, HALF_BITS)
    rounded = high + ops.right_shift(middle + carry, HALF_BITS)
    return ops.cast(rounded, "float32") * (1 / ONE)


def _halves(values: Tensor) -> tuple[Tensor, Tensor]:
    """Splits integers from 0 to 2^24 into multiples of 2^12 and remainders."""
    high = ops.right_shift(values, HALF_BITS)
    return high, values - ops.left_shift(high, HALF_BITS)


def _partners_of(values: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    """Returns each image's partner's values."""
    return look_up(values, draws["partners"])
