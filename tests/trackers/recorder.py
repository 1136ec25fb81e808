"""A tracker that keeps what it is told, and fails when a test says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.trackers.contract import Entry, Refused, Tracker
from zoo.trackers.record import Record


class Recorder(Tracker):
    """Named as MLflow, so that its entries of trackers.json are those of a server."""

    name = "mlflow"

    def __init__(self) -> None:
        self.away: Exception | None = None
        self.refuses = False
        self.events: list[tuple[Any, ...]] = []
        self.parents: dict[str, str] = {}

    def connect(self, entry: Mapping[str, Any]) -> None:
        self.events.append(("connect", dict(entry)))
        if self.refuses:
            raise Refused("--log mlflow: no. Do this; or train without, and send it later")

    def begin(self, record: Record, entry: Mapping[str, Any], parent: Entry | None) -> Entry:
        self._answer()
        self.events.append(("begin", record.name, entry.get("run_id")))
        if parent is not None:
            self.parents[record.name] = parent["run_id"]
        return {"epochs": 0, **entry, "run_id": f"id-{record.name}"}

    def rows(self, record: Record, entry: Entry) -> None:
        for epoch, _, _ in record.epochs_after(entry["epochs"]):
            self._answer()
            self.events.append(("row", record.name, epoch))
            entry["epochs"] = epoch

    def end(self, record: Record, entry: Entry) -> None:
        self._answer()
        self.events.append(("end", record.name, record.status))

    def _answer(self) -> None:
        if self.away is not None:
            raise self.away
