"""Every flaw of a stack is reported with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.networks import network
from zoo.errors import RecipeError
from zoo.recipe import load


@pytest.mark.parametrize(
    "stages, line, path, message",
    [
        (
            ["pool: max", "pool: max", "pool: max", "pool: max"],
            8,
            "model.stack[3].pool",
            "pool4 turns 1x1 into 0x0: drop a pool or use larger images",
        ),
        (
            ["conv: {filters: 4, kernel_size: 9, padding: valid}"],
            5,
            "model.stack[0].conv",
            "conv1 (9x9, padding: valid) turns 8x8 into 0x0: "
            "use padding: same, a smaller kernel or larger images",
        ),
        (
            ["conv: {filters: 4, kernel_size: 5, repeat: 3, padding: valid}"],
            5,
            "model.stack[0].conv",
            "conv1_2 (5x5, padding: valid) turns 4x4 into 0x0",
        ),
        (
            ["conv: {filters: 4, dilation_rate: 4, padding: valid}"],
            5,
            "model.stack[0].conv",
            "conv1 (3x3, padding: valid) turns 8x8 into 0x0",
        ),
        (
            ["flatten", "conv: {filters: 4}"],
            6,
            "model.stack[1].conv",
            "a conv stage needs an image, but gets a vector of 192; "
            "put it in front of flatten, global_pool and fc",
        ),
        (["fc: {units: 7}", "pool: max"], 6, "model.stack[1].pool", "gets a vector of 7"),
        (
            ["global_pool: max", "global_pool: max"],
            6,
            "model.stack[1].global_pool",
            "global_pool needs an image, but gets a vector of 3",
        ),
        (
            ["conv: {filters: 4, groups: 2}"],
            5,
            "model.stack[0].conv.groups",
            "groups=2 does not divide its 3 input channels",
        ),
        (
            ["conv: {filters: 4, order: [conv, act]}"],
            5,
            "model.stack[0].conv.order",
            "bn missing.",
        ),
        (
            ["conv: {filters: 4, order: [conv, bn, act, act]}"],
            5,
            "model.stack[0].conv.order",
            "act given twice.",
        ),
    ],
)  # fmt: skip
def test_flaws(tmp_path: Path, stages: list[str], line: int, path: str, message: str) -> None:
    text = "name: net\ndata: {source: digits}\nmodel:\n  stack:\n"
    text += "".join(f"    - {stage}\n" for stage in stages) + "train: {epochs: 1}\n"
    file = tmp_path / "net.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        load(str(file))
    (problem,) = caught.value.problems
    assert (problem.file, problem.line, problem.path) == (str(file), line, path)
    assert message in problem.message


def test_a_pattern_that_nothing_follows(tmp_path: Path) -> None:
    """It names what is near."""
    with pytest.raises(RecipeError, match=r"paths such as conv1/kernel.* Received 'conv/kernel'"):
        network(
            tmp_path,
            "[{conv: {filters: 4}}]",
            train=", learning_rate_factors: [{pattern: conv/kernel}]",
        )
