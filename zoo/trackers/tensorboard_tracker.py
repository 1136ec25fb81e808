"""`--log tensorboard`: scalars by epoch, the recipe as text, and HParams. Needs no TensorFlow.

    tensorboard/train/        loss, accuracy, learning rate, update ratio, seconds; the recipe
    tensorboard/validation/   loss, accuracy and the other metrics of the validation
    tensorboard/TRIAL/        of a search: values, score and curve of a trial, for HParams

A file begins with all that is known and is then appended to. A resumed run writes a new one and
removes the old, so that no epoch is there twice. TensorBoard's own writer would take seconds to
import TensorFlow, which its records do not need.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from zoo.report.search.rows import MEASURED, as_word, score_of
from zoo.rundir import Search, atomic_write
from zoo.trackers.contract import Entry, Tracker
from zoo.trackers.record import Record, metrics, trials

PREFIX = "val_"
PARTS = ("train", "validation")
NAME = "events.out.tfevents.{:010d}.{}.zoo"  # Seconds and process: TensorBoard sorts by names.


class TensorBoardTracker(Tracker):
    """Writes event files in the run's folder `tensorboard`."""

    name = "tensorboard"
    local = True

    def __init__(self) -> None:
        self._files: dict[str, BinaryIO] = {}

    def begin(self, record: Record, entry: Mapping[str, Any], parent: Entry | None) -> Entry:
        """Begins new files, in place of those of an earlier process."""
        if record.kind == "run":
            self.close()
            folder = record.folder.tensorboard_folder
            for part in PARTS:
                (folder / part).mkdir(parents=True, exist_ok=True)
                old = list((folder / part).glob("events.out.tfevents.*.zoo"))
                file = folder / part / NAME.format(int(time.time()), os.getpid())
                for each in old:
                    each.unlink(missing_ok=True)
                self._files[part] = file.open("wb")
                self._write(part, _event(record.started, file_version="brain.Event:2"))
            text = record.folder.recipe_file.read_text(encoding="utf-8")
            self._write("train", _event(record.started, summary=_text("recipe", text)))
        return {"epochs": 0}

    def rows(self, record: Record, entry: Entry) -> None:
        """Appends the scalars of new epochs."""
        if record.kind != "run":
            return
        for epoch, at, values in record.epochs_after(entry["epochs"]):
            for part in PARTS:
                scalars = _of_part(values, part)
                self._write(part, _event(at, step=epoch, summary=_scalars(scalars)))
            entry["epochs"] = epoch
        for file in self._files.values():
            file.flush()

    def trials(self, record: Record, entry: Entry) -> None:
        """Writes the files of new trials."""
        if isinstance(record.folder, Search):
            for trial in trials(record.folder, entry.setdefault("trials", 0)):
                write_trial(trial.trial or {}, record.folder.tensorboard_folder)
                entry["trials"] += 1

    def end(self, record: Record, entry: Entry) -> None:
        """Adds what was measured on the test split, and closes the files."""
        if record.kind == "run" and self._files:
            tests = {
                key.removeprefix("test_"): value
                for key, value in record.summary.items()
                if key.startswith("test_")
            }
            if tests:
                at = record.ended or time.time()
                event = _event(at, step=record.last_epoch, summary=_scalars(tests, "test/"))
                self._write("validation", event)
        self.close()

    def place(self, entry: Mapping[str, Any]) -> str | None:
        """Nothing: the logs lie in the run folder."""
        return None

    def close(self) -> None:
        """Closes the files."""
        for file in self._files.values():
            file.close()
        self._files = {}

    def _write(self, part: str, event: Any) -> None:
        from tensorboard.summary.writer.record_writer import RecordWriter

        RecordWriter(self._files[part]).write(event.SerializeToString())


def _of_part(values: Mapping[str, float], part: str) -> dict[str, float]:
    """The metrics of training, or those of validation without `val_`."""
    if part == "train":
        return {key: value for key, value in values.items() if not key.startswith(PREFIX)}
    return {
        key.removeprefix(PREFIX): value for key, value in values.items() if key.startswith(PREFIX)
    }


def _event(at: float, **content: Any) -> Any:
    from tensorboard.compat.proto.event_pb2 import Event

    return Event(wall_time=at, **content)


def _scalars(values: Mapping[str, float], prefix: str = "") -> Any:
    from tensorboard.compat.proto.summary_pb2 import Summary

    entries = [
        Summary.Value(tag=f"{prefix}{key}", simple_value=value) for key, value in values.items()
    ]
    return Summary(value=entries)


def _text(tag: str, text: str) -> Any:
    """A text of the Text plugin, which shows it as Markdown: as code, by four spaces."""
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.compat.proto.tensor_pb2 import TensorProto
    from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboard.compat.proto.types_pb2 import DT_STRING
    from tensorboard.plugins.text import metadata

    code = "".join(f"    {line}\n" for line in text.splitlines())
    tensor = TensorProto(
        dtype=DT_STRING, string_val=[code.encode()], tensor_shape=TensorShapeProto()
    )
    details = metadata.create_summary_metadata(display_name=tag, description="")
    return Summary(value=[Summary.Value(tag=tag, metadata=details, tensor=tensor)])


def write_trial(row: Mapping[str, Any], folder: Path) -> Path:
    """Writes a trial for TensorBoard's HParams: its values, score, curve and end.

    The file has a fixed name, so that writing again replaces it.

    Args:
        row: of trials.jsonl.
        folder: of the search's logs; the trial gets a subfolder.

    Returns:
        The file. `tensorboard --logdir FOLDER` shows it.
    """
    from tensorboard.summary.writer.record_writer import RecordWriter

    file = folder / str(row["trial"]) / "events.out.tfevents.0.zoo"
    with atomic_write(file) as temporary, temporary.open("wb") as stream:
        writer = RecordWriter(stream)
        for event in _trial_events(row):
            writer.write(event.SerializeToString())
    return file


def _trial_events(row: Mapping[str, Any]) -> Iterator[Any]:
    start, end = row["started"], row["ended"]
    yield _event(start, file_version="brain.Event:2")
    yield _event(start, summary=_session_start(row))
    for epoch in row.get("curve") or ():
        yield _event(start, step=epoch["epoch"], summary=_scalars(metrics(epoch)))
    score = score_of(row)
    if score is not None:
        yield _event(end, step=row["steps"], summary=_scalars({"score": score}))
    yield _event(end, summary=_session_end(row))


def _session_start(row: Mapping[str, Any]) -> Any:
    from tensorboard.plugins.hparams import summary_v2

    values = {
        path: value if isinstance(value, bool | int | float | str) else as_word(value)
        for path, value in row["values"].items()
    }
    return summary_v2.hparams_pb(values, trial_id=row["trial"], start_time_secs=row["started"])


def _session_end(row: Mapping[str, Any]) -> Any:
    """The same as `summary.session_end_pb`, whose module imports TensorFlow."""
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
