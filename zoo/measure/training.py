"""Numbers that take training: a tiny set by heart, learning rates, a first few hundred steps."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite, sqrt

import numpy as np

from zoo import losses, optimize, probe
from zoo.checks import curves, rates, updates
from zoo.checks import training as judged
from zoo.checks.fit import above_guessing
from zoo.checks.signals import DeadUnits
from zoo.data.splits import Split
from zoo.measure import start
from zoo.measure.loss import every_loss, word_of
from zoo.measure.subject import Subject, array
from zoo.measure.trainer import Trainer
from zoo.train.batch_norm import reestimate
from zoo.train.class_weight import class_weights

LADDER = (1e-3, 1e-2, 1e-4)  # Adam's rates for the tiny set, in the order in which they are tried.
TINY_STEPS = 300
NEAR = 0.01  # How close to its floor the loss of a tiny set must come.

# Rates of the scan: half a decade apart.
RANGES = {"SGD": (-5.0, 1.5), "TorchSGD": (-5.0, 1.5), "other": (-6.0, 0.5)}
SCAN_STEPS, SCAN_SEEDS = 50, 2
SCAN_SECONDS = 90.0  # What the scan may cost where steps are slow; it then does fewer of them.
LAST = 10  # Losses that an end is the mean of.

SMOKE_STEPS = 300
SMOKE_SECONDS = 60.0
RATIO_FROM, RATIO_EVERY = 50, 10
SCORED = 2000
PROBED = 2048


def overfit(subject: Subject) -> judged.Overfit:
    """Trains on some twenty images, a few of each class, until they are known by heart.

    Full batches, regularisation off, batch norm in training mode throughout.
    """
    count = min(max(20, 2 * subject.classes), 128)
    images, labels = subject.stratified(subject.data.train, count, "tiny")
    best: judged.Overfit | None = None
    floor = _floor(images, labels)
    for rate in LADDER:
        found = _by_heart(subject, rate, images, labels, floor)
        if best is None or (found.accuracy, -found.loss) > (best.accuracy, -best.loss):
            best = found
        if found.accuracy == 1.0 and found.loss <= floor + NEAR:
            break
    if best is None:
        raise ValueError("no learning rate to try")
    return best


def _groups(images: np.ndarray, labels: np.ndarray) -> list[list[int]]:
    """The labels of each image that there is."""
    groups: dict[bytes, list[int]] = {}
    for image, label in zip(images, labels.tolist(), strict=True):
        groups.setdefault(image.tobytes(), []).append(label)
    return list(groups.values())


def _conflicting(images: np.ndarray, labels: np.ndarray) -> int:
    """Images that cannot be right, since the same image stands more often under another label."""
    return sum(len(found) - int(np.bincount(found).max()) for found in _groups(images, labels))


def _floor(images: np.ndarray, labels: np.ndarray) -> float:
    """The least loss where the same image has several labels: the entropy of its labels."""
    total = 0.0
    for found in _groups(images, labels):
        shares = np.bincount(found) / len(found)
        shares = shares[shares > 0]
        total -= len(found) * float((shares * np.log(shares)).sum())
    return total / len(labels)


def _by_heart(
    subject: Subject, rate: float, images: np.ndarray, labels: np.ndarray, floor: float
) -> judged.Overfit:
    trainer = Trainer(subject, subject.calm, {"Adam": {"learning_rate": rate}})
    trainer.restart()
    curve: list[float] = []
    accuracy = 0.0
    for _ in range(TINY_STEPS):
        loss, accuracy = trainer.step(images, labels)
        curve.append(loss)
        if not isfinite(loss) or (accuracy == 1.0 and loss <= floor + NEAR):
            break
    subject.kept.setdefault("tiny", {})[rate] = curve
    penalty = float(sum(float(value) for value in trainer.network.losses))
    own, noise = _looked_at(trainer, images, labels)
    return judged.Overfit(
        accuracy=accuracy,
        loss=curve[-1] - penalty,
        floor=floor,
        images=len(labels),
        num_classes=subject.classes,
        steps=len(curve),
        label_smoothing=float(getattr(subject.recipe.train.loss.options, "label_smoothing", 0.0)),
        optimizer="Adam",
        rate=rate,
        initial_loss=curve[0],
        penalty=penalty,
        diverged=not isfinite(curve[-1]) or curve[-1] > 3 * curve[0],
        conflicting=_conflicting(images, labels),
        loss_word=word_of(subject.recipe.train.loss),
        at_start=losses.at_start(subject.recipe.train.loss, subject.classes),
        own_loss=own,
        noise=noise,
    )


def _looked_at(trainer: Trainer, images: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """Our own loss of what the network gives in training mode, and its change from pass to pass."""
    network, choice = trainer.network, trainer.recipe.train.loss
    with probe.untouched(network):
        passes = [array(network(images, training=True)).astype(np.float64) for _ in range(2)]
    rows = np.arange(len(labels))
    one, two = (float(every_loss(choice, scores)[rows, labels].mean()) for scores in passes)
    return one, abs(one - two)


def scan(subject: Subject) -> rates.LearningRateScan:
    """Trains from the same start with rates half a decade apart, each for some fifty steps."""
    trainer = Trainer(subject, subject.recipe)
    word = subject.recipe.train.optimizer.word
    low, high = RANGES.get(word, RANGES["other"])
    tried = [10 ** (low + i / 2) for i in range(int((high - low) * 2) + 1)]
    affordable = SCAN_SECONDS / (trainer.step_seconds * len(tried))
    seeds = SCAN_SEEDS if affordable >= 2 * SCAN_STEPS else 1
    steps = int(min(max(affordable / seeds, 2 * LAST), SCAN_STEPS))
    # A recipe that warms up asks for a peak that need not work from the first step on.
    schedule = subject.recipe.train.schedule
    warm = getattr(schedule.options, "warmup_epochs", 0) or schedule.word == "triangle"
    warmup = steps // 2 if warm else 0
    untrained = [_untrained(trainer, seed, steps) for seed in range(seeds)]
    points = [
        _rate_point(trainer, rate, seed, steps, warmup, untrained[seed])
        for seed in range(seeds)
        for rate in tried
    ]
    train = subject.recipe.train
    counts = np.bincount(subject.data.train.labels, minlength=subject.classes)
    images = min(LAST, steps) * min(train.batch_size, len(subject.data.train))
    found = rates.LearningRateScan(
        points=points,
        rate=trainer.peak,
        schedule=train.schedule.word,
        num_classes=subject.classes,
        chance=above_guessing(float(counts.max() / counts.sum()), images),
    )
    proposed = rates.suggestion(points, train.schedule.word != "constant", found.chance)
    if proposed:
        rate, search = proposed
        subject.kept["suggestion"] = {
            "learning_rate": float(f"{rate:.2g}"),
            "search": [float(f"{end:.2g}") for end in search],
        }
    subject.kept["scan"] = found
    return found


def _untrained(trainer: Trainer, seed: int, steps: int) -> list[float]:
    """Losses at the start on the batches of the last steps, which differ by more than they fall."""
    trainer.restart(seed)
    trainer.rate = 0.0
    return [loss for loss, _ in trainer.losses(min(LAST, steps), _first(seed, steps, LAST))]


def _first(seed: int, steps: int, last: int | None = None) -> int:
    """The first batch of a seed's training, or the first of its last ones."""
    return seed * steps + (0 if last is None else max(steps - last, 0))


