"""Networks of public scripts beside their recipes at equal weights: outputs, loss, gradients.

    python benchmarks/public_equal.py CIFAR10 [--names ...]

CIFAR10 is a folder with train/CLASS/*.jpg and test/CLASS/*.jpg. The weights of the script's network
are copied into the recipe's. From the first trained layer on, both see the same batch of noise in
training mode, without dropout, in 64 bits. Two epochs of training (public_scripts.py) tell little
where accuracy is near chance; this tells whether the two networks are one function. The loss is
without penalties.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from public_networks import SCRIPTS
from public_scripts import SHAPE, image_folder, overrides, recipe_of

import zoo

IMAGES, CLASSES = 32, 10


def layers_of(model: Any) -> Iterator[Any]:
    """Yield the layers of a model, those of nested models too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
        else:
            yield layer


def trained_layers(model: Any) -> list[Any]:
    """Return the layers with trainable weights, in their order."""
    return [layer for layer in layers_of(model) if layer.trainable_weights]


def plain(model: Any) -> None:
    """Switch off what draws random numbers in training, and what scales pixels."""
    for layer in layers_of(model):
        if isinstance(layer, keras.layers.Rescaling):
            layer.scale, layer.offset = 1.0, 0.0
        if hasattr(layer, "rate"):
            layer.rate = 0.0


def copy_weights(source: Any, target: Any) -> bool:
    """Copy weights from layer to layer, if those of the two have the same shapes in one order."""
    pairs = list(zip(trained_layers(source), trained_layers(target), strict=False))
    shapes = [[[tuple(w.shape) for w in layer.weights] for layer in pair] for pair in pairs]
    if len(trained_layers(source)) != len(trained_layers(target)) or any(a != b for a, b in shapes):
        return False
    for one, other in pairs:
        other.set_weights(one.get_weights())
    return True


def behind_normalisation(model: Any) -> Any:
    """Return a recipe's network from its first trained layer on."""
    return keras.Model(trained_layers(model)[0].input, model.outputs[0])


def one_step(model: Any, images: Any) -> tuple[np.ndarray, float, float]:
    """Return logits, loss without penalties, and the norm of all gradients of that loss."""
    labels = np.arange(len(images)) % CLASSES
    with tf.GradientTape() as tape:
        logits = model(images, training=True)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)(labels, logits)
    gradients = tape.gradient(loss, model.trainable_variables)
    return logits.numpy(), float(loss), float(tf.linalg.global_norm(gradients))


def main() -> None:
    """Print a row of each script."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("cifar10", type=Path, help="folder of CIFAR-10's images")
    parser.add_argument("--names", nargs="+", choices=list(SCRIPTS), default=list(SCRIPTS))
    args = parser.parse_args()
    keras.config.set_dtype_policy("float64")
    images = tf.random.stateless_normal((IMAGES, *SHAPE), (0, 0), dtype=tf.float64)
    print("| recipe | logits differ by | loss | norm of gradients |\n|---|--:|--:|--:|")
    with TemporaryDirectory() as temporary:
        folder = image_folder(args.cifar10, {"train": 20, "test": 5}, Path(temporary) / "images")
        for name in args.names:
            keras.utils.set_random_seed(0)
            script = SCRIPTS[name].network(SHAPE, CLASSES)
            changes = [*overrides(folder, 1, 0), "train.dtype_policy=float64"]
            recipe = zoo.build(zoo.load(recipe_of(name), changes))
            if not copy_weights(script, recipe):
                print(f"| {name} | not compared: its layers come in another order | | |")
                continue
            sides = []
            for model in (script, behind_normalisation(recipe)):
                plain(model)
                sides.append(one_step(model, images))
            (one, loss, norm), (other, loss_too, norm_too) = sides
            far = np.abs(one - other).max() / np.abs(one).max()
            losses, norms = f"{loss:.5f}, {loss_too:.5f}", f"{norm:.4f}, {norm_too:.4f}"
            print(f"| {name} | {far:.1e} | {losses} | {norms} |", flush=True)


if __name__ == "__main__":
    main()
