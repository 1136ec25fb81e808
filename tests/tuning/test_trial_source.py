"""Which trials a stage gives, whatever the order in which they end."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.runs import TINY  # With Keras: else the oracles would load it.
from tests.tuning.stand_in import RATE, trained
from tuning.trial_source import ConfirmFeed, StageFeed, dimensions
from tuning.trials import TrialSpec
from zoo.recipe import Template

TRIALS, WORKERS = 16, 3


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    data = yaml.safe_load(TINY.replace("1e-2", "0.01"))
    data["train"]["optimizer"] = "SGD"
    data["tune"] = {
        "space": {RATE: {"min_value": 1e-4, "max_value": 20.0, "sampling": "log"}},
        "stages": [
            {"name": "random", "trials": TRIALS, "epochs": 1, "prune": "median"},
            {"name": "hyperband", "trials": TRIALS, "epochs": 3, "oracle": "hyperband"},
        ],
    }
    file = tmp_path_factory.mktemp("stage") / "recipe.yaml"
    file.write_text(yaml.safe_dump(data), encoding="utf-8")
    return Template(str(file))


def feed(template: Template, number: int, rows: dict[int, Any], lag: int) -> StageFeed:
    tune = template.recipe.tune
    assert tune is not None
    stage = tune.stages[number]
    rule = "median" if stage.prune == "median" else "none"
    return StageFeed(template, tune, stage, dimensions(template, tune), rule, lag, rows)


def row_of(job: TrialSpec) -> dict[str, Any]:
    told = vars(job) | {"values": dict(job.values)}
    found = trained(told)
    rungs = {str(step): score for step, score in found["rungs"].items()}
    return {**found, "rungs": rungs, "values": dict(job.values), "seed": job.seed,
            "wanted_epochs": job.epochs, "index": job.index}  # fmt: skip


def played(
    template: Template, number: int, order: Any, rows: dict[int, Any] | None = None
) -> dict[int, TrialSpec]:
    """The trials given to some workers of which `order` says who is next to end."""
    rows = {} if rows is None else rows
    trials = feed(template, number, rows, 2 * WORKERS - 1)
    running: list[TrialSpec] = []
    given: dict[int, TrialSpec] = {}
    while True:
        while len(running) < WORKERS:
            job = trials.next()
            if job is None:
                break
            assert job.index not in given, "given twice"
            running.append(job)
            given[job.index] = job
        if not running:
            return given
        ended = running.pop(order(len(running)))
        rows[ended.index] = row_of(ended)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([0, 1]), st.data())
def test_the_order_in_which_trials_end_changes_nothing(
    template: Template, number: int, data: st.DataObject
) -> None:
    """Neither values nor whom a trial is compared with."""
    expected = played(template, number, lambda count: 0)
    found = played(
        template, number, lambda count: data.draw(st.integers(0, count - 1), label="ends")
    )
    assert len(expected) == TRIALS
    assert found == expected
    assert number or any(job.rivals for job in expected.values())


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.sampled_from([0, 1]), st.sets(st.integers(0, TRIALS - 1)))
def test_taken_up_again_it_gives_what_is_missing(
    template: Template, number: int, missing: set[int]
) -> None:
    expected = played(template, number, lambda count: 0)
    rows = {index: row_of(job) for index, job in expected.items() if index not in missing}
    found = played(template, number, lambda count: count - 1, rows)
    assert found == {index: expected[index] for index in missing}


def test_confirmed_in_turns(template: Template) -> None:
    """Every trial has its first seed before any has its second: time may run out."""
    best = [{"trial": f"fine-00{index}", "values": {RATE: index / 10}} for index in (1, 2)]
    trials = ConfirmFeed(3, best, 2, {"confirm-fine-001-2"})
    given = []
    while (job := trials.next()) is not None:
        given.append((job.trial, job.values[RATE], job.epochs))
    assert given == [
        ("confirm-fine-001-1", 0.1, None), ("confirm-fine-002-1", 0.2, None),
        ("confirm-fine-002-2", 0.2, None),
    ]  # fmt: skip
    assert trials.total == 4
    seeds = [job.seed for job in trials.jobs]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]
