"""C05 to C07: the loss at the start: its wiring, its size, its penalties."""

from __future__ import annotations

import re
from math import sqrt
from typing import Any

import keras
import numpy as np

from zoo import backend, losses
from zoo.artifact.warm_start import HEAD
from zoo.checks.judge.loss import HeadConfidence, LossName, LossWiring
from zoo.checks.judge.regularisation import Regularisation
from zoo.checks.measure.subject import Subject
from zoo.checks.measure.trainer import Trainer
from zoo.class_weights import loss_weights
from zoo.labels import is_multi_label, label_sets
from zoo.model import introspect
from zoo.model.data_dependent_init import sigmoid_priors
from zoo.plan import Layer
from zoo.plugins import keras_parts
from zoo.recipe.train_block import Loss, Optimizer

# What kind of decay there is, by (penalty in the loss, weight decay in the optimizer).
DECAYS: dict[tuple[bool, bool], Any] = {
    (False, False): "none",
    (True, False): "coupled",
    (False, True): "decoupled",
    (True, True): "both",
}


def logits(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Logits of the probe images, batch norm in training mode.

    Returns:
        Logits, float64 (n, classes), and labels, in either form of `zoo.labels`.
    """
    images, labels = subject.probe
    (scores,) = introspect.outputs(subject.start, [subject.start.layers[-1].name], images)
    return scores.astype(np.float64), labels


def loss_wiring(subject: Subject) -> LossWiring:
    """The compiled loss, our own, and the loss under shuffled labels.

    With l_ij the loss of image i under label j and p the shares of the labels, a network that knows
    nothing has E0 = mean_i sum_j p_j l_ij, with variance V0 = n^-2 sum_i var_j(l_ij), or the
    variance between classes if that is larger. Of multi-label images the whole sets of classes are
    shuffled.
    """
    scores, labels = logits(subject)
    choice = subject.unregularized.train.loss
    compiled = subject.make_loss(choice)
    numbers, sets = label_sets(labels, subject.classes)
    per_label = loss_per_label(choice, scores, sets)
    own = per_label[np.arange(len(numbers)), numbers]
    shares = np.bincount(numbers, minlength=len(sets)) / len(numbers)
    mean = per_label @ shares
    variance = (((per_label - mean[:, None]) ** 2) @ shares).sum() / len(labels) ** 2
    variance = max(variance, _variance_between_classes(own - mean, numbers, len(sets)))
    return LossWiring(
        compiled=float(compiled(labels, scores.astype(np.float32))),
        own=float(own.mean()),
        loss=loss_name(choice),
        expected=float(mean.mean()),
        sd=sqrt(variance),
        num_classes=subject.classes,
        zero_logits=bool(np.abs(scores).max() == 0),
        trained=bool(subject.loaded),
        at_start=losses.uniform_loss(choice, subject.classes),
    )


def _variance_between_classes(values: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """Variance of the mean of values (n,) if those of a class are alike.

    An untrained network makes much the same of all images of a class. There are then as many
    independent values as classes, not as images.
    """
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=values, minlength=classes) - counts * values.mean()
    present = int((counts > 0).sum())
    return float((sums**2).sum() / len(labels) ** 2 * present / max(present - 1, 1))


def loss_name(choice: Loss) -> LossName:
    """Name of a loss, as the checks know it."""
    if choice.part:
        return "own"
    names: dict[str, LossName] = {"svm": "svm", "focal": "focal", "sigmoid": "sigmoid"}
    return names.get(choice.word, "softmax")


def data_losses(
    choice: Loss, scores: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None
) -> np.ndarray:
    """Data loss of each image.

    Args:
        choice: `train.loss` of a recipe.
        scores: logits, float64 (n, classes).
        labels: in either form of `zoo.labels`.
        weights: of the classes, as `zoo.class_weights.class_weights` returns them.

    Returns:
        Losses, float64 (n,).
    """
    if not is_multi_label(labels):
        own = loss_per_label(choice, scores)[np.arange(len(labels)), labels]
        return own if weights is None else np.asarray(own * weights[labels])
    yes, no = _sigmoid_losses(choice, scores)
    own = np.where(labels > 0, yes, no)
    if weights is not None:
        own = own * loss_weights(weights, labels)
    return np.asarray(own.mean(axis=1))


def _sigmoid_losses(choice: Loss, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The sigmoid loss of each logit if its class is there, and if it is not."""
    both = []
    for right in (scores, -scores):
        cross_entropy = np.logaddexp(0.0, -right)
        wrong = np.exp(-np.logaddexp(0.0, right))
        both.append(np.asarray(wrong**choice.options.gamma * cross_entropy))
    return both[0], both[1]


def loss_per_label(choice: Loss, scores: np.ndarray, sets: np.ndarray | None = None) -> np.ndarray:
    """Data loss of each image under each label.

    By hand: scipy's `logsumexp` rounds differently, which would change recorded losses.

    Args:
        choice: `train.loss` of a recipe.
        scores: logits, float64 (n, classes).
        sets: the labels, (labels, classes) of 0 and 1; None: each class alone. Others than these
            are for sigmoid.

    Returns:
        Losses, float64 (n, labels).
    """
    if choice.part:
        return keras_parts.losses_per_label(choice, scores)
    if choice.word == "sigmoid":
        sets = np.eye(scores.shape[1]) if sets is None else sets.astype(np.float64)
        yes, no = _sigmoid_losses(choice, scores)
        return np.asarray((yes @ sets.T + no @ (1 - sets).T) / scores.shape[1])
    if choice.word == "svm":
        margin = choice.options.margin
        columns = [
            np.maximum(0, scores - scores[:, [j]] + margin).sum(axis=1) - margin
            for j in range(scores.shape[1])
        ]
        return np.stack(columns, axis=1)
    top = scores.max(axis=1, keepdims=True)
    log_sum = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    cross_entropy = np.asarray(log_sum - scores)
    if choice.word == "focal":
        options = choice.options
        wrong = np.maximum(-np.expm1(-cross_entropy), 0)
        return np.asarray(options.alpha * wrong**options.gamma * cross_entropy)
    return cross_entropy


def head_confidence(subject: Subject) -> HeadConfidence | None:
    """The data loss at the start and that of uniform predictions; the spread of the logits.

    None if the head starts with trained weights: it has learned to be confident.
    """
    if HEAD in subject.loaded:
        return None
    scores, labels = logits(subject)
    choice = subject.unregularized.train.loss
    own = data_losses(choice, scores, labels).mean()
    spread = scores.var(axis=1).mean() * subject.classes / max(subject.classes - 1, 1)
    if subject.classes == 1:
        spread = np.square(scores).mean()
    return HeadConfidence(
        loss=float(own),
        num_classes=subject.classes,
        logit_std=float(sqrt(spread)),
        at_zero=_equal_scores_loss(subject, labels),
        loss_word=loss_name(choice),
        head_gain=_head_gain(subject),
    )


def _head_gain(subject: Subject) -> float | None:
    """The head's scale * std of its kernel * sqrt(fan_in); None if the network has no such head."""
    names = {layer.name for layer in subject.layers if layer.kind == "head"}
    heads = [layer for layer in subject.start.layers if layer.name in names]
    if not heads:  # A network that is no recipe's.
        return None
    kernel = backend.to_numpy(heads[0].kernel)
    scale = subject.recipe.model.head.scale or 1.0
    return float(scale * kernel.std() * sqrt(kernel[..., 0].size))


def _equal_scores_loss(subject: Subject, labels: np.ndarray) -> float:
    """The loss at zero logits plus the head's bias, which may start at the classes' shares."""
    choice, head = subject.recipe.train.loss, subject.recipe.model.head
    if head.bias_initializer.word != "class_priors":
        return losses.uniform_loss(choice, subject.classes)
    if choice.word == "sigmoid":
        biases = sigmoid_priors(np.asarray(subject.data.train.labels), None, subject.classes)
        scores = np.broadcast_to(biases, (len(labels), subject.classes))
        return float(data_losses(choice, scores, labels).mean())
    counts = np.bincount(subject.data.train.labels, minlength=subject.classes)
    shares = np.maximum(counts, 1) / counts.sum()
    return float(-np.log(shares)[labels].mean())


def regularisation(subject: Subject) -> Regularisation:
    """The penalty of the network as it is trained, and what weight decay does in one step."""
    scores, labels = logits(subject)
    choice = subject.recipe.train.loss
    data_loss = float(data_losses(choice, scores, labels).mean())
    trainer = Trainer(subject, subject.recipe)
    network = trainer.network
    in_loss = float(sum(float(value) for value in network.losses))
    kernels = [layer for layer in subject.layers if layer.trains_kernel]
    penalties = {layer: layer.penalties for layer in kernels if layer.penalties}
    optimizer = trainer.recipe.train.optimizer
    decay = float(getattr(optimizer.options, "weight_decay", 0.0) or 0.0)
    shrink, wrongly_decayed = _shrink(trainer) if decay else (None, [])
    return Regularisation(
        data_loss=data_loss,
        total=data_loss + in_loss,
        # A penalty is linear in its strength; what is measured is whether it is there.
        total_times_ten=data_loss + 10 * in_loss,
        penalty_kernels=len(penalties),
        kernels=len(kernels),
        decay=DECAYS[bool(penalties), bool(decay)],
        shrink_measured=shrink,
        shrink_expected=None if shrink is None else _expected_shrink(optimizer, decay),
        wrongly_decayed=wrongly_decayed,
        penalty=sum(_penalty(network, layer) for layer in penalties),
        strengths=sorted({key for given in penalties.values() for key in given}),
        scale_invariant=all(layer.norm_follows for layer in penalties if layer.is_hidden),
        learning_rate=trainer.peak,
        weight_decay=decay,
        steps_per_epoch=trainer.batches.steps_per_epoch,
    )


def _penalty(network: keras.Model, layer: Layer) -> float:
    """l1 * sum(|w|) + l2 * sum(w^2) of a layer's kernel, in float64."""
    kernel = backend.to_numpy(network.get_layer(layer.name).kernel).astype(np.float64)
    sums = {"l1": np.abs(kernel).sum(), "l2": np.square(kernel).sum()}
    return float(sum(strength * sums[key] for key, strength in layer.penalties.items()))


def _expected_shrink(optimizer: Optimizer, decay: float) -> float:
    """Share of a kernel that a step without gradients leaves."""
    rate, options = optimizer.options.learning_rate, optimizer.options
    if optimizer.word == "TorchSGD" and options.nesterov:
        return float(1 - rate * decay * (1 + options.momentum))
    return float(1 - rate * decay)


def _shrink(trainer: Trainer) -> tuple[float | None, list[str]]:
    """Take a step without gradients.

    Returns:
        Mean share that it leaves of a kernel's length, None if that is not comparable; paths of
        other variables that it changes.
    """
    train = trainer.recipe.train
    if train.optimizer.word in ("Lamb", "MuonSGD"):
        return None, []  # They scale the whole kernel, decay included.
    trainer.restart()
    network = trainer.network
    before = [backend.to_numpy(v) for v in network.trainable_variables]
    zeros = [keras.ops.zeros(v.shape, v.dtype) for v in network.trainable_variables]
    network.optimizer.apply(zeros)
    ratios, wrongly_decayed = [], []
    for variable, old in zip(network.trainable_variables, before, strict=True):
        if any(re.search(group.pattern, variable.path) for group in train.learning_rate_factors):
            continue  # It has a rate or a decay of its own.
        new = backend.to_numpy(variable)
        if variable.path.endswith("kernel"):
            length = float(np.linalg.norm(old))
            if length:
                ratios.append(float(np.linalg.norm(new)) / length)
        elif not np.array_equal(old, new):
            wrongly_decayed.append(variable.path)
    return (float(np.mean(ratios)) if ratios else None), wrongly_decayed
