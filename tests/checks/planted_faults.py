"""Recipes, data and hooks with one planted fault each, and the check that must find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.runs import tiny
from zoo import losses
from zoo.checks.judge.batch_size import BatchAndRate
from zoo.checks.measure import Subject
from zoo.datasets.load import load as load_data
from zoo.datasets.normalise import normalisation
from zoo.datasets.splits import ArraySplit, Splits
from zoo.model import builder
from zoo.recipe.train_block import Loss

HEALTHY = """\
name: healthy
data: {source: digits, color_mode: grayscale}
model:
  stack:
    - conv: {filters: 8, pool: max}
    - conv: {filters: 16, pool: max}
train:
  epochs: 20
  batch_size: 64
  optimizer: {Adam: {learning_rate: 3e-3}}
  schedule: {one_cycle: {warmup_epochs: 2}}
"""
NO_NORM = "model.defaults.batch_norm=none"
DEEP_TANH = (
    NO_NORM,
    "model.defaults.activation=tanh",
    "model.stack=[{fc: {units: 100, repeat: 8}}]",
)


@dataclass
class PlantedFault:
    """A fault in the healthy recipe, in its data, or in how network and loss are model.

    `check` must find it, and its advice must contain `advice`.
    """

    name: str
    check: str
    advice: str
    overrides: tuple[str, ...] = ()
    data: Callable[[Splits], Splits] | None = None
    hooks: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Subject], None] | None = None

    def subject(self, folder: Path) -> Subject:
        subject = healthy_subject(folder, *self.overrides, data=self.data, **self.hooks)
        if self.after:
            self.after(subject)
        return subject


def healthy_subject(
    folder: Path,
    *overrides: str,
    data: Callable[[Splits], Splits] | None = None,
    **hooks: Any,
) -> Subject:
    """The healthy recipe, changed as by `--set`, with its data changed or other hooks."""
    recipe = tiny(folder, *overrides, text=HEALTHY)
    splits = load_data(recipe)
    return Subject(recipe, data(splits) if data else splits, **hooks)


def arrays(split: Any) -> tuple[np.ndarray, np.ndarray]:
    return np.array(split.images(np.arange(len(split)))), np.array(split.labels)


def with_train(data: Splits, images: np.ndarray, labels: np.ndarray) -> Splits:
    return replace(data, train=ArraySplit(images, labels.astype(np.int32)))


def shuffled(data: Splits) -> Splits:
    images, labels = arrays(data.train)
    return with_train(data, images, np.random.default_rng(0).permutation(labels))


def off_by_one(data: Splits) -> Splits:
    images, labels = arrays(data.train)
    return with_train(data, images, labels + 1)


def other_order(data: Splits) -> Splits:
    """Training labels number the classes in another order than validation labels."""
    images, labels = arrays(data.train)
    return with_train(data, images, (labels + 3) % 10)


def constant(data: Splits) -> Splits:
    images, labels = arrays(data.train)
    return with_train(data, np.full_like(images, 100), labels)


def one_class(data: Splits) -> Splits:
    images, labels = arrays(data.train)
    zeros = np.flatnonzero(labels == 0)
    others = np.concatenate([np.flatnonzero(labels == c)[:1] for c in range(1, 10)])
    drawn = np.concatenate([np.tile(zeros, 8), others])
    return with_train(data, images[drawn], labels[drawn])


def class_missing(data: Splits) -> Splits:
    images, labels = arrays(data.validation)
    others = labels != 3
    return replace(data, validation=ArraySplit(images[others], labels[others]))


def leaked(split: str) -> Callable[[Splits], Splits]:
    def leak(data: Splits) -> Splits:
        images, labels = arrays(data.train)
        leaked_images, leaked_labels = arrays(getattr(data, split))
        count = int(0.3 * len(leaked_labels))
        return with_train(
            data,
            np.concatenate([images, leaked_images[:count]]),
            np.concatenate([labels, leaked_labels[:count]]),
        )

    return leak


def conflicting(data: Splits) -> Splits:
    """A third of the images occur twice, with two labels."""
    images, labels = arrays(data.train)
    count = len(images) // 3
    return with_train(
        data,
        np.concatenate([images, images[:count]]),
        np.concatenate([labels, (labels[:count] + 1) % 10]),
    )


class CustomSoftmax(keras.layers.Layer):
    """A softmax that Keras does not recognize: it would undo its own in the loss."""

    def call(self, inputs: Any) -> Any:
        powers = keras.ops.exp(inputs - keras.ops.max(inputs, axis=-1, keepdims=True))
        return powers / keras.ops.sum(powers, axis=-1, keepdims=True)


def softmax_twice(recipe: Any, classes: int, scaling: Any) -> keras.Model:
    model = builder.build(recipe, classes, scaling)
    return keras.Model(model.inputs[0], CustomSoftmax(name="again")(model.outputs[0]))


def changed(change: Callable[[keras.Model], None]) -> Callable[..., keras.Model]:
    def build(recipe: Any, classes: int, scaling: Any) -> keras.Model:
        model = builder.build(recipe, classes, scaling)
        change(model)
        return model

    return build


def freeze(model: keras.Model) -> None:
    model.get_layer("conv2").trainable = False


def same_weights(model: keras.Model) -> None:
    model.get_layer("conv3").kernel.assign(model.get_layer("conv2").kernel)


class Reward(keras.regularizers.Regularizer):
    """L2 with the wrong sign."""

    def __call__(self, x: Any) -> Any:
        return -1e-4 * keras.ops.sum(keras.ops.square(x))


def no_penalty(model: keras.Model) -> None:
    for variable in model.trainable_variables:
        variable.regularizer = None


def wrong_sign(model: keras.Model) -> None:
    for variable in model.trainable_variables:
        if variable.regularizer is not None:
            variable.regularizer = Reward()


def inserted(layer: Callable[[], keras.Layer], behind: str) -> Callable[..., keras.Model]:
    """Returns `build` of the recipe's network with one more layer behind another."""

    def build(recipe: Any, classes: int, scaling: Any) -> keras.Model:
        model = builder.build(recipe, classes, scaling)
        x = model.inputs[0]
        for old in model.layers[1:]:
            x = old(x)
            if old.name == behind:
                x = layer()(x)
        return keras.Model(model.inputs[0], x)

    return build


