"""Numbers that take training: a first few hundred steps, and what they leave."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from zoo import backend, losses, optimize
from zoo.check.judge import filters as first_filters
from zoo.check.judge import short_training, updates
from zoo.check.judge.rates import NEIGHBOUR_FACTOR
from zoo.check.judge.signals import DeadUnits
from zoo.check.measure import start
from zoo.check.measure.loss import loss_per_label
from zoo.check.measure.subject import Subject
from zoo.check.measure.trainer import Trainer, shared
from zoo.data.splits import Split
from zoo.plan.options import ConvOptions
from zoo.train.batch_norm_statistics import reestimate
from zoo.train.class_weights import class_weights

STEPS, FEWER_STEPS = 300, 100  # The latter is what smaller batches are to make affordable.
FEWEST_STEPS = 30
SECONDS = 60.0
RATIO_FROM, RATIO_EVERY, RATIO_OFTEN = 50, 10, 3  # The last where steps are few.
SCORED = 2000
PROBED = 2048
SCORED_SECONDS, FEWEST_SCORED = 20.0, 512


@dataclass
class ShortTraining:
    """A first few hundred steps, and what they leave.

    `shortened`: they are few; `unsure`: that, or their rate is what a shortened scan suggested.
    """

    trainer: Trainer
    rate: float
    scale: float
    curve: list[float]
    ratios: dict[str, list[float]]
    steps: int
    shortened: bool
    unsure: bool


def train_briefly(subject: Subject, rate: float | None = None) -> ShortTraining:
    """Trains for some hundred steps as the recipe has it, at a constant rate; kept for all checks.

    Args:
        subject: what is checked.
        rate: the learning rate; None: the recipe's, or a third of its peak where that falls later;
            the scan's suggestion where a scan found that too high: had it been too short to tell,
            it would suggest nothing.
    """
    if subject.cache.short_training is not None:
        return subject.cache.short_training
    trainer = shared(subject)
    steps = int(min(max(trainer.afford(SECONDS, FEWER_STEPS), FEWEST_STEPS), STEPS))
    annealed = subject.recipe.train.schedule.word != "constant"
    rate = rate or (trainer.peak / 3 if annealed else trainer.peak)
    scan = subject.cache.scan
    suggestion = scan.rounded_suggestion if scan else None
    lowered = False
    if suggestion and rate > suggestion["search"][1] * NEIGHBOUR_FACTOR:
        rate, lowered = suggestion["learning_rate"], True
    trainer.restart()
    trainer.rate = rate
    kernels = [v for v in trainer.network.trainable_variables if v.path.endswith("kernel")]
    ratios: dict[str, list[float]] = {v.path: [] for v in kernels}
    curve: list[float] = []
    short = steps < FEWER_STEPS
    every = RATIO_OFTEN if short else RATIO_EVERY
    for step in range(steps):
        watched = step >= min(RATIO_FROM, steps // 2) and step % every == 0
        before = [backend.to_numpy(v) for v in kernels] if watched else []
        loss, _ = trainer.step(*trainer.batches(step))
        curve.append(loss)
        for variable, old in zip(kernels, before, strict=False):
            moved = float(np.linalg.norm(backend.to_numpy(variable) - old))
            length = float(np.linalg.norm(old))
            if length := updates.kernel_length(variable.path, length, old.shape[-1]):
                ratios[variable.path].append(moved / length)
        if not isfinite(loss):
            break
    images = (trainer.batches(step)[0] for step in range(max(steps - 30, 0), steps))
    reestimate(trainer.network, images)
    unsure = short or (lowered and scan is not None and scan.shortened)
    found = ShortTraining(trainer, rate, trainer.scale, curve, ratios, len(curve), short, unsure)
    if steps < STEPS:
        subject.notes["C16"] = (
            f"a step takes {trainer.step_seconds:.2g} s here, so the short training was one of "
            f"{found.steps} steps on batches of {trainer.batches.size(0)} images"
        )
    subject.cache.short_training = found
    return found


def _scored(
    subject: Subject, found: ShortTraining, split: Split, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) in float64 and labels (n,) of images drawn from a split as it is."""
    if found.shortened:
        # A third of a step is its way forward.
        each = found.trainer.step_seconds / found.trainer.whole / 3
        most = min(most, max(int(SCORED_SECONDS / each), FEWEST_SCORED))
    chosen = np.sort(subject.rng("scored").permutation(len(split))[:most])
    scores = found.trainer.network.predict(split.images(chosen), verbose=0)
    return scores.astype(np.float64), np.asarray(split.labels)[chosen]


