"""Numbers of the loss at the start: its wiring, its size, its penalties."""

from __future__ import annotations

from math import sqrt
from typing import Any

import keras
import numpy as np

from zoo import losses
from zoo.check.judge.loss import HeadConfidence, LossName, LossWiring, Regularisation
from zoo.check.measure.subject import Subject, array
from zoo.check.measure.trainer import Trainer
from zoo.model import introspect
from zoo.plan import Layer

# Where decay is, by (in the loss, in the optimizer).
DECAYS: dict[tuple[bool, bool], Any] = {
    (False, False): "none",
    (True, False): "coupled",
    (False, True): "decoupled",
    (True, True): "both",
}


def logits(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) in float64 and labels (n,) of the probe images, batch norm training."""
    images, labels = subject.probe
    (found,) = introspect.outputs(subject.start, [subject.start.layers[-1].name], images)
    return found.astype(np.float64), labels


def loss_wiring(subject: Subject) -> LossWiring:
    """The compiled loss, our own, and what labels that mean nothing would give.

    With l_ij the loss of image i under label j and p the shares of the labels, a network that knows
    nothing has E0 = mean_i sum_j p_j l_ij, with variance V0 = n^-2 sum_i var_j(l_ij), or that
    between classes where it is larger.
    """
    scores, labels = logits(subject)
    choice = subject.unregularized.train.loss
    compiled = subject.make_loss(choice)
    each = every_loss(choice, scores)
    shares = np.bincount(labels, minlength=subject.classes) / len(labels)
    mean = each @ shares
    variance = (((each - mean[:, None]) ** 2) @ shares).sum() / len(labels) ** 2
    beside = each[np.arange(len(labels)), labels] - mean
    variance = max(variance, _between_classes(beside, labels, subject.classes))
    return LossWiring(
        compiled=float(compiled(labels, scores.astype(np.float32))),
        own=float(each[np.arange(len(labels)), labels].mean()),
        loss=loss_name(choice),
        expected=float(mean.mean()),
        sd=sqrt(variance),
        num_classes=subject.classes,
        zero_logits=bool(np.abs(scores).max() == 0),
        at_start=losses.at_start(choice, subject.classes),
    )


def _between_classes(beside: np.ndarray, labels: np.ndarray, classes: int) -> float:
    """The variance of a mean over images that are alike within their class.

    Images of a class share what an untrained network makes of them, so that there are not as many
    draws as images but as many as classes.
    """
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, weights=beside, minlength=classes) - counts * beside.mean()
    held = int((counts > 0).sum())
    return float((sums**2).sum() / len(labels) ** 2 * held / max(held - 1, 1))


def loss_name(choice: Any) -> LossName:
    """The word of a loss, as the checks know it."""
    return "svm" if choice.word == "svm" else "softmax"


def every_loss(choice: Any, scores: np.ndarray) -> np.ndarray:
    """The data loss (n, classes) of each image under each label, in float64."""
    if choice.word == "svm":
        margin = choice.options.margin
        columns = [
            np.maximum(0, scores - scores[:, [j]] + margin).sum(axis=1) - margin
            for j in range(scores.shape[1])
        ]
        return np.stack(columns, axis=1)
    top = scores.max(axis=1, keepdims=True)
    total = top + np.log(np.exp(scores - top).sum(axis=1, keepdims=True))
    return np.asarray(total - scores)


def head_confidence(subject: Subject) -> HeadConfidence:
    """The data loss at the start against that of equal scores; the spread of the logits."""
    scores, labels = logits(subject)
    choice = subject.unregularized.train.loss
    own = every_loss(choice, scores)[np.arange(len(labels)), labels].mean()
    spread = scores.var(axis=1).mean() * subject.classes / max(subject.classes - 1, 1)
    return HeadConfidence(
        loss=float(own),
        num_classes=subject.classes,
        logit_std=float(sqrt(spread)),
        at_zero=_equal_scores(subject, labels),
        loss_word=loss_name(choice),
        head_gain=_head_gain(subject),
    )


def _head_gain(subject: Subject) -> float | None:
    """The head's scale, its kernel's standard deviation and the root of its inputs' number."""
    heads = {layer.name for layer in subject.layers if layer.kind == "head"}
    found = [layer for layer in subject.start.layers if layer.name in heads]
    if not found:  # A network that is no recipe's.
        return None
    kernel = array(found[0].kernel)
    scale = subject.recipe.model.head.scale or 1.0
    return float(scale * kernel.std() * sqrt(kernel[..., 0].size))