class StopGradient(keras.layers.Layer):
    """Lets no gradient through."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.stop_gradient(inputs)


class BatchMean(keras.layers.Layer):
    """Subtracts the mean over the batch, in inference too."""

    def call(self, inputs: Any) -> Any:
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


class NotFromLogits(keras.losses.Loss):
    """Treats logits as probabilities."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=False)


class WrongAxis(keras.losses.Loss):
    """The softmax over the batch instead of the classes."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logs = keras.ops.log_softmax(y_pred, axis=0)
        labels = keras.ops.cast(keras.ops.reshape(y_true, (-1, 1)), "int32")
        return -keras.ops.take_along_axis(logs, labels, axis=1)[:, 0]


def smoothing_on(choice: Any, dtype: Any = None) -> keras.losses.Loss:
    return losses.make_loss(Loss.model_validate({"softmax": {"label_smoothing": 0.2}}), dtype)


def test_statistics(subject: Subject) -> None:
    """Normalises by the test images."""
    test = subject.data.test
    images, labels = arrays(test)
    darker = ArraySplit((images * 0.9).astype(np.uint8), labels)
    subject.data = replace(subject.data, test=darker)
    subject.scaling = normalisation("channel_meanstd", darker)


test_statistics.__test__ = False  # type: ignore[attr-defined]

PLANTED_FAULTS = [
    PlantedFault("labels shuffled", "C16", "labels that do not fit", data=shuffled),
    PlantedFault("labels off by one", "C03", "label", data=off_by_one),
    PlantedFault("classes in another order", "C16", "labels that do not fit", data=other_order),
    PlantedFault("softmax twice", "C12", "softmax", hooks={"build": softmax_twice}),
    PlantedFault(
        "logits taken for probabilities",
        "C05",
        "from_logits",
        hooks={"make_loss": lambda choice, dtype=None: NotFromLogits()},
    ),
    PlantedFault(
        "loss on the wrong axis",
        "C05",
        "loss",
        hooks={"make_loss": lambda choice, dtype=None: WrongAxis()},
    ),
    PlantedFault(
        "raw 0..255 without batch norm", "C01", "data.preprocess", ("data.preprocess=none", NO_NORM)
    ),
    PlantedFault("constant images", "C13", "input", data=constant),
    PlantedFault("statistics of the test split", "C02", "test", after=test_statistics),
    PlantedFault("30 % of the test images in train", "C04", "test", data=leaked("test")),
    PlantedFault(
        "30 % of the validation images in train", "C04", "validation", data=leaked("validation")
    ),
    PlantedFault("images under two labels", "C04", "label", data=conflicting),
    PlantedFault("class missing in validation", "C03", "validation", data=class_missing),
    PlantedFault("one class 99 %", "C03", "train.class_weight", data=one_class),
    PlantedFault(
        "learning rate 100x too high",
        "C14",
        "learning_rate",
        ("train.optimizer.Adam.learning_rate=1.0",),
    ),
    PlantedFault(
        "learning rate 100x too low",
        "C14",
        "learning_rate",
        ("train.optimizer.Adam.learning_rate=1e-4",),
    ),
    PlantedFault(
        "init 0.01 in a deep tanh net",
        "C08",
        "kernel_initializer",
        (*DEEP_TANH, "model.defaults.kernel_initializer={gaussian: 0.01}"),
    ),
    PlantedFault(
        "init 0.03 in a deep relu net",
        "C08",
        "kernel_initializer",
        (
            NO_NORM,
            "model.stack=[{fc: {units: 100, repeat: 10}}]",
            "model.defaults.kernel_initializer={gaussian: 0.03}",
        ),
    ),
    PlantedFault(
        "init 1.0 with tanh",
        "C10",
        "kernel_initializer",
        (*DEEP_TANH, "model.defaults.kernel_initializer={gaussian: 1.0}"),
    ),
    PlantedFault(
        "all-zero init", "C25", "kernel_initializer", ("model.defaults.kernel_initializer=zeros",)
    ),
    PlantedFault(
        "two layers with the same weights",
        "C25",
        "seed",
        ("model.stack=[{conv: {filters: 8}}, {conv: {filters: 8}}, {conv: {filters: 8}}]",),
        hooks={"build": changed(same_weights)},
    ),
    PlantedFault(
        "large negative bias",
        "C09",
        "bias_initializer",
        (NO_NORM, "model.defaults.bias_initializer={Constant: -30}"),
    ),
    PlantedFault(
        "head drawn far too wide",
        "C06",
        "model.head.kernel_initializer",
        ("model.head.kernel_initializer={gaussian: 3.0}",),
    ),
    PlantedFault(
        "label smoothing left on", "C12", "label_smoothing", hooks={"make_loss": smoothing_on}
    ),
    PlantedFault(
        "dropout left on",
        "C12",
        "dropout",
        hooks={"build": inserted(lambda: keras.layers.Dropout(0.8, seed=1), "flatten1")},
    ),
    PlantedFault("frozen layer", "C11", "conv2", hooks={"build": changed(freeze)}),
    PlantedFault(
        "gradient cut", "C11", "conv1", hooks={"build": inserted(StopGradient, "conv2_act")}
    ),
    PlantedFault(
        "images mixed within a batch",
        "C11",
        "batch",
        hooks={"build": inserted(BatchMean, "flatten1")},
    ),
    PlantedFault(
        "batch norm momentum 0.999 in a short run",
        "C21",
        "momentum",
        ("model.defaults.batch_norm={momentum: 0.999}", "train.epochs=5"),
    ),
    PlantedFault(
        "batch of 1 with batch norm",
        "C21",
        "train.batch_size",
        ("train.batch_size=1", "model.stack=[{fc: {units: 16}}]"),
    ),
    PlantedFault(
        "last batch of 1",
        "C21",
        "drop_remainder",
        ("train.batch_size=157", "model.stack=[{fc: {units: 16}}]"),
    ),
    PlantedFault(
        "momentum that remembers the whole training",
        "C26",
        "lower momentum, to 0.9",
        ("train.optimizer={SGD: {learning_rate: 0.1, momentum: 0.999}}",),
    ),
    PlantedFault(
        "batch that grew alone",
        "C27",
        "learning_rate 0.006 in train.optimizer, by the rule of square roots",
        ("train.batch_size=256",),
        hooks={
            "before": BatchAndRate(
                images=64, learning_rate=3e-3, optimizer="Adam", origin="the recipe's file"
            )
        },
    ),
    PlantedFault("L2 of 1.0", "C07", "l2", ("model.defaults.kernel_regularizer={l2: 1.0}",)),
    PlantedFault(
        "weight decay 1.0",
        "C07",
        "weight_decay",
        ("train.optimizer={SGD: {learning_rate: 0.1, weight_decay: 1.0}}",),
    ),
    PlantedFault(
        "L2 with the wrong sign",
        "C07",
        "l2",
        ("model.defaults.kernel_regularizer={l2: 1e-4}",),
        hooks={"build": changed(wrong_sign)},
    ),
    PlantedFault(
        "L2 stated and absent",
        "C07",
        "l2",
        ("model.defaults.kernel_regularizer={l2: 1e-4}",),
        hooks={"build": changed(no_penalty)},
    ),
    PlantedFault(
        "augmentation that destroys the image",
        "C16",
        "data.augment",
        ("data.augment=[{cutout: {size: 17}}]",),
    ),
    PlantedFault(
        "steps far too large",
        "C15",
        "learning_rate",
        (NO_NORM, "train.optimizer={SGD: {learning_rate: 30.0, global_clipnorm: 1.0}}"),
    ),
]
