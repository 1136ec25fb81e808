"""docs/python.md: every line runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import beside
from tests.docs import python_page

MODULE = "tests.docs.python_page"


def test_values_are_compared() -> None:
    text = (
        "```python\na = 1\na  # 1\na + 1  # 3\n```\n```sh\nzoo\n```\n```python\n[a]  # [1]\n```\n"
    )
    assert python_page.run(text) == (3, ["line 4: 2, not # 3"])


@pytest.mark.slow
@pytest.mark.timeout(1260)
@pytest.mark.beside(MODULE, needs="keras")
def test_every_line_runs(base_folder: Path) -> None:
    outcome = beside.outcome(MODULE, base_folder)
    assert outcome["wrong"] == []
    assert outcome["compared"] > 40
