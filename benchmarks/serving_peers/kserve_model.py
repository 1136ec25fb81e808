"""The export behind KServe's Python server, protocol V1: kserve_model.py PORT.

It has no batching of its own: in a cluster a sidecar in front of it batches.
"""

import base64
import logging
import sys
from typing import Any

from kserve import Model, ModelServer
from loaded import Loaded, rows


class Classifier(Model):
    def __init__(self) -> None:
        super().__init__("model")
        self.loaded = Loaded()
        self.ready = True

    def predict(self, payload: dict[str, Any], *_: Any) -> dict[str, Any]:
        instances = payload["instances"]
        if isinstance(instances[0], dict):
            answers = self.loaded.files([base64.b64decode(one["b64"]) for one in instances])
        else:
            answers = self.loaded.arrays(instances)
        return {"predictions": rows(answers)}


if __name__ == "__main__":
    logging.disable(logging.INFO)  # No line for each request, as on the other sides.
    server = ModelServer(
        http_port=int(sys.argv[1]), workers=1, enable_grpc=False, enable_latency_logging=False
    )
    server.start([Classifier()])
