"""Views of an image, and what is reported of them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.runs import tiny
from zoo.artifact.trained_run import TrainedRun
from zoo.batches import EvaluationBatches
from zoo.evaluate import evaluate
from zoo.recipe.schema import Evaluate
from zoo.train import train
from zoo.tta import VIEWS, mirror, translate

IMAGES = np.arange(2 * 5 * 4 * 3, dtype=np.uint8).reshape(2, 5, 4, 3)


def test_every_word_has_views() -> None:
    words = Evaluate.model_json_schema()["properties"]["tta"]["anyOf"][0]["enum"]
    assert sorted(words) == sorted(key for key in VIEWS if key)


@pytest.mark.parametrize("kind", VIEWS)
def test_weights_sum_to_one(kind: str | None) -> None:
    assert sum(weight for weight, _ in VIEWS[kind]) == 1.0
    for _, view in VIEWS[kind]:
        shown = view(IMAGES) if view else IMAGES
        assert (shown.shape, shown.dtype) == (IMAGES.shape, np.uint8)


def test_mirror_and_moves() -> None:
    np.testing.assert_array_equal(mirror(IMAGES)[:, :, 0], IMAGES[:, :, -1])
    down = translate(1, 1)(IMAGES)
    np.testing.assert_array_equal(down[:, 1:, 1:], IMAGES[:, :-1, :-1])
    np.testing.assert_array_equal(down[:, 0, 1:], IMAGES[:, 1, :-1])  # A reflection.
    up = translate(-1, -1)(IMAGES)
    np.testing.assert_array_equal(up[:, :-1, :-1], IMAGES[:, 1:, 1:])


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    folder = tmp_path_factory.mktemp("tta")
    return TrainedRun(train(tiny(folder, "evaluate.tta=mirror"), folder / "runs"))


def test_reported_beside_the_plain_figures(trained: TrainedRun) -> None:
    result = evaluate(trained)
    assert result["tta"]["kind"] == "mirror"
    assert result["tta"].keys() == {"kind", "accuracy", "top5_accuracy", "loss", "ece"}
    kept = json.loads(trained.run.evaluation_file.read_text(encoding="utf-8"))
    assert kept["tta"] == result["tta"]
    other = evaluate(trained, tta="mirror_translate")
    assert other["tta"]["kind"] == "mirror_translate"
    assert other["accuracy"] == result["accuracy"]


def test_logits_are_the_mean_over_views(trained: TrainedRun, tmp_path: Path) -> None:
    from zoo.data.load import load as load_data

    split = load_data(trained.recipe).validation
    plain = trained.model.predict(EvaluationBatches(split), verbose=0)
    flipped = trained.model.predict(EvaluationBatches(split, view=mirror), verbose=0)
    np.testing.assert_allclose(trained.logits(split, "mirror"), (plain + flipped) / 2, atol=1e-5)
    np.testing.assert_allclose(trained.logits(split), plain, atol=1e-6)
