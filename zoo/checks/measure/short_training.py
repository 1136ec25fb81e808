"""C09, C13, C15, C16, C20: a short training of a few hundred steps, and what it shows."""

from __future__ import annotations

from math import isnan, sqrt
from typing import Any

import numpy as np

from zoo import backend, class_metrics, multi_label_metrics, optimize
from zoo.checks.judge import filters as first_filters
from zoo.checks.judge import short_training, updates
from zoo.checks.judge.chance import area_guessing_bound, balanced_guessing_bound
from zoo.checks.judge.rates import NEIGHBOUR_FACTOR
from zoo.checks.judge.signals import DeadUnits
from zoo.checks.measure import start
from zoo.checks.measure.cache import ShortTraining
from zoo.checks.measure.loss import data_losses
from zoo.checks.measure.subject import Subject
from zoo.checks.measure.trainer import LossCurve
from zoo.class_weights import checked_class_weights, effective_images, weighted_shares
from zoo.datasets.splits import Split
from zoo.entropy import constant_loss
from zoo.labels import is_multi_label
from zoo.plan import graph
from zoo.plan.options import ConvOptions
from zoo.training.batch_norm_statistics import reestimate
from zoo.training.update_ratio import UpdateRatios

STEPS = 300
SECONDS = 60.0  # A training that would take longer has fewer steps, on smaller batches.
SHORTENED_STEPS = 100  # Steps that smaller batches are to make affordable.
MIN_STEPS = 30
REESTIMATION_STEPS = 30  # Last steps whose batches give batch norm its statistics.
# Update ratios are measured from this step on, every so many steps; more often where steps are few.
RATIOS_FROM, RATIOS_EVERY, RATIOS_EVERY_SHORTENED = 50, 10, 3
VALIDATION_IMAGES, TRAINING_IMAGES = 2000, 2048
# Where steps are slow, fewer images are scored: what takes so long, but at least so many.
SCORING_SECONDS, MIN_SCORED_IMAGES = 20.0, 512


