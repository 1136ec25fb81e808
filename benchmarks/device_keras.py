"""The plain Keras side of benchmarks/device.py: a recipe's network, trained with Keras alone.

The layers are those that zoo builds; the rest is what a good script has: arrays in memory, Keras's
optimizer, loss, metrics and random layers, `jit_compile="auto"`, `fit` without callbacks but for
the clock's. Differences from the recipe, all of them to the script's advantage: weight decay is
Keras's own; `cutout`, `lookahead`, learning rate factors and whitening are left out; Keras's
RandomCrop draws one crop for a whole batch. RandomFlip is a layer of the model, on the device.
RandomCrop cannot be compiled, so two threads apply it, on the CPU, as batches are made.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from device_clock import EpochClock

from zoo import optimize
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import Split, Splits
from zoo.model import builder
from zoo.plan import plan
from zoo.recipe import Recipe

FLIPS = ("random_flip", "alternating_flip")
WORKERS = 2


class Clock(keras.callbacks.Callback):
    """Tells the clock what `fit` does."""

    async_safe = True  # Keras then reads the logs of a step in a thread, as without callbacks.

    def __init__(self, clock: EpochClock) -> None:
        super().__init__()
        self.clock = clock
        clock.wait = self._wait

    def _wait(self) -> None:
        keras.ops.convert_to_numpy(self.model.trainable_variables[-1])

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.clock.step_made()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.clock.epoch_begins(epoch)

    def on_test_begin(self, logs: Any = None) -> None:
        self.clock.steps_end()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.clock.epoch_ends()


class CroppedBatches(keras.utils.PyDataset):
    """Training batches of padded images, each cropped at random by Keras's layer.

    Args:
        images: uint8 (n, height, width, channels), padded.
        labels: (n, ...).
        batch_size: the last batch may be smaller.
        size: height and width after the crop.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray, batch_size: int, size: tuple[int, int]
    ) -> None:
        super().__init__(workers=WORKERS)
        self.images, self.labels, self.batch_size = images, labels, batch_size
        self.crop = keras.layers.RandomCrop(*size, dtype="uint8")
        self.order = np.random.default_rng().permutation(len(labels))

    @property
    def num_batches(self) -> int:
        return -(-len(self.labels) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        with keras.device("cpu:0"):
            images = keras.ops.convert_to_numpy(self.crop(self.images[rows], training=True))
        return images.astype(np.uint8), self.labels[rows]

    def on_epoch_end(self) -> None:
        np.random.default_rng().shuffle(self.order)


def train(recipe: Recipe, data: Splits, clock: EpochClock) -> tuple[dict[str, float], int]:
    """Trains a recipe's network.

    Returns:
        Keras's logs of the last epoch, and the images of an epoch.
    """
    config = recipe.train
    count = len(data.train)
    if config.drop_remainder and count >= config.batch_size:
        count -= count % config.batch_size
    steps = -(-count // config.batch_size)
    model = _model(recipe, data)
    _compile(model, recipe, steps)
    x, y = _arrays(data.train, recipe, model.output_shape[-1])
    x_val, y_val = _arrays(data.validation, recipe, model.output_shape[-1])
    crop = _option(recipe, "random_crop")
    if crop is None:
        batches = {"x": x[:count], "y": y[:count], "batch_size": config.batch_size}
    else:
        edge = (crop.padding, crop.padding)
        mode = "reflect" if crop.fill == "reflect" else "constant"
        padded = np.pad(x[:count], ((0, 0), edge, edge, (0, 0)), mode=mode)
        size = data.image_shape[:2]
        batches = {"x": CroppedBatches(padded, y[:count], config.batch_size, size)}
    history = model.fit(
        **batches,
        epochs=config.epochs,
        validation_data=(x_val, y_val),
        callbacks=[Clock(clock)],
        verbose=0,
    )
    return {name: float(values[-1]) for name, values in history.history.items()}, count


def _model(recipe: Recipe, data: Splits) -> keras.Model:
    classes = len(data.class_names)
    scaling = normalisation(recipe.data.preprocess, data.train)
    network = builder.build(recipe, classes, scaling, plan(recipe, classes))
    words = [step.word for step in recipe.data.augment]
    if not any(word in FLIPS for word in words):
        return network
    images = keras.Input(data.image_shape)
    flipped = keras.layers.RandomFlip("horizontal", dtype="float32")(images)
    return keras.Model(images, network(flipped))


def _compile(model: keras.Model, recipe: Recipe, steps: int) -> None:
    config = recipe.train
    options = config.optimizer.options
    rate = optimize.learning_rate(config.schedule, options.learning_rate, config.epochs, steps)
    if config.optimizer.word == "Adam":
        optimizer = keras.optimizers.Adam(rate)
    elif config.optimizer.word == "TorchSGD":
        decay = options.weight_decay or None
        optimizer = keras.optimizers.SGD(
            rate, momentum=options.momentum, nesterov=options.nesterov, weight_decay=decay
        )
        if decay:
            optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    else:
        raise SystemExit(f"{recipe.name}: no plain script for {config.optimizer.word}")
    smoothing = getattr(config.loss.options, "label_smoothing", 0.0)
    if smoothing:
        loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    else:
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"], jit_compile="auto")


def _arrays(split: Split, recipe: Recipe, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Images and labels of a split; one-hot labels where the loss smoothes them."""
    images = np.ascontiguousarray(split.images(np.arange(len(split))))
    labels = np.asarray(split.labels)
    if getattr(recipe.train.loss.options, "label_smoothing", 0.0):
        labels = np.eye(classes, dtype=np.float32)[labels]
    return images, labels


def _option(recipe: Recipe, word: str) -> Any:
    for step in recipe.data.augment:
        if step.word == word:
            return step.options
    return None
