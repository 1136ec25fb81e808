"""Errors in words and in JSON."""

from __future__ import annotations

import pytest

from zoo import errors
from zoo.errors import Problem, RecipeError, RunError, ZooError


@pytest.mark.parametrize(
    "problem, text",
    [
        (Problem(message="wrong"), "wrong"),
        (Problem(message="wrong", file="a.yaml"), "a.yaml: wrong"),
        (Problem(message="wrong", file="a.yaml", line=3, path="seed"), "a.yaml:3: seed: wrong"),
        (Problem(message="wrong", path="seed"), "seed: wrong"),
    ],
)
def test_problem(problem: Problem, text: str) -> None:
    assert str(problem) == text


def test_all_problems_are_printed() -> None:
    problems = [Problem(message="first"), Problem(message="second", path="seed")]
    assert str(RecipeError(problems)) == "first\nseed: second"
    assert str(RunError("no run", problems)) == "no run\nfirst\nseed: second"


def test_json() -> None:
    error = RecipeError([Problem(message="wrong", file="a.yaml", line=3, path="seed")])
    assert error.as_json() == {
        "kind": "recipe",
        "message": "a.yaml:3: seed: wrong",
        "problems": [{"file": "a.yaml", "line": 3, "path": "seed", "message": "wrong"}],
    }
    assert RunError("no run").as_json() == {"kind": "run", "message": "no run", "problems": []}


def test_exit_codes() -> None:
    codes = {
        name: error.exit_code
        for name, error in vars(errors).items()
        if isinstance(error, type) and issubclass(error, ZooError)
    }
    assert codes == {
        "ZooError": 1, "UsageError": 2, "RecipeError": 2, "RunError": 2,
        "DamagedFile": 2, "WrongModel": 3, "DataError": 3, "EnvironmentFault": 4,
        "StorageFault": 4, "PeerLost": 4, "Diverged": 1, "ParityError": 1, "Interrupted": 130,
        "PluginError": 2, "PluginRefused": 2,
    }  # fmt: skip
