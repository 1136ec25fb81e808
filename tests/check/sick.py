"""Recipes, data and hooks with one planted fault each, and the check that must see it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from tests.runs import tiny
from zoo import losses
from zoo.check.measure import Subject
from zoo.data.load import load as load_data
from zoo.data.normalise import normalisation
from zoo.data.splits import ArraySplit, Splits
from zoo.model import builder
from zoo.recipe.schema import Loss

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
class Sick:
    """A fault: changes of the healthy recipe, of its data, or of how things are made."""

    name: str
    check: str
    words: str
    overrides: tuple[str, ...] = ()
    data: Callable[[Splits], Splits] | None = None
    hooks: dict[str, Any] = field(default_factory=dict)
    after: Callable[[Subject], None] | None = None

    def subject(self, folder: Path) -> Subject:
        recipe = tiny(folder, *self.overrides, text=HEALTHY)
        data = load_data(recipe)
        made = Subject(recipe, self.data(data) if self.data else data, **self.hooks)
        if self.after:
            self.after(made)
        return made


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
    """Training labels count the classes in another order than those of validation."""
    images, labels = arrays(data.train)
    return with_train(data, images, (labels + 3) % 10)


def constant(data: Splits) -> Splits:
    images, labels = arrays(data.train)
    return with_train(data, np.full_like(images, 100), labels)


def one_class(data: Splits) -> Splits:
    images, labels = arrays(data.train)
    kept = np.flatnonzero(labels == 0)
    few = np.concatenate([np.flatnonzero(labels == c)[:1] for c in range(1, 10)])
    chosen = np.concatenate([np.tile(kept, 8), few])
    return with_train(data, images[chosen], labels[chosen])


def class_missing(data: Splits) -> Splits:
    images, labels = arrays(data.validation)
    kept = labels != 3
    return replace(data, validation=ArraySplit(images[kept], labels[kept]))


def leaked(split: str) -> Callable[[Splits], Splits]:
    def leak(data: Splits) -> Splits:
        images, labels = arrays(data.train)
        more, their = arrays(getattr(data, split))
        count = int(0.3 * len(their))
        return with_train(
            data, np.concatenate([images, more[:count]]), np.concatenate([labels, their[:count]])
        )

    return leak


def conflicting(data: Splits) -> Splits:
    """A third of the images stand twice, under two labels."""
    images, labels = arrays(data.train)
    count = len(images) // 3
    return with_train(
        data,
        np.concatenate([images, images[:count]]),
        np.concatenate([labels, (labels[:count] + 1) % 10]),
    )


class Again(keras.layers.Layer):
    """A softmax that Keras does not know as one: it would take it back in the loss."""

    def call(self, inputs: Any) -> Any:
        powers = keras.ops.exp(inputs - keras.ops.max(inputs, axis=-1, keepdims=True))
        return powers / keras.ops.sum(powers, axis=-1, keepdims=True)


def softmax_twice(recipe: Any, classes: int, scaling: Any) -> keras.Model:
    made = builder.build(recipe, classes, scaling)
    return keras.Model(made.inputs[0], Again(name="again")(made.outputs[0]))


def changed(kind: Callable[[keras.Model], None]) -> Callable[..., keras.Model]:
    def build(recipe: Any, classes: int, scaling: Any) -> keras.Model:
        made = builder.build(recipe, classes, scaling)
        kind(made)
        return made

    return build


def freeze(made: keras.Model) -> None:
    made.get_layer("conv2").trainable = False


def same_weights(made: keras.Model) -> None:
    made.get_layer("conv3").kernel.assign(made.get_layer("conv2").kernel)


class Reward(keras.regularizers.Regularizer):
    """L2 with the wrong sign."""

    def __call__(self, x: Any) -> Any:
        return -1e-4 * keras.ops.sum(keras.ops.square(x))


def no_penalty(made: keras.Model) -> None:
    for variable in made.trainable_variables:
        variable.regularizer = None


def wrong_sign(made: keras.Model) -> None:
    for variable in made.trainable_variables:
        if variable.regularizer is not None:
            variable.regularizer = Reward()


def inserted(layer: Callable[[], keras.Layer], behind: str) -> Callable[..., keras.Model]:
    """A network with one more layer, which no recipe asked for."""

    def build(recipe: Any, classes: int, scaling: Any) -> keras.Model:
        made = builder.build(recipe, classes, scaling)
        x = made.inputs[0]
        for part in made.layers[1:]:
            x = part(x)
            if part.name == behind:
                x = layer()(x)
        return keras.Model(made.inputs[0], x)

    return build


class Cut(keras.layers.Layer):
    """Lets no gradient through."""

    def call(self, inputs: Any) -> Any:
        return keras.ops.stop_gradient(inputs)


class BatchMean(keras.layers.Layer):
    """Takes the mean over the batch away, in inference too."""

    def call(self, inputs: Any) -> Any:
        return inputs - keras.ops.mean(inputs, axis=0, keepdims=True)


class NotFromLogits(keras.losses.Loss):
    """Takes logits for probabilities."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=False)


