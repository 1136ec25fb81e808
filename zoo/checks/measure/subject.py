"""What is checked: a recipe with its data, and how its network, loss and batches are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import keras
import numpy as np

from zoo import backend, losses, seeds
from zoo.artifact.warm_start import WarmStart, warm_start
from zoo.batches import Batches
from zoo.checks.judge.batch_size import BatchAndRate
from zoo.checks.measure.cache import MeasurementCache
from zoo.checks.measure.trainer import Trainer
from zoo.class_weights import checked_class_weights
from zoo.datasets.normalise import Normalisation, normalisation
from zoo.datasets.splits import Split, Splits
from zoo.labels import label_sets
from zoo.model import builder
from zoo.model.start import scaling_of, set_start
from zoo.plan import Layer, plan
from zoo.recipe import Recipe
from zoo.recipe.without_regularization import without_regularization

ALL_CHECKS = "all"  # Key of a note that concerns every check.
PROBE_IMAGES = 1024
MIN_PROBE_IMAGES = 64
PROBE_VALUES = 2**27  # Activations of the probe images that are held at once.


@dataclass
class Subject:
    """A recipe to be checked. Nothing that is done to it reaches a run.

    Args:
        recipe: resolved. Without a GPU `mixed_bfloat16` is replaced by `float32`.
        data: its splits; the test split is looked at for labels, statistics and duplicates only.
        build: makes the uncompiled network; None: the recipe's. Pass your own to check another
            network.
        make_loss: makes the loss, as `losses.make_loss`.
        before: batch and learning rate of the recipe that this one comes from; None: unknown.
        scaling: how images are normalised; computed from the training split, or that of the trained
            weights that the network starts from.
        is_scaled_by_weights: whether it is that of such weights.
        warm: trained weights that the network starts from, or None.
        cache: measurements so far.
        notes: by the id of a check, how slow steps changed it; by `ALL_CHECKS`, what concerns all.
    """

    recipe: Recipe
    data: Splits
    build: Callable[[Recipe, int, Normalisation], keras.Model] | None = None
    make_loss: Callable[..., keras.losses.Loss] = losses.make_loss
    before: BatchAndRate | None = None
    scaling: Normalisation = field(init=False)
    is_scaled_by_weights: bool = field(init=False)
    warm: WarmStart | None = field(init=False)
    cache: MeasurementCache = field(default_factory=MeasurementCache)
    notes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = normalisation(self.recipe.data.preprocess, self.data.train)
        self.warm = warm_start(self.recipe, plan(self.recipe, self.classes))
        self.scaling, _ = scaling_of(own, self.warm)
        self.is_scaled_by_weights = self.scaling != own
        train = self.recipe.train
        if train.dtype_policy == "mixed_bfloat16" and not backend.on_gpu():
            # Both types have the same range: nothing overflows sooner or later.
            train = train.model_copy(update={"dtype_policy": "float32"})
            self.recipe = self.recipe.model_copy(update={"train": train})
            self.notes[ALL_CHECKS] = (
                "done in float32, not in mixed_bfloat16: most processors without a GPU emulate it, "
                "several times slower"
            )

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.data.class_names)

    @cached_property
    def unregularized(self) -> Recipe:
        """The recipe without regularisation."""
        return without_regularization(self.recipe)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Layers of the recipe's plan."""
        return plan(self.recipe, self.classes).layers

    def network(self, recipe: Recipe | None = None) -> keras.Model:
        """Build a network at its start, data-dependent weights included.

        Args:
            recipe: a variant of the subject's; None: the subject's.
        """
        recipe = recipe or self.recipe
        planned = plan(recipe, self.classes)
        if self.build:
            model = self.build(recipe, self.classes, self.scaling)
        else:
            model = builder.build(recipe, self.classes, self.scaling, planned)
        set_start(model, recipe, self.data.train, planned, self.warm)
        return model

    @property
    def loaded(self) -> tuple[str, ...]:
        """Names of the layers that start with trained weights."""
        return self.warm.loaded if self.warm else ()

    def rng(self, *names: str | int) -> np.random.Generator:
        """Return a random generator of its own for each purpose, derived from the recipe's seed."""
        key = seeds.derive(self.recipe.seed, "check", *names, bits=128)
        return np.random.Generator(np.random.Philox(key=key))

    @cached_property
    def start(self) -> keras.Model:
        """The untrained network without regularisation; whoever uses it leaves it as it was."""
        return self.network(self.unregularized)

    @cached_property
    def trainer(self) -> Trainer:
        """Trainer of the recipe, shared by the checks so that its network is traced once."""
        return Trainer(self, self.recipe)

    @cached_property
    def probe(self) -> tuple[np.ndarray, np.ndarray]:
        """Probe images and labels: as many training images of each class as there are."""
        values = sum(layer.values + layer.inner_values for layer in self.layers)
        count = int(min(PROBE_IMAGES, max(MIN_PROBE_IMAGES, PROBE_VALUES // values)))
        return self.stratified(self.data.train, count, "probe")

    def stratified(self, split: Split, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Draw images of a split, the same number of each class as long as there are any.

        Of multi-label images it is the same number of each set of classes. scikit-learn's
        stratified splits keep the classes' shares instead.

        Args:
            split: to draw from.
            count: number of images.
            name: of the draw, for its random numbers.

        Returns:
            Images, uint8 (count, height, width, channels), and their labels, in either form of
            `zoo.labels`.
        """
        order = self.rng(name).permutation(len(split))
        labels = label_sets(np.asarray(split.labels), self.classes)[0][order]
        # Position of each image within its class: the k-th of each class precede all (k+1)-th.
        rank = np.zeros(len(order), np.int64)
        for label in np.unique(labels):
            of_class = labels == label
            rank[of_class] = np.arange(of_class.sum())
        drawn = np.sort(order[np.argsort(rank, kind="stable")[:count]])
        return split.images(drawn), np.asarray(split.labels)[drawn]

    def batches(self, recipe: Recipe | None = None, images: int | None = None) -> Batches:
        """Return training batches.

        Args:
            recipe: a variant of the subject's; None: the subject's.
            images: of a batch; None: the recipe's batch size.
        """
        recipe = recipe or self.recipe
        train = recipe.train
        return Batches(
            self.data.train,
            images or train.batch_size,
            recipe.seed,
            recipe.data.augment,
            train.drop_remainder,
            self.classes,
            checked_class_weights(recipe, self.data),
            train.steps_per_epoch,
        )
