"""Tables of a finished search: a CSV file and TensorBoard's HParams. Light, without TensorFlow."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tuning.trials import TrialRecord
from zoo.report.search.rows import MEASURED, as_word, score_of, searched
from zoo.rundir import atomic_write

COLUMNS = (
    "trial", "stage", "status", "score", "epochs", "steps", "seconds", "attempts", "reason", "seed",
)  # fmt: skip


def write_csv(records: Sequence[TrialRecord], path: Path) -> None:
    """Writes a line per trial: `COLUMNS`, then the searched paths in alphabetical order.

    A value that a trial does not have is empty; null is the word `null`.
    """
    paths = searched(record.to_json() for record in records)
    with atomic_write(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *paths])
        for record in records:
            cells = [getattr(record, name) for name in COLUMNS]
            table.writerow([*cells, *(_cell(record.values, path) for path in paths)])


def _cell(values: Mapping[str, Any], path: str) -> Any:
    if path not in values:
        return ""
    return "null" if values[path] is None else values[path]


def write_hparams(records: Iterable[TrialRecord], folder: Path) -> list[Path]:
    """Writes TensorBoard's HParams: a subfolder per trial with its values, score and end.

    Each file has a fixed name, so that writing again replaces it. TensorBoard's own writer would
    take seconds to import TensorFlow, which its records do not need.

    Returns:
        The files. `tensorboard --logdir FOLDER` shows them.
    """
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
    from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

    files = []
    for record in records:
        file = folder / record.trial / "events.out.tfevents.0.zoo"
        start, end = record.started, record.ended
        events = [Event(wall_time=start, file_version="brain.Event:2")]
        events.append(Event(wall_time=start, summary=_session_start(record)))
        score = score_of(record.to_json())
        if score is not None:
            value = Summary.Value(tag="score", simple_value=score)
            summary = Summary(value=[value])
            events.append(Event(wall_time=end, step=record.steps, summary=summary))
        events.append(Event(wall_time=end, summary=_session_end(record)))
        with atomic_write(file) as temporary, temporary.open("wb") as stream:
            writer = RecordWriter(stream)
            for event in events:
                writer.write(event.SerializeToString())
        files.append(file)
    return files


def _session_start(record: TrialRecord) -> Any:
    from tensorboard.plugins.hparams import summary_v2  # type: ignore[import-untyped]

    values = {
        path: value if isinstance(value, bool | int | float | str) else as_word(value)
        for path, value in record.values.items()
    }
    return summary_v2.hparams_pb(values, trial_id=record.trial, start_time_secs=record.started)


def _session_end(record: TrialRecord) -> Any:
    """The same as `summary.session_end_pb`, whose module imports TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = "STATUS_SUCCESS" if record.status in MEASURED else "STATUS_FAILURE"
    end = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.Status.Value(status), end_time_secs=record.ended
    )
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])
