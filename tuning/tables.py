"""What a search leaves to look at: a CSV file and TensorBoard's HParams. Light.

Rows are those of `zoo.report.search_rows`.

Nothing here imports TensorFlow; pictures are in `zoo.report.search_figures`.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from zoo.report.search_rows import MEASURED, Row, as_word, score_of, searched
from zoo.rundir import written

COLUMNS = (
    "trial", "stage", "status", "score", "epochs", "steps", "seconds", "attempts", "reason", "seed",
)  # fmt: skip


def write_csv(rows: Iterable[Row], path: Path) -> None:
    """Writes a line a trial: the columns of every search, then one a path searched, sorted.

    A value that a trial does not have is empty, and null is the word `null`.
    """
    rows = list(rows)
    paths = searched(rows)
    with written(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, *paths])
        for row in rows:
            values = row["values"]
            table.writerow(
                [*(row.get(name) for name in COLUMNS), *(_cell(values, path) for path in paths)]
            )


def _cell(values: Mapping[str, Any], path: str) -> Any:
    if path not in values:
        return ""
    return "null" if values[path] is None else values[path]


def write_hparams(rows: Iterable[Row], folder: Path) -> list[Path]:
    """Writes TensorBoard's HParams: a subfolder a trial with its values, score and end.

    TensorBoard's own writer opens files by TensorFlow, seconds to import; its records do not need
    it. A file has one name, so that writing again replaces it.

    Returns:
        The files. `tensorboard --logdir FOLDER` shows them.
    """
    from tensorboard.compat.proto.event_pb2 import Event  # type: ignore[import-untyped]
    from tensorboard.compat.proto.summary_pb2 import Summary  # type: ignore[import-untyped]
    from tensorboard.summary.writer.record_writer import RecordWriter  # type: ignore[import-untyped]

    made = []
    for row in rows:
        file = folder / row["trial"] / "events.out.tfevents.0.zoo"
        start, end = row["started"], row["ended"]
        events = [Event(wall_time=start, file_version="brain.Event:2")]
        events.append(Event(wall_time=start, summary=_session_start(row)))
        score = score_of(row)
        if score is not None:
            value = Summary.Value(tag="score", simple_value=score)
            summary = Summary(value=[value])
            events.append(Event(wall_time=end, step=row["steps"], summary=summary))
        events.append(Event(wall_time=end, summary=_session_end(row)))
        with written(file) as aside, aside.open("wb") as stream:
            records = RecordWriter(stream)
            for event in events:
                records.write(event.SerializeToString())
        made.append(file)
    return made


def _session_start(row: Row) -> Any:
    from tensorboard.plugins.hparams import summary_v2  # type: ignore[import-untyped]

    values = {
        path: value if isinstance(value, bool | int | float | str) else as_word(value)
        for path, value in row["values"].items()
    }
    return summary_v2.hparams_pb(values, trial_id=row["trial"], start_time_secs=row["started"])


def _session_end(row: Row) -> Any:
    """As `summary.session_end_pb`, whose module imports TensorFlow."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

    status = "STATUS_SUCCESS" if row["status"] in MEASURED else "STATUS_FAILURE"
    end = plugin_data_pb2.SessionEndInfo(
        status=api_pb2.Status.Value(status), end_time_secs=row["ended"]
    )
    data = plugin_data_pb2.HParamsPluginData(session_end_info=end)
    value = Summary.Value(
        tag=metadata.SESSION_END_INFO_TAG,
        metadata=metadata.create_summary_metadata(data),
        tensor=metadata.NULL_TENSOR,
    )
    return Summary(value=[value])
