"""Views of an image, and what is reported of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from tests.runs import copied
from zoo.artifact.trained_run import TrainedRun
from zoo.batches import EvaluationBatches
from zoo.datasets.load import load as load_data
from zoo.evaluate import evaluate
from zoo.recipe.schema import Evaluate
from zoo.rundir import Run
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
def with_mirror(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    """A run whose recipe says `evaluate: {tta: mirror}`."""
    loaded = TrainedRun(copied(trained, tmp_path_factory.mktemp("tta")))
    evaluation = loaded.recipe.evaluate.model_copy(update={"tta": "mirror"})
    loaded.recipe = loaded.recipe.model_copy(update={"evaluate": evaluation})
    return loaded


def test_reported_beside_the_plain_metrics(with_mirror: TrainedRun) -> None:
    result = evaluate(with_mirror)
    assert result["tta"]["kind"] == "mirror"
    plain = {"accuracy", "top5_accuracy", "loss", "ece"}
    assert result["tta"].keys() == {"kind", *plain, "balanced_accuracy", "f1", "recall", "auc"}
    stored = json.loads(with_mirror.run.evaluation_file.read_text(encoding="utf-8"))
    assert stored["tta"] == result["tta"]
    other = evaluate(with_mirror, tta="mirror_translate")
    assert other["tta"]["kind"] == "mirror_translate"
    assert other["accuracy"] == result["accuracy"]


def test_logits_are_the_mean_over_views(with_mirror: TrainedRun) -> None:
    split = load_data(with_mirror.recipe).validation
    plain, mirrored = (
        with_mirror.model.predict(EvaluationBatches(split, view=view), verbose=0)
        for view in (None, mirror)
    )
    expected = (plain + mirrored) / 2
    np.testing.assert_allclose(with_mirror.logits(split, "mirror"), expected, atol=1e-5)
    np.testing.assert_allclose(with_mirror.logits(split), plain, atol=1e-6)
