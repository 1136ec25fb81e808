"""Verdicts on the numbers of a check. Light: plain Python, without numpy.

    zoo.checks.measure (numbers)  -->  CHECKS[id].judge(numbers)  -->  Finding

The numbers of a check are a small frozen dataclass beside its judge; its docstring gives meanings
and units. A number that is NaN or infinite is FAIL. Thresholds without a source were chosen by us.
Two ids are elsewhere: C22, the gradients of our own layers, is a test, and C23 is in
`tuning.refine.edges`. `zoo.training` stops a training that diverges.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from zoo.checks.judge import (
    batch_size,
    curves,
    data,
    filters,
    gradients,
    labels,
    learning_rate,
    loss,
    momentum,
    norm,
    overfit,
    rate_scan,
    regularisation,
    short_training,
    signals,
    symmetry,
    updates,
)
from zoo.checks.judge.finding import NAMES, Finding, Verdict, merge, worst_verdict

__all__ = ["CHECKS", "Check", "Finding", "Verdict", "merge", "worst_verdict"]


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check of the table.

    Attributes:
        id: such as C05.
        name: a few words.
        asks: the question that it answers.
        cost: what measuring takes.
        quick: whether it needs no training.
        source: of the formula.
        numbers: type of what `judge` takes.
        judge: turns numbers into a finding.
    """

    id: str
    name: str
    asks: str
    cost: str
    quick: bool
    source: str
    numbers: type
    judge: Callable[[Any], Finding]


LECTURE = "CS231n, lecture 6"
NOTES = "CS231n notes, Neural Networks Part"
PROBE = "one pass over probe images"
# id: (question, cost, quick, source, numbers, judge)
_TABLE: dict[str, tuple[str, str, bool, str, type, Callable[[Any], Finding]]] = {
    "C01": ("Are inputs centred, and of a scale that the first kernel expects?", PROBE, True,
            f"{LECTURE}; {NOTES} 2", data.InputScale, data.judge_input_scale),
    "C02": ("Do the statistics come from the training split alone?", "one pass over each split",
            True, f"{NOTES} 2", data.NormalizationStatistics, data.judge_statistics),
    "C03": ("Is every label a known class, does every class have images, and does no "
            "class dominate?",
            "counting labels", True, "exact", labels.ClassCounts, labels.judge_labels),
    "C04": ("Are images of validation or test also in training?", "hashing all images", True,
            "exact", labels.DuplicateCounts, labels.judge_duplicates),
    "C05": ("Does the loss equal the cross-entropy of the logits, and initially that of shuffled "
            "labels?", PROBE, True, "permutation test", loss.LossWiring, loss.judge_loss_wiring),
    "C06": ("Is the loss at the start near that of uniform predictions?", PROBE, True, LECTURE,
            loss.HeadConfidence, loss.judge_head_confidence),
    "C07": ("Do penalties raise the loss, and does decay shrink kernels, and those alone?",
            "one pass over probe images and one step", True, LECTURE, regularisation.Regularisation,
            regularisation.judge_regularisation),
    "C08": ("Do signals neither fade nor grow from layer to layer?", PROBE, True, LECTURE,
            signals.SignalPropagation, signals.judge_signal_propagation),
    "C09": ("Are there few dead units?", PROBE, True, f"{NOTES} 1",
            signals.DeadUnits, signals.judge_dead_units),
    "C10": ("Are tanh and sigmoid free of saturation?", PROBE, True, LECTURE,
            signals.Saturation, signals.judge_saturation),
    "C11": ("Does every kernel get a gradient, and no image affect another's logits?",
            "six backward passes and five steps", True, f"{NOTES} 3; Karpathy 2019",
            gradients.Gradients, gradients.judge_gradients),
    "C12": ("Can the network memorize a few images?",
            "up to 900 steps on 20 to 128 images; fewer where slow", False, LECTURE,
            overfit.Overfit, overfit.judge_overfit),
    "C13": ("Does training beat every answer that ignores the input?", "the training of C16", False,
            "Karpathy 2019", short_training.InputIndependent,
            short_training.judge_input_independent),
    "C14": ("With which learning rates does the loss go down, and is the recipe's among them?",
            "14 rates, 50 steps, 2 seeds; less where slow", False, f"{LECTURE}; Smith 2017",
            rate_scan.LearningRateScan, learning_rate.judge_learning_rate),
    "C15": ("Do kernels move by about a thousandth of their size per step?", "the training of C16",
            False, f"{LECTURE}; Wan et al. 2020", updates.UpdateRatio, updates.judge_update_ratio),
    "C16": ("Does a short training beat guessing?", "300 steps; fewer where slow", False,
            "binomial bound", short_training.ShortTrainingAccuracy,
            short_training.judge_better_than_guessing),
    "C17": ("Does the loss fall below that of uniform predictions?", "the losses of a training",
            False, LECTURE, curves.LossPlateau, curves.judge_plateau),
    "C18": ("Does the loss fall and level off?", "the losses of a training", False,
            f"{LECTURE}; {NOTES} 3", curves.CurveShape, curves.judge_curve_shape),
    "C19": ("Is the gap between training and validation neither large nor zero?",
            "two evaluations of a trained network", False, LECTURE, curves.TrainValidationGap,
            curves.judge_gap),
    "C20": ("Are the first filters of a trained network smooth?", "999 shuffles of one kernel",
            False, f"{NOTES} 3; Moran 1950", filters.FilterSmoothness,
            filters.judge_filters),
    "C21": ("Does batch norm fit the steps and batches of the training?", PROBE, True,
            "Ioffe & Szegedy 2015; Wu & He 2018", norm.BatchNormConfig, norm.judge_batch_norm),
    "C25": ("Does every unit start with weights of its own?", "comparing kernels", True,
            f"{LECTURE}; {NOTES} 2", symmetry.Symmetry, symmetry.judge_symmetry),
    "C26": ("Does momentum forget early enough before the training ends?", "nothing", True,
            "Goh 2017", momentum.Momentum, momentum.judge_momentum),
    "C27": ("Did the learning rate follow a batch that grew?", "nothing", True,
            "Goyal et al. 2017; Malladi et al. 2022", batch_size.BatchGrowth,
            batch_size.judge_batch_growth),
}  # fmt: skip

CHECKS: dict[str, Check] = {
    key: Check(
        id=key,
        name=NAMES[key],
        asks=asks,
        cost=cost,
        quick=quick,
        source=source,
        numbers=numbers,
        judge=judge,
    )
    for key, (asks, cost, quick, source, numbers, judge) in _TABLE.items()
}
