"""Networks of public training scripts, written with Keras's layers alone.

Each function takes the shape of an image and the number of classes, and returns a model from raw
pixels (0 to 255) to logits. The scripts end in a softmax, which is part of the loss here.
`benchmarks/public_scripts.py` compares them with the recipes of the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
from keras import layers, regularizers

Shape = tuple[int, int, int]


def mnist_convnet(shape: Shape, classes: int) -> keras.Model:
    """keras.io, "Simple MNIST convnet" (F. Chollet, 2015)."""
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(classes),
        ]
    )


def mini_xception(shape: Shape, classes: int, one_channel: bool = False) -> keras.Model:
    """keras.io, "Image classification from scratch" (F. Chollet, 2020): a small Xception.

    Args:
        shape: of an image.
        classes: number of logits.
        one_channel: whether the fan_in of a depthwise kernel counts the one channel that an output
            sees, as recipes do. Keras counts all channels, so its kernels begin smaller.
    """

    def separable(x: Any, filters: int) -> Any:
        initial: Any = "glorot_uniform"
        if one_channel:
            scale = (x.shape[-1] + 1) / 2
            initial = keras.initializers.VarianceScaling(scale, "fan_avg", "uniform")
        conv = layers.SeparableConv2D(filters, 3, padding="same", depthwise_initializer=initial)
        return layers.BatchNormalization()(conv(x))

    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    for filters, strides in ((32, 2), (64, 1)):
        x = layers.Conv2D(filters, 3, strides=strides, padding="same")(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    for filters in (128, 256, 512, 728):
        block = x
        for _ in range(2):
            x = separable(layers.Activation("relu")(x), filters)
        x = layers.MaxPooling2D(3, strides=2, padding="same")(x)
        x = layers.add([x, layers.Conv2D(filters, 1, strides=2, padding="same")(block)])
    x = layers.Activation("relu")(separable(x, 1024))
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.25)(x)
    return keras.Model(inputs, layers.Dense(classes)(x))


def cifar10_cnn(shape: Shape, classes: int) -> keras.Model:
    """Keras's examples/cifar10_cnn.py of 2015 to 2020."""
    model = keras.Sequential([keras.Input(shape), layers.Rescaling(1 / 255)])
    for filters in (32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.Conv2D(filters, 3, activation="relu"))
        model.add(layers.MaxPooling2D(2))
        model.add(layers.Dropout(0.25))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu"))
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(classes))
    return model


def cifar10_resnet(shape: Shape, classes: int) -> keras.Model:
    """Keras's examples/cifar10_resnet.py: ResNet20 v1, whose projections have no norm."""

    def conv(x: Any, filters: int, size: int = 3, strides: int = 1) -> Any:
        return layers.Conv2D(
            filters,
            size,
            strides=strides,
            padding="same",
            kernel_initializer="he_normal",
            kernel_regularizer=regularizers.L2(1e-4),
        )(x)

    inputs = keras.Input(shape)
    x = layers.Activation("relu")(layers.BatchNormalization()(conv(inputs, 16)))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if filters > 16 and block == 0 else 1
            y = layers.BatchNormalization()(conv(x, filters, strides=strides))
            y = layers.BatchNormalization()(conv(layers.Activation("relu")(y), filters))
            if strides > 1:
                x = conv(x, filters, 1, strides)
            x = layers.Activation("relu")(layers.add([x, y]))
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return keras.Model(inputs, layers.Dense(classes, kernel_initializer="he_normal")(x))


def cifar10_vgg(shape: Shape, classes: int) -> keras.Model:
    """cifar10vgg.py (Y. Geifman, 2018): VGG16 with dropout, batch norm after the activation."""
    model = keras.Sequential([keras.Input(shape)])
    decay = regularizers.L2(5e-4)
    stages = [(64, 2, 0.3), (128, 2, 0.4), (256, 3, 0.4), (512, 3, 0.4), (512, 3, 0.4)]
    for filters, count, rate in stages:
        for index in range(count):
            model.add(
                layers.Conv2D(
                    filters, 3, padding="same", activation="relu", kernel_regularizer=decay
                )
            )
            model.add(layers.BatchNormalization())
            if index < count - 1:
                model.add(layers.Dropout(rate))
        model.add(layers.MaxPooling2D(2))
    model.add(layers.Dropout(0.5))
    model.add(layers.Flatten())
    model.add(layers.Dense(512, activation="relu", kernel_regularizer=decay))
    model.add(layers.BatchNormalization())
    model.add(layers.Dropout(0.5))
    model.add(layers.Dense(classes))
    return model


