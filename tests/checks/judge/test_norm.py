"""C21: batch norm."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.checks.healthy import HEALTHY, LAYER
from zoo.checks.judge.norm import BatchNormConfig, BatchNormLayer, judge_batch_norm

BATCH_NORM = HEALTHY["C21"]


def layer(**changes: object) -> BatchNormLayer:
    return replace(LAYER, **changes)


NORMS = [
    ([layer()], {}, "PASS", "100% of batch norm's statistics"),
    ([layer(momentum=0.99)], {"steps": 299}, "PASS", "after 299 steps 95% of"),
    ([layer(momentum=0.99)], {"steps": 298}, "WARN", "batch_norm.momentum"),
    ([layer(momentum=0.99)], {"steps": 48}, "WARN", "train.batch_norm_batches"),
    ([layer(momentum=0.99)], {"steps": 48, "reestimated": True}, "PASS", "recomputed"),
    ([layer(), layer(momentum=0.99)], {"steps": 48}, "WARN", "only 38% of"),
    ([layer(momentum=0.9)], {"steps": 29}, "PASS", "95% of"),
    ([layer(values=32)], {"batch_size": 32, "last_batch": 0}, "PASS", "come from training"),
    ([layer(values=31)], {"batch_size": 31, "last_batch": 0}, "WARN", "train.batch_size"),
    ([layer(values=1)], {"batch_size": 1, "last_batch": 0}, "FAIL", "group_norm"),
    ([layer(values=128)], {"last_batch": 1}, "FAIL", "train.drop_remainder: true"),
    ([layer(values=128)], {"last_batch": 15}, "WARN", "train.drop_remainder: true"),
    ([layer(values=128)], {"last_batch": 16}, "INFO", "16 values"),
    ([layer(values=128)], {"last_batch": 32}, "PASS", "come from training"),
    ([layer()], {"last_batch": 1}, "PASS", "come from training"),
    ([layer(variance_small=0.0027)], {}, "WARN", "2.7 epsilon"),
    ([layer(variance_small=0.01)], {}, "PASS", "come from training"),
    ([layer(variance_small=None)], {}, "PASS", "come from training"),
    ([layer(redundant_bias=True)], {}, "INFO", "use_bias: false"),
    ([], {}, "PASS", "no batch norm"),
]


@pytest.mark.parametrize("layers, more, verdict, words", NORMS)
def test_batch_norm(
    layers: list[BatchNormLayer], more: dict[str, object], verdict: str, words: str
) -> None:
    numbers: BatchNormConfig = replace(BATCH_NORM, layers=layers, **more)
    finding = judge_batch_norm(numbers)
    assert (finding.verdict, words in finding.advice) == (verdict, True), finding
    assert judge_batch_norm(replace(numbers, layers=layers[::-1])).verdict == verdict
