"""Numbers of a network at its start: its loss, its signals, its gradients."""

from __future__ import annotations

from itertools import combinations
from math import prod, sqrt
from typing import Any

import keras
import numpy as np

from zoo import losses, probe
from zoo.checks.gradients import Gradients, KernelGradient
from zoo.checks.loss import HeadConfidence, LossWiring, LossWord, Regularisation
from zoo.checks.norm import BatchNormConfig, BatchNormLayer
from zoo.checks.signals import DeadUnits, Saturating, Saturation, SignalPropagation
from zoo.checks.symmetry import Symmetry
from zoo.measure.subject import Subject
from zoo.measure.trainer import Trainer
from zoo.plan import Layer

KERNELS = ("conv", "depthwise_conv", "whiten", "fc", "head")
NORMS = ("bn", "gn", "ln")
TRAINED = ("conv", "depthwise_conv", "fc", "head")
SATURATED = {"tanh": 0.97, "hard_tanh": 0.97, "sigmoid": 0.47, "hard_sigmoid": 0.47}
# Where decay is, by (in the loss, in the optimizer).
DECAYS: dict[tuple[bool, bool], Any] = {
    (False, False): "none",
    (True, False): "coupled",
    (False, True): "decoupled",
    (True, True): "both",
}
BATCHES = 3
STEPS = 5


def logits(subject: Subject) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) in float64 and labels (n,) of the probe images, batch norm training."""
    images, labels = subject.probe
    (found,) = probe.outputs(subject.start, [subject.start.layers[-1].name], images)
    return found.astype(np.float64), labels


def loss_wiring(subject: Subject) -> LossWiring:
    """The compiled loss, our own, and what labels that mean nothing would give.

    With l_ij the loss of image i under label j and p the shares of the labels, a network that knows
    nothing has E0 = mean_i sum_j p_j l_ij, with variance V0 = n^-2 sum_i var_j(l_ij).
    """
    scores, labels = logits(subject)
    choice = subject.calm.train.loss
    compiled = subject.make_loss(choice)
    each = every_loss(choice, scores)
    shares = np.bincount(labels, minlength=subject.classes) / len(labels)
    mean = each @ shares
    variance = (((each - mean[:, None]) ** 2) @ shares).sum() / len(labels) ** 2
    return LossWiring(
        compiled=float(compiled(labels, scores.astype(np.float32))),
        own=float(each[np.arange(len(labels)), labels].mean()),
        loss=word_of(choice),
        expected=float(mean.mean()),
        sd=sqrt(variance),
        num_classes=subject.classes,
        zero_logits=bool(np.abs(scores).max() == 0),
    )


def word_of(choice: Any) -> LossWord:
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
    choice = subject.calm.train.loss
    own = every_loss(choice, scores)[np.arange(len(labels)), labels].mean()
    spread = scores.var(axis=1).mean() * subject.classes / max(subject.classes - 1, 1)
    return HeadConfidence(
        loss=float(own),
        num_classes=subject.classes,
        logit_std=float(sqrt(spread)),
        at_zero=_equal_scores(subject, labels),
        loss_word=word_of(choice),
    )


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
    kernels = [layer for layer in subject.layers if layer.kind in TRAINED]
    stated = {layer: penalty(layer) for layer in kernels if penalty(layer)}
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
        scale_invariant=all(layer.options.norm for layer in stated if layer.kind != "head"),
        learning_rate=trainer.peak,
        weight_decay=decay,
        steps_per_epoch=trainer.batches.steps_per_epoch,
    )


def penalty(layer: Layer) -> float:
    """The strength of a kernel's penalty, as its stage states it."""
    stated = getattr(layer.options, "kernel_regularizer", None)
    return float(stated.l2) if stated else 0.0


def _squares(network: keras.Model, layer: Layer) -> float:
    return float(np.sum(_array(network.get_layer(layer.name).kernel).astype(np.float64) ** 2))


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
    before = [_array(v).copy() for v in network.trainable_variables]
    network.optimizer.apply([keras.ops.zeros_like(v) for v in network.trainable_variables])
    ratios, wrong = [], []
    for variable, old in zip(network.trainable_variables, before, strict=True):
        new = _array(variable)
        if variable.path.endswith("kernel"):
            length = float(np.linalg.norm(old))
            if length:
                ratios.append(float(np.linalg.norm(new)) / length)
        elif not np.array_equal(old, new):
            wrong.append(variable.path)
    return (float(np.mean(ratios)) if ratios else None), wrong