def flowers(shape: Shape, classes: int) -> keras.Model:
    """TensorFlow's tutorial "Image classification" (flowers)."""
    model = keras.Sequential([keras.Input(shape), layers.Rescaling(1 / 255)])
    for filters in (16, 32, 64):
        model.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Dropout(0.2))
    model.add(layers.Flatten())
    model.add(layers.Dense(128, activation="relu"))
    model.add(layers.Dense(classes))
    return model


def _normed_relu(x: Any) -> Any:
    return layers.Activation("relu")(layers.BatchNormalization(momentum=0.9)(x))


def _decayed_conv(
    x: Any, filters: int, size: int = 3, strides: int = 1, initial: str = "he_normal"
) -> Any:
    """A convolution without a bias, with a weight decay of 1e-4: half of it is the penalty."""
    return layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=False,
        kernel_initializer=initial,
        kernel_regularizer=regularizers.L2(0.5e-4),
    )(x)


def _decayed_logits(x: Any, classes: int) -> Any:
    """A head as recipes begin it, with a weight decay of 1e-4."""
    return layers.Dense(
        classes,
        kernel_initializer=keras.initializers.RandomNormal(stddev=0.01),
        kernel_regularizer=regularizers.L2(0.5e-4),
    )(x)


def densenet(shape: Shape, classes: int) -> keras.Model:
    """DenseNet of 40 layers, growth rate 12, as in T. de Boissiere's DenseNet for Keras (2016).

    Kernels begin as the recipe's do.
    """
    inputs = keras.Input(shape)
    x = _decayed_conv(inputs, 16, initial="lecun_normal")
    for block in range(3):
        for _ in range(12):
            x = layers.concatenate([x, _decayed_conv(_normed_relu(x), 12)])
        if block < 2:
            x = layers.AveragePooling2D(2)(_decayed_conv(_normed_relu(x), x.shape[-1], 1))
    x = layers.GlobalAveragePooling2D()(_normed_relu(x))
    return keras.Model(inputs, _decayed_logits(x, classes))


