"""best.keras is written at most every so often, and holds the best epoch when it is relied on."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest

from zoo.rundir import Run
from zoo.training import best_model
from zoo.training.best_model import BestModel
from zoo.training.observers import StepCounter


@pytest.fixture(scope="module")
def model() -> keras.Model:
    images = keras.Input((2,))
    return keras.Model(images, keras.layers.Dense(1)(images))


@pytest.fixture
def best(tmp_path: Path, model: keras.Model) -> BestModel:
    observer = BestModel(Run.create(tmp_path, "tiny"), "val_accuracy")
    observer.attach(model, StepCounter(1, 9))
    return observer


def end_epoch(best: BestModel, epoch: int, accuracy: float) -> None:
    """Ends an epoch with weights that tell it."""
    best.model.set_weights([np.full((2, 1), epoch), np.full(1, epoch)])
    best.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": 1.0})


def epoch_on_disk(best: BestModel) -> float:
    return float(keras.saving.load_model(best.run.model_file).get_weights()[1][0])


def test_the_first_best_model_is_written_at_once(best: BestModel) -> None:
    end_epoch(best, 1, 0.5)
    assert epoch_on_disk(best) == 1


def test_the_next_ones_wait(best: BestModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until a state is saved; the model keeps the weights that it trains."""
    for epoch, accuracy in enumerate([0.5, 0.6, 0.7, 0.1]):
        end_epoch(best, epoch, accuracy)
    assert epoch_on_disk(best) == 0
    best.before_save()
    assert epoch_on_disk(best) == 2
    assert [weight.ravel()[0] for weight in best.model.get_weights()] == [3, 3]
    monkeypatch.setattr(best_model, "save_bare", None)  # There is nothing left to write.
    best.before_save()


def test_time_passes(best: BestModel, monkeypatch: pytest.MonkeyPatch) -> None:
    end_epoch(best, 0, 0.5)
    end_epoch(best, 1, 0.6)
    monkeypatch.setattr(best_model, "SECONDS_BETWEEN_WRITES", 0.0)
    end_epoch(best, 2, 0.7)
    assert epoch_on_disk(best) == 2
    best.before_save()
    assert epoch_on_disk(best) == 2


def test_a_failed_write_loses_nothing(best: BestModel, monkeypatch: pytest.MonkeyPatch) -> None:
    end_epoch(best, 0, 0.5)
    end_epoch(best, 1, 0.6)
    end_epoch(best, 2, 0.4)

    def full(*arguments: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(best_model, "save_bare", full)
        with pytest.raises(OSError, match="disk full"):
            best.write()
    assert best.model.get_weights()[1][0] == 2
    best.write()
    assert epoch_on_disk(best) == 1
