"""`zoo.tune` and `zoo.search`, on searches whose trials take no time."""

from __future__ import annotations

from pathlib import Path

import pytest

import zoo
from tests.tuning.instant import InstantExecutor
from tests.tuning.searches import RATE, TOTAL, recipe_file
from tuning import search as engine


@pytest.fixture(autouse=True)
def _instant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "LocalExecutor", InstantExecutor)
    monkeypatch.setattr(engine, "gpus", list)


def test_a_search(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = zoo.load(recipe_file(tmp_path))
    search = zoo.tune(recipe, out=tmp_path, quiet=True)
    assert capsys.readouterr() == ("", "")
    trials = search.trials
    assert (len(trials), trials.index.name) == (TOTAL, "trial")
    assert {"stage", "status", "score", RATE} <= set(trials.columns)
    assert search.best["values"][RATE] == trials.loc[search.best["trial"], RATE]
    best = search.best_recipe()
    assert best.train.optimizer.options.learning_rate == search.best["values"][RATE]
    assert search.recipe.tune is not None
    with pytest.raises(zoo.RunError, match=r"no run of trial nonsense is kept\. Expected one of"):
        search.run("nonsense")
    assert zoo.search(tmp_path / "tiny").path == search.path
    shown = search._repr_html_()
    assert search.best["trial"] in shown
    assert len(shown) < 20_000
    more = zoo.tune(resume=search, trials=3, quiet=True)
    assert len(more.trials) > TOTAL


def test_what_does_not_fit_together(tmp_path: Path) -> None:
    with pytest.raises(zoo.UsageError, match="Expected a RECIPE, or resume=FOLDER"):
        zoo.tune()
    with pytest.raises(zoo.UsageError, match="trials: Expected 1 or more"):
        zoo.tune("digits-tiny", trials=0)
    with pytest.raises(zoo.UsageError, match="adds trials to a search that is resumed"):
        zoo.tune("digits-tiny", trials=2)
    with pytest.raises(zoo.UsageError, match="device='gpu': a search cannot require a GPU"):
        zoo.tune("digits-tiny", device="gpu")
    with pytest.raises(zoo.RunError, match="does not exist"):
        zoo.search(tmp_path / "none")


def test_a_search_without_an_end_has_no_best(tmp_path: Path) -> None:
    search = zoo.tune(recipe_file(tmp_path), out=tmp_path, quiet=True)
    info = search.info
    search.folder.write_info({**info, "status": "interrupted", "best": None})
    with pytest.raises(zoo.RunError, match="has no best trial yet"):
        _ = search.best
    assert "interrupted" in repr(search)
    assert "coarse-000" in search._repr_html_()