def signal_propagation(subject: Subject) -> SignalPropagation:
    """Standard deviations of what kernels give, in the longest run without a norm between."""
    runs: list[list[Layer]] = [[]]
    for layer in subject.layers:
        if layer.kind in ("bn", "gn", "ln", "add"):
            if layer.kind != "add" and runs[-1]:
                runs[-1].pop()  # Its kernel is behind nothing but a norm.
            runs.append([])
        elif layer.kind in ("conv", "depthwise_conv", "fc"):
            runs[-1].append(layer)
    longest = max(runs, key=len)
    names = [layer.name for layer in longest]
    stds = activations(subject)
    return SignalPropagation(stds=[(name, stds[name].std) for name in names])


def dead_units(subject: Subject) -> DeadUnits:
    """Channels and units whose ReLU gives nothing for any probe image."""
    return dead(subject, activations(subject), after_training=False)


def dead(subject: Subject, found: dict[str, Values], after_training: bool) -> DeadUnits:
    """The same of any network's activations."""
    rows = [relu.judged(found[relu.name].values) for relu in probe.relus(subject.layers)]
    return DeadUnits(layers=rows, images=len(subject.probe[0]), after_training=after_training)


def saturation(subject: Subject) -> Saturation:
    """Shares of tanh and sigmoid outputs at their ends; standard deviations of all activations."""
    found = activations(subject)
    return Saturation(
        layers=[
            Saturating(
                name=layer.name,
                activation=layer.options.word,
                saturated=found[layer.name].saturated,
                std=found[layer.name].std,
            )
            for layer in subject.layers
            if layer.kind == "act" and layer.options.word in SATURATED
        ]
    )


class Values:
    """What a layer's outputs over the probe images come down to."""

    def __init__(self, values: np.ndarray, activation: str | None) -> None:
        axes = tuple(range(values.ndim - 1))
        self.values = values
        self.std = float(values.std(dtype=np.float64))
        self.mean = float(values.mean(dtype=np.float64))
        self.zeros = float(np.mean(values == 0))
        self.dead = float(np.mean(values.max(axis=axes) <= 0))
        self.variances = values.var(axis=axes, dtype=np.float64)
        self.histogram = np.histogram(values, bins=61)
        middle = 0.5 if activation in ("sigmoid", "hard_sigmoid") else 0.0
        bound = SATURATED.get(activation or "", np.inf)
        self.saturated = float(np.mean(np.abs(values - middle) > bound))


def activations(subject: Subject, network: keras.Model | None = None) -> dict[str, Values]:
    """What kernels and activations give for the probe images, by layer, batch norm training.

    Those of the start are kept; those of another network, such as a trained one, are not.
    """
    if network is None and subject.kept.get("activations"):
        return subject.kept["activations"]
    chosen = [layer for layer in subject.layers if layer.kind in (*KERNELS, "act")]
    images, _ = subject.probe
    model = network or subject.start
    values = probe.outputs(model, [layer.name for layer in chosen], images)
    found = {
        layer.name: Values(value, layer.options.word if layer.kind == "act" else None)
        for layer, value in zip(chosen, values, strict=True)
    }
    if network is None:
        subject.kept["activations"] = found
    return found


class Recorder(keras.optimizers.Optimizer):
    """Keeps the gradients that it is given, and moves nothing. For both backends."""

    def build(self, variables: list[Any]) -> None:
        if self.built:
            return
        super().build(variables)
        self.gradients = self.add_optimizer_variables(variables, "gradient")

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        index = self._get_variable_index(variable)
        self.assign(self.gradients[index], keras.ops.cast(gradient, variable.dtype))


def gradients(subject: Subject) -> Gradients:
    """Sizes of gradients at the start and after five steps, and what reaches where it must not."""
    trainer = Trainer(subject, subject.calm)
    network = trainer.network
    first = _recorded(subject, network)
    before = {v.path: _array(v).copy() for v in network.trainable_variables}
    planned = [layer.name for layer in subject.layers if layer.kind in TRAINED]
    kernels = {f"{name}/kernel": network.get_layer(name).kernel for name in planned}
    start = {path: _array(kernel).copy() for path, kernel in kernels.items()}
    trainer.prepare()
    for step in range(STEPS):
        trainer.step(*trainer.batches(step))
    frozen = [path for path, k in kernels.items() if np.array_equal(start[path], _array(k))]
    later = _recorded(subject, network)
    rows = []
    for path, sizes in first.items():
        if not path.endswith("kernel"):
            continue
        weight = float(np.sqrt(np.mean(np.square(before[path], dtype=np.float64))))
        finite = bool(np.isfinite(sizes).all() and np.isfinite(later[path]).all())
        rows.append(
            KernelGradient(
                path=path,
                # Behind a head or a factor of zeros the first step's gradient is zero.
                gradient=float(np.mean(later[path] if max(sizes) == 0 else sizes)) if finite else 0,
                weight=weight,
                zero=bool(max(sizes) == 0 and max(later[path]) == 0),
                finite=finite,
            )
        )
    subject.kept["gradients"] = rows
    return Gradients(
        layers=rows,
        bias_redundant=_redundant(first),
        leak=_leak(subject, network),
        frozen=frozen,
    )


