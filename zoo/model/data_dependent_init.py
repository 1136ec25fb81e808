"""Initial weights that depend on the training images: whitening, LSUV, class priors.

They are set once, before the first step. A resumed run has them in its state.
"""

from __future__ import annotations

from collections.abc import Collection

import keras
import numpy as np

from zoo import backend, seeds
from zoo.class_weights import class_weights
from zoo.datasets.splits import Split
from zoo.labels import class_counts, is_multi_label
from zoo.model import backbone_weights, introspect
from zoo.plan import Layer, Plan, plan
from zoo.plan.backbones import PREFIX
from zoo.plan.options import KernelOptions, WhitenOptions
from zoo.recipe import Recipe

HEAD = "logits"
LSUV_IMAGES = 256
LSUV_MAX_ROUNDS = 10
LSUV_TOLERANCE = 0.1
PATCH_ROWS = 2**17  # Number of patches multiplied at once.


def initialise(
    model: keras.Model,
    recipe: Recipe,
    train: Split,
    planned: Plan | None = None,
    loaded: Collection[str] = (),
) -> list[str]:
    """Sets the weights that the recipe takes from the training images.

    Args:
        model: as `model.build` makes it for the recipe.
        recipe: resolved.
        train: the training split; nothing of validation or test may reach the network.
        planned: the plan that the model was built from, where the caller has it.
        loaded: layers with trained weights, which stay as they are.

    Returns:
        A sentence for each layer that could not be set as asked for.
    """
    if PREFIX not in loaded:
        backbone_weights.assign(model, recipe)
    layers = (planned or plan(recipe, model.output_shape[-1])).layers
    for layer in layers:
        if isinstance(layer.options, WhitenOptions) and layer.name not in loaded:
            _whiten(model, layer.name, layer.options, layer.inputs[0], recipe, train)
    if recipe.model.head.bias_initializer.word == "class_priors" and HEAD not in loaded:
        _class_priors(model, recipe, train)
    scaled = [
        layer
        for layer in layers
        if isinstance(layer.options, KernelOptions)
        and layer.options.kernel_initializer.word == "lsuv"
        and not layer.norm_follows
        and layer.name not in loaded
    ]
    return _lsuv(model, scaled, recipe, train) if scaled else []


def _sample(recipe: Recipe, train: Split, name: str, count: int) -> np.ndarray:
    """Up to `count` training images, drawn by the recipe's seed.

    Returns:
        uint8 (n, height, width, channels).
    """
    rng = np.random.Generator(np.random.Philox(key=seeds.derive(recipe.seed, name, bits=128)))
    return train.images(np.sort(rng.permutation(len(train))[:count]))


def _whiten(
    model: keras.Model, name: str, options: WhitenOptions, before: str, recipe: Recipe, train: Split
) -> None:
    """Sets the kernel of the layer `name` from the outputs of the layer `before`."""
    images = _sample(recipe, train, name, options.images)
    (values,) = introspect.outputs(model, [before], images)
    kernel = whitening(values, options.kernel_size, options.epsilon)
    model.get_layer(name).kernel.assign(kernel)


