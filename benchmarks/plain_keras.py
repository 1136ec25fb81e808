"""The network of recipes/cifar10-quick.yaml as a plain Keras script, to compare zoo with.

    python benchmarks/plain_keras.py PATH        PATH/train/CLASS/*.jpg, as for zoo

It uses nothing of zoo, and Keras's defaults for whatever the recipe leaves open. `--tuned` is what
an expert would write: decoded images are cached, and XLA is not used (which is also Keras's default
on a machine without a GPU).
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import keras
import tensorflow as tf
from keras import layers

IMAGE_SIZE = (32, 32)


def load(folder: Path, batch_size: int, tuned: bool) -> tuple[tf.data.Dataset, tf.data.Dataset]:
    """Return training and validation batches; training images are flipped at random."""
    train, validation = (
        keras.utils.image_dataset_from_directory(
            folder / "train",
            validation_split=0.1,
            subset=subset,
            seed=0,
            image_size=IMAGE_SIZE,
            batch_size=batch_size,
            label_mode="int",
        )
        for subset in ("training", "validation")
    )
    if tuned:
        train = train.cache().shuffle(len(train))
        validation = validation.cache()
    flip = layers.RandomFlip("horizontal")
    train = train.map(
        lambda images, labels: (flip(images, training=True), labels),
        num_parallel_calls=tf.data.AUTOTUNE,
    )
    return train.prefetch(tf.data.AUTOTUNE), validation.prefetch(tf.data.AUTOTUNE)


def build(classes: int) -> keras.Model:
    """Build three stages of convolution, batch norm, ReLU and pooling, then the logits."""
    model = keras.Sequential([keras.Input((*IMAGE_SIZE, 3)), layers.Rescaling(1 / 255)])
    for filters in (32, 64, 128):
        model.add(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        model.add(layers.BatchNormalization(momentum=0.9))
        model.add(layers.Activation("relu"))
        model.add(layers.MaxPooling2D())
    model.add(layers.Flatten())
    model.add(layers.Dense(classes))
    return model


def train(
    folder: Path,
    epochs: int = 5,
    batch_size: int = 128,
    tuned: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int | str = "auto",
) -> keras.Model:
    """Train on a folder of images; return the model."""
    training, validation = load(folder, batch_size, tuned)
    model = build(sum(path.is_dir() for path in (folder / "train").iterdir()))
    model.compile(
        optimizer=keras.optimizers.Adam(2e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        jit_compile=False if tuned else "auto",
    )
    model.fit(
        training,
        validation_data=validation,
        epochs=epochs,
        callbacks=list(callbacks),
        verbose=verbose,
    )
    return model


def main() -> None:
    """Train, and save the model."""
    parser = argparse.ArgumentParser(description="Trains a small network on a folder of images.")
    parser.add_argument("path", type=Path)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--tuned", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("model.keras"))
    args = parser.parse_args()
    train(args.path, args.epochs, args.batch_size, args.tuned).save(args.out)


if __name__ == "__main__":
    main()
