"""Which advice of findings `zoo check --fix` writes, and in which order."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from zoo.checks.fixes import Fix, choose
from zoo.checks.judge import Finding
from zoo.checks.judge.data import InputScale, judge_input_scale
from zoo.checks.judge.finding import FAIL, INFO, WARN, finding, merge
from zoo.checks.judge.loss import HeadConfidence, judge_head_confidence
from zoo.checks.judge.remedies import (
    RATE_PATH,
    Remedy,
    balance_classes,
    lower_momentum,
    lower_rate,
    use_batch_norm,
    use_initializer,
    use_leaky_relu,
)
from zoo.loading import load
from zoo.recipe.yaml_reader import dotted


def faulty(check: str, *remedies: Remedy, verdict: Any = WARN) -> Finding:
    return finding(check, verdict, 1.0, "", "wrong", remedies)


def chosen(
    findings: Sequence[Finding], why_not: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], dict[str, str]]:
    """Values by path, and reasons by check."""

    def refuse(fix: Fix) -> str | None:
        return (why_not or {}).get(dotted(fix.path))

    choice = choose(findings, "SGD", refuse)
    return {dotted(fix.path): fix.value for fix in choice.fixes}, dict(choice.left)


PREPROCESS = Remedy("use it", sets={"data.preprocess": "channel_meanstd"})


def test_data_come_before_the_network_and_that_before_the_rate() -> None:
    findings = [
        faulty("C14", lower_rate("lower it", 0.0123), verdict=FAIL),
        faulty("C08", use_initializer("use auto")),
        faulty("C01", PREPROCESS),
        faulty("C13", use_batch_norm()),
    ]
    fixes, left = chosen(findings)
    assert fixes == {"data.preprocess": "channel_meanstd"}
    assert left.keys() == {"C14", "C08", "C13"}
    assert "once the other changes are made" in left["C14"]
    assert chosen(findings[:2])[0] == {"model.defaults.kernel_initializer": "auto"}
    assert chosen([findings[0], findings[3]])[0] == {"train.optimizer.SGD.learning_rate": 0.012}


def test_what_follows_from_the_rate_is_mended_after_it() -> None:
    """Units die of a high rate; leaky_relu would only hide that."""
    dead = faulty("C09", lower_rate(), use_batch_norm())
    assert (
        "train.optimizer.SGD.learning_rate" in chosen([dead, faulty("C14", lower_rate("", 1))])[0]
    )
    assert chosen([dead])[0] == {"model.defaults.batch_norm": {}}


def test_the_next_remedy_where_the_first_cannot_be_written() -> None:
    fading = faulty("C08", use_initializer("use auto"), use_batch_norm())
    fixes, left = chosen([fading], {"model.defaults.kernel_initializer": "no place"})
    assert (fixes, left) == ({"model.defaults.batch_norm": {}}, {})
    fixes, left = chosen(
        [fading],
        {"model.defaults.kernel_initializer": "no place", "model.defaults.batch_norm": "none"},
    )
    assert (fixes, left) == ({}, {"C08": "no place; none"})


def test_contrary_values_of_one_key() -> None:
    """The worse finding has its way; the other one is told why."""
    one = faulty("C08", use_initializer("use auto"))
    other = faulty("C10", use_initializer("use lecun", "lecun_normal"), verdict=FAIL)
    fixes, left = chosen([one, other])
    assert fixes == {"model.defaults.kernel_initializer": "lecun_normal"}
    assert left == {"C08": "C10 changes model.defaults.kernel_initializer first"}
    assert chosen([one, faulty("C11", use_initializer("use auto"))])[1] == {}


def test_a_value_inside_of_another() -> None:
    inside = Remedy("", sets={"model.defaults.batch_norm.epsilon": 1e-5})
    fixes, left = chosen([faulty("C08", use_batch_norm()), faulty("C21", inside)])
    assert fixes == {"model.defaults.batch_norm": {}}
    assert "C08 changes model.defaults.batch_norm first" in left["C21"]


def test_what_is_left() -> None:
    assert chosen([faulty("C12", Remedy("look"))])[1] == {
        "C12": "its advice is not one key with a value"
    }
    two = Remedy("both", sets={"train.epochs": 3, "train.batch_size": 4})
    assert chosen([faulty("C12", two)])[0] == {}
    assert chosen([faulty("C01", PREPROCESS, verdict=INFO)]) == ({}, {})


def test_other_parts_of_a_check() -> None:
    whole = merge([faulty("C03", Remedy("look"), verdict=FAIL), faulty("C03", PREPROCESS)])
    assert chosen([whole])[0] == {"data.preprocess": "channel_meanstd"}


SMALL_HEAD = judge_head_confidence(
    HeadConfidence(loss=60.0, at_zero=2.3, logit_std=45.0, num_classes=10, head_gain=3.0)
)
RAW = judge_input_scale(InputScale(mean=[100.0], std=[90.0], max_abs=255.0, has_norm=False))


@pytest.mark.parametrize(
    "remedy",
    [
        lower_rate("", 0.1),
        lower_momentum("", "beta_1"),
        use_batch_norm(),
        use_initializer(""),
        use_leaky_relu(),
        balance_classes(),
        *SMALL_HEAD.remedies,
        *RAW.remedies,
    ],
)
def test_remedies_set_what_a_recipe_may_have(remedy: Remedy) -> None:
    ((path, value),) = remedy.sets.items()
    load("digits-tiny", [f"{path.replace('*', 'Adam')}={json.dumps(value)}"])
    assert path.rpartition(".")[2] in remedy.advice or not remedy.advice or "batch_norm" in path


def test_the_advice_names_the_rate_that_is_written() -> None:
    remedy = lower_rate("lower it to about 0.012", 0.012345)
    assert remedy.sets == {RATE_PATH: 0.012}