def _equal_scores(subject: Subject, labels: np.ndarray) -> float:
    """The loss of equal scores; of scores that are the classes' shares where the head has those."""
    choice, head = subject.recipe.train.loss, subject.recipe.model.head
    if head.bias_initializer.word != "class_priors":
        return losses.at_start(choice, subject.classes)
    counts = np.bincount(subject.data.train.labels, minlength=subject.classes)
    shares = np.maximum(counts, 1) / counts.sum()
    return float(-np.log(shares)[labels].mean())


def regularisation(subject: Subject) -> Regularisation:
    """The penalty of the network as it is trained, and what decay does in one step."""
    scores, labels = logits(subject)
    choice = subject.recipe.train.loss
    data_loss = float(every_loss(choice, scores)[np.arange(len(labels)), labels].mean())
    trainer = Trainer(subject, subject.recipe)
    network = trainer.network
    found = float(sum(float(value) for value in network.losses))
    kernels = [layer for layer in subject.layers if layer.trains_kernel]
    stated = {layer: layer.penalty for layer in kernels if layer.penalty}
    wanted = sum(l2 * _squares(network, layer) for layer, l2 in stated.items())
    optimizer = trainer.recipe.train.optimizer
    decay = float(getattr(optimizer.options, "weight_decay", 0.0) or 0.0)
    shrink, wrong = _shrink(trainer) if decay else (None, [])
    return Regularisation(
        data_loss=data_loss,
        total=data_loss + found,
        # The penalty is linear in its strength; what is measured is that it is there.
        total_times_ten=data_loss + 10 * found,
        penalty_kernels=len(stated),
        kernels=len(kernels),
        decay=DECAYS[bool(stated), bool(decay)],
        shrink_measured=shrink,
        shrink_expected=None if shrink is None else _wanted_shrink(optimizer, decay),
        wrongly_decayed=wrong,
        penalty=wanted,
        scale_invariant=all(layer.norm_follows for layer in stated if layer.kind != "head"),
        learning_rate=trainer.peak,
        weight_decay=decay,
        steps_per_epoch=trainer.batches.steps_per_epoch,
    )


def _squares(network: keras.Model, layer: Layer) -> float:
    return float(np.sum(array(network.get_layer(layer.name).kernel).astype(np.float64) ** 2))


def _wanted_shrink(optimizer: Any, decay: float) -> float:
    """What a step without gradients leaves of a kernel."""
    rate, options = optimizer.options.learning_rate, optimizer.options
    if optimizer.word == "TorchSGD" and options.nesterov:
        return float(1 - rate * decay * (1 + options.momentum))
    return float(1 - rate * decay)


def _shrink(trainer: Trainer) -> tuple[float | None, list[str]]:
    """How much a step without gradients shrinks kernels, and what else it touches."""
    if trainer.recipe.train.optimizer.word == "Lamb":
        return None, []  # Its decay is part of a step of a length of its own.
    trainer.restart()
    network = trainer.network
    before = [array(v).copy() for v in network.trainable_variables]
    nothing = [keras.ops.zeros(v.shape, v.dtype) for v in network.trainable_variables]
    network.optimizer.apply(nothing)
    ratios, wrong = [], []
    for variable, old in zip(network.trainable_variables, before, strict=True):
        new = array(variable)
        if variable.path.endswith("kernel"):
            length = float(np.linalg.norm(old))
            if length:
                ratios.append(float(np.linalg.norm(new)) / length)
        elif not np.array_equal(old, new):
            wrong.append(variable.path)
    return (float(np.mean(ratios)) if ratios else None), wrong
