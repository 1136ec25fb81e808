"""Which recipe a checked one comes from."""

from __future__ import annotations

from pathlib import Path

from tests.runs import RAGGED, tiny, tiny_file
from zoo.checks.judge.batch_size import judge_batch_growth
from zoo.checks.measure import Subject
from zoo.checks.measure.batch_size import batch_and_rate, batch_growth
from zoo.checks.origin import origin
from zoo.datasets.load import load as load_data

GROWN = "train.batch_size=1024"
OTHER = "train.optimizer={SGD: {learning_rate: 0.1}}"


def test_a_file_is_compared_with_itself_before_its_overrides(tmp_path: Path) -> None:
    file = str(tiny_file(tmp_path))
    assert origin(file, ()) is None
    assert origin(file, ("seed=4",)) is None
    known = origin(file, ("seed=4", GROWN, OTHER))
    assert known is not None
    recipe, name = known
    assert (recipe.seed, recipe.train.batch_size, name) == (4, 251, "the recipe's file")
    assert recipe.train.optimizer.word == "Adam"


def test_a_variant_is_compared_with_what_it_extends(tmp_path: Path) -> None:
    tiny_file(tmp_path)
    variant = tmp_path / "wide.yaml"
    variant.write_text(f"extends: tiny.yaml\nset: {{{GROWN.replace('=', ': ')}}}\n")
    known = origin(str(variant), ())
    assert known is not None
    assert (known[0].train.batch_size, known[1]) == (251, "tiny")


def test_what_cannot_be_loaded_alone_is_not_compared(tmp_path: Path) -> None:
    file = tiny_file(tmp_path, "name: tiny\ndata: {source: digits}\n")
    assert origin(str(file), (GROWN,)) is None


def test_growth_of_a_subject(tmp_path: Path) -> None:
    """Accumulated gradients count; another optimizer is not compared."""
    before = batch_and_rate(tiny(tmp_path, *RAGGED), "tiny.yaml")

    def growth(*overrides: str) -> float | None:
        recipe = tiny(tmp_path, *RAGGED, *overrides)
        found = batch_growth(Subject(recipe, load_data(recipe), before=before))
        return None if found is None else judge_batch_growth(found).value

    assert growth() == 1
    assert growth("train.batch_size=128", "train.gradient_accumulation_steps=8") == 4
    assert growth(GROWN, OTHER) is None
