"""Plans stages that hold others: groups, residual blocks and branches."""

from __future__ import annotations

from math import prod
from typing import Any

from zoo.plan.kernel_planner import KernelPlanner
from zoo.plan.layer import Layer
from zoo.plan.options import ConvOptions, ShortcutOptions, StochasticDepthOptions
from zoo.plan.sliding import slide, times
from zoo.recipe.kernel_stages import Activation, Initializer
from zoo.recipe.network import Group, Stage
from zoo.recipe.yaml_reader import KeyPath


class BlockPlanner(KernelPlanner):
    """Plans stages that hold others; the method for a kind of stage is named after its word."""

    def stack(self, stack: tuple[Stage, ...], path: KeyPath) -> None:
        """Plans stages one behind the other.

        Args:
            stack: resolved.
            path: of the stack.
        """
        for index, stage in enumerate(stack):
            if self.stopped:
                return
            self.path = (*path, index, stage.word)
            if stage.part:
                self.own_layer(self.number(stage.word), stage)
            else:
                getattr(self, f"_{stage.word}")(stage.options)

    def _group(self, group: Group) -> None:
        path = self.path
        for _ in range(group.repeat):
            self.stack(group.stack, (*path, "stack"))

    def _residual(self, block: Any) -> None:
        path, start, first = self.path, self.last, len(self.layers)
        self.stack(block.stack, (*path, "stack"))
        self.path = path
        if self.stopped:
            return
        end = self.last
        begin = self._begin(start, first) if block.pre_activation else start
        if begin is None:
            return
        self.blocks += 1
        if block.stochastic_depth:
            self._stochastic_depth(block.stochastic_depth)
        stack_end = self.last
        name = self.number("add")
        shortcut = self._shortcut(block, (start, begin), end, name.replace("add", "shortcut"))
        if shortcut:
            shape = end.output_shape
            self.add("add", name, shape, (stack_end.name, shortcut), flops=prod(shape))
            self.activation(f"{name}_act", block.activation)

    def _begin(self, start: Layer, first: int) -> Layer | None:
        """The last of the norms and activations with which a block begins.

        Args:
            start: layer before the block.
            first: index of the block's first layer.

        Returns:
            The layer; None, and a problem, where the block begins with neither.
        """
        begin = start
        for layer in self.layers[first:]:
            if not (layer.is_norm or layer.kind in ("act", "prelu")):
                break
            if layer.inputs != (begin.name,):
                break
            begin = layer
        if begin is start:
            first_name = self.layers[first].name if len(self.layers) > first else "nothing"
            self.fail(
                "a block with pre_activation begins with a norm or an activation, and this one "
                f"with {first_name}. Expected order: [bn, act, conv] in its first stage, or no "
                "pre_activation",
                "pre_activation",
            )
            return None
        return begin

    def _stochastic_depth(self, depth: Any) -> None:
        block = self.blocks if depth.growth == "linear" else 0
        options = StochasticDepthOptions(rate=depth.rate, block=block)
        name = self.number("stochastic_depth")
        self.add("stochastic_depth", name, self.shape, options=options)

    def _branches(self, block: Any) -> None:
        path, start = self.path, self.last
        ends = []
        for index, stack in enumerate(block.stacks):
            self.last = start
            self.stack(stack, (*path, "stacks", index))
            self.path = path
            if self.stopped:
                return
            ends.append(self.last)
        shape = self._merged([end.output_shape for end in ends], block.merge)
        if shape:
            name = self.number(block.merge)
            flops = prod(shape) * (len(ends) - 1) * (block.merge == "add")
            self.add(block.merge, name, shape, tuple(end.name for end in ends), flops=flops)
            self.activation(f"{name}_act", block.activation)

    def _merged(self, shapes: list[tuple[int, ...]], merge: str) -> tuple[int, ...] | None:
        """The shape of what branches are joined to; None, and a problem, where they do not fit.

        Args:
            shapes: of the branches' outputs.
            merge: `concat` or `add`.
        """
        compared = {shape[:-1] for shape in shapes} if merge == "concat" else set(shapes)
        if len(compared) == 1:
            channels = sum(shape[-1] for shape in shapes) if merge == "concat" else shapes[0][-1]
            return (*shapes[0][:-1], channels)
        ends = ", ".join(
            f"stacks[{index}] with {times(shape)}" for index, shape in enumerate(shapes)
        )
        expected = (
            "equal heights and widths to put channels one behind the other: give all branches the "
            "same strides and pools, with padding: same"
            if merge == "concat"
            else "equal shapes to be added: give all branches the same strides, pools and filters"
        )
        self.fail(f"the branches end differently: {ends}. Expected {expected}")
        return None

    def _shortcut(
        self, block: Any, starts: tuple[Layer, Layer], end: Layer, name: str
    ) -> str | None:
        """Brings the input of a block to the shape of its end.

        Args:
            block: a resolved `Residual`.
            starts: layer before the block, and the layer from which a projection or pad goes.
            end: last layer of its stack.
            name: for the layer of the shortcut, where it needs one.

        Returns:
            Name of the layer to add to the end; None, and a problem, where no shortcut fits.
        """
        start, begin = starts
        kind, before, after = block.shortcut, start.output_shape, end.output_shape
        if before == after and kind in ("auto", "identity"):
            return start.name
        turns = f"the block turns {times(before)} into {times(after)}"
        if kind == "identity":
            self.fail(f"{turns}: shortcut: identity needs equal shapes; use projection or pad")
            return None
        if len(before) != 3 or len(after) != 3:
            self.fail(f"{turns}: no shortcut leads there; keep vectors out of the block")
            return None
        strides = (-(-before[0] // after[0]), -(-before[1] // after[1]))
        if slide(before[:2], (1, 1), strides, "same") != after[:2]:
            self.fail(f"{turns}: no strides lead there; use strides or pools with padding: same")
            return None
        if kind != "pad":
            return self._projection(block, begin, after, strides, name)
        if after[-1] < before[-1]:
            self.fail(f"{turns}: shortcut: pad cannot drop channels; use projection")
            return None
        options = ShortcutOptions(strides=strides, channels=after[-1])
        self.add("shortcut", name, after, (begin.name,), options=options)
        return name

    def _projection(
        self, block: Any, start: Layer, after: tuple[int, ...], strides: Any, name: str
    ) -> str:
        """Appends a 1x1 convolution from `start` to the shape `after`, with its norm, if any."""
        norm = block.norm
        weights, bias = start.output_shape[-1] * after[-1], after[-1] * block.use_bias
        options = ConvOptions(
            filters=after[-1],
            kernel_size=(1, 1),
            strides=strides,
            padding="same",
            dilation_rate=(1, 1),
            groups=1,
            use_bias=block.use_bias,
            kernel_initializer=block.kernel_initializer,
            bias_initializer=Initializer.model_validate("zeros"),
            kernel_regularizer=block.kernel_regularizer,
            activation=Activation.model_validate("linear"),
            norm_follows=norm is not None,
        )
        self.add(
            "conv",
            name,
            after,
            trainable=weights + bias,
            flops=(2 * weights + bias) * prod(after[:2]),
            options=options,
            inputs=(start.name,),
        )
        if norm is not None:
            self.norm(name, norm)
        return self.last.name
