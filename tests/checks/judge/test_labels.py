"""C03, C04: labels and duplicates."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.labels import ClassCounts, DuplicateCounts, judge_duplicates, judge_labels

TEN = list("abcdefghij")


LABELS = [
    ({"classes": TEN, "train": [10] * 10, "validation": [1] * 10}, "PASS", "10 classes"),
    ({"classes": ["a"], "train": [9], "validation": [1]}, "FAIL", "nothing to tell apart"),
    ({"classes": ["a", "b"], "train": [9, 0], "validation": [1, 1]}, "FAIL", "in train of b"),
    ({"classes": ["a", "b"], "train": [9, 9], "validation": [0, 1]}, "WARN", "in validation of a"),
    ({"classes": ["a", "b"], "train": [9, 9], "validation": [1, 1], "test": [1, 0]}, "WARN",
     "in test of b"),
    ({"classes": ["a", "b"], "train": [9, 9], "validation": [1, 1], "invalid": 3}, "FAIL",
     "3 labels are no class"),
    ({"classes": TEN, "train": [31] + [7] * 9, "validation": [1] * 10}, "WARN",
     "train.class_weight: balanced"),
    ({"classes": TEN, "train": [27] + [7] * 9, "validation": [1] * 10}, "PASS", "10 classes"),
    ({"classes": ["a", "b"], "train": [79, 21], "validation": [1, 1]}, "PASS", "2 classes"),
    ({"classes": ["a", "b"], "train": [81, 19], "validation": [1, 1]}, "WARN", "class_weight"),
]  # fmt: skip


@pytest.mark.parametrize("counts, verdict, words", LABELS)
def test_labels(counts: dict[str, object], verdict: str, words: str) -> None:
    finding = judge_labels(ClassCounts(**counts))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


@given(st.permutations(range(5)))
def test_classes_have_no_order(order: list[int]) -> None:
    counts, names = [400, 7, 0, 3, 9], "abcde"
    finding = judge_labels(
        ClassCounts(classes=[names[i] for i in order], train=[counts[i] for i in order],
               validation=[1] * 5)
    )  # fmt: skip
    assert finding.verdict == "FAIL"
    assert finding.details["missing_in_train"] == ["c"]


NO_COPIES = HEALTHY["C04"]


@pytest.mark.parametrize(
    "changes, verdict, words",
    [
        ({}, "PASS", "no validation image"),
        ({"in_train": 25}, "INFO", "validation images"),
        ({"in_train": 26}, "WARN", "their accuracy says little"),
        ({"in_train": 250}, "WARN", "validation"),
        ({"in_train": 251}, "FAIL", "data.source"),
        ({"test_in_train": 501}, "FAIL", "of 10000 test images"),
        ({"conflicting": 10, "entropy_floor": 0.001}, "INFO", "another class"),
        ({"conflicting": 1000, "entropy_floor": 0.01}, "WARN", "gets below 0.01"),
        ({"test": 0}, "PASS", "no validation image"),
    ],
)
def test_duplicates(changes: dict[str, int], verdict: str, words: str) -> None:
    finding = judge_duplicates(replace(NO_COPIES, **changes))
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_more_copies_are_no_better(one: int, other: int) -> None:
    low, high = (
        judge_duplicates(replace(NO_COPIES, in_train=copies)).verdict
        for copies in sorted((one, other))
    )
    assert low <= high


def test_no_images() -> None:
    none = DuplicateCounts(
        validation=0, in_train=0, test=0, test_in_train=0, conflicting=0, train=0
    )
    assert judge_duplicates(none).verdict == "PASS"


@pytest.mark.parametrize(
    "train, weighted, verdict",
    [
        ([600, 40], False, "WARN"),
        ([600, 40], True, "PASS"),
        ([500, 500, 500, 500, 500, 20], False, "WARN"),  # None dominates, one is rare.
        ([450, 51], False, "WARN"),
        ([85, 85, 85, 10], False, "PASS"),
    ],
)
def test_uneven_classes(train: list[int], weighted: bool, verdict: str) -> None:
    """The advice is class weights alone: a bias of class_priors would cancel them at the start."""
    names = [f"c{number}" for number in range(len(train))]
    counts = ClassCounts(classes=names, train=train, validation=train, weighted=weighted)
    finding = judge_labels(counts)
    assert finding.verdict == verdict, finding
    assert ("train.class_weight: balanced" in finding.advice) == (verdict == "WARN")
    assert "class_priors" not in finding.advice


@pytest.mark.parametrize(
    "changes, verdict, words",
    [
        ({}, "PASS", "in the mean"),
        ({"unlabelled": 40}, "PASS", "40 images have none"),
        ({"train": [900, 30, 60]}, "PASS", "rarest is in 3.0%"),
        ({"train": [500, 3, 60]}, "WARN", "class_weight: balanced"),
        ({"train": [500, 3, 60], "weighted": True}, "WARN", "add images"),
        ({"train": [1000, 30, 60]}, "WARN", "nothing to learn"),
        ({"train": [500, 0, 60]}, "FAIL", "no image in train of b"),
        ({"validation": [50, 0, 6]}, "WARN", "no image in validation of b"),
    ],
)
def test_labels_of_images_with_any_number_of_classes(
    changes: dict[str, object], verdict: str, words: str
) -> None:
    """Shares need not be alike, but each class needs images with and without it."""
    numbers = {
        "classes": ["a", "b", "c"], "train": [500, 200, 600], "validation": [50, 20, 60],
        "train_images": 1000,
    }  # fmt: skip
    finding = judge_labels(ClassCounts(**{**numbers, **changes}))  # type: ignore[arg-type]
    assert finding.verdict.value == verdict
    assert words in finding.advice
    if changes.get("weighted"):
        assert "class_weight" not in finding.advice