def _recorded(subject: Subject, network: keras.Model) -> dict[str, list[float]]:
    """Root mean squares of the gradients of three batches, by the paths of their variables."""
    recorder = Recorder(learning_rate=1.0)
    recorder.build(network.trainable_variables)
    network.compile(recorder, subject.make_loss(subject.calm.train.loss), jit_compile=False)
    batches = subject.batches(subject.calm)
    found: dict[str, list[float]] = {v.path: [] for v in network.trainable_variables}
    with probe.untouched(network):
        for step in range(BATCHES):
            network.train_on_batch(*batches(step))
            for variable, kept in zip(network.trainable_variables, recorder.gradients, strict=True):
                size = np.sqrt(np.mean(np.square(_array(kept), dtype=np.float64)))
                found[variable.path].append(float(size))
    return found


def _redundant(found: dict[str, list[float]]) -> list[str]:
    """Biases that batch norm takes away: their gradient is that of its shift times nothing."""
    names = []
    for path, sizes in found.items():
        layer, _, kind = path.partition("/")
        beta = found.get(f"{layer}_bn/beta")
        if kind == "bias" and beta and np.mean(sizes) < 1e-6 * np.mean(beta):
            names.append(path)
    return names


def _leak(subject: Subject, network: keras.Model) -> float:
    """How much the logits of one image change with the others of its batch, in inference mode."""
    images, _ = subject.probe
    batch = images[:8].copy()
    one = _array(network(batch, training=False))
    other = batch.copy()
    other[1:] = 255 - other[1:][::-1]
    two = _array(network(other, training=False))
    scale = max(float(np.abs(one).max()), 1e-6)
    return float(np.abs(one[0] - two[0]).max()) / scale


def symmetry(subject: Subject) -> Symmetry:
    """Layers whose units are all alike, and kernels that are the same in two layers."""
    network = subject.start
    kernels = {
        layer.name: _array(network.get_layer(layer.name).kernel)
        for layer in subject.layers
        if layer.kind in ("conv", "fc", "depthwise_conv")
    }
    alike = []
    for name, kernel in kernels.items():
        units = kernel.reshape(-1, kernel.shape[-1])
        if units.shape[1] > 1 and (units == units[:, :1]).all():
            alike.append(name)
    twins = [
        (one, two)
        for (one, a), (two, b) in combinations(kernels.items(), 2)
        if a.shape == b.shape and np.array_equal(a, b)
    ]
    return Symmetry(alike=alike, twins=twins)


def batch_norm(subject: Subject) -> BatchNormConfig:
    """How batch norm's words fit the training that is planned."""
    found = activations(subject)
    train = subject.recipe.train
    batches = subject.batches()
    rows = []
    kernel: Layer | None = None
    for layer in subject.layers:
        if layer.kind in ("conv", "depthwise_conv", "fc"):
            kernel = layer
        elif layer.kind == "bn" and kernel is not None:
            rows.append(
                BatchNormLayer(
                    name=layer.name,
                    momentum=layer.options.momentum,
                    epsilon=layer.options.epsilon,
                    variance_small=float(np.min(found[kernel.name].variances)),
                    values=train.batch_size * prod(layer.output_shape[:-1]),
                    redundant_bias=bool(kernel.options.use_bias),
                )
            )
    rest = batches.size(batches.steps_per_epoch - 1)
    return BatchNormConfig(
        layers=rows,
        steps=train.epochs * batches.steps_per_epoch,
        batch_size=train.batch_size,
        last_batch=rest if rest < train.batch_size else 0,
        reestimated=train.batch_norm_batches is not None,
    )


def _array(value: Any) -> np.ndarray:
    return np.asarray(keras.ops.convert_to_numpy(value))