def input_independent(subject: Subject) -> short_training.InputIndependent:
    """The data loss of training images after the first steps, against the labels' entropy."""
    found = train_briefly(subject)
    scores, labels = _scored(subject, found, subject.data.train, PROBED)
    count = len(labels)
    choice = subject.unregularized.train.loss
    weights = class_weights(subject.recipe, subject.data)
    each = loss_per_label(choice, scores)[np.arange(count), labels]
    best = losses.at_start(choice, subject.classes)
    shares = np.bincount(labels, minlength=subject.classes) / count
    if weights is not None:
        each = each * weights[labels]
        shares = shares * weights
    if choice.word == "softmax":
        held = shares[shares > 0]
        best = float(-(held * np.log(held / held.sum())).sum())
    return short_training.InputIndependent(
        loss=float(each.mean()),
        entropy=best,
        se=float(each.std() / sqrt(count)),
        accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        majority=float(np.bincount(labels).max() / count),
        images=count,
        shortened=found.unsure,
    )


def better_than_guessing(subject: Subject) -> short_training.ShortTrainingAccuracy:
    """Validation accuracy after the first steps, against guessing."""
    found = train_briefly(subject)
    scores, labels = _scored(subject, found, subject.data.validation, SCORED)
    count = len(labels)
    counts = np.bincount(labels, minlength=subject.classes)
    return short_training.ShortTrainingAccuracy(
        accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        images=count,
        majority=float(counts.max() / count),
        steps=found.steps,
        augmented=bool(subject.recipe.data.augment),
        shortened=found.unsure,
    )


def update_ratio(subject: Subject) -> updates.UpdateRatio:
    """|change| / |kernel| of a step, median over the later of the first steps."""
    found = train_briefly(subject)
    optimizer = found.trainer.recipe.train.optimizer
    settled = optimize.equilibrium(optimizer, found.rate * found.scale)
    # The noise in a step of SGD is as large as with the recipe's batches; others' steps are as long
    # as their rate.
    scale = 1.0 if optimizer.word in ("SGD", "TorchSGD") else found.scale
    normed = {layer.name for layer in subject.layers if layer.norm_follows}
    rows = []
    for path, ratios in found.ratios.items():
        if not ratios:
            continue
        scale_free = path.partition("/")[0] in normed
        rows.append(
            updates.KernelUpdate(
                path=path,
                ratio=float(np.median(ratios)) / scale,
                equilibrium=settled if scale_free else None,
                scale_invariant=scale_free,
            )
        )
    return updates.UpdateRatio(
        layers=rows, learning_rate=found.trainer.peak, shortened=found.shortened
    )


def dead_units(subject: Subject) -> list[DeadUnits]:
    """Dead units at the start and, where there was some training, after it."""
    found = [start.dead_units(subject)]
    if subject.cache.short_training is not None:
        after = start.activations(subject, train_briefly(subject).trainer.network)
        found.append(start.summarize_dead_units(subject, after, after_training=True))
    return found


def filter_smoothness(subject: Subject) -> first_filters.FilterSmoothness | None:
    """How smooth the first layer's filters are: Moran's I against shuffled positions.

    None where there is no first convolution, or its kernel is smaller than 5: nine values cannot
    tell; or where steps were too few for the filters to leave their start.
    """
    first = next((layer for layer in subject.layers if layer.kind in ("conv", "fc")), None)
    options = first.options if first else None
    if first is None or not isinstance(options, ConvOptions):
        return None
    found = train_briefly(subject)
    kernel = backend.to_numpy(found.trainer.network.get_layer(first.name).kernel)
    subject.cache.first_filters = kernel
    if min(options.kernel_size) < 5 or found.shortened:
        return None
    observed, p = morans_i(kernel, subject.rng("filters"))
    return first_filters.FilterSmoothness(p=p, morans_i=observed, kernel_size=options.kernel_size)


def morans_i(kernel: np.ndarray, rng: np.random.Generator, draws: int = 999) -> tuple[float, float]:
    """Lag-1 spatial autocorrelation of filters (height, width, channels, filters), and its p.

    The p value is that of values shuffled over the positions of each filter.
    Source: Moran 1950; the permutation test: Cliff & Ord 1981.
    """
    height, width = kernel.shape[:2]
    planes = np.moveaxis(kernel.reshape(height, width, -1), -1, 0).astype(np.float64)
    planes = planes - planes.mean(axis=(1, 2), keepdims=True)
    power = (planes**2).sum(axis=(1, 2))
    planes = planes[power > 0] / np.sqrt(power[power > 0])[:, None, None]
    pairs = height * (width - 1) + width * (height - 1)

    def statistic(values: np.ndarray) -> float:
        across = (values[:, :, 1:] * values[:, :, :-1]).sum()
        down = (values[:, 1:] * values[:, :-1]).sum()
        return float((across + down) / len(values) * height * width / pairs)

    if not len(planes):
        return 0.0, 1.0
    observed = statistic(planes)
    flat = planes.reshape(len(planes), -1)
    above = sum(
        statistic(rng.permuted(flat, axis=1).reshape(planes.shape)) >= observed
        for _ in range(draws)
    )
    return observed, (above + 1) / (draws + 1)
