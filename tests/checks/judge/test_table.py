"""Laws that hold for every check of the table."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from tests.checks.healthy import HEALTHY
from zoo.checks.judge import CHECKS, Verdict
from zoo.checks.judge.finding import NAMES

NAN, INF = math.nan, math.inf


def test_every_check_has_an_example_and_a_name() -> None:
    assert set(CHECKS) == set(HEALTHY) == set(NAMES)
    for key, check in CHECKS.items():
        assert check.id == key
        assert isinstance(HEALTHY[key], check.numbers)
        assert check.asks.endswith("?")
        assert check.judge.__doc__
        assert f"{key}. " in check.judge.__doc__


def test_quick_ones_need_no_training() -> None:
    slow = [key for key, check in CHECKS.items() if not check.quick]
    assert slow == ["C12", "C13", "C14", "C15", "C16", "C17", "C18", "C19", "C20"]


@pytest.mark.parametrize("key", HEALTHY)
def test_healthy_passes(key: str) -> None:
    finding = CHECKS[key].judge(HEALTHY[key])
    assert (finding.id, finding.name) == (key, NAMES[key])
    assert finding.verdict is Verdict.PASS, finding
    assert finding.threshold
    assert finding.advice


@pytest.mark.parametrize("key", HEALTHY)
def test_json_goes_round(key: str) -> None:
    document = CHECKS[key].judge(HEALTHY[key]).as_json()
    keys = ["id", "name", "verdict", "value", "threshold", "advice", "details"]
    assert list(document) == [*keys, "diagnosis", "remedies", "remark"]
    assert json.loads(json.dumps(document, allow_nan=False)) == document


def spoilt(numbers: Any, bad: float) -> Iterator[tuple[str, Any]]:
    """The same numbers, each time with one of its type replaced; of lists the first few."""
    if type(numbers) is type(bad):
        yield "", bad
    elif dataclasses.is_dataclass(numbers) and not isinstance(numbers, type):
        for field in dataclasses.fields(numbers):
            for place, entry in spoilt(getattr(numbers, field.name), bad):
                yield f".{field.name}{place}", dataclasses.replace(numbers, **{field.name: entry})
    elif isinstance(numbers, list | tuple):
        for index, old in enumerate(numbers[:3]):
            for place, entry in spoilt(old, bad):
                changed = [*numbers[:index], entry, *numbers[index + 1 :]]
                yield f"[{index}]{place}", type(numbers)(changed)
    elif isinstance(numbers, dict):
        for key, old in numbers.items():
            for place, entry in spoilt(old, bad):
                yield f".{key}{place}", {**numbers, key: entry}


@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("key", [key for key in HEALTHY if key != "C14"])
def test_what_is_not_finite_fails(key: str, bad: float) -> None:
    cases = list(spoilt(HEALTHY[key], bad))
    if key not in ("C03", "C04", "C25"):  # These count.
        assert cases
    for place, numbers in cases:
        finding = CHECKS[key].judge(numbers)
        assert finding.verdict is Verdict.FAIL, place
        json.dumps(finding.as_json(), allow_nan=False)


@pytest.mark.parametrize("bad", [NAN, INF])
def test_rates_that_diverge_are_too_high(bad: float) -> None:
    """A scan goes on until something breaks; only the recipe's own rate must be sound."""
    numbers = HEALTHY["C14"]
    last = dataclasses.replace(numbers.points[-1], end_loss=bad)
    finding = CHECKS["C14"].judge(dataclasses.replace(numbers, points=[*numbers.points[:-1], last]))
    assert finding.verdict is Verdict.PASS
    assert CHECKS["C14"].judge(dataclasses.replace(numbers, rate=bad)).verdict is Verdict.FAIL


EXTREMES = [
    (key, extreme)
    for key in HEALTHY
    for extreme in (0.0, 1e-30, 1.0, 1e30, 0, 1)
    # Shares lie in [0, 1].
    if extreme != 1e30 or key not in ("C12", "C16", "C19", "C21")
]


@pytest.mark.parametrize("key, extreme", EXTREMES)
def test_extremes_get_an_answer(key: str, extreme: float) -> None:
    for place, once in spoilt(HEALTHY[key], extreme):
        for more, twice in spoilt(once, extreme):
            finding = CHECKS[key].judge(twice)
            assert finding.verdict in Verdict, place + more
            json.dumps(finding.as_json(), allow_nan=False)
