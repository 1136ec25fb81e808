"""The least memory that training a network takes, from its plan. Light.

A lower bound, so that nothing is refused that could be trained: weights, the optimizer's averages
of them and the largest gradient; and for each image the inputs of all kernels, from which their
gradients are computed. Norms, activations and temporary arrays come on top.
"""

from __future__ import annotations

from dataclasses import dataclass

from zoo.plan.layer import Layer, Plan
from zoo.plan.options import BackboneOptions
from zoo.recipe.schema import Recipe

# Arrays of the weights' size that an optimizer keeps; momentum and averages come on top.
SLOTS = {
    "Adam": 2, "AdamW": 2, "Nadam": 2, "Lamb": 2, "RMSprop": 1, "Adagrad": 1, "Adadelta": 2,
    "Lion": 1, "Muon": 1, "MuonSGD": 1,
}  # fmt: skip


@dataclass(frozen=True)
class LeastMemory:
    """The least that a training holds at once, in bytes.

    Attributes:
        weights: weights, the optimizer's averages of them, and the largest gradient.
        image: the inputs of all kernels, for one image; at least the input and output of one.
        batch_size: images in a step.
        heaviest: the layer with the most weights.
        widest: the layer with the most values.
    """

    weights: int
    image: int
    batch_size: int
    heaviest: Layer
    widest: Layer

    @property
    def total(self) -> int:
        """Bytes of a step."""
        return self.weights + self.image * self.batch_size

    def largest_batch(self, capacity: int) -> int:
        """The most images of a step for which this bound stays within so many bytes."""
        return max(capacity - self.weights, 0) // self.image


def least_memory(recipe: Recipe, plan: Plan) -> LeastMemory:
    """Returns the least memory that training a recipe takes.

    Args:
        recipe: resolved.
        plan: its plan.
    """
    train = recipe.train
    options = train.optimizer.options
    slots = SLOTS.get(train.optimizer.word, 0)
    if train.optimizer.word in ("SGD", "TorchSGD", "RMSprop"):
        slots += bool(options.momentum)
    slots += bool(train.ema) + bool(train.lookahead) + bool(train.gradient_accumulation_steps)
    size = 8 if train.dtype_policy == "float64" else 4  # Mixed policies keep weights in float32.
    heaviest = max(plan.layers, key=lambda layer: layer.parameters)
    gradient = max(map(_largest_gradient, plan.layers))
    weights = size * (plan.trainable * (1 + slots) + plan.fixed + gradient)
    values = {layer.name: layer.values for layer in plan.layers}

    def source(layer: Layer) -> str:
        return layer.inputs[0]

    kernels = [layer for layer in plan.layers if layer.has_kernel]
    widest = max(kernels, key=lambda layer: values[source(layer)] + layer.values)
    # Two kernels may share an input, as a block's first one and its projection do.
    kept = sum(values[name] for name in set(map(source, kernels)))
    image = max(kept, values[source(widest)] + widest.values) * plan.bytes_per_value
    return LeastMemory(weights, image, train.batch_size, heaviest, widest)


def _largest_gradient(layer: Layer) -> int:
    """Number of values in the largest gradient of a layer, or of one inside of it."""
    options = layer.options
    if not isinstance(options, BackboneOptions):
        return layer.trainable
    inner = options.network.layers
    return max((each.trainable for i, each in enumerate(inner) if options.trains(i)), default=0)
