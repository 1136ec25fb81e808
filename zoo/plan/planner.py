"""Walks a resolved stack from shape to shape, planning layers and noting what does not fit."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import Any

from zoo.errors import Problem, RecipeError
from zoo.plan import freezing
from zoo.plan.backbone_planner import BackbonePlanner
from zoo.plan.graph import with_what_follows
from zoo.plan.kernel_planner import kernel_fields
from zoo.plan.layer import Layer, Plan
from zoo.plan.options import (
    GlobalPoolOptions,
    HeadOptions,
    ScaleOptions,
    StochasticDepthOptions,
)
from zoo.recipe.fields import Choice
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import dotted

# Size of an activation by dtype policy.
BYTES_PER_VALUE = {"float32": 4, "mixed_bfloat16": 2, "mixed_float16": 2, "float64": 8}


def plan(recipe: Recipe, num_classes: int) -> Plan:
    """Plans a resolved recipe.

    Args:
        recipe: as `recipe.load` returns it.
        num_classes: number of logits.

    Raises:
        RecipeError: the stack does not fit the image.
        PluginRefused: it holds layers of the user's own, whose code the user has not allowed.
        PluginError: their code failed.
    """
    planner = Planner(recipe, num_classes)
    planner.run()
    if planner.problems:
        raise RecipeError(
            Problem(message=message, path=dotted(path)) for path, message in planner.problems
        )
    return Plan(tuple(planner.layers), BYTES_PER_VALUE[recipe.train.dtype_policy])


class Planner(BackbonePlanner):
    """Plans the layers of a recipe.

    The method for a kind of stage is named after its word. A stage whose keys are None until it is
    resolved is typed `Any` there.
    """

    def run(self) -> None:
        """Fills `layers`, from the image to the logits, and `problems`."""
        image = self.recipe.image_shape
        self.last = Layer(kind="image", name="image", output_shape=image)
        self.layers.append(self.last)
        if self.recipe.data.preprocess != "none":
            # Mean and variance take another pass over the image each.
            own = {"samplewise_mean": 2, "samplewise_meanstd": 5}
            operations = own.get(self.recipe.data.preprocess, 2)
            self.add("normalise", "normalise", image, flops=operations * prod(image))
        self.stack(self.recipe.model.stack, ("model", "stack"))
        self.path = ("model", "head")
        self.vector()
        head = self.recipe.model.head
        self.dense("head", "logits", HeadOptions(units=self.num_classes, **kernel_fields(head)))
        if head.scale != 1.0:
            shape = (self.num_classes,)
            scale = ScaleOptions(factor=head.scale)
            self.add("scale", "logits_scale", shape, flops=self.num_classes, options=scale)
        if not self.stopped:
            self.layers = with_what_follows(self._with_grown_rates())
            weights = self.recipe.model.weights
            self.problems += freezing.misnamed(self.layers, weights)
            self.layers = self.layers if self.problems else freezing.frozen(self.layers, weights)

    def _with_grown_rates(self) -> list[Layer]:
        """The layers, with the rates of stochastic depth that grow with the residual blocks."""
        return [
            replace(
                layer, options=replace(options, rate=options.rate * options.block / self.blocks)
            )
            if isinstance(options := layer.options, StochasticDepthOptions) and options.block
            else layer
            for layer in self.layers
        ]

    def _batch_norm(self, norm: Any) -> None:
        self.norm(self.last.name, norm, self.number("bn"))

    def _group_norm(self, norm: Any) -> None:
        self.norm(self.last.name, norm, self.number("gn"))

    def _layer_norm(self, norm: Any) -> None:
        self.norm(self.last.name, norm, self.number("ln"))

    def _activation(self, activation: Choice) -> None:
        if activation.word != "linear":
            self.activation(self.number("act"), activation, self.last.name)

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
