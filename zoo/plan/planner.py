"""Walks a resolved stack from shape to shape, planning layers and noting what does not fit."""

from __future__ import annotations

from math import prod
from typing import Any

from zoo.errors import Problem, RecipeError
from zoo.plan.kernel_planner import KernelPlanner, kernel_fields
from zoo.plan.layer import Layer, Plan
from zoo.plan.options import (
    ConvOptions,
    GlobalPoolOptions,
    HeadOptions,
    ScaleOptions,
    ShortcutOptions,
)
from zoo.plan.sliding import slide, times
from zoo.recipe.fields import Choice
from zoo.recipe.kernel_stages import Activation, Initializer, KernelStage
from zoo.recipe.network import Group, Stage, stages
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import KeyPath

# Size of an activation by dtype policy.
BYTES_PER_VALUE = {"float32": 4, "mixed_bfloat16": 2, "mixed_float16": 2, "float64": 8}


def plan(recipe: Recipe, num_classes: int) -> Plan:
    """Plans a resolved recipe.

    Args:
        recipe: as `recipe.load` returns it.
        num_classes: number of logits.

    Raises:
        RecipeError: the stack does not fit the image.
    """
    planner = Planner(recipe, num_classes)
    planner.run()
    if planner.problems:
        raise RecipeError(Problem(message=message) for _, message in planner.problems)
    return Plan(tuple(planner.layers), BYTES_PER_VALUE[recipe.train.dtype_policy])


class Planner(KernelPlanner):
    """Plans the layers of a recipe.

    The method for a kind of stage is named after its word. A stage whose keys are None until it is
    resolved is typed `Any` there.
    """

    def run(self) -> None:
        """Fills `layers`, from the image to the logits, and `problems`."""
        image = self.recipe.image_shape
        self.layers.append(Layer(kind="image", name="image", output_shape=image))
        if self.recipe.data.preprocess != "none":
            # Mean and variance take another pass over the image each.
            own = {"samplewise_mean": 2, "samplewise_meanstd": 5}
            operations = own.get(self.recipe.data.preprocess, 2)
            self.add("normalise", "normalise", image, flops=operations * prod(image))
        self._stack(self.recipe.model.stack, ("model", "stack"))
        self.path = ("model", "head")
        self.vector()
        head = self.recipe.model.head
        self.dense("head", "logits", HeadOptions(units=self.num_classes, **kernel_fields(head)))
        if head.scale != 1.0:
            shape = (self.num_classes,)
            scale = ScaleOptions(factor=head.scale)
            self.add("scale", "logits_scale", shape, flops=self.num_classes, options=scale)

    def _stack(self, stack: tuple[Stage, ...], path: KeyPath) -> None:
        for index, stage in enumerate(stack):
            if self.stopped:
                return
            self.path = (*path, index, stage.word)
            getattr(self, f"_{stage.word}")(stage.options)

    def _group(self, group: Group) -> None:
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
        return self.layers[-1].name

    def _global_pool(self, pool: Choice) -> None:
        if self.spatial("global_pool"):
            self.add(
                "global_pool",
                self.number("global_pool"),
                self.shape[-1:],
                flops=prod(self.shape),
                options=GlobalPoolOptions(word=pool.word),
            )

    def _pool(self, pool: Choice) -> None:
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


def last_norm(stack: tuple[Stage, ...]) -> Any:
    """The norm of the last stage of a resolved stack that can have one; None: it has none."""
    for _, stage in reversed(list(stages(stack, ()))):
        if isinstance(stage.options, KernelStage):
            return stage.options.norm
    return None
