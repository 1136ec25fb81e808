"""What is checked: a recipe with its data, and how its network, loss and batches are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import keras
import numpy as np

from zoo import backend, losses, seeds
from zoo.batches import Batches
from zoo.data.normalise import Normalisation, normalisation
from zoo.data.splits import Splits
from zoo.model import builder
from zoo.model.data_dependent_init import initialise
from zoo.plan import Layer, plan
from zoo.recipe import Recipe
from zoo.recipe.without_regularization import without_regularization
from zoo.train.class_weights import class_weights

ALL = "all"  # The key of a note on all checks.
PROBES = 1024
PROBE_VALUES = 2**27  # Activations of the probe images held at once.


@dataclass
class Subject:
    """A recipe under examination; nothing that is done here reaches a run.

    Args:
        recipe: resolved. Without a GPU `mixed_bfloat16` is replaced by `float32`.
        data: its splits; the test split is looked at for duplicates alone.
        build: makes the uncompiled network, in place of `model.build`, to check a network that is
            not the recipe's.
        make_loss: makes the loss, as `losses.make`.
    """

    recipe: Recipe
    data: Splits
    build: Callable[[Recipe, int, Normalisation], keras.Model] | None = None
    make_loss: Callable[..., keras.losses.Loss] = losses.make
    scaling: Normalisation = field(init=False)
    kept: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)  # By the id of a check, or ALL.

    def __post_init__(self) -> None:
        self.scaling = normalisation(self.recipe.data.preprocess, self.data.train)
        train = self.recipe.train
        if train.dtype_policy == "mixed_bfloat16" and not backend.on_gpu():
            # The range of float32 is the same: nothing overflows sooner or later.
            train = train.model_copy(update={"dtype_policy": "float32"})
            self.recipe = self.recipe.model_copy(update={"train": train})
            self.notes[ALL] = (
                "done in float32, not in mixed_bfloat16: most processors without a GPU emulate it, "
                "several times slower"
            )

    @property
    def classes(self) -> int:
        return len(self.data.class_names)

    @cached_property
    def unregularized(self) -> Recipe:
        """The recipe without regularisation."""
        return without_regularization(self.recipe)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return plan(self.recipe, self.classes).layers

    def network(self, recipe: Recipe | None = None) -> keras.Model:
        """A new network at its start, data-dependent weights included."""
        recipe = recipe or self.recipe
        planned = plan(recipe, self.classes)
        if self.build:
            model = self.build(recipe, self.classes, self.scaling)
        else:
            model = builder.build(recipe, self.classes, self.scaling, planned)
        initialise(model, recipe, self.data.train, planned)
        return model

    def rng(self, *names: str | int) -> np.random.Generator:
        key = seeds.derive(self.recipe.seed, "check", *names, bits=128)
        return np.random.Generator(np.random.Philox(key=key))

    @cached_property
    def start(self) -> keras.Model:
        """The network at its start, regularisation off; whoever uses it leaves it as it was."""
        return self.network(self.unregularized)

    @cached_property
    def probe(self) -> tuple[np.ndarray, np.ndarray]:
        """Training images and labels, in equal shares of the classes as far as they go."""
        values = sum(layer.values for layer in self.layers)
        count = int(min(PROBES, max(64, PROBE_VALUES // values)))
        return self.stratified(self.data.train, count, "probe")

    def stratified(self, split: Any, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """So many images of a split with labels, the same number of each class where there are.

        Drawn by the recipe's seed; uint8 (n, height, width, channels) and int32 (n,).
        """
        order = self.rng(name).permutation(len(split))
        labels = np.asarray(split.labels)[order]
        # The k-th image of each class comes before every (k+1)-th one.
        rank = np.zeros(len(order), np.int64)
        for label in np.unique(labels):
            mine = labels == label
            rank[mine] = np.arange(mine.sum())
        chosen = np.sort(order[np.argsort(rank, kind="stable")[:count]])
        return split.images(chosen), np.asarray(split.labels)[chosen]

    def batches(self, recipe: Recipe | None = None, images: int | None = None) -> Batches:
        """Training batches as the recipe has them, or of another number of images."""
        recipe = recipe or self.recipe
        train = recipe.train
        return Batches(
            self.data.train,
            images or train.batch_size,
            recipe.seed,
            recipe.data.augment,
            train.drop_remainder,
            self.classes,
            class_weights(recipe, self.data),
        )


def array(value: Any) -> np.ndarray:
    """A variable or tensor as numpy has it."""
    return np.asarray(keras.ops.convert_to_numpy(value))
