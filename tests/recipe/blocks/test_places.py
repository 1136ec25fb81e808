"""`--set` and `tune.space` reach the parameters of blocks, whether the recipe gives them or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.recipe.blocks.recipes import TEXT, changed, problems
from tests.recipe.files import messages
from tuning.hyperparameter_variables import signature
from tuning.trial_source import dimensions
from zoo import plan
from zoo.loading import Template, load
from zoo.recipe.space import takes_whole_numbers

STRIDES = "model.blocks.basic.parameters.strides"
SEARCH = """\
tune:
  space:
    model.stack[1].basic.strides: {values: [1, 2]}
    model.stack[2].basic.filters: {min_value: 5, max_value: 8}
    model.stack[1].basic.repeat: {values: [1, 2, 3]}
    model.stack[4].bottleneck.wide: {values: [16, 32]}
    model.blocks.basic.parameters.strides: {values: [1, 2]}
    model.blocks.basic.stack[0].residual.stack[0].conv.dropout: {min_value: 0.1, max_value: 0.5}
    train.optimizer.Adam.learning_rate: {min_value: 1e-4, max_value: 1e-2, sampling: log}
  stages: [{name: one, trials: 2, epochs: 1}]
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "r.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def strides(file: str, *overrides: str) -> list[Any]:
    layers = plan.plan(load(file, overrides), 10).layers
    return [x.options.strides[0] for x in layers if x.kind == "conv" and x.name != "conv1"][::2]


@pytest.mark.parametrize(
    "override, expected",
    [
        ("model.stack[1].basic.repeat=1", [1, 2, 1, 1, 1, 1]),
        ("model.stack[1].basic.strides=2", [2, 2, 2, 1, 1, 1, 1]),
        ("model.stack[3].basic.strides=2", [1, 1, 2, 2, 1, 1, 1]),
        (f"{STRIDES}=2", [2, 2, 2, 2, 1, 1, 2]),
        ("model.stack[4]=basic", None),
        ("model.stack[4]={basic: 8}", [1, 1, 2, 1, 1]),
        ("model.stack[2].basic={filters: 8}", [1, 1, 1, 1, 1, 1, 1]),
        ("model.blocks.basic.stack[0].residual.stack[0].conv.strides=1", [1] * 7),
        ("model.blocks.basic.stack=[{conv: {filters: $filters, strides: 3}}]", None),
        ("model.stack=[{conv: 4}, {basic: 4}]", [1]),
    ],
)
def test_set(file: str, override: str, expected: list[int] | None) -> None:
    if expected is not None:
        assert strides(file, override)[: len(expected)] == expected
    elif override.endswith("basic"):
        assert "parameter filters is missing" in messages(file, override)[0]
    else:
        assert [x.options.strides[0] for x in plan.plan(load(file, [override]), 10).layers
                if x.kind == "conv"][1:5] == [3, 3, 3, 3]  # fmt: skip


@pytest.mark.parametrize(
    "override, path, part",
    [
        (
            "model.stack[1].basic.filtres=3", "model.stack[1].basic.filtres",
            "block basic has no parameter 'filtres'; did you mean 'filters'? Expected some of: "
            "filters, strides, repeat.",
        ),
        ("model.stack[1].basik.filters=3", "model.stack[1].basik", "did you mean 'basic'?"),
        (
            "model.stack[1].conv.filters=3", "model.stack[1].conv",
            "the recipe has basic there. To take another word, set all of it",
        ),
        ("model.blocks.basik.stack=[flatten]", "model.blocks.basik", "did you mean 'basic'?"),
        (
            "model.blocks.basic.parameters.stride=2", "model.blocks.basic.parameters.stride",
            "there is no parameter 'stride'; did you mean 'strides'?",
        ),
        (
            "model.stack[1].basic.strides.x=2", "model.stack[1].basic.strides.x",
            "model.stack[1].basic.strides holds no map. To change it, set all of it.",
        ),
        ("model.stack[1].basic.strides=0", "model.stack[1].basic.strides", "out of range"),
        ("model.stack[3].basic.repeat=none", "model.stack[3].basic.repeat", "whole number"),
        (f"{STRIDES}=far", STRIDES, "Expected [height, width] or one whole number"),
        ("model.blocks=[1]", "model.blocks", "Expected a map of names of blocks. R"),
        ("model.blocks.basic.stack=flatten", "model.blocks.basic.stack", "Expected a list"),
    ],
)  # fmt: skip
def test_set_something_else(file: str, override: str, path: str, part: str) -> None:
    line = next(line for line in messages(file, override) if f": {path}" in line)
    assert line.startswith(f"--set {override}: {path}")
    assert part in line


def test_a_search_in_blocks(file: str) -> None:
    """Each value arrives in the trial; trials that differ in rates alone share their network."""
    Path(file).write_text(TEXT + SEARCH, encoding="utf-8")
    template = Template(file)
    tune = template.recipe.tune
    assert tune is not None
    assert set(dimensions(template, tune)) == set(tune.space)
    assert takes_whole_numbers(template.data, tune, "model.stack[2].basic.filters")
    values = {
        "model.stack[1].basic.strides": 2,
        "model.stack[2].basic.filters": 7,
        "model.stack[1].basic.repeat": 1,
        "model.stack[4].bottleneck.wide": 32,
        "model.blocks.basic.parameters.strides": 1,
    }
    one, two = template.filled(values), template.filled({**values, RATE: 2e-3})
    stack = one.model.stack
    assert stack[1].residual.stack[0].options.strides == (2, 2)
    assert stack[2].residual.stack[0].options.filters == 7
    assert stack[4].residual.stack[2].options.filters == 32
    assert signature(one) == signature(two)
    Path(file).write_text(template.dump(values), encoding="utf-8")
    assert load(file).model == one.model


RATE = "train.optimizer.Adam.learning_rate"


@pytest.mark.parametrize(
    "old, new, path",
    [
        ("strides: {values: [1, 2]}", "strides: {values: [1, 0]}", ".strides.values[1]"),
        ("basic.repeat", "basic.repeats", ".repeats"),
        ("bottleneck.wide", "bottleneck.width.x", ".width.x"),
        ("min_value: 5", "min_value: 0", ".filters.min_value"),
        ("conv.dropout", "conv.drop", ".drop"),
    ],
)
def test_a_search_of_something_else(old: str, new: str, path: str) -> None:
    (problem,) = problems(TEXT + SEARCH.replace(old, new, 1))
    assert (problem.path or "").endswith(path)
    assert changed() == TEXT
