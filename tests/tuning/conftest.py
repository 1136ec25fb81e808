"""Searches that train nothing: in this process, or in processes that stand in for workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tuning import searches, stand_in
from tests.tuning.instant import InstantExecutor
from tuning import search
from tuning.executors import local
from tuning.search import SearchResult, SearchSettings, begin
from zoo.errors import Interrupted
from zoo.rundir import Search


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches run their trials in this process, at once."""
    monkeypatch.setattr(search, "LocalExecutor", InstantExecutor)
    monkeypatch.setattr(search, "gpus", list)


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Searches start `stand_in.py` for each worker."""
    monkeypatch.setattr(local, "subprocess", stand_in.replaced())
    monkeypatch.setattr(local, "gpus", list)
    monkeypatch.setattr(search, "gpus", list)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> SearchResult:
    """A search that disturbed ones are compared with. Not to be written to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search, "LocalExecutor", InstantExecutor)
        patch.setattr(search, "gpus", list)
        return begin(searches.template(folder), folder)


@pytest.fixture
def interrupted(tmp_path: Path, instant: None) -> Search:
    """A search that was stopped in its first stage."""
    settings = SearchSettings(listener=searches.Recorder(stop_after=3))
    with pytest.raises(Interrupted):
        begin(searches.template(tmp_path), tmp_path, settings)
    return Search.open(tmp_path / "tiny")
