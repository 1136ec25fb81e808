"""Sizes that sliding windows leave: the arithmetic of convolutions and pools. Light."""

from __future__ import annotations

from zoo.plan.layer import Shape


def slide(
    size: list[int] | Shape, window: list[int] | Shape, strides: Shape, padding: str
) -> tuple[int, int]:
    """Height and width of a convolution's or a pool's output; 0 where the window does not fit.

    The formulas are those of Keras's padding: ceil(n / s) for `same`, floor((n - k) / s) + 1 for
    `valid`, with size n, window k and stride s.
    """
    if padding == "same":
        height, width = (-(-n // s) for n, s in zip(size, strides, strict=True))
    else:
        height, width = (
            max((n - k) // s + 1, 0) for n, k, s in zip(size, window, strides, strict=True)
        )
    return height, width


def times(size: list[int] | Shape) -> str:
    """(3, 3) as `3x3`."""
    return "x".join(map(str, size))
