"""Update ratios are those of the steps that are asked for, and of no others."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo.training.observers import Observers, StepCounter
from zoo.training.update_ratio import UpdateRatios


def test_ratios(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of kernels alone; biases have none."""
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, name="fc1")])
    model.compile(keras.optimizers.SGD(0.5))
    kernel = model.layers[0].kernel
    meter = UpdateRatios(lambda step: -(-step // 4) * 4)  # Steps 0, 4, 8, ...
    counter = StepCounter(10, 1)
    observers = Observers([meter], counter)
    observers.attach(model)
    observers.tell("after_stop")
    wanted, stops = [], set()
    for step in range(6):
        stops.add(observers.next_stop())
        before = np.array(kernel)
        kernel.assign(before * (1.1 + step))
        counter.step += 1
        observers.on_steps([1.0])
        observers.tell("after_stop")
        if step in (0, 4):
            wanted.append(0.1 + step)
    (path,) = meter.ratios
    assert path.endswith("fc1/kernel")
    assert meter.ratios[path] == pytest.approx(wanted, rel=1e-5)
    assert meter.learning_rate == 0.5
    assert stops == {1, 4, 5, 8}
