"""`--set train.epochs=N` shrinks a warm-up that does not fit, and says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from zoo.errors import RecipeError
from zoo.loading import Template, load
from zoo.recipe.shipped import shipped

RECIPE = """\
name: small
data: {{source: digits}}
model: {{stack: [{{fc: {{units: 4}}}}]}}
train:
  epochs: 20
  optimizer: {{Adam: {{learning_rate: 0.01}}}}
  schedule: {schedule}
"""
KEY = "train.schedule.{}.warmup_epochs"


def written(folder: Path, schedule: str) -> str:
    file = folder / "small.yaml"
    file.write_text(RECIPE.format(schedule=schedule), encoding="utf-8")
    return str(file)


@pytest.mark.parametrize(
    "schedule, word, epochs, warmup",
    [
        ("{one_cycle: {warmup_epochs: 4}}", "one_cycle", 1, 0.2),
        ("{one_cycle: 4}", "one_cycle", 2, 0.4),
        ("{one_cycle: {warmup_epochs: 4, end_factor: 0.1}}", "one_cycle", 3, 0.6),
        ("{cosine: {warmup_epochs: 3}}", "cosine", 1, 0.15),
        ("{cosine: 3}", "cosine", 2, 0.3),
    ],
)
def test_a_warmup_that_does_not_fit_keeps_its_share(
    schedule: str, word: str, epochs: int, warmup: float, tmp_path: Path
) -> None:
    notes: list[str] = []
    file = written(tmp_path, schedule)
    recipe = load(file, [f"train.epochs={epochs}"], say=notes.append)
    assert recipe.train.schedule.options.warmup_epochs == pytest.approx(warmup)
    assert recipe.train.epochs == epochs
    (note,) = notes
    assert note.startswith(f"note: {KEY.format(word)}: ")
    assert f"epochs of 20 are shortened to {warmup:g} of {epochs}, since train.epochs was" in note
    if "0.1" in schedule:
        assert recipe.train.schedule.options.end_factor == 0.1
    template = Template(file, [f"train.epochs={epochs}"])
    assert template.filled({}).train == recipe.train


@pytest.mark.parametrize("overrides", [["train.epochs=4"], ["train.epochs=40"], ["seed=1"]])
def test_a_warmup_that_fits_stays(overrides: list[str], tmp_path: Path) -> None:
    """Shorter trainings that were possible are not changed."""
    notes: list[str] = []
    recipe = load(written(tmp_path, "{one_cycle: 4}"), overrides, say=notes.append)
    assert recipe.train.schedule.options.warmup_epochs == 4
    assert notes == []


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.epochs=2", "train.schedule.one_cycle.warmup_epochs=3"],
        ["train.schedule.one_cycle.warmup_epochs=3", "train.epochs=2"],
        ["train.epochs=2", "train.schedule={cosine: 3}"],
        ["train.schedule={one_cycle: 21}"],
    ],
)
def test_a_warmup_that_is_set_is_refused(overrides: list[str], tmp_path: Path) -> None:
    """The message has what to write."""
    with pytest.raises(RecipeError, match=r"longer than the training.*warmup_epochs=[0-9.]+") as it:
        load(written(tmp_path, "{one_cycle: 4}"), overrides)
    advised = str(it.value).rsplit(": ", 1)[1].rstrip(".")
    assert load(written(tmp_path, "{one_cycle: 4}"), [*overrides, advised])


def test_the_last_of_several_counts_of_epochs_counts(tmp_path: Path) -> None:
    file = written(tmp_path, "{one_cycle: 4}")
    recipe = load(file, ["train.epochs=1", "train.epochs=2"])
    assert recipe.train.schedule.options.warmup_epochs == pytest.approx(0.4)


@pytest.mark.parametrize("epochs", ["none", "x", "0", "-1", "[1]", "1.5", "true"])
def test_other_faults_are_told(epochs: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="train.epochs: "):
        load(written(tmp_path, "{one_cycle: 4}"), [f"train.epochs={epochs}"])


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_recipe_trains_for_one_epoch(name: str) -> None:
    assert load(name, ["train.epochs=1"]).train.epochs == 1