def se_resnet20(shape: Shape, classes: int) -> keras.Model:
    """SE-ResNet-20 of moskomule's senet.pytorch (2017).

    Kernels begin as the recipe's do: he_normal before a ReLU, else lecun_normal.
    """

    def gate(x: Any, units: int, activation: str, initial: str) -> Any:
        return layers.Dense(
            units,
            activation,
            use_bias=False,
            kernel_initializer=initial,
            kernel_regularizer=regularizers.L2(0.5e-4),
        )(x)

    def linear_conv(x: Any, filters: int, size: int, strides: int) -> Any:
        x = _decayed_conv(x, filters, size, strides, initial="lecun_normal")
        return layers.BatchNormalization(momentum=0.9)(x)

    inputs = keras.Input(shape)
    x = _normed_relu(_decayed_conv(inputs, 16))
    for filters in (16, 32, 64):
        for block in range(3):
            strides = 2 if filters > 16 and block == 0 else 1
            y = _normed_relu(_decayed_conv(x, filters, strides=strides))
            y = linear_conv(y, filters, 3, 1)
            means = layers.GlobalAveragePooling2D(keepdims=True)(y)
            squeezed = gate(means, filters // 16, "relu", "he_normal")
            gates = gate(squeezed, filters, "sigmoid", "lecun_normal")
            if strides > 1:
                x = linear_conv(x, filters, 1, strides)
            x = layers.Activation("relu")(layers.add([x, layers.multiply([y, gates])]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, _decayed_logits(x, classes))


def channel_means(images: np.ndarray) -> keras.Layer:
    """Subtract each channel's mean and divide by its standard deviation."""
    axes = (0, 1, 2)
    return layers.Normalization(mean=images.mean(axes), variance=images.var(axes))


def pixel_means(images: np.ndarray) -> keras.Layer:
    """Subtract each pixel's mean over the training images.

    The script divides values by 255 first. Batch norm makes training alike either way, but moving
    variances, which begin at 1, then take longer to fit, so early validation would not compare.
    """
    mean = images.mean(axis=0)
    return layers.Normalization((1, 2, 3), mean, np.ones_like(mean))


def one_mean_and_std(images: np.ndarray) -> keras.Layer:
    """Subtract one mean of all values and divide by their standard deviation."""
    pixels = images.astype(np.float32)
    return layers.Rescaling(1 / pixels.std(), -pixels.mean() / pixels.std())


@dataclass(frozen=True, kw_only=True)
class Script:
    """What a public script trains, and how.

    Attributes:
        network: from the shape of an image and the number of classes.
        shape: of its own images.
        classes: of its own data.
        parameters: that its `model.summary()` prints, trained or not.
        optimizer: a new one.
        batch_size: images a step.
        augment: layers that change training images.
        normalise: from training images, a layer before the network; None: in the network.
    """

    network: Callable[[Shape, int], keras.Model]
    shape: Shape
    classes: int
    parameters: int
    optimizer: Callable[[], keras.Optimizer]
    batch_size: int
    augment: Callable[[], list[keras.Layer]] = list
    normalise: Callable[[np.ndarray], keras.Layer] | None = None


def _shift_and_flip() -> list[keras.Layer]:
    return [
        layers.RandomTranslation(0.1, 0.1, fill_mode="nearest"),
        layers.RandomFlip("horizontal"),
    ]


def _crop_and_flip() -> list[keras.Layer]:
    """As a crop of 32x32 pixels after 4 pixels of zeros on all sides."""
    shift = 4 / 32
    return [
        layers.RandomTranslation(shift, shift, fill_mode="constant", interpolation="nearest"),
        layers.RandomFlip("horizontal"),
    ]


# Networks of scripts with depthwise kernels that begin as those of recipes do.
ONE_CHANNEL = {"keras-mini-xception": partial(mini_xception, one_channel=True)}

# Name of the recipe -> the script.
SCRIPTS = {
    "keras-mnist-convnet": Script(
        network=mnist_convnet,
        shape=(28, 28, 1),
        classes=10,
        parameters=34_826,
        optimizer=lambda: keras.optimizers.Adam(1e-3),
        batch_size=128,
    ),
    "keras-mini-xception": Script(
        network=mini_xception,
        shape=(180, 180, 3),
        classes=1,
        parameters=2_782_649,
        optimizer=lambda: keras.optimizers.Adam(3e-4),
        batch_size=128,
        augment=lambda: [layers.RandomFlip("horizontal"), layers.RandomRotation(0.1)],
    ),
    "keras-cifar10-cnn": Script(
        network=cifar10_cnn,
        shape=(32, 32, 3),
        classes=10,
        parameters=1_250_858,
        optimizer=lambda: keras.optimizers.RMSprop(1e-4),
        batch_size=32,
        augment=_shift_and_flip,
    ),
    "keras-cifar10-resnet": Script(
        network=cifar10_resnet,
        shape=(32, 32, 3),
        classes=10,
        parameters=274_442,
        optimizer=lambda: keras.optimizers.Adam(1e-3),
        batch_size=32,
        augment=_shift_and_flip,
        normalise=pixel_means,
    ),
    "cifar10-vgg16-dropout": Script(
        network=cifar10_vgg,
        shape=(32, 32, 3),
        classes=10,
        parameters=15_001_418,
        optimizer=lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        batch_size=128,
        augment=lambda: [
            layers.RandomRotation(15 / 360, fill_mode="nearest"),
            *_shift_and_flip(),
        ],
        normalise=one_mean_and_std,
    ),
    "tensorflow-flowers": Script(
        network=flowers,
        shape=(180, 180, 3),
        classes=5,
        parameters=3_989_285,
        optimizer=lambda: keras.optimizers.Adam(1e-3),
        batch_size=32,
        augment=lambda: [
            layers.RandomFlip("horizontal"),
            layers.RandomRotation(0.1),
            layers.RandomZoom(0.1),
        ],
    ),
    "densenet-40-12": Script(
        network=densenet,
        shape=(32, 32, 3),
        classes=10,
        parameters=1_037_818,
        optimizer=lambda: keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        batch_size=64,
        augment=_crop_and_flip,
        normalise=channel_means,
    ),
    "senet20": Script(
        network=se_resnet20,
        shape=(32, 32, 3),
        classes=10,
        parameters=276_058,
        optimizer=lambda: keras.optimizers.SGD(0.1, momentum=0.9),
        batch_size=64,
        augment=_crop_and_flip,
        normalise=channel_means,
    ),
}
