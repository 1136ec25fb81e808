"""Advice of different checks that cancels out is not given together."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from zoo.checks.judge.curves import CurveShape, judge_curve_shape
from zoo.checks.judge.finding import FAIL, INFO, NAMES, WARN, Finding, finding, merge, soften
from zoo.checks.judge.norm import BatchNormConfig, BatchNormLayer, judge_batch_norm
from zoo.checks.judge.reconcile import reconcile
from zoo.checks.judge.remedies import CONTRARY, EPOCHS, RAISE, Remedy, lower_rate, raise_rate
from zoo.checks.judge.signals import DeadUnits, LayerActivity, judge_dead_units
from zoo.checks.judge.updates import KernelUpdate, UpdateRatio, judge_update_ratio

WHAT = ("rate", "epochs", "norm")
REMEDIES = st.builds(
    lambda what, direction: Remedy(f"{direction} {what}", {what: direction}),
    st.sampled_from(WHAT),
    st.sampled_from(sorted(CONTRARY)),
)


@st.composite
def collected(draw: st.DrawFn) -> list[Finding]:
    """Findings of different checks, some with parts, which have remedies of their own."""
    findings = []
    for check in draw(st.lists(st.sampled_from(sorted(NAMES)), unique=True, max_size=6)):
        parts = [
            finding(check, draw(st.sampled_from([INFO, WARN, FAIL])), None, "", "wrong", remedies)
            for remedies in draw(st.lists(st.lists(REMEDIES, max_size=2), min_size=1, max_size=2))
        ]
        findings.append(merge(parts))
    return findings


def changes(judged: Finding) -> set[tuple[str, str]]:
    parts = (judged, *judged.also)
    return {item for part in parts for each in part.remedies for item in each.changes.items()}


@given(collected())
def test_no_two_checks_advise_the_contrary(findings: list[Finding]) -> None:
    after = reconcile(findings)
    assert [(f.id, f.verdict, f.value) for f in after] == [
        (f.id, f.verdict, f.value) for f in findings
    ]
    for one in after:
        for other in after:
            if one.id != other.id:
                contrary = {(what, CONTRARY[direction]) for what, direction in changes(other)}
                assert not changes(one) & contrary
    for before, judged in zip(findings, after, strict=True):
        assert changes(judged) <= changes(before)
        for remedy in judged.remedies:
            assert remedy.advice in judged.advice
    assert reconcile(after) == after


def test_the_worse_verdict_comes_first_then_the_scan_of_rates() -> None:
    shape = finding("C18", WARN, None, "", "flat", [raise_rate(), Remedy("look")])
    scan = finding("C14", WARN, None, "", "too high", [lower_rate()])
    assert [f.advice for f in reconcile([shape, scan])] == [
        "flat: look.",
        f"too high: {lower_rate().advice}.",
    ]
    dead = finding("C09", FAIL, None, "", "dead", [lower_rate()])
    linear = soften(finding("C15", FAIL, None, "", "small", [raise_rate()]))
    assert reconcile([dead, linear])[1].advice == (
        "small. Follow the advice of C09 first, then look again. Too few steps to be sure."
    )


def slow_updates() -> Finding:
    kernel = KernelUpdate(path="conv1/kernel", ratio=1e-7)
    return judge_update_ratio(UpdateRatio(layers=[kernel], learning_rate=0.1))


def dead_units(after_training: bool) -> Finding:
    layer = LayerActivity(name="conv1", units=10, dead=0.5, zeros=0.9, depth=1, normed=False)
    return judge_dead_units(DeadUnits(layers=[layer], images=100, after_training=after_training))


def few_values() -> Finding:
    layer = BatchNormLayer(name="fc1_bn", values=1, momentum=0.9, epsilon=1e-3, variance_small=None)
    return judge_batch_norm(BatchNormConfig(layers=[layer], steps=1000, batch_size=1))


def still_falling() -> Finding:
    losses = [2.3 - 0.002 * step for step in range(600)]
    return judge_curve_shape(CurveShape(losses=losses, steps_per_epoch=100, initial=2.3))


@pytest.mark.parametrize(
    "first, second, left_out",
    [
        (dead_units(True), slow_updates(), "learning_rate"),
        (dead_units(True), still_falling(), "raise learning_rate"),
        (few_values(), dead_units(True), "batch_norm"),
    ],
)
def test_findings_that_cancel_out(first: Finding, second: Finding, left_out: str) -> None:
    """Each advises this alone; together, one of them does not."""
    assert left_out in second.advice or left_out in first.advice
    one, other = reconcile([first, second])
    texts = sorted([one.advice, other.advice], key=lambda text: left_out in text)
    assert left_out not in texts[0]
    assert one.advice != first.advice or other.advice != second.advice


DIRECTION = re.compile(
    r"\b(lower|raise|more|less|longer) (learning_rate|train\.|weight_decay|l2\b|dropout|momentum)"
)
REMEDY = ("Remedy", "lower_rate", "raise_rate", "lower_momentum")


def test_advice_in_a_direction_is_a_remedy() -> None:
    """Else `reconcile` could not see it."""
    prose = []
    for file in sorted(Path(ROOT, "zoo/checks/judge").glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        inside: set[int] = set()
        for node in ast.walk(tree):
            is_remedy = isinstance(node, ast.Call) and getattr(node.func, "id", "") in REMEDY
            if is_remedy or isinstance(node, ast.Expr) or file.stem == "remedies":
                inside |= {id(each) for each in ast.walk(node)}
        prose += [
            f"{file.name}:{node.lineno}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and id(node) not in inside
            if isinstance(node.value, str) and DIRECTION.search(node.value)
        ]
    assert prose == []


def test_the_scan_of_rates_has_its_way_over_worse_findings() -> None:
    """After too high a rate, units are saturated, and updates so small that C15 fails."""
    scanned = finding("C14", WARN, 0.2, "", "too high", [lower_rate("lower it", 0.03)])
    inferred = finding("C15", FAIL, 1e-11, "", "updates are small", [raise_rate()])
    first, second = reconcile([scanned, inferred])
    assert first.remedies == scanned.remedies
    assert second.remedies == ()
    assert second.advice == "updates are small. Follow the advice of C14 first, then look again."
    high = finding("C14", INFO, 0.2, "", "high", [lower_rate("a lower one may do")])
    assert reconcile([high, inferred])[1].remedies == inferred.remedies


def test_json_keeps_remedies() -> None:
    judged = finding("C18", WARN, 1.0, "", "slow", [Remedy("train on", {EPOCHS: RAISE})], "Or not.")
    assert judged.as_json()["remedies"] == [
        {"advice": "train on", "changes": {EPOCHS: RAISE}, "sets": {}}
    ]
    assert Finding.from_json(judged.as_json()) == judged
    old = {key: judged.as_json()[key] for key in judged.as_json() if key != "remedies"}
    assert Finding.from_json(old).remedies == ()