def train_briefly(subject: Subject, rate: float | None = None) -> ShortTraining:
    """Train for a few hundred steps at a constant rate; once, for all checks.

    Args:
        subject: what is checked.
        rate: the learning rate; None: the recipe's, or a third of its peak where a schedule lowers
            it later. If a scan found that too high, its suggestion instead.
    """
    if subject.cache.short_training is not None:
        return subject.cache.short_training
    trainer = subject.trainer
    steps = int(min(max(trainer.shrink_batches_to_fit(SECONDS, SHORTENED_STEPS), MIN_STEPS), STEPS))
    annealed = subject.recipe.train.schedule.word != "constant"
    rate = rate or (trainer.peak / 3 if annealed else trainer.peak)
    scan = subject.cache.scan
    suggestion = scan.rounded_suggestion if scan else None
    lowered = False
    if suggestion and rate > suggestion["search"][1] * NEIGHBOUR_FACTOR:
        rate, lowered = suggestion["learning_rate"], True
    trainer.restart()
    trainer.rate = rate
    shortened = steps < SHORTENED_STEPS
    every = RATIOS_EVERY_SHORTENED if shortened else RATIOS_EVERY
    first_measured = min(RATIOS_FROM, steps // 2)

    def next_measured(step: int) -> int:
        return -(-max(step, first_measured) // every) * every

    curve, ratios = LossCurve(), UpdateRatios(next_measured, _float32_norm)
    trainer.train([ratios, curve], steps)
    last_steps = range(max(steps - REESTIMATION_STEPS, 0), steps)
    images = (trainer.batches(step)[0] for step in last_steps)
    reestimate(trainer.network, images)
    unsure = shortened or (lowered and scan is not None and scan.shortened)
    training = ShortTraining(rate, trainer.scale, curve.losses, ratios.ratios, shortened, unsure)
    if steps < STEPS:
        subject.notes["C16"] = (
            f"a step takes {trainer.step_seconds:.2g} s here, so the short training had "
            f"{training.steps} steps on batches of {trainer.batches.size(0)} images"
        )
    subject.cache.short_training = training
    return training


def _float32_norm(values: np.ndarray) -> float:
    """Length of a kernel, in its own precision: that of all update ratios of checks so far."""
    return float(np.linalg.norm(values))


def _scored(
    subject: Subject, training: ShortTraining, split: Split, images: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) in float64 and labels of at most `images` images of a split."""
    if training.shortened:
        # The forward pass is a third of a step.
        seconds_per_image = subject.trainer.step_seconds / subject.trainer.full_batch_size / 3
        images = min(images, max(int(SCORING_SECONDS / seconds_per_image), MIN_SCORED_IMAGES))
    drawn = np.sort(subject.rng("scored").permutation(len(split))[:images])
    scores = subject.trainer.network.predict(split.images(drawn), verbose=0)
    return scores.astype(np.float64), np.asarray(split.labels)[drawn]


def input_independent(subject: Subject) -> short_training.InputIndependent:
    """Data loss of training images after the short training, and the entropy of their labels."""
    training = train_briefly(subject)
    scores, labels = _scored(subject, training, subject.data.train, TRAINING_IMAGES)
    choice = subject.unregularized.train.loss
    weights = checked_class_weights(subject.recipe, subject.data)
    own = data_losses(choice, scores, labels, weights)
    entropy = constant_loss(choice, labels, weights, subject.classes)
    se = float(own.std() / sqrt(len(labels)))
    if is_multi_label(labels):
        return short_training.InputIndependent(
            loss=float(own.mean()),
            entropy=entropy,
            se=se,
            images=len(labels),
            shortened=training.unsure,
            **_ranking(scores, labels),
        )
    correct = scores.argmax(axis=1) == labels
    return short_training.InputIndependent(
        loss=float(own.mean()),
        entropy=entropy,
        se=se,
        accuracy=float(np.average(correct, weights=None if weights is None else weights[labels])),
        majority=float(weighted_shares(weights, labels, subject.classes).max()),
        images=effective_images(weights, labels),
        shortened=training.unsure,
    )


def _ranking(scores: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How well multi-label images are ranked, which guessing can be compared with for each class.

    How often all classes are right says little after a few hundred steps.
    """
    areas = multi_label_metrics.roc_areas(labels, scores)
    area = multi_label_metrics.mean_of_defined(areas)
    positives = labels.sum(axis=0, dtype=np.int64)
    bound = area_guessing_bound(positives.tolist(), len(labels))
    return {"accuracy": 0.0 if isnan(area) else area, "bound": bound, "measure": "AUC"}


def better_than_guessing(subject: Subject) -> short_training.ShortTrainingAccuracy:
    """Validation accuracy after the short training, and the share of the largest class."""
    training = train_briefly(subject)
    scores, labels = _scored(subject, training, subject.data.validation, VALIDATION_IMAGES)
    count = len(labels)
    if is_multi_label(labels):
        return short_training.ShortTrainingAccuracy(
            images=count,
            majority=0.0,
            steps=training.steps,
            augmented=bool(subject.recipe.data.augment),
            shortened=training.unsure,
            **_ranking(scores, labels),
        )
    counts = np.bincount(labels, minlength=subject.classes)
    table = class_metrics.confusion_matrix(labels, scores.argmax(axis=1), subject.classes)
    return short_training.ShortTrainingAccuracy(
        accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        images=count,
        majority=float(counts.max() / count),
        steps=training.steps,
        balanced_accuracy=class_metrics.from_confusion_matrix(table)["balanced_accuracy"],
        balanced_bound=balanced_guessing_bound(counts.tolist()),
        weighted=subject.recipe.train.class_weight is not None,
        augmented=bool(subject.recipe.data.augment),
        shortened=training.unsure,
    )


def update_ratio(subject: Subject) -> updates.UpdateRatio:
    """|change| / |kernel| per step: median over the later steps of the short training."""
    training = train_briefly(subject)
    optimizer = subject.trainer.recipe.train.optimizer
    equilibrium = optimize.equilibrium(optimizer, training.rate * training.scale)
    # SGD's steps on smaller batches are as noisy as the recipe's, so no correction is needed. The
    # length of other optimizers' steps is proportional to their rate.
    scale = 1.0 if optimizer.word in ("SGD", "TorchSGD") else training.scale
    normed, tuned = (
        graph.scale_invariant(subject.layers),
        graph.fine_tuned(subject.layers, subject.loaded),
    )
    rows = []
    for path, ratios in training.ratios.items():
        if not ratios:
            continue
        layer = path.partition("/")[0]
        scale_invariant = layer in normed
        rows.append(
            updates.KernelUpdate(
                path=path,
                ratio=float(np.median(ratios)) / scale,
                equilibrium=equilibrium if scale_invariant else None,
                scale_invariant=scale_invariant,
                trained=layer in subject.loaded or path.startswith(tuned),
            )
        )
    return updates.UpdateRatio(
        layers=rows, learning_rate=subject.trainer.peak, shortened=training.shortened
    )


def dead_units(subject: Subject) -> list[DeadUnits] | None:
    """Dead units at the start and, if there was a short training, after it.

    Trained weights are looked at after it alone: some units die while they learn.
    """
    dead = [] if subject.loaded else [start.dead_units(subject)]
    if subject.cache.short_training is not None:
        after = start.activations(subject, subject.trainer.network)
        dead.append(start.summarize_dead_units(subject, after, after_training=True))
    return dead or None


def filter_smoothness(subject: Subject) -> first_filters.FilterSmoothness | None:
    """Smoothness of the first layer's filters: Moran's I, and its p value under shuffles.

    None if the first layer is no convolution, if its kernel is smaller than 5x5 (too few values),
    or if the steps were too few for the filters to leave their start.
    """
    first = next((layer for layer in subject.layers if layer.kind in ("conv", "fc")), None)
    options = first.options if first else None
    if first is None or first.frozen or not isinstance(options, ConvOptions):
        return None
    training = train_briefly(subject)
    kernel = backend.to_numpy(subject.trainer.network.get_layer(first.name).kernel)
    subject.cache.first_filters = kernel
    if min(options.kernel_size) < 5 or training.shortened:
        return None
    observed, p = morans_i(kernel, subject.rng("filters"))
    return first_filters.FilterSmoothness(p=p, morans_i=observed, kernel_size=options.kernel_size)


def morans_i(kernel: np.ndarray, rng: np.random.Generator, draws: int = 999) -> tuple[float, float]:
    """Return Moran's I at lag 1, the spatial autocorrelation of filters, and its p value.

    Sources: Moran 1950, "Notes on continuous stochastic phenomena"; the permutation test: Cliff &
    Ord 1981, "Spatial processes".

    Args:
        kernel: of shape (height, width, channels, filters).
        rng: shuffles the values over the positions of each filter.
        draws: number of shuffles.
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
