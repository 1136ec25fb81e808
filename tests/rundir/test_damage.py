"""No file of ours, however damaged, ends in a traceback, a hang, or an answer that is wrong."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.rundir import damage
from tests.rundir import material as materials
from tests.rundir.damage import Material, cases, measure, run_case
from tests.rundir.material import OLD
from tuning.journal import TrialJournal
from zoo.artifact.layout import Artifact
from zoo.errors import RecipeError, RunError
from zoo.recipe import load
from zoo.rundir import Run, Search
from zoo.rundir.recipe_text import require_unchanged
from zoo.training import checkpoint

READ, LONG, PART = 24, 500, 50


def read_export(folder: Path) -> None:
    artifact = Artifact(folder, "keras")
    artifact.verify_files(artifact.manifest())


def read_recipe(folder: Path) -> None:
    require_unchanged(Run(folder), Run(folder).started_info())


# File -> the folder it is in, and what reads it.
READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "run.json": ("done", lambda folder: Run(folder).started_info()),
    "recipe.yaml": ("done", read_recipe),
    "metrics.jsonl": ("done", lambda folder: Run(folder).rows()),
    "evaluation.json": ("done", lambda folder: Run(folder).evaluation()),
    "state/step-000000037.npz": ("stopped", lambda folder: checkpoint.newest(Run(folder))),
    "manifest.json": ("done/export/keras/done/1", read_export),
    "model.keras": ("done/export/keras/done/1", read_export),
    "tune.json": ("searched", lambda folder: Search(folder).info()),
    "trials.jsonl": ("searched", lambda folder: TrialJournal(Search(folder))),
    "attempts.jsonl": ("searched", lambda folder: TrialJournal(Search(folder))),
}


@pytest.mark.parametrize("name", READERS)
def test_readers(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What reads a file answers, or says in a sentence which file is wrong, and in what."""
    monkeypatch.setattr(damage, "BOMB_MEGABYTES", 20)
    folder, read = READERS[name]
    if name == "recipe.yaml":
        load(str(OLD / folder / name))
    refused = 0
    for number in cases(READ):
        work = tmp_path / str(number)
        shutil.copytree(OLD / folder, work, ignore=shutil.ignore_patterns("export", "trials"))
        did = damage.damage(random.Random(f"{name} {number}"), work / name, OLD / "none" / name)
        try:
            read(work)
        except (RunError, RecipeError) as error:
            refused += 1
            text = str(error)
            assert Path(name).name.partition(".")[0] in text or "state" in text, (did, text)
            assert len(text) < 900, (did, text)
            assert "\n" not in text, (did, text)
        shutil.rmtree(work)
    assert refused > READ // 4


@pytest.fixture(scope="module")
def material(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Material]:
    with pytest.MonkeyPatch.context() as patch:
        materials.in_process(patch)
        made = materials.make(trained, tmp_path_factory.mktemp("material"))
        measure(made, tmp_path_factory.mktemp("whole"))
        yield made


@pytest.mark.laws
@pytest.mark.parametrize("first", range(0, LONG, PART))
def test_verbs(material: Material, tmp_path: Path, first: int) -> None:
    flaws = [run_case(material, number, tmp_path) for number in cases(PART, first)]
    assert [flaw for flaw in flaws if flaw] == []
