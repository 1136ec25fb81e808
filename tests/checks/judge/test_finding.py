"""Verdicts are ordered, findings are JSON."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.checks.judge import Finding, Verdict, worst_verdict
from zoo.checks.judge.finding import (
    FAIL,
    INFO,
    PASS,
    WARN,
    fail_if_not_finite,
    finding,
    join_names,
    merge,
    non_finite_fields,
)

VERDICTS = st.sampled_from(list(Verdict))


def of(verdict: Verdict, advice: str = "a", value: float | None = 1.0) -> Finding:
    return finding("C01", verdict, value, "t", advice)


def test_order() -> None:
    assert PASS < INFO < WARN < FAIL
    assert FAIL >= WARN >= WARN > INFO
    assert PASS <= PASS
    assert sorted([FAIL, PASS, WARN, INFO]) == [PASS, INFO, WARN, FAIL]
    assert FAIL == "FAIL"


@given(st.lists(VERDICTS))
def test_overall_is_the_worst(verdicts: list[Verdict]) -> None:
    worst = worst_verdict(map(of, verdicts))
    assert all(verdict <= worst for verdict in verdicts)
    assert worst in verdicts or (worst is PASS and not verdicts)


@given(st.lists(VERDICTS, min_size=1))
def test_parts_joined_are_as_bad_as_the_worst(verdicts: list[Verdict]) -> None:
    whole = merge(of(verdict, str(index)) for index, verdict in enumerate(verdicts))
    assert whole.verdict is worst_verdict(map(of, verdicts))
    advice = [whole.advice, *(part.advice for part in whole.also)]
    wanted = [str(index) for index, verdict in enumerate(verdicts) if verdict > PASS]
    assert set(wanted) <= set(advice)


@pytest.mark.parametrize("value, word", [(math.nan, "nan"), (math.inf, "inf"), (-math.inf, "-inf")])
def test_json_knows_no_nan(value: float, word: str) -> None:
    document = finding("C12", FAIL, value, "t", "a", losses=[1.0, value], pair=(1, 2)).as_json()
    assert document["value"] is None
    assert document["details"] == {"losses": [1.0, word], "pair": [1, 2], "value": word}
    assert json.loads(json.dumps(document, allow_nan=False))["verdict"] == "FAIL"


def test_places_that_are_not_finite() -> None:
    assert list(non_finite_fields({"a": [1.0, math.nan], "b": (2, {"c": math.inf})})) == [
        ".a[1]",
        ".b[1].c",
    ]
    assert fail_if_not_finite("C01", [1.0, 2, "x", None], "a") is None
    failed = fail_if_not_finite("C01", [math.nan], "look there.")
    assert failed is not None
    assert "look there" in failed.advice


def test_named() -> None:
    assert join_names("ab") == "a, b"
    assert join_names("abcde") == "a, b, c and 2 more"
