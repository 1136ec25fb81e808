"""What a `backbone` stage may say and is likely to regret. Light."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from zoo.plan.layer import Layer
from zoo.plan.options import BackboneOptions
from zoo.recipe.backbone import backbone_of
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import KeyPath

# The highest rates at which trained weights are usually tuned further. Keras's guide to fine-tuning
# takes 1e-5 with Adam; Kornblith et al. 2019 find SGD's best at 0.01 or below for most data.
ADAPTIVE = ("Adam", "AdamW", "Nadam", "Adamax", "RMSprop", "Lamb", "Adagrad")
HIGHEST_ADAPTIVE, HIGHEST_SGD = 5e-4, 0.05


def cautions(recipe: Recipe, layers: Sequence[Layer]) -> Iterator[tuple[KeyPath, str]]:
    """Such things, as (path, sentence).

    Args:
        recipe: resolved.
        layers: of its plan.
    """
    stage = backbone_of(recipe.model)
    found = [layer for layer in layers if isinstance(layer.options, BackboneOptions)]
    if stage is None or not found:
        return
    path, options = found[0].path, found[0].options
    if stage.weights is None and not options.trained_ever:
        yield (
            (*path, "trainable"),
            "the backbone's weights are random and stay so: drop trainable: false, or give weights",
        )
    if stage.unfreeze_at_epoch is not None and stage.unfreeze_at_epoch > recipe.train.epochs:
        yield (
            (*path, "unfreeze_at_epoch"),
            f"the training ends after epoch {recipe.train.epochs:,}: the backbone stays frozen to "
            "its end",
        )
    if stage.weights is not None and options.trained_ever:
        yield from _rate(recipe, options.paths(found[0].name))


def _rate(recipe: Recipe, paths: Sequence[str]) -> Iterator[tuple[KeyPath, str]]:
    """A learning rate that takes away what the weights hold."""
    optimizer = recipe.train.optimizer
    if optimizer.word in ADAPTIVE:
        highest = HIGHEST_ADAPTIVE
    elif optimizer.word in ("SGD", "TorchSGD"):
        highest = HIGHEST_SGD
    else:
        return
    groups = recipe.train.learning_rate_factors
    factors = (
        next((group.factor for group in groups if re.search(group.pattern, path)), 1.0)
        for path in paths
    )
    rate = optimizer.options.learning_rate * max(factors)
    if rate > highest:
        factor = float(f"{highest / 5 / optimizer.options.learning_rate:.1g}")
        yield (
            ("train", "optimizer", optimizer.word, "learning_rate"),
            f"{rate:g} is high for weights that were trained before (above {highest:g} for "
            f"{optimizer.word}), and may undo what they learned: lower it, or give the backbone a "
            f"rate of its own, learning_rate_factors: [{{pattern: ^backbone, factor: {factor:g}}}]",
        )
