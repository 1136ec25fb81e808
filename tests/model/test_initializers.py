"""Initializers draw kernels of the variance that they promise."""

from __future__ import annotations

from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conformance import built
from tests.runs import network, weights
from zoo.errors import RecipeError
from zoo.model.initializers import initializer
from zoo.recipe.kernel_stages import Initializer
from zoo.recipe.resolve import fan_in_scaling

# A 3x3x64x128 kernel has fan_in 576 and fan_out 1152.

SHAPE = (3, 3, 64, 128)
STDS = [
    ("he_normal", sqrt(2 / 576)),
    ("he_uniform", sqrt(2 / 576)),
    ("lecun_normal", sqrt(1 / 576)),
    ("lecun_uniform", sqrt(1 / 576)),
    ("glorot_normal", sqrt(2 / 1728)),
    ("glorot_uniform", sqrt(2 / 1728)),
    ({"RandomNormal": 0.01}, 0.01),
    ({"TruncatedNormal": 0.01}, 0.0088),
    ({"RandomUniform": {"minval": -0.3, "maxval": 0.3}}, 0.3 / sqrt(3)),
    ({"VarianceScaling": {"scale": 3.0, "mode": "fan_out"}}, sqrt(3 / 1152)),
    ({"VarianceScaling": {"scale": 3.0, "mode": "fan_avg"}}, sqrt(3 / 864)),
    ({"VarianceScaling": {"scale": 3.0, "distribution": "uniform"}}, sqrt(3 / 576)),
    ({"VarianceScaling": {"distribution": "untruncated_normal"}}, sqrt(1 / 576)),
    ({"Orthogonal": 2.0}, 2 / sqrt(576)),
]


@pytest.mark.parametrize("word, std", STDS, ids=str)
def test_spread_of_initializers(word: Any, std: float) -> None:
    kernel = np.asarray(initializer(Initializer.model_validate(word), 0, "x")(SHAPE))
    assert kernel.std() == pytest.approx(std, rel=0.03)
    assert kernel.mean() == pytest.approx(0.0, abs=0.03 * std)


@pytest.mark.parametrize(
    "activation, gain2",
    [
        ("relu", 2.0),
        ("{leaky_relu: 0.3}", 2 / 1.09),
        ("tanh", 1.0),
        ("selu", 1.0),
        ("linear", 1.0),
    ],
)
def test_auto_keeps_the_signal(tmp_path: Path, activation: str, gain2: float) -> None:
    recipe = network(
        tmp_path,
        f"[{{conv: {{filters: 64}}}}, {{conv: {{filters: 64, activation: {activation}}}}}]",
    )
    kernel = weights(built(recipe))["conv2/kernel"]
    assert kernel.std() == pytest.approx(sqrt(gain2 / 576), rel=0.03)


def test_auto_is_written_as_the_known_word() -> None:
    assert (fan_in_scaling(1.0).word, fan_in_scaling(2.0).word) == ("lecun_normal", "he_normal")


@pytest.mark.parametrize("word", ["auto", "Orthogonal"])
def test_initializers_that_no_bias_can_have(tmp_path: Path, word: str) -> None:
    """Orthogonal needs a matrix, auto a fan: the recipe says so before Keras does."""
    with pytest.raises(RecipeError, match="bias_initializer"):
        network(tmp_path, f"[{{conv: {{filters: 4, use_bias: true, bias_initializer: {word}}}}}]")
