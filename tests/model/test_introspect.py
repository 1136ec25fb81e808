"""Looking into a model does not change it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.conformance import PIXELS, built
from tests.runs import network, same, weights
from zoo import backend
from zoo.model import introspect


def test_outputs_leave_the_model_as_it_was(tmp_path: Path) -> None:
    model = built(network(tmp_path, "[{conv: {filters: 4}}, {dropout: 0.5}]"))
    before, seeds = weights(model), [backend.to_numpy(v) for v in model.non_trainable_variables]
    (first,) = introspect.outputs(model, ["dropout1"], PIXELS)
    (second,) = introspect.outputs(model, ["dropout1"], PIXELS)
    np.testing.assert_array_equal(first, second)
    assert same(before, weights(model))
    for old, new in zip(seeds, model.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(old, backend.to_numpy(new))
    assert model.get_layer("dropout1").rate == 0.5
