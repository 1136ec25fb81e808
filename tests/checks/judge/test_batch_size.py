"""A batch that grew while the learning rate stayed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.checks.healthy import HEALTHY
from zoo.checks.judge.batch_size import BatchGrowth, judge_batch_growth
from zoo.checks.judge.remedies import BATCH_SIZE, LEARNING_RATE, LOWER, RAISE


@pytest.mark.parametrize(
    "optimizer, images, rate, verdict, words",
    [
        ("SGD", 64, 0.1, "PASS", "1 times those of digits-tiny"),
        ("SGD", 127, 0.1, "PASS", "at 1 times the learning rate"),
        ("SGD", 128, 0.1, "INFO", "try learning_rate 0.2 in train.optimizer, by the linear rule"),
        ("TorchSGD", 256, 0.1, "WARN", "try learning_rate 0.4 in train.optimizer"),
        ("Adam", 1024, 0.1, "WARN", "try learning_rate 0.4 in train.optimizer, by the rule of squ"),
        ("Adam", 1024, 0.05, "WARN", "learning_rate is still 0.05"),
        ("SGD", 256, 0.2, "PASS", "4 times those of digits-tiny, at 2 times the learning rate"),
        ("SGD", 32, 0.05, "PASS", "0.5 times"),
    ],
)
def test_growth(optimizer: str, images: int, rate: float, verdict: str, words: str) -> None:
    numbers = HEALTHY["C27"]
    assert isinstance(numbers, BatchGrowth)
    found = judge_batch_growth(
        BatchGrowth(
            before=replace(numbers.before, optimizer=optimizer),
            now=replace(numbers.now, optimizer=optimizer, images=images, learning_rate=rate),
        )
    )
    assert (found.verdict, words in found.advice) == (verdict, True), found
    if verdict != "PASS":
        changes = [dict(remedy.changes) for remedy in found.remedies]
        assert changes == [{LEARNING_RATE: RAISE}, {BATCH_SIZE: LOWER}]
        assert "nothing is scaled unasked" in found.advice
