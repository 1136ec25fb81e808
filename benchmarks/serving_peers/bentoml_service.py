"""The export as a service of BentoML, with its adaptive batching."""

from __future__ import annotations

import base64
from typing import Any

import bentoml
from loaded import Loaded, rows

BATCHES = {"batchable": True, "max_batch_size": 64, "max_latency_ms": 10_000}


@bentoml.service(
    workers=1,
    metrics={"enabled": False},
    traffic={"timeout": 60},
    logging={"access": {"enabled": False}},  # No line for each request, as on the other sides.
)
class Classifier:
    def __init__(self) -> None:
        self.loaded = Loaded()

    @bentoml.api(**BATCHES)
    def files(self, instances: list[str]) -> list[dict[str, Any]]:
        return rows(self.loaded.files([base64.b64decode(one) for one in instances]))

    @bentoml.api(**BATCHES)
    def arrays(self, instances: list[Any]) -> list[dict[str, Any]]:
        return rows(self.loaded.arrays(instances))