def _rate_point(
    trainer: Trainer, rate: float, seed: int, steps: int, warmup: int, untrained: list[float]
) -> rates.RatePoint:
    trainer.restart(seed)
    curve: list[float] = []
    right: list[float] = []
    smooth, highest = None, 0.0
    for step in range(steps):
        trainer.rate = rate * min((step + 1) / max(warmup, 1), 1.0)
        loss, accuracy = trainer.step(*trainer.batches(_first(seed, steps) + step))
        curve.append(loss)
        right.append(accuracy)
        smooth = loss if smooth is None else 0.9 * smooth + 0.1 * loss
        highest = max(highest, smooth)
        if not isfinite(loss) or smooth > 5 * curve[0] + 1:
            break
    end = curve[-LAST:]
    finite = all(map(isfinite, curve))
    # Where it was stopped early, as too high, these are other batches; that does not matter there.
    change = np.subtract(end, untrained[-len(end) :]) if finite else np.zeros(1)
    return rates.RatePoint(
        rate=rate,
        seed=seed,
        first_loss=float(np.mean(untrained)),
        end_loss=float(np.mean(end)) if finite else float("inf"),
        se=float(np.std(change) / sqrt(len(change))),
        smoothed_max=highest if finite else float("inf"),
        finite=finite,
        accuracy=float(np.mean(right[-LAST:])),
    )


@dataclass
class Smoke:
    """A first few hundred steps, and what they leave."""

    trainer: Trainer
    rate: float
    curve: list[float]
    ratios: dict[str, list[float]]
    steps: int


