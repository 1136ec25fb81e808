"""The kind of a folder of zoo."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.rundir.contents import CONTENTS
from zoo.rundir.kinds import MARKS, kind_of


@pytest.mark.parametrize(
    "names, kind",
    [
        ((), None), (("recipe.yaml",), None), (("checks.json",), "check"), (("run.json",), "run"),
        (("checks.json", "run.json"), "run"), (("folds.json", "recipe.yaml"), "folds"),
        (("tune.json", "best.yaml"), "search"),
    ],
)  # fmt: skip
def test_kind_of(names: tuple[str, ...], kind: str | None, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).touch()
    assert kind_of(tmp_path) == kind


def test_each_kind_is_known_by_a_file_that_it_holds() -> None:
    assert MARKS.keys() == CONTENTS.keys()
    assert all(mark in CONTENTS[kind] for kind, mark in MARKS.items())
