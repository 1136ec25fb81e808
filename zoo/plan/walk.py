"""Goes through a resolved stack from shape to shape, making layers and noting what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from zoo.plan.layer import Layer
from zoo.plan.parts import Parts, pieces, slide, times
from zoo.recipe.network import Activation, Conv, DepthwiseConv, Initializer, Layered, stages
from zoo.recipe.norms import NORMS
from zoo.recipe.resolve import full_order, scaled
from zoo.recipe.yaml_reader import Path

# What the second half of a separable convolution takes from its stage.
SHARED = (
    "use_bias",
    "activation",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "dropout",
    "order",
    *NORMS,
)


class Walk(Parts):
    """Goes through the stack, from shape to shape."""

    def go(self) -> None:
        image = self.recipe.image_shape
        self.layers.append(Layer(kind="image", name="image", output_shape=image))
        if self.recipe.data.preprocess != "none":
            self.add("normalise", "normalise", image, flops=2 * prod(image))
        self._stack(self.recipe.model.stack, ("model", "stack"))
        self.path = ("model", "head")
        self.vector()
        head = self.recipe.model.head
        self.dense("logits", self.num_classes, head, kind="head")
        if head.scale != 1.0:
            shape = (self.num_classes,)
            self.add("scale", "logits_scale", shape, flops=shape[0], options=head.scale)

    def _stack(self, stack: tuple[Any, ...], path: Path) -> None:
        for index, stage in enumerate(stack):
            if self.stopped:
                return
            self.path = (*path, index, stage.word)
            getattr(self, f"_{stage.word}")(stage.options)

    def _group(self, group: Any) -> None:
        path = self.path
        for _ in range(group.repeat):
            self._stack(group.stack, (*path, "stack"))

    def _residual(self, block: Any) -> None:
        path, start = self.path, self.layers[-1]
        self._stack(block.stack, (*path, "stack"))
        self.path = path
        if self.stopped:
            return
        end = self.layers[-1]
        name = self.number("add")
        way = self._shortcut(block, start, end, name.replace("add", "shortcut"))
        if way:
            inputs = (end.name, way)
            shape = end.output_shape
            self.add("add", name, shape, flops=prod(shape), inputs=inputs)
            self.activation(f"{name}_act", block.activation)

    def _shortcut(self, block: Any, start: Layer, end: Layer, name: str) -> str | None:
        """Brings the block's input to its end's shape; the name of the layer that does, or None."""
        kind, before, after = block.shortcut, start.output_shape, end.output_shape
        if before == after and kind in ("auto", "identity"):
            return start.name
        told = f"the block turns {times(before)} into {times(after)}"
        if kind == "identity":
            self.fail(f"{told}: shortcut: identity needs equal shapes; use projection or pad")
            return None
        if len(before) != 3 or len(after) != 3:
            self.fail(f"{told}: no shortcut leads there; keep vectors out of the block")
            return None
        strides = (-(-before[0] // after[0]), -(-before[1] // after[1]))
        if slide(before[:2], (1, 1), strides, "same") != after[:2]:
            self.fail(f"{told}: no strides lead there; use strides or pools with padding: same")
            return None
        if kind == "pad":
            if after[-1] < before[-1]:
                self.fail(f"{told}: shortcut: pad cannot drop channels; use projection")
                return None
            options = {"strides": strides, "channels": after[-1]}
            self.add("shortcut", name, after, options=options, inputs=(start.name,))
            return name
        norms = last_norm(block.stack)
        weights, bias = before[-1] * after[-1], after[-1] * (not norms)
        conv = Conv(
            filters=after[-1],
            kernel_size=(1, 1),
            strides=strides,
            use_bias=bool(bias),
            padding="same",
            activation=Activation.model_validate("linear"),
            kernel_initializer=block.kernel_initializer,
            bias_initializer=Initializer.model_validate("zeros"),
            kernel_regularizer=block.kernel_regularizer,
            **norms,
        )
        self.add(
            "conv",
            name,
            after,
            trainable=weights + bias,
            flops=(2 * weights + bias) * prod(after[:2]),
            options=conv,
            inputs=(start.name,),
        )
        self.part("bn", name, conv, False)
        return self.layers[-1].name

    def _conv(self, conv: Any) -> None:
        self._convolving("conv", conv, self.convolution)

    def _depthwise_conv(self, conv: Any) -> None:
        self._convolving("depthwise_conv", conv, self.depthwise)

    def _separable_conv(self, conv: Any) -> None:
        self._convolving("separable_conv", conv, self._separable)

    def _separable(self, name: str, conv: Any, strides: tuple[int, int]) -> None:
        first = DepthwiseConv(
            kernel_size=conv.kernel_size,
            padding=conv.padding,
            dilation_rate=conv.dilation_rate,
            depth_multiplier=conv.depth_multiplier,
            use_bias=False,
            activation=Activation.model_validate("linear"),
            kernel_initializer=conv.depthwise_initializer,
            bias_initializer=conv.bias_initializer,
            kernel_regularizer=conv.kernel_regularizer,
        )
        second = Conv(
            filters=conv.filters,
            kernel_size=(1, 1),
            padding="same",
            **{key: getattr(conv, key) for key in SHARED},
        )
        self.depthwise(f"{name}_depthwise", first, strides)
        self.convolution(name, second, (1, 1))

    def _convolving(self, kind: str, conv: Any, kernel: Callable[..., None]) -> None:
        """The parts of a stage around its kernel, in their order, `repeat` times."""
        base = self.number(kind)
        for repeat in range(1, conv.repeat + 1):
            name = base if conv.repeat == 1 else f"{base}_{repeat}"
            strides = conv.strides if repeat == 1 else (1, 1)
            last = repeat == conv.repeat
            for part in full_order(conv.order):
                if part == "conv":
                    kernel(name, conv, strides)
                elif part == "pool" and last and conv.pool:
                    self.pool(conv.pool)
                else:
                    self.part(part, name, conv, last)

    def _fc(self, fc: Any) -> None:
        base = self.number("fc")
        self.vector()
        for repeat in range(1, fc.repeat + 1):
            name = base if fc.repeat == 1 else f"{base}_{repeat}"
            for part in full_order(fc.order):
                if part == "conv":
                    self.dense(name, fc.units * pieces(fc), fc)
                else:
                    self.part(part, name, fc, repeat == fc.repeat)

    def _global_pool(self, pool: Any) -> None:
        if self.spatial("global_pool"):
            name = self.number("global_pool")
            self.add("global_pool", name, self.shape[-1:], flops=prod(self.shape), options=pool)

    def _pool(self, pool: Any) -> None:
        self.pool(pool)

    def _flatten(self, _: Any) -> None:
        self.flatten()

    def _dropout(self, dropout: Any) -> None:
        self.dropout("dropout", dropout.rate)

    def _spatial_dropout(self, dropout: Any) -> None:
        if self.spatial("spatial_dropout"):
            self.dropout("spatial_dropout", dropout.rate)

    def _alpha_dropout(self, dropout: Any) -> None:
        self.dropout("alpha_dropout", dropout.rate)

    def _whiten(self, whiten: Any) -> None:
        if self.layers[-1].kind not in ("image", "normalise"):
            self.fail("whiten looks at the images themselves; make it the first stage")
            return
        name = self.number("whiten")
        channels = self.shape[-1]
        values = prod(whiten.kernel_size) * channels
        conv = Conv(
            filters=2 * values,
            kernel_size=whiten.kernel_size,
            padding="valid",
            use_bias=True,
            activation=whiten.activation,
            kernel_initializer=scaled(1.0),  # Until the images are seen.
            bias_initializer=Initializer.model_validate("zeros"),
        )
        out = self.slid(name, conv, (1, 1))
        if out is None:
            return
        weights = values * conv.filters
        self.add(
            "whiten",
            name,
            (*out, conv.filters),
            trainable=conv.filters,
            fixed=weights,
            flops=prod(out) * (2 * weights + conv.filters),
            options=conv,
        )
        self.activation(f"{name}_act", whiten.activation)


def last_norm(stack: tuple[Any, ...]) -> dict[str, Any]:
    """The norm of the last stage of a resolved stack that can have one, by its key; {}: none."""
    for _, stage in reversed(list(stages(stack, ()))):
        if isinstance(stage.options, Layered):
            found = {key: getattr(stage.options, key) for key in NORMS}
            return {key: norm for key, norm in found.items() if norm}
    return {}
