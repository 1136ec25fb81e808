"""Results of verbs that load a framework, on a narrow terminal: no word is cut, none is lost."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.cli.calls import call
from tests.cli.test_terminal import too_wide
from tests.runs import copied
from zoo.datasets.digits import raw
from zoo.rundir import Run
from zoo.rundir.contents import CONTENTS, foreign
from zoo.text import columns, fitting


@pytest.fixture
def wide_and_narrow(monkeypatch: pytest.MonkeyPatch) -> object:
    """Calls a command twice: into a pipe, and on a terminal; both must hold the same words."""

    def check(*arguments: str | Path, width: int) -> None:
        piped = call(*arguments)
        with monkeypatch.context() as patch:
            for module in (columns, fitting):
                patch.setattr(module, "terminal_width", lambda *_: width)
            shown = call(*arguments)
        for stream in ("stdout", "stderr"):
            expected, text = (getattr(result, stream) for result in (piped, shown))
            assert text.split() == expected.split()
            assert too_wide(text, width) == []

    return check


def test_results(trained: Run, tmp_path: Path, wide_and_narrow: object) -> None:
    run = copied(trained, tmp_path)
    file = tmp_path / "digit.png"
    Image.fromarray(raw()["test"][0][0, ..., 0]).save(file)
    assert callable(wide_and_narrow)
    for width in (60, 80):
        wide_and_narrow("evaluate", run, "--split", "validation", width=width)
        wide_and_narrow("predict", run, file, tmp_path, width=width)
    # All that a training wrote is known, so that `zoo runs --clean` may remove it.
    assert list(foreign(run.folder, CONTENTS["run"])) == []
