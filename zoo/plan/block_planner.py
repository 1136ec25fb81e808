"""Plans stages that hold others: groups and residual blocks."""

from __future__ import annotations

from math import prod
from typing import Any

from zoo.plan.kernel_planner import KernelPlanner
from zoo.plan.layer import Layer
from zoo.plan.options import ConvOptions, ShortcutOptions
from zoo.plan.sliding import slide, times
from zoo.recipe.kernel_stages import Activation, Initializer, KernelStage
from zoo.recipe.network import Group, Stage, stages
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
            getattr(self, f"_{stage.word}")(stage.options)

    def _group(self, group: Group) -> None:
        path = self.path
        for _ in range(group.repeat):
            self.stack(group.stack, (*path, "stack"))

    def _residual(self, block: Any) -> None:
        path, start = self.path, self.last
        self.stack(block.stack, (*path, "stack"))
        self.path = path
        if self.stopped:
            return
        end = self.last
        name = self.number("add")
        shortcut = self._shortcut(block, start, end, name.replace("add", "shortcut"))
        if shortcut:
            shape = end.output_shape
            self.add("add", name, shape, flops=prod(shape), inputs=(end.name, shortcut))
            self.activation(f"{name}_act", block.activation)

    def _shortcut(self, block: Any, start: Layer, end: Layer, name: str) -> str | None:
        """Brings the input of a block to the shape of its end.

        Args:
            block: a resolved `Residual`.
            start: layer before the block.
            end: last layer of its stack.
            name: for the layer of the shortcut, where it needs one.

        Returns:
            Name of the layer to add to the end; None, and a problem, where no shortcut fits.
        """
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
            return self._projection(block, start, after, strides, name)
        if after[-1] < before[-1]:
            self.fail(f"{turns}: shortcut: pad cannot drop channels; use projection")
            return None
        options = ShortcutOptions(strides=strides, channels=after[-1])
        self.add("shortcut", name, after, options=options, inputs=(start.name,))
        return name

    def _projection(
        self, block: Any, start: Layer, after: tuple[int, ...], strides: Any, name: str
    ) -> str:
        """Appends a 1x1 convolution from `start` to the shape `after`, with its norm, if any."""
        norm = last_norm(block.stack)
        weights, bias = start.output_shape[-1] * after[-1], after[-1] * (norm is None)
        options = ConvOptions(
            filters=after[-1],
            kernel_size=(1, 1),
            strides=strides,
            padding="same",
            dilation_rate=(1, 1),
            groups=1,
            use_bias=norm is None,
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


def last_norm(stack: tuple[Stage, ...]) -> Any:
    """The norm of the last stage of a resolved stack that can have one; None: it has none."""
    for _, stage in reversed(list(stages(stack, ()))):
        if isinstance(stage.options, KernelStage):
            return stage.options.norm
    return None
