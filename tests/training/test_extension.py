"""More epochs for a run: to the bit those of a run that was planned with them, or refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.runs import LINEAR, RAGGED, copied, final, tiny
from zoo.errors import DamagedFile, RunError
from zoo.rundir import Run
from zoo.training import extension, resume, train

FEW = (LINEAR, *RAGGED, "train.batch_size=1000")  # Two steps an epoch.


def of_epochs(folder: Path, epochs: int, *overrides: str) -> Run:
    recipe = tiny(folder, *FEW, f"train.epochs={epochs}", *overrides)
    return train(recipe, folder / "runs")


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with the words whose state an extension must take over."""
    return of_epochs(tmp_path_factory.mktemp("short"), 2, *STATEFUL)


STATEFUL = (
    "train.ema={momentum: 0.9}", "train.early_stopping={patience: 9}", "train.monitor=val_loss",
    "train.schedule={step: {at_epochs: [1, 2]}}",
)  # fmt: skip


def test_a_finished_run_goes_on_to_the_bit(short: Run, tmp_path: Path) -> None:
    """As if it had been planned so: weights, averages, metrics, best epoch; and written down."""
    run = copied(short, tmp_path)
    before = run.info()
    resume(run.folder, overrides=["train.epochs=4"])
    found, wanted = final(run), final(of_epochs(tmp_path / "whole", 4, *STATEFUL))
    for end in (found, wanted):
        # The checks judge plateaus by the share of the training that is over.
        end["notes"]["callbacks"] = [e for e in end["notes"]["callbacks"] if e[0] != "LiveChecks"]
    assert found == wanted
    (entry,) = run.info()["extended"]
    assert (entry["from_epochs"], entry["to_epochs"], entry["after_step"]) == (2, 4, 4)
    assert entry["recipe_hash_before"] == before["recipe_hash"] != run.info()["recipe_hash"]
    assert "epochs: 4" in run.recipe_file.read_text(encoding="utf-8")
    # The same command again, as a script repeats it after a crash, finds nothing to do.
    info = run.info()
    assert resume(run.folder, overrides=["train.epochs=4"]).info() == info


def test_a_crash_between_the_two_files(short: Run, tmp_path: Path) -> None:
    """run.json knows of the extension, recipe.yaml does not yet: the next resume goes on."""
    run = copied(short, tmp_path)
    old = run.recipe_file.read_text(encoding="utf-8")
    longer = tiny(tmp_path, *FEW, *STATEFUL, "train.epochs=3")
    extension.write(run, tiny(tmp_path, *FEW, *STATEFUL, "train.epochs=2"), longer, STATE)
    run.recipe_file.write_text(old, encoding="utf-8")
    extension.require_recipe(run, run.started_info())
    assert "epochs: 3" in run.recipe_file.read_text(encoding="utf-8")
    run.recipe_file.write_text(old.replace("seed: 3", "seed: 4"), encoding="utf-8")
    with pytest.raises(DamagedFile, match="was edited since the run began"):
        extension.require_recipe(run, run.started_info())


STATE: Any = ({"step": 4}, [])


@pytest.mark.parametrize(
    "overrides, info, epochs, reason",
    [
        (["train.schedule=cosine"], {}, 9, "half a cosine to the last planned epoch"),
        (
            ["train.schedule={one_cycle: {warmup_epochs: 1}}"], {}, 9,
            "falls along a line to the last planned epoch",
        ),
        (["train.schedule=triangle"], {}, 9, "rises and falls"),
        (["train.schedule=polynomial"], {}, 9, "falls from the first epoch to the last planned"),
        (["train.lookahead={}"], {}, 9, "train.lookahead holds the weights ever more firmly"),
        ([], {"stopped_early": True, "epochs": 1}, 9, "early stopping ended it after epoch 1"),
        ([], {}, 1, "can only be given more. Begin a new run, .* if model.weights names it: z"),
    ],
)  # fmt: skip
def test_refused_with_a_reason(
    tmp_path: Path, overrides: Sequence[str], info: dict[str, Any], epochs: int, reason: str
) -> None:
    recipe = tiny(tmp_path, *overrides)
    run = Run(tmp_path)
    run.recipe_file.write_text((tmp_path / "tiny.yaml").read_text(), encoding="utf-8")
    with pytest.raises(RunError, match=reason) as caught:
        extension.longer(run, recipe, {"status": "done", **info}, [f"train.epochs={epochs}"])
    assert f"recipe.yaml --set train.epochs={epochs}" in str(caught.value)


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["train.schedule={exponential: {factor: 0.9}}"],
        ["train.schedule={polynomial: {decay_epochs: 3}}"],
        ["train.schedule=reduce_on_plateau"],
        ["train.schedule={step: {at_epochs: [1]}}", "train.ema={momentum: 0.9}"],
    ],
)
def test_allowed(tmp_path: Path, overrides: Sequence[str]) -> None:
    recipe = tiny(tmp_path, *overrides)
    run = Run(tmp_path)
    run.recipe_file.write_text((tmp_path / "tiny.yaml").read_text(), encoding="utf-8")
    longer = extension.longer(run, recipe, {"status": "interrupted"}, ["train.epochs=9"])
    assert longer.train.epochs == 9
    assert extension.longer(run, recipe, {"status": "done"}, ["train.epochs=2"]) is recipe


def test_a_run_without_a_state(short: Run, tmp_path: Path) -> None:
    """Such as a trial of a search."""
    run = copied(short, tmp_path)
    for file in run.state_files():
        file.unlink()
    with pytest.raises(RunError, match="has no state to go on from"):
        resume(run.folder, overrides=["train.epochs=4"])
    assert json.loads(run.info_file.read_text())["status"] == "done"
