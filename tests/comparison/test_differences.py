"""What differs between two recipes, every default written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.plugins import example
from tests.recipe import mutations
from zoo.comparison.differences import differences
from zoo.errors import ZooError
from zoo.loading import load
from zoo.recipe import Recipe, own_words, shipped
from zoo.recipe.yaml_reader import dotted

Entry = tuple[str | None, str | None, Any, Any]


def entries(first: Recipe, second: Recipe) -> list[Entry]:
    return [
        (each["a_path"], each["b_path"], each["a"], each["b"])
        for each in (difference.as_json() for difference in differences(first, second))
    ]


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_recipe_does_not_differ_from_itself(name: str) -> None:
    assert entries(load(name), load(name)) == []


def test_a_written_default_is_no_difference(minimal: Path) -> None:
    changes = (
        "seed=0",
        "model.stack[0].conv.kernel_size=[3, 3]",
        "model.stack[0].conv.activation=relu",
        "model.stack[0].conv.batch_norm={}",
        "model.defaults.padding=same",
        "train.optimizer={Adam: {beta_1: 0.9}}",
        "train.epochs=2",
        "evaluate={tta: none}",
        "data.preset=digits",
    )
    assert entries(load(str(minimal)), load(str(minimal), changes)) == [
        ("data.color_mode", "data.color_mode", "rgb", "grayscale")
    ]


@pytest.mark.parametrize(
    "change, path, a, b",
    [
        ("train.epochs=3", "train.epochs", 2, 3),
        ("model.stack[0].conv.filters=5", "model.stack[0].conv.filters", 4, 5),
        ("model.stack[0].conv.pool=max", "model.stack[0].conv.pool", None, "max"),
        ("model.stack[0].conv.activation={leaky_relu: 0.3}", "model.stack[0].conv.activation",
         "relu", {"leaky_relu": {"negative_slope": 0.3}}),
        ("model.defaults.activation=elu", "model.defaults.activation", "relu", "elu"),
        ("train.optimizer={Adam: {beta_1: 0.5}}", "train.optimizer.Adam.beta_1", 0.9, 0.5),
        ("train.optimizer={SGD: {momentum: 0.5}}", "train.optimizer", "Adam",
         {"SGD": {"momentum": 0.5}}),
        ("train.early_stopping={patience: 3}", "train.early_stopping", None, {"patience": 3}),
        ("data.image_size=9", "data.image_size", [8, 8], [9, 9]),
        ("data.augment=[random_flip]", None, None, "random_flip"),
        ("model.head.kernel_initializer={RandomNormal: {stddev: 0.02}}",
         "model.head.kernel_initializer.RandomNormal.stddev", 0.01, 0.02),
    ],
)  # fmt: skip
def test_one_change_is_one_difference(
    change: str, path: str | None, a: Any, b: Any, minimal: Path
) -> None:
    """A changed default of all stages is told once, whatever follows from it."""
    before, after = load(str(minimal)), load(str(minimal), [change])
    ((a_path, b_path, was, now),) = entries(before, after)
    assert (a_path, b_path) == ((path, path) if path else (None, "data.augment[0]"))
    assert now == b
    assert was == a or a is None
    ((other_path, _, now, was),) = entries(after, before)
    assert (other_path, was, now) == (b_path, was, b)


def test_stages_are_aligned() -> None:
    found = entries(load("vgg16-bn"), load("vgg16-bn", [
        "model.stack=[{conv: {filters: 64, repeat: 2, pool: max}}, {dropout: 0.1}, "
        "{conv: {filters: 128, repeat: 2, pool: max}}, {conv: {filters: 256, pool: max}}, "
        "{conv: {filters: 512, repeat: 3, pool: max}}]"
    ]))  # fmt: skip
    assert found == [
        (None, "model.stack[1]", None, {"dropout": {"rate": 0.1}}),
        ("model.stack[2].conv.repeat", "model.stack[3].conv.repeat", 3, 1),
        ("model.stack[3]", None, {"conv": {"filters": 512, "repeat": 3, "pool": "max"}}, None),
    ]


@pytest.mark.parametrize(
    "first, second, path, values",
    [
        ("pool: max", "pool: average", "model.stack[1].pool", ("max", "average")),
        ("pool: {max: 3}", "pool: max", "model.stack[1].pool.max.pool_size", ([3, 3], [2, 2])),
        ("pool: max", "pool: {average: 3}", "model.stack[1].pool",
         ("max", {"average": {"pool_size": [3, 3]}})),
        ("activation: relu", "activation: elu", "model.stack[1].activation", ("relu", "elu")),
        ("dropout: 0.5", "dropout: 0.4", "model.stack[1].dropout.rate", (0.5, 0.4)),
        ("branches: {stacks: [[], [conv: {filters: 2}]]}",
         "branches: {stacks: [[], [conv: {filters: 3}]]}",
         "model.stack[1].branches.stacks[1][0].conv.filters", (2, 3)),
    ],
)  # fmt: skip
def test_stages_without_kernels(
    first: str, second: str, path: str, values: Any, minimal: Path
) -> None:
    recipes = [
        load(str(minimal), [f"model.stack=[{{conv: {{filters: 4}}}}, {{{stage}}}]"])
        for stage in (first, second)
    ]
    assert entries(*recipes) == [(path, path, *values)]


def test_stages_inside_of_stages(tmp_path: Path) -> None:
    files = []
    for filters in (4, 8):
        inner = f"[{{conv: {{filters: {filters}}}}}, {{conv: {{filters: 4}}}}]"
        inner = f"{{group: {{repeat: 2, stack: [{{residual: {{stack: {inner}}}}}]}}}}"
        file = tmp_path / f"{filters}.yaml"
        file.write_text(
            "name: x\ndata: digits\ntrain: {epochs: 1}\n"
            f"model: {{stack: [{{conv: {{filters: 4}}}}, {inner}]}}",
            encoding="utf-8",
        )
        files.append(load(str(file)))
    path = "model.stack[1].group.stack[0].residual.stack[0].conv.filters"
    assert entries(*files) == [(path, path, 4, 8)]


def test_a_search(minimal: Path) -> None:
    stages = "stages: [{name: a, trials: 1, epochs: 1}]"
    first = load(
        str(minimal), [f"tune={{space: {{train.batch_size: {{values: [8, 7]}}}}, {stages}}}"]
    )
    second = load(
        str(minimal),
        [
            "tune={space: {train.batch_size: {values: [8, 7, 9]}, "
            f"train.optimizer.SGD.momentum: {{values: [0.5, 0.6]}}}}, {stages}}}"
        ],
    )
    space = "tune.space.train"
    assert entries(first, second) == [
        (f"{space}.batch_size.values", f"{space}.batch_size.values", [8, 7], [8, 7, 9]),
        (None, f"{space}.optimizer.SGD.momentum", None, {"values": [0.5, 0.6]}),
    ]
    (whole,) = entries(load(str(minimal)), first)
    assert whole[:3] == ("tune", "tune", None)


@pytest.mark.laws
def test_recipes_differ_where_their_data_do(tmp_path: Path) -> None:
    """Of accepted mutations: no difference just where every value is equal, and none twice."""
    file = tmp_path / "recipe.yaml"
    accepted: list[Recipe] = []
    for number in range(3_000):
        case = mutations.case(number)
        file.write_text(case.text, encoding="utf-8", errors="surrogatepass")
        try:
            accepted.append(load(str(file), case.overrides))
        except ZooError:
            continue
    assert len(accepted) > 200
    for first, second in zip(accepted, accepted[1:], strict=False):
        found = entries(first, second)
        assert bool(found) == (first.model_dump() != second.model_dump())
        assert len({entry[:2] for entry in found}) == len(found)
        assert entries(first, first) == []
        assert len(entries(second, first)) == len(found) or not found


def test_own_parts_are_compared_by_their_options(tmp_path: Path) -> None:
    first = load(str(example.write(tmp_path)))
    (tmp_path / "other").mkdir()
    second = load(str(example.write(tmp_path / "other", ("start: 0.9", "start: 0.8"))))
    asked = differences(first, second)
    found = {dotted(each.a_path or each.b_path or ()): (each.a, each.b) for each in asked}
    assert not own_words.are_known()
    assert found.pop("plugins")
    assert found == {"model.stack[1].ChannelScale.start": (0.9, 0.8)}
