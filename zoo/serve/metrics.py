"""Metrics of the server for Prometheus, at /metrics."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
ROWS_BUCKETS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "zoo_requests",
            "Requests of the REST API, by method and HTTP code.",
            ("method", "code"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "zoo_request_seconds",
            "Seconds from a request's first byte to its answer, by method.",
            ("method",),
            registry=self.registry,
            buckets=SECONDS_BUCKETS,
        )
        self._batches = Histogram(
            "zoo_batch_rows",
            "Rows that ran together.",
            registry=self.registry,
            buckets=ROWS_BUCKETS,
        )
        self._images = Counter(
            "zoo_images",
            "Rows of answered predictions: images, of an image classifier.",
            registry=self.registry,
        )
        self._version = Gauge(
            "zoo_model_version",
            "The newest loaded version.",
            ("name",),
            registry=self.registry,
        )
        self._queue = Gauge("zoo_queue_depth", "Requests that wait.", registry=self.registry)
        # Cached children: looking one up costs more than counting.
        self._request_counters: dict[tuple[str, int], Counter] = {}
        self._timers: dict[str, Histogram] = {}

    def request(self, method: str, code: int, seconds: float) -> None:
        """Counts an answered request."""
        key = (method, code)
        if key not in self._request_counters:
            self._request_counters[key] = self._requests.labels(method, str(code))
            self._timers[method] = self._seconds.labels(method)
        self._request_counters[key].inc()
        self._timers[method].observe(seconds)

    def batch(self, rows: int) -> None:
        """Counts a batch that ran."""
        self._batches.observe(rows)

    def images(self, rows: int) -> None:
        """Counts answered rows."""
        self._images.inc(rows)

    def watch(self, waiting: Callable[[], float], name: str, newest: Callable[[], float]) -> None:
        """Sets the functions that the gauges call.

        Args:
            waiting: returns the number of waiting requests.
            name: of the model.
            newest: returns the newest loaded version.
        """
        self._queue.set_function(waiting)
        self._version.labels(name).set_function(newest)

    def text(self) -> bytes:
        """All metrics in Prometheus's text format."""
        return generate_latest(self.registry)
