"""Plans the stages with kernels: convolutions, fully connected layers and whitened patches."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from zoo.plan.kernel_appender import KernelAppender
from zoo.plan.options import (
    ConvOptions,
    DepthwiseConvOptions,
    FcOptions,
    GateActivationOptions,
    GateConvOptions,
    GlobalPoolOptions,
    WhitenOptions,
)
from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import (
    Activation,
    Conv,
    ConvolutionStage,
    DepthwiseConv,
    Fc,
    KernelStage,
    SeparableConv,
)
from zoo.recipe.resolve import fan_in_scaling, full_order
from zoo.recipe.words import ORDER


class KernelPlanner(KernelAppender):
    """Plans stages with kernels; the method for a kind of stage is named after its word."""

    def _conv(self, stage: Conv) -> None:
        def kernel(name: str, strides: tuple[int, int]) -> None:
            self.conv(
                name,
                ConvOptions(
                    filters=stage.filters * pieces(stage),
                    groups=stage.groups,
                    **_window(stage, strides),
                    **_hidden(stage),
                ),
            )

        self._convolving("conv", stage, kernel)

    def _depthwise_conv(self, stage: DepthwiseConv) -> None:
        def kernel(name: str, strides: tuple[int, int]) -> None:
            self.depthwise_conv(
                name,
                DepthwiseConvOptions(
                    depth_multiplier=stage.depth_multiplier * pieces(stage),
                    **_window(stage, strides),
                    **_hidden(stage),
                ),
            )

        self._convolving("depthwise_conv", stage, kernel)

    def _separable_conv(self, stage: SeparableConv) -> None:
        def kernel(name: str, strides: tuple[int, int]) -> None:
            between = {
                "use_bias": False,
                "kernel_initializer": stage.depthwise_initializer,
                "activation": Activation.model_validate("linear"),
                "norm_follows": False,
            }
            depthwise = DepthwiseConvOptions(
                depth_multiplier=stage.depth_multiplier,
                **_window(stage, strides),
                **{**_hidden(stage), **between},
            )
            pointwise = ConvOptions(
                filters=stage.filters * pieces(stage),
                groups=1,
                kernel_size=(1, 1),
                strides=(1, 1),
                padding="same",
                dilation_rate=(1, 1),
                **_hidden(stage),
            )
            self.depthwise_conv(f"{name}_depthwise", depthwise)
            self.conv(name, pointwise)

        self._convolving("separable_conv", stage, kernel)

    def _convolving(
        self, kind: str, stage: ConvolutionStage, kernel: Callable[[str, tuple[int, int]], None]
    ) -> None:
        """Appends the parts of a stage in their order, `repeat` times.

        Args:
            kind: for the names of the layers.
            stage: resolved.
            kernel: appends what stands for `conv` in the order; takes a name and strides.
        """
        base = self.number(kind)
        for repeat in range(1, stage.repeat + 1):
            name = base if stage.repeat == 1 else f"{base}_{repeat}"
            last = repeat == stage.repeat
            for part in full_order(stage.order or ORDER):
                if part == "conv":
                    kernel(name, stage.strides if repeat == 1 else (1, 1))
                elif part == "pool" and last and stage.pool:
                    self.pool(stage.pool)
                else:
                    self.part(part, name, stage, last)

    def _fc(self, stage: Fc) -> None:
        base = self.number("fc")
        self.vector()
        for repeat in range(1, stage.repeat + 1):
            name = base if stage.repeat == 1 else f"{base}_{repeat}"
            for part in full_order(stage.order or ORDER):
                if part == "conv":
                    options = FcOptions(units=stage.units * pieces(stage), **_hidden(stage))
                    self.dense("fc", name, options)
                else:
                    self.part(part, name, stage, repeat == stage.repeat)

    def _whiten(self, stage: Any) -> None:
        if self.last.kind not in ("image", "normalise"):
            self.fail("whiten looks at the images themselves; make it the first stage")
            return
        name = self.number("whiten")
        options = WhitenOptions(
            filters=2 * prod(stage.kernel_size) * self.shape[-1],
            kernel_size=stage.kernel_size,
            epsilon=stage.epsilon,
            images=stage.images,
            use_bias=True,
            kernel_initializer=fan_in_scaling(1.0),  # Until the images are seen.
            bias_initializer=stage.bias_initializer,
            kernel_regularizer=None,
        )
        self.whiten(name, options)
        if not self.stopped:
            self.activation(f"{name}_act", stage.activation)

    def _squeeze_excite(self, block: Any) -> None:
        """Plans squeeze-and-excitation: the last layer times a factor for each channel."""
        if not self.spatial("squeeze_excite"):
            return
        own = block.activation.part
        if block.activation.word in ("maxout", "prelu") or (own and own.is_class):
            self.fail(
                f"{block.activation.word} has no place here. Expected an activation without "
                "weights that keeps the channels",
                "activation",
            )
            return
        name, source = self.number("se"), self.last
        channels = self.shape[-1]
        units = max(int(channels / block.ratio), min(block.min_units, channels))
        pooled = GlobalPoolOptions(word="average", keepdims=True)
        self.add(
            "global_pool", f"{name}_pool", (1, 1, channels), flops=prod(self.shape), options=pooled
        )
        first, second = block.kernel_initializer, block.gate_initializer
        self._gate_conv(f"{name}_reduce", units, block, first)
        self._gate_act(f"{name}_act", block.activation)
        self._gate_conv(f"{name}_expand", channels, block, second)
        self._gate_act(f"{name}_gate", Activation.model_validate(block.gate))
        shape = source.output_shape
        self.add("multiply", name, shape, (source.name, self.last.name), flops=prod(shape))

    def _gate_conv(self, name: str, filters: int, block: Any, initializer: Choice) -> None:
        weights, bias = self.shape[-1] * filters, filters * block.use_bias
        options = GateConvOptions(
            filters=filters, **{**kernel_fields(block), "kernel_initializer": initializer}
        )
        self.add(
            "gate_conv",
            name,
            (1, 1, filters),
            trainable=weights + bias,
            flops=2 * weights + bias,
            options=options,
        )

    def _gate_act(self, name: str, activation: Choice) -> None:
        if activation.word != "linear":
            options = GateActivationOptions(activation=activation)
            self.add("gate_act", name, self.shape, flops=prod(self.shape), options=options)


def kernel_fields(block: Any) -> dict[str, Any]:
    """The fields of `KernelOptions`, from a resolved stage or the head."""
    keys = ("use_bias", "kernel_initializer", "bias_initializer", "kernel_regularizer")
    return {key: getattr(block, key) for key in keys}


def _hidden(stage: KernelStage) -> dict[str, Any]:
    """The fields of `HiddenOptions`, from a resolved stage."""
    hidden = {"activation": stage.activation, "norm_follows": stage.norm_follows}
    return {**kernel_fields(stage), **hidden}


def _window(stage: ConvolutionStage, strides: tuple[int, int]) -> dict[str, Any]:
    """The fields of a convolution's options that say how its kernel slides."""
    keys = ("kernel_size", "padding", "dilation_rate")
    return {"strides": strides, **{key: getattr(stage, key) for key in keys}}


def pieces(stage: KernelStage) -> int:
    """Factor on a kernel's filters or units that the stage's activation needs: 1 but for maxout."""
    activation: Any = stage.activation
    return int(activation.options.pieces) if activation.word == "maxout" else 1
