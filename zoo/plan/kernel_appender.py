"""Appends layers with kernels: convolutions, fully connected layers and whitened patches."""

from __future__ import annotations

from math import prod

from zoo.plan.appender import Appender
from zoo.plan.layer import Shape
from zoo.plan.options import (
    ConvOptions,
    DepthwiseConvOptions,
    FcOptions,
    HeadOptions,
    WhitenOptions,
)
from zoo.plan.sliding import slide, times
from zoo.recipe.fields import MAX_COUNT


class KernelAppender(Appender):
    """Each method appends a layer with a kernel."""

    def conv(self, name: str, options: ConvOptions) -> None:
        """Appends a convolution."""
        if not self.spatial("a conv stage"):
            return
        channels, groups = self.shape[-1], options.groups
        if channels % groups:
            self.fail(f"groups={groups} does not divide its {channels} input channels", "groups")
            return
        weights = prod(options.kernel_size) * channels // groups * options.filters
        self._convolution("conv", name, options, options.filters, weights)

    def depthwise_conv(self, name: str, options: DepthwiseConvOptions) -> None:
        """Appends a convolution of each channel on its own."""
        if self.spatial("a depthwise_conv stage"):
            filters = self.shape[-1] * options.depth_multiplier
            if filters > MAX_COUNT:
                self.fail(
                    f"{name} makes {filters:,} channels of {self.shape[-1]:,}. Expected at most "
                    f"{MAX_COUNT:,}: frameworks count in 32 bits",
                    "depth_multiplier",
                )
                return
            weights = prod(options.kernel_size) * filters
            self._convolution("depthwise_conv", name, options, filters, weights)

    def _convolution(
        self,
        kind: str,
        name: str,
        options: ConvOptions | DepthwiseConvOptions,
        filters: int,
        weights: int,
    ) -> None:
        dilated = [
            dilation * (size - 1) + 1
            for size, dilation in zip(options.kernel_size, options.dilation_rate, strict=True)
        ]
        size = self.slid(name, options.kernel_size, dilated, options.strides, options.padding)
        if size is None or not self._meets_input(name, options):
            return
        bias = filters * options.use_bias
        self.add(
            kind,
            name,
            (*size, filters),
            trainable=weights + bias,
            flops=prod(size) * (2 * weights + bias),
            options=options,
        )

    def _meets_input(self, name: str, options: ConvOptions | DepthwiseConvOptions) -> bool:
        """Whether dilation leaves more of a kernel than padding; notes a problem where it does not.

        From twice the side on, the outer points of a kernel never meet the input, not even those of
        a kernel of two; the padding, though, takes memory and time.
        """
        for axis, side in enumerate(self.shape[:2]):
            dilation = options.dilation_rate[axis]
            if options.kernel_size[axis] > 1 and dilation >= 2 * max(side, 2):
                self.fail(
                    f"{name}: points of the kernel are {dilation:,} pixels apart, its input has "
                    f"{times(self.shape[:2])}: all but the middle lie in the padding. Expected "
                    f"dilation_rate below {side}",
                    "dilation_rate",
                )
                return False
        return True

    def whiten(self, name: str, options: WhitenOptions) -> None:
        """Appends a convolution whose kernel whitens patches; its bias alone is trained."""
        size = self.slid(name, options.kernel_size, options.kernel_size, (1, 1), "valid")
        if size is None:
            return
        weights = prod(options.kernel_size) * self.shape[-1] * options.filters
        self.add(
            "whiten",
            name,
            (*size, options.filters),
            trainable=options.filters,
            fixed=weights,
            flops=prod(size) * (2 * weights + options.filters),
            options=options,
        )

    def slid(
        self,
        name: str,
        kernel_size: Shape,
        dilated: list[int] | Shape,
        strides: Shape,
        padding: str,
    ) -> tuple[int, int] | None:
        """Height and width after a kernel; None, and a problem, where it does not fit.

        Args:
            name: of the layer, for the problem.
            kernel_size: as the recipe gives it, for the problem.
            dilated: height and width that the kernel spans.
            strides: down and across.
            padding: `same` or `valid`.
        """
        before = self.shape[:2]
        after = slide(before, dilated, strides, padding)
        if min(after) < 1:
            other = "" if self.path[-1] == "whiten" else "padding: same, "
            self.fail(
                f"{name} ({times(kernel_size)}, padding: valid) turns {times(before)} into "
                f"{times(after)}: use {other}a smaller kernel or larger images"
            )
            return None
        return after

    def dense(self, kind: str, name: str, options: FcOptions | HeadOptions) -> None:
        """Appends a fully connected layer; the shape must be a vector's."""
        if self.stopped:
            return
        weights = self.shape[0] * options.units
        bias = options.units * options.use_bias
        self.add(
            kind,
            name,
            (options.units,),
            trainable=weights + bias,
            flops=2 * weights + bias,
            options=options,
        )
