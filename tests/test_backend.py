"""The backend's one way from variables to numpy, and what `prepare` refuses."""

from __future__ import annotations

import keras
import numpy as np
import pytest

from zoo import backend
from zoo.errors import EnvironmentFault


@pytest.mark.parametrize("dtype", ["float32", "int64", "bfloat16"])
def test_to_numpy_copies(dtype: str) -> None:
    variable = keras.Variable(np.ones(3), dtype=dtype)
    array = backend.to_numpy(variable)
    assert array.dtype.name == dtype
    array[0] = 7
    assert backend.to_numpy(variable)[0] == 1


def test_sync_asks_a_trainer_that_keeps_weights_outside_of_variables() -> None:
    class Trainer:
        calls = 0

        def jax_state_sync(self) -> None:
            self.calls += 1

    trainer = Trainer()
    backend.sync(trainer)
    backend.sync(object())
    assert trainer.calls == 1


def test_an_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(EnvironmentFault, match="KERAS_BACKEND=torch: .* Expected one of: tensor"):
        backend.prepare()
