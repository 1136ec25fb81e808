"""Each recipe of tests/recipes/bad has one flaw: its first line says where and what is answered.

`# expects: LINE: PATH: PART OF THE MESSAGE`; LINE and PATH are empty where there is none to tell.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import RecipeError
from zoo.recipe import load

FILES = sorted((Path(__file__).parent.parent / "recipes" / "bad").glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_one_flaw_one_problem(file: Path) -> None:
    expected = file.read_text(encoding="utf-8").splitlines()[0].removeprefix("# expects: ")
    line, path, part = expected.split(": ", 2)
    with pytest.raises(RecipeError) as caught:
        load(str(file))
    assert caught.value.exit_code == 2
    (problem,) = caught.value.problems
    assert (problem.file, str(problem.line or ""), problem.path or "") == (str(file), line, path)
    assert part in problem.message
    assert str(caught.value).count("\n") == 0


def test_there_are_enough() -> None:
    """A moved folder must not leave this module without cases."""
    assert len(FILES) >= 50