class WrongAxis(keras.losses.Loss):
    """The softmax over the batch instead of the classes."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        logs = keras.ops.log_softmax(y_pred, axis=0)
        labels = keras.ops.cast(keras.ops.reshape(y_true, (-1, 1)), "int32")
        return -keras.ops.take_along_axis(logs, labels, axis=1)[:, 0]


def smoothing_on(choice: Any, dtype: Any = None) -> keras.losses.Loss:
    return losses.make(Loss.model_validate({"softmax": {"label_smoothing": 0.2}}), dtype)


def test_statistics(subject: Subject) -> None:
    """Normalises by the test images."""
    test = subject.data.test
    images, labels = arrays(test)
    darker = ArraySplit((images * 0.9).astype(np.uint8), labels)
    subject.data = replace(subject.data, test=darker)
    subject.scaling = normalisation("channel_meanstd", darker)


test_statistics.__test__ = False  # type: ignore[attr-defined]

SICK = [
    Sick("labels shuffled", "C16", "labels that do not fit", data=shuffled),
    Sick("labels off by one", "C03", "label", data=off_by_one),
    Sick("classes in another order", "C16", "labels that do not fit", data=other_order),
    Sick("softmax twice", "C12", "softmax", hooks={"build": softmax_twice}),
    Sick("logits taken for probabilities", "C05", "from_logits",
         hooks={"make_loss": lambda choice, dtype=None: NotFromLogits()}),
    Sick("loss on the wrong axis", "C05", "loss",
         hooks={"make_loss": lambda choice, dtype=None: WrongAxis()}),
    Sick("raw 0..255 without batch norm", "C01", "data.preprocess",
         ("data.preprocess=none", NO_NORM)),
    Sick("constant images", "C13", "input", data=constant),
    Sick("statistics of the test split", "C02", "test", after=test_statistics),
    Sick("30 % of the test images in train", "C04", "test", data=leaked("test")),
    Sick("30 % of the validation images in train", "C04", "validation",
         data=leaked("validation")),
    Sick("images under two labels", "C04", "label", data=conflicting),
    Sick("class missing in validation", "C03", "validation", data=class_missing),
    Sick("one class 99 %", "C03", "train.class_weight", data=one_class),
    # Of digits-tiny's 1e-2.
    Sick("learning rate 100x too high", "C14", "learning_rate",
         ("train.optimizer.Adam.learning_rate=1.0",)),
    Sick("learning rate 100x too low", "C14", "learning_rate",
         ("train.optimizer.Adam.learning_rate=1e-4",)),
    Sick("init 0.01 in a deep tanh net", "C08", "kernel_initializer",
         (*DEEP_TANH, "model.defaults.kernel_initializer={gaussian: 0.01}")),
    Sick("init 0.03 in a deep relu net", "C08", "kernel_initializer",
         (NO_NORM, "model.stack=[{fc: {units: 100, repeat: 10}}]",
          "model.defaults.kernel_initializer={gaussian: 0.03}")),
    Sick("init 1.0 with tanh", "C10", "kernel_initializer",
         (*DEEP_TANH, "model.defaults.kernel_initializer={gaussian: 1.0}")),
    Sick("all-zero init", "C25", "kernel_initializer",
         ("model.defaults.kernel_initializer=zeros",)),
    Sick("two layers with the same weights", "C25", "seed",
         ("model.stack=[{conv: {filters: 8}}, {conv: {filters: 8}}, {conv: {filters: 8}}]",),
         hooks={"build": changed(same_weights)}),
    Sick("large negative bias", "C09", "bias_initializer",
         (NO_NORM, "model.defaults.bias_initializer={Constant: -30}")),
    Sick("head drawn far too wide", "C06", "model.head.kernel_initializer",
         ("model.head.kernel_initializer={gaussian: 3.0}",)),
    Sick("label smoothing left on", "C12", "label_smoothing", hooks={"make_loss": smoothing_on}),
    Sick("dropout left on", "C12", "dropout",
         hooks={"build": inserted(lambda: keras.layers.Dropout(0.8, seed=1), "flatten1")}),
    Sick("frozen layer", "C11", "conv2", hooks={"build": changed(freeze)}),
    Sick("gradient cut", "C11", "conv1", hooks={"build": inserted(Cut, "conv2_act")}),
    Sick("images mixed within a batch", "C11", "batch",
         hooks={"build": inserted(BatchMean, "flatten1")}),
    Sick("batch norm momentum 0.999 in a short run", "C21", "momentum",
         ("model.defaults.batch_norm={momentum: 0.999}", "train.epochs=5")),
    Sick("batch of 1 with batch norm", "C21", "train.batch_size",
         ("train.batch_size=1", "model.stack=[{fc: {units: 16}}]")),
    Sick("last batch of 1", "C21", "drop_remainder",
         ("train.batch_size=157", "model.stack=[{fc: {units: 16}}]")),
    Sick("L2 of 1.0", "C07", "l2", ("model.defaults.kernel_regularizer={l2: 1.0}",)),
    Sick("weight decay 1.0", "C07", "weight_decay",
         ("train.optimizer={SGD: {learning_rate: 0.1, weight_decay: 1.0}}",)),
    Sick("L2 with the wrong sign", "C07", "l2",
         ("model.defaults.kernel_regularizer={l2: 1e-4}",),
         hooks={"build": changed(wrong_sign)}),
    Sick("L2 stated and absent", "C07", "l2",
         ("model.defaults.kernel_regularizer={l2: 1e-4}",),
         hooks={"build": changed(no_penalty)}),
    Sick("augmentation that destroys the image", "C16", "data.augment",
         ("data.augment=[{cutout: {size: 17}}]",)),
    Sick("steps far too large", "C15", "learning_rate",
         (NO_NORM, "train.optimizer={SGD: {learning_rate: 30.0, global_clipnorm: 1.0}}")),
]  # fmt: skip
