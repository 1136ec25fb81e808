"""Numbers of a healthy network for every check; tests replace one or the other."""

from __future__ import annotations

from typing import Any

from zoo.checks.judge.batch_size import BatchAndRate, BatchGrowth
from zoo.checks.judge.curves import CurveShape, LossPlateau, TrainValidationGap
from zoo.checks.judge.data import InputScale, NormalizationStatistics
from zoo.checks.judge.filters import FilterSmoothness
from zoo.checks.judge.gradients import Gradients, KernelGradient
from zoo.checks.judge.labels import ClassCounts, DuplicateCounts
from zoo.checks.judge.loss import HeadConfidence, LossWiring
from zoo.checks.judge.momentum import Momentum
from zoo.checks.judge.norm import BatchNormConfig, BatchNormLayer
from zoo.checks.judge.overfit import Overfit
from zoo.checks.judge.rate_scan import LearningRateScan
from zoo.checks.judge.rates import RatePoint
from zoo.checks.judge.regularisation import Regularisation
from zoo.checks.judge.short_training import InputIndependent, ShortTrainingAccuracy
from zoo.checks.judge.signals import (
    DeadUnits,
    LayerActivity,
    LayerSaturation,
    Saturation,
    SignalPropagation,
)
from zoo.checks.judge.symmetry import Symmetry
from zoo.checks.judge.updates import KernelUpdate, UpdateRatio


def scan(low: int, high: int, first: int = -6, last: int = 1) -> list[RatePoint]:
    """Two seeds of a rate a decade, from 10^first to 10^last: those from 10^low to 10^high work."""
    points = []
    for power in range(first, last + 1):
        end = 2.3 if power < low else 1.2 if power <= high else 40.0
        for seed in (0, 1):
            points.append(
                RatePoint(
                    rate=10.0**power,
                    seed=seed,
                    first_loss=2.3,
                    end_loss=end,
                    se=0.005,
                    smoothed_max=max(end, 2.3),
                    accuracy=0.5 if low <= power <= high else 0.1,
                )
            )
    return points


LAYER = BatchNormLayer(name="conv1_bn", momentum=0.9, epsilon=1e-3, variance_small=1.5, values=8192)
HEALTHY: dict[str, Any] = {
    "C01": InputScale(mean=[0.0, 0.01, -0.02], std=[1.0, 0.99, 1.0], max_abs=2.6, has_norm=True),
    "C02": NormalizationStatistics(
        kind="channel_meanstd",
        used_mean=[125.3, 123.0, 113.9],
        used_std=[63.0, 62.1, 66.7],
        train_mean=[125.3, 123.0, 113.9],
        train_std=[63.0, 62.1, 66.7],
        others={"test": ([126.0, 123.7, 114.9], [62.9, 61.9, 66.7])},
    ),
    "C03": ClassCounts(
        classes=["a", "b", "c", "d"], train=[50] * 4, validation=[5] * 4, test=[9] * 4
    ),
    "C04": DuplicateCounts(
        validation=5000, in_train=0, test=10000, test_in_train=0, conflicting=0, train=45000
    ),
    "C05": LossWiring(
        compiled=2.9901, own=2.99, loss="softmax", expected=2.97, sd=0.04, num_classes=10
    ),
    "C06": HeadConfidence(loss=2.307, num_classes=10, logit_std=0.12, at_zero=2.302585),
    "C07": Regularisation(
        data_loss=2.3026,
        total=2.3126,
        total_times_ten=2.4026,
        penalty_kernels=3,
        kernels=3,
        decay="coupled",
    ),
    "C08": SignalPropagation(stds=[(f"fc{i}", 1.41) for i in range(1, 11)]),
    "C09": DeadUnits(
        layers=[LayerActivity(name="conv1", dead=0.0, zeros=0.5, depth=1, normed=True, units=32)],
        images=1024,
    ),
    "C10": Saturation(
        layers=[LayerSaturation(name="fc1", activation="tanh", saturated=0.03, std=0.627)]
    ),
    "C11": Gradients(
        layers=[
            KernelGradient(path="conv1/kernel", gradient=1e-3, weight=0.2),
            KernelGradient(path="logits/kernel", gradient=1e-3, weight=0.01),
        ]
    ),
    "C12": Overfit(
        accuracy=1.0,
        loss=0.004,
        floor=0.0,
        images=20,
        num_classes=10,
        steps=60,
        label_smoothing=0.0,
        optimizer="Adam",
        rate=1e-3,
        initial_loss=2.3,
    ),
    "C13": InputIndependent(loss=1.7, entropy=2.3026, se=0.02),
    "C14": LearningRateScan(
        points=scan(-3, 0), rate=0.1, schedule="constant", num_classes=10, chance=0.128
    ),
    "C15": UpdateRatio(layers=[KernelUpdate(path="conv1/kernel", ratio=1e-3)], learning_rate=0.1),
    "C16": ShortTrainingAccuracy(accuracy=0.35, images=1000, majority=0.1, steps=300),
    "C18": CurveShape(
        losses=[0.3 + 2.0 * 0.99**step for step in range(600)], steps_per_epoch=100, initial=2.3
    ),
    "C19": TrainValidationGap(
        train_accuracy=0.93,
        val_accuracy=0.9,
        n_train=5000,
        n_val=5000,
        val_losses=[0.4, 0.35, 0.33],
    ),
    "C20": FilterSmoothness(p=0.001, morans_i=0.6, kernel_size=(7, 7)),
    "C17": LossPlateau(loss=1.4, accuracy=0.5, guessing_loss=2.302585, chance=0.12),
    "C25": Symmetry(),
    "C26": Momentum(
        optimizer="SGD", option="momentum", value=0.9, learning_rate=0.1, sums=True, updates=4000
    ),
    "C27": BatchGrowth(
        before=BatchAndRate(images=64, learning_rate=0.1, optimizer="SGD", origin="digits-tiny"),
        now=BatchAndRate(images=128, learning_rate=0.2, optimizer="SGD"),
    ),
    "C21": BatchNormConfig(layers=[LAYER], steps=3520, batch_size=128, last_batch=72),
}