def whitening(images: np.ndarray, kernel_size: tuple[int, int], epsilon: float) -> np.ndarray:
    """A kernel whose outputs for the patches of images are uncorrelated.

    For patches p of height * width * channels values, not centred, E[p p^T] = V diag(l) V^T, with l
    in falling order. The filters are the columns of V / sqrt(l + epsilon), then their negatives.

    Args:
        images: (n, height, width, channels), as the layer gets them.
        kernel_size: height and width of a patch.
        epsilon: added to the eigenvalues.

    Returns:
        (height, width, channels, 2 * height * width * channels).

    Source: Page 2019; Jordan 2024, "94% on CIFAR-10 in 3.29 Seconds", section 3.1.
    """
    height, width = kernel_size
    windows = np.lib.stride_tricks.sliding_window_view(images, kernel_size, axis=(1, 2))
    windows = np.moveaxis(windows, 3, -1)  # (n, rows, columns, height, width, channels)
    size = height * width * images.shape[-1]
    total = np.zeros((size, size))
    count = 0
    step = max(1, PATCH_ROWS // (windows.shape[1] * windows.shape[2]))
    for first in range(0, len(windows), step):
        patches = windows[first : first + step].reshape(-1, size).astype(np.float64)
        total += patches.T @ patches
        count += len(patches)
    values, vectors = np.linalg.eigh(total / count)
    values, vectors = values[::-1], vectors[:, ::-1]
    scaled = vectors / np.sqrt(np.maximum(values, 0.0) + epsilon)
    return np.concatenate([scaled, -scaled], axis=1).reshape(height, width, images.shape[-1], -1)


def _class_priors(model: keras.Model, recipe: Recipe, train: Split) -> None:
    """Sets the head's bias to ln of each class's share; a class without images counts as one.

    With sigmoid it is ln of the share over that of the other images.

    With class weights the shares are those of the weight: they are what the loss takes for the
    answer that ignores the image. With `class_weight: balanced` all are equal.
    """
    classes = model.output_shape[-1]
    if recipe.train.loss.word == "sigmoid":
        weights = class_weights(recipe.train.class_weight, train.labels, classes)
        priors = sigmoid_priors(np.asarray(train.labels), weights, classes)
        model.get_layer("logits").bias.assign(priors / recipe.model.head.scale)
        return
    counts = np.maximum(np.bincount(train.labels, minlength=classes), 1)
    weights = class_weights(recipe.train.class_weight, train.labels, classes)
    if weights is not None:
        # A class that the loss ignores has a share, too, if a small one: ln 0 is no bias.
        counts = np.maximum(counts * weights, 1e-3)
    priors = np.log(counts / (counts.sum() if weights is not None else len(train.labels)))
    model.get_layer(HEAD).bias.assign(priors / recipe.model.head.scale)


def sigmoid_priors(labels: np.ndarray, weights: np.ndarray | None, classes: int) -> np.ndarray:
    """ln(yes / no) of each class, float64 (classes,), counting at least one image of each.

    With weights of classes it counts their weight, but at least a thousandth of an image. Source:
    Lin et al. 2017, "Focal loss for dense object detection", section 3.3.

    Args:
        labels: of the training images, in either form of `zoo.labels`.
        weights: as `zoo.class_weights.class_weights` returns them.
        classes: number of classes.
    """
    counts = class_counts(labels, classes)
    yes, no = np.maximum(counts, 1.0), np.maximum(len(labels) - counts, 1.0)
    if weights is not None:
        yes = np.maximum(yes * weights, 1e-3)
        if not is_multi_label(labels):
            no = np.maximum((counts * weights).sum() - counts * weights, 1e-3)
    return np.asarray(np.log(yes / no), np.float64)


def _lsuv(model: keras.Model, layers: list[Layer], recipe: Recipe, train: Split) -> list[str]:
    """Scales kernels, first layer first, until their outputs have variance 1.

    Source: Mishkin & Matas 2016, "All you need is a good init", algorithm 1.
    """
    images = _sample(recipe, train, "lsuv", LSUV_IMAGES)
    messages = []
    for layer in layers:
        kernel = model.get_layer(layer.name).kernel
        for _ in range(LSUV_MAX_ROUNDS):
            (values,) = introspect.outputs(model, [layer.name], images)
            variance = float(np.var(values, dtype=np.float64))
            if abs(variance - 1) < LSUV_TOLERANCE:
                break
            if not variance > 0:
                messages.append(
                    f"lsuv: {layer.name} gives the same value for every training image; its kernel "
                    "stays orthonormal. What is before it is constant: see data.preprocess."
                )
                break
            kernel.assign(backend.to_numpy(kernel) / np.sqrt(variance))
    return messages