def smoke(subject: Subject, rate: float | None = None) -> Smoke:
    """Trains for some hundred steps as the recipe has it, at a constant rate; kept for all checks.

    Args:
        subject: what is checked.
        rate: the learning rate; None: the recipe's, or a third of its peak where that falls later;
            the scan's suggestion where a scan found that too high.
    """
    if "smoke" in subject.kept:
        return subject.kept["smoke"]  # type: ignore[no-any-return]
    trainer = Trainer(subject, subject.recipe)
    seconds = trainer.step_seconds
    steps = int(min(max(SMOKE_SECONDS / seconds, RATIO_FROM), SMOKE_STEPS))
    annealed = subject.recipe.train.schedule.word != "constant"
    rate = rate or (trainer.peak / 3 if annealed else trainer.peak)
    suggestion = subject.kept.get("suggestion")
    if suggestion and rate > suggestion["search"][1]:
        rate = suggestion["learning_rate"]
    trainer.restart()
    trainer.rate = rate
    kernels = [v for v in trainer.network.trainable_variables if v.path.endswith("kernel")]
    ratios: dict[str, list[float]] = {v.path: [] for v in kernels}
    curve = []
    for step in range(steps):
        watched = step >= min(RATIO_FROM, steps // 2) and step % RATIO_EVERY == 0
        before = [array(v).copy() for v in kernels] if watched else []
        loss, _ = trainer.step(*trainer.batches(step))
        curve.append(loss)
        for variable, old in zip(kernels, before, strict=False):
            moved = float(np.linalg.norm(array(variable) - old))
            length = float(np.linalg.norm(old))
            if length := updates.kernel_length(variable.path, length, old.shape[-1]):
                ratios[variable.path].append(moved / length)
        if not isfinite(loss):
            break
    images = (trainer.batches(step)[0] for step in range(max(steps - 30, 0), steps))
    reestimate(trainer.network, images)
    found = Smoke(trainer, rate, curve, ratios, len(curve))
    subject.kept["smoke"] = found
    return found


def _scored(
    subject: Subject, found: Smoke, split: Split, most: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logits (n, classes) in float64 and labels (n,) of images drawn from a split as it is."""
    chosen = np.sort(subject.rng("scored").permutation(len(split))[:most])
    scores = found.trainer.network.predict(split.images(chosen), verbose=0)
    return scores.astype(np.float64), np.asarray(split.labels)[chosen]


def input_independent(subject: Subject) -> judged.InputIndependent:
    """The data loss of training images after the first steps, against the labels' entropy."""
    found = smoke(subject)
    scores, labels = _scored(subject, found, subject.data.train, PROBED)
    count = len(labels)
    choice = subject.calm.train.loss
    weights = class_weights(subject.recipe, subject.data)
    each = every_loss(choice, scores)[np.arange(count), labels]
    best = losses.at_start(choice, subject.classes)
    shares = np.bincount(labels, minlength=subject.classes) / count
    if weights is not None:
        each = each * weights[labels]
        shares = shares * weights
    if choice.word == "softmax":
        held = shares[shares > 0]
        best = float(-(held * np.log(held / held.sum())).sum())
    return judged.InputIndependent(
        loss=float(each.mean()),
        entropy=best,
        se=float(each.std() / sqrt(count)),
        accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        majority=float(np.bincount(labels).max() / count),
        images=count,
    )


def smoked(subject: Subject) -> judged.Smoke:
    """Validation accuracy after the first steps, against guessing."""
    found = smoke(subject)
    scores, labels = _scored(subject, found, subject.data.validation, SCORED)
    count = len(labels)
    counts = np.bincount(labels, minlength=subject.classes)
    return judged.Smoke(
        accuracy=float(np.mean(scores.argmax(axis=1) == labels)),
        images=count,
        majority=float(counts.max() / count),
        steps=found.steps,
        augmented=bool(subject.recipe.data.augment),
    )


def update_ratio(subject: Subject) -> updates.UpdateRatio:
    """|change| / |kernel| of a step, median over the later of the first steps."""
    found = smoke(subject)
    settled = optimize.equilibrium(found.trainer.recipe.train.optimizer, found.rate)
    normed = {layer.name for layer in subject.layers if getattr(layer.options, "followed", False)}
    rows = []
    for path, ratios in found.ratios.items():
        if not ratios:
            continue
        scale_free = path.partition("/")[0] in normed
        rows.append(
            updates.KernelUpdate(
                path=path,
                ratio=float(np.median(ratios)),
                equilibrium=settled if scale_free else None,
                scale_invariant=scale_free,
            )
        )
    return updates.UpdateRatio(layers=rows, learning_rate=found.rate)


def dead_units(subject: Subject) -> list[DeadUnits]:
    """Dead units at the start and, where there was some training, after it."""
    found = [start.dead_units(subject)]
    if "smoke" in subject.kept:
        after = start.activations(subject, smoke(subject).trainer.network)
        found.append(start.dead(subject, after, after_training=True))
    return found


def filters(subject: Subject) -> curves.Filters | None:
    """How smooth the first layer's filters are: Moran's I against shuffled positions.

    None where there is no first convolution, or its kernel is smaller than 5: nine values cannot
    tell.
    """
    first = next((layer for layer in subject.layers if layer.kind in ("conv", "fc")), None)
    if first is None or first.kind != "conv":
        return None
    kernel = array(smoke(subject).trainer.network.get_layer(first.name).kernel)
    subject.kept["filters"] = kernel
    if min(first.options.kernel_size) < 5:
        return None
    observed, p = morans_i(kernel, subject.rng("filters"))
    return curves.Filters(p=p, morans_i=observed, kernel_size=first.options.kernel_size)


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
