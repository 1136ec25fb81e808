"""A search space is proposed for a recipe that has none."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipe.files import write
from tuning.search import with_proposal
from zoo.recipe import shipped


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_space_is_proposed_for_every_shipped_recipe(name: str, tmp_path: Path) -> None:
    template, proposed = with_proposal(name, [])
    tune, train = template.recipe.tune, template.recipe.train
    assert proposed
    assert tune is not None
    assert all(f"train.optimizer.{train.optimizer.word}." in path for path in tune.space)
    assert all(1 <= stage.epochs <= train.epochs for stage in tune.stages)
    again, proposed = with_proposal(write(tmp_path, template.dump()), [])
    assert not proposed
    assert again.recipe == template.recipe
