"""The measurements that checks.json keeps, and the figures that a report draws of them."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
from PIL import Image

from zoo.checks import stored
from zoo.checks.judge.gradients import KernelGradient
from zoo.checks.measure.activation_summary import ActivationSummary
from zoo.checks.measure.cache import MeasurementCache, ShortTraining
from zoo.files.json_files import dumps
from zoo.report.check import figures


def test_nothing_was_measured() -> None:
    assert stored.as_json(MeasurementCache()) == {}


def test_measurements_survive_json_and_are_drawn() -> None:
    generator = np.random.default_rng(0)
    curve = [float("nan"), *np.linspace(2.3, 0.1, 999).tolist()]
    cache = MeasurementCache(
        short_training=ShortTraining(0.01, 1.0, curve, {}, False, False),
        activations={"conv1": ActivationSummary(generator.normal(size=(8, 4)), "relu")},
        gradients=[
            KernelGradient(path="conv1/kernel", gradient=0.01, weight=0.2, zero=False, finite=True,
                           head=False)
        ],
        first_filters=generator.normal(size=(3, 3, 1, 70)),
        overfit_curves={0.001: [2.3, 0.1]},
    )  # fmt: skip
    found = json.loads(dumps(stored.as_json(cache)))
    assert len(found["short_training"]["losses"]) == 334
    assert found["short_training"]["losses"][0] is None
    assert found["gradients"] == [{"name": "conv1", "gradient": 0.01, "weight": 0.2}]
    filters = found["filters"]
    assert (filters["count"], len(filters["levels"])) == (70, stored.MAX_FILTERS)
    assert np.min(filters["levels"]) == 0
    assert np.max(filters["levels"]) == 255
    drawn, heading, gallery = figures.blocks({"measured": found})
    assert [figure.title for figure in drawn.blocks] == [
        "The first steps", "Signal in the untrained network", "First gradient", "A few images",
    ]  # fmt: skip
    assert heading.text == "First kernels"
    assert len(gallery.images) == stored.MAX_FILTERS
    content = base64.b64decode(gallery.images[3].source.partition(",")[2])
    with Image.open(io.BytesIO(content)) as image:
        assert np.array_equal(np.asarray(image), filters["levels"][3])
