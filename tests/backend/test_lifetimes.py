"""What TensorFlow would hold until the process ends: models, graphs, batches."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.runs import LINEAR, tiny
from zoo.backend import lifetimes
from zoo.batch_datasets import training_dataset
from zoo.batches import EvaluationBatches
from zoo.datasets.load import load as load_data
from zoo.training import TrainingSettings, train
from zoo.training.components import training_batches

tf = pytest.importorskip("tensorflow")

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="about tables of TensorFlow"
)


class Noting(keras.callbacks.Callback):
    """Adds weak references to the model of a training and to its optimizer to a list."""

    def __init__(self, seen: list[weakref.ref[Any]]) -> None:
        super().__init__()
        self.seen = seen

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.seen += [weakref.ref(self.model), weakref.ref(self.model.optimizer)]


def custom_gradients() -> set[str]:
    from tensorflow.python.framework import ops

    return {str(name) for name in ops.gradient_registry._registry if "CustomG" in str(name)}


@pytest.mark.parametrize(
    "overrides",
    [
        # Its max pooling has a gradient of zoo's, its activation one of TensorFlow's.
        ["model.stack=[{conv: {filters: 2, pool: max}}]", "model.defaults.activation=silu"],
        [LINEAR, "train.loop=host"],
    ],
    ids=["device", "host"],
)
def test_a_training_leaves_nothing(tmp_path: Path, overrides: list[str]) -> None:
    before = custom_gradients()
    seen: list[weakref.ref[Any]] = []
    recipe = tiny(tmp_path, "train.epochs=1", "train.batch_size=629", *overrides)
    train(recipe, tmp_path / "runs", TrainingSettings(callbacks=[Noting(seen)]))
    gc.collect()
    assert [each() for each in seen] == [None, None]
    assert custom_gradients() <= before


def test_a_gradient_lives_as_long_as_its_graph() -> None:
    """A function of the caller's own, whose gradient is asked for later, by another trace."""

    @tf.custom_gradient
    def tripled(x: Any) -> Any:
        return 2 * x, lambda upstream: 3 * upstream

    before = custom_gradients()
    function: Any = tf.function(lambda x: tripled(x) + x)
    x = tf.constant(1.0)
    assert float(function(x)) == 3
    lifetimes.tie_gradients()
    lifetimes.tie_gradients()
    (name,) = custom_gradients() - before
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = function(x)
    assert float(tape.gradient(y, x)) == 4
    del function, tape, y
    gc.collect()
    assert name not in custom_gradients()


def test_another_version_of_tensorflow_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorflow.python.framework import ops

    monkeypatch.setattr(ops, "gradient_registry", object())
    lifetimes.tie_gradients()
    assert lifetimes._graph_of(lambda operation: None) is None


def test_batches_are_held_by_who_iterates(tmp_path: Path) -> None:
    recipe = tiny(tmp_path, LINEAR)
    data = load_data(recipe)
    batches = EvaluationBatches(data.validation, 100)
    lent = lifetimes.lent(batches)
    assert lent.num_batches == len(lent) == batches.num_batches
    np.testing.assert_array_equal(lent[1][0], batches[1][0])
    del batches
    with pytest.raises(RuntimeError, match="after their dataset was gone"):
        lent[0]
    assert lifetimes.lent(data) is data
    iterator = iter(training_dataset(training_batches(recipe, data), 0))
    gc.collect()
    images, _ = next(iterator)
    assert images.shape == (recipe.train.batch_size, 8, 8, 1)
