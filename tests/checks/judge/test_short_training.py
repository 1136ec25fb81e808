"""C13, C16: what a short training shows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from zoo.checks.judge.short_training import (
    InputIndependent,
    ShortTrainingAccuracy,
    judge_better_than_guessing,
    judge_input_independent,
)


@pytest.mark.parametrize(
    "loss, verdict, words",
    [
        (2.23, "PASS", "below"),
        (2.25, "FAIL", "the network ignores its input"),
        (2.4, "FAIL", "learning_rate in train.optimizer"),
    ],
)
def test_input_independent(loss: float, verdict: str, words: str) -> None:
    finding = judge_input_independent(InputIndependent(loss=loss, entropy=2.3, se=0.02))
    assert (finding.verdict, words in finding.advice) == (verdict, True)
    finding = judge_input_independent(
        InputIndependent(loss=loss, entropy=2.3, se=0.02, shortened=True)
    )
    assert finding.verdict == ("PASS" if verdict == "PASS" else "WARN")
    assert ("Too few steps" in finding.advice) == (verdict == "FAIL")


@pytest.mark.parametrize("accuracy, verdict", [(0.19, "WARN"), (0.129, "WARN"), (0.12, "FAIL")])
def test_a_slow_start_is_no_blindness(accuracy: float, verdict: str) -> None:
    """1,000 images of ten classes: guessing stays below 0.128."""
    numbers = InputIndependent(
        loss=2.304, entropy=2.303, se=0.001, accuracy=accuracy, majority=0.1, images=1000
    )
    assert judge_input_independent(numbers).verdict == verdict
    finding = judge_input_independent(replace(numbers, shortened=True))
    assert finding.verdict == {"FAIL": "WARN", "WARN": "INFO"}[verdict]
    assert (
        judge_input_independent(replace(numbers, shortened=True, loss=math.nan)).verdict == "FAIL"
    )


@pytest.mark.parametrize(
    "balanced, weighted, verdict, words",
    [
        (0.80, True, "PASS", "balanced accuracy 0.800"),
        (0.80, False, "PASS", "above guessing"),
        (0.55, True, "WARN", "though classes are weighted"),
        (0.55, False, "WARN", "set train.class_weight: balanced"),
    ],
)
def test_unbalanced_classes(balanced: float, weighted: bool, verdict: str, words: str) -> None:
    """What tells the classes apart is no guess; weights are not advised to who has them."""
    numbers = ShortTrainingAccuracy(
        accuracy=0.88, images=640, majority=0.94, steps=300, balanced_accuracy=balanced,
        balanced_bound=0.7, weighted=weighted,
    )  # fmt: skip
    finding = judge_better_than_guessing(numbers)
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding
    assert not (weighted and "set train.class_weight" in finding.advice)
    # Of classes of one size a balanced accuracy says nothing new.
    even = replace(numbers, majority=0.5, accuracy=0.5, weighted=False)
    assert judge_better_than_guessing(even).verdict == "FAIL"


@pytest.mark.parametrize(
    "accuracy, majority, verdict, words",
    [
        (0.129, 0.1, "PASS", "after 300"),
        (0.128, 0.1, "FAIL", "no better than guessing"),
        (0.9, 0.9, "WARN", "train.class_weight: balanced"),
        (0.93, 0.9, "PASS", "after 300"),
        (1.0, 0.9999, "PASS", "after 300"),
    ],
)
def test_smoke(accuracy: float, majority: float, verdict: str, words: str) -> None:
    numbers = ShortTrainingAccuracy(accuracy=accuracy, images=1000, majority=majority, steps=300)
    finding = judge_better_than_guessing(numbers)
    assert (finding.verdict, words in finding.advice) == (verdict, True)
    finding = judge_better_than_guessing(replace(numbers, shortened=True))
    assert finding.verdict == {"FAIL": "WARN", "WARN": "INFO"}.get(verdict, verdict)
    assert finding.advice.endswith("Too few steps to be sure.") == (verdict != "PASS")


@pytest.mark.parametrize(
    "accuracy, images, verdict",
    [
        (0.4375, 16, "WARN"),  # The true accuracy may be 0.68.
        (0.8, 16, "PASS"),
        (0.35, 60, "FAIL"),  # At most 0.47.
        (0.25, 16, "FAIL"),  # At most 0.49.
    ],
)
def test_few_validation_images_do_not_fail(accuracy: float, images: int, verdict: str) -> None:
    """From 16 images of three classes nobody can tell a fair network from a guess."""
    numbers = ShortTrainingAccuracy(accuracy=accuracy, images=images, majority=1 / 3, steps=300)
    finding = judge_better_than_guessing(numbers)
    assert finding.verdict == verdict
    told = f"{images} validation images are too few" in finding.advice
    assert told == (verdict == "WARN")
    assert ("check data.source for labels" in finding.advice) == (verdict != "PASS")


@pytest.mark.parametrize(
    "area, bound, verdict, words",
    [
        (0.9, 0.6, "PASS", "AUC 0.900 after 300 steps"),
        (0.55, 0.6, "FAIL", "AUC 0.550 after 300 steps is no better than guessing"),
        (0.55, 1.0, "INFO", "200 validation images are too few"),
    ],
)
def test_images_with_any_number_of_classes(
    area: float, bound: float, verdict: str, words: str
) -> None:
    """They are judged by the area under the ROC curve, which a guess leaves at a half."""
    numbers = ShortTrainingAccuracy(
        accuracy=area, images=200, majority=0.0, steps=300, measure="AUC", bound=bound
    )
    finding = judge_better_than_guessing(numbers)
    assert finding.verdict.value == verdict
    assert words in finding.advice
    assert f"AUC > {bound:.3f}" in str(finding.threshold)
    blind = InputIndependent(
        loss=0.5, entropy=0.45, se=0.01, accuracy=area, images=200, measure="AUC", bound=bound
    )
    judged = judge_input_independent(blind)
    assert judged.verdict.value == ("WARN" if area > bound else "FAIL")
    assert ("AUC, 0.90, is above guessing" in judged.advice) is (area > bound)
