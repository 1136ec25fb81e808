"""Messages come back from their lines as they were."""

from __future__ import annotations

import math
from typing import Any

import pytest

from tuning.executors.base import Failed, Finished, Kept, Progress, Ready
from tuning.executors.messages import Alive, Keep, Run, Setup, Stop, decode, encode
from tuning.pruning import Limit
from tuning.trials import TrialResult, TrialSpec
from zoo.errors import DataError, Problem, RecipeError, StorageFault

SPEC = TrialSpec(
    trial="größe-001", stage="größe", index=1, seed=3, epochs=None, objective="val_loss",
    values={"a.b[0]": 0.1 + 0.2, "c": {"max": {"pool_size": 2}}, "d": None, "e": True, "f": 1.0},
    rule="median", limits={20: Limit(score=-1e-300, rivals=7)}, seconds=1.5,
)  # fmt: skip
RESULT = TrialResult(
    status="pruned", score=0.1, reason="two\nlines", epochs=1, steps=9, seconds=0.3,
    setup_seconds=1 / 3, best_epoch=1, rungs={20: 0.5, 3: -1.0},
    curve=[{"epoch": 1, "loss": None, "accuracy": 2 / 3}],
)  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        Setup(recipe="a/recipe.yaml", overrides=["data.source=x"]),
        Run(spec=SPEC),
        Keep(folder="a folder"),
        Stop(),
        Alive(),
        Ready(
            fingerprint="ab", train=5, validation=2, classes=10, notes=["a"], backend="jax",
            device="CPU", versions={"keras": "3"},
        ),
        Progress(trial="x-0", step=1, steps=9),
        Finished(trial="x-0", result=RESULT, networks=2),
        Kept(trial="x-0"),
    ],
)  # fmt: skip
def test_messages_come_back(message: Any) -> None:
    line = encode(message)
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    decoded = decode(line)
    assert type(decoded) is type(message)
    assert decoded == message


def test_types_of_values_come_back() -> None:
    values = decode(encode(Run(spec=SPEC))).spec.values
    assert {key: type(value) for key, value in values.items()} == {
        key: type(value) for key, value in SPEC.values.items()
    }


@pytest.mark.parametrize(
    "error, kind, text",
    [
        (DataError("no such folder"), DataError, "no such folder"),
        (RecipeError([Problem(message="it is wrong")]), RecipeError, "it is wrong"),
        (
            DataError("", [Problem(path="model.weights.from", line=3, message="does not exist")]),
            DataError,
            "3: model.weights.from: does not exist",
        ),
        (StorageFault("the disk is full", 28), StorageFault, "the disk is full"),
        (TypeError("it is ours"), RuntimeError, "please report it:\nTypeError: it is ours"),
    ],
)
def test_errors_keep_their_kind(error: Exception, kind: type[Exception], text: str) -> None:
    decoded = decode(encode(Failed(error=error)))
    assert type(decoded.error) is kind
    assert text in str(decoded.error)


def test_a_score_that_is_not_finite_survives() -> None:
    result = TrialResult(rungs={1: math.inf}, curve=[])
    assert decode(encode(Finished(trial="x", result=result))).result == result
