"""Which trials a stage gives, whatever the order in which they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.runs import TINY  # With Keras: else the oracles would load it.
from tests.tuning.records import record
from tests.tuning.stand_in import RATE, train
from tuning.trial_source import ConfirmationSource, StageSource, dimensions
from tuning.trials import TrialRecord, TrialSpec
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


def source(
    template: Template, number: int, lag: int, records: Sequence[TrialRecord] = ()
) -> StageSource:
    tune = template.recipe.tune
    assert tune is not None
    stage = tune.stages[number]
    rule = "median" if stage.prune == "median" else "none"
    return StageSource(template, tune, stage, dimensions(template, tune), rule, lag, records)


def finished(spec: TrialSpec) -> TrialRecord:
    result = train(spec)
    return record(
        spec.trial, values=spec.values, status=result.status, score=result.score,
        epochs=result.epochs, wanted_epochs=spec.epochs, seed=spec.seed, rungs=result.rungs,
    )  # fmt: skip


def play(
    template: Template,
    number: int,
    choose: Callable[[int], int],
    records: Sequence[TrialRecord] = (),
) -> dict[int, TrialSpec]:
    """Runs a stage; returns the trials that were run.

    Args:
        template: the recipe.
        number: the stage.
        choose: takes the number of running trials and returns which of them finishes next.
        records: trials that are finished already.
    """
    trials = source(template, number, 2 * WORKERS - 1, records)
    running: list[TrialSpec] = []
    run: dict[int, TrialSpec] = {}
    while True:
        while len(running) < WORKERS:
            spec = trials.next()
            if spec is None:
                break
            assert spec.index not in run, "given twice"
            running.append(spec)
            run[spec.index] = spec
        if not running:
            return run
        trials.add(finished(running.pop(choose(len(running)))))


@pytest.fixture(scope="module")
def stages(template: Template) -> list[dict[int, TrialSpec]]:
    """The trials of both stages, finished in their order."""
    return [play(template, number, lambda count: 0) for number in (0, 1)]


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([0, 1]), st.data())
def test_the_order_in_which_trials_end_changes_nothing(
    template: Template, stages: list[dict[int, TrialSpec]], number: int, data: st.DataObject
) -> None:
    """Neither values nor whom a trial is compared with."""
    expected = stages[number]
    specs = play(template, number, lambda count: data.draw(st.integers(0, count - 1), label="ends"))
    assert len(expected) == TRIALS
    assert specs == expected
    assert number or any(spec.limits for spec in expected.values())


@settings(max_examples=25, deadline=None)
@given(st.sampled_from([0, 1]), st.sets(st.integers(0, TRIALS - 1)))
def test_a_resumed_stage_gives_what_is_missing(
    template: Template, stages: list[dict[int, TrialSpec]], number: int, missing: set[int]
) -> None:
    expected = stages[number]
    records = [finished(spec) for index, spec in expected.items() if index not in missing]
    specs = play(template, number, lambda count: count - 1, records)
    assert specs == {index: expected[index] for index in missing}


def test_seeds_of_a_confirmation_take_turns(template: Template) -> None:
    """Every trial has its first seed before any has its second: time may run out."""
    best = [record(f"fine-00{index}", values={RATE: index / 10}) for index in (1, 2)]
    trials = ConfirmationSource(3, best, 2, "val_loss", {"confirm-fine-001-2"})
    given = []
    while (spec := trials.next()) is not None:
        given.append((spec.trial, spec.values[RATE], spec.epochs, spec.objective))
    assert given == [
        ("confirm-fine-001-1", 0.1, None, "val_loss"),
        ("confirm-fine-002-1", 0.2, None, "val_loss"),
        ("confirm-fine-002-2", 0.2, None, "val_loss"),
    ]
    assert trials.total == 4
    seeds = [spec.seed for spec in trials.specs]
    assert seeds[0] == seeds[1] != seeds[2] == seeds[3]


def test_random_trials_that_are_not_pruned_wait_for_no_other(template: Template) -> None:
    """Their values and seeds depend on nothing that ends; with pruning their limits do."""
    tune = template.recipe.tune
    assert tune is not None
    stage, space, lag = tune.stages[0], dimensions(template, tune), 2 * WORKERS - 1
    free = StageSource(template, tune, stage, space, "none", lag)
    given = [free.next() for _ in range(TRIALS)]
    assert None not in given
    pruned = StageSource(template, tune, stage, space, "median", lag)
    for spec in given[:lag]:
        assert spec is not None
        assert replace(spec, rule="median") == pruned.next()
    assert pruned.next() is None
