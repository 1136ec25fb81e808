"""The process that talks to servers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trackers import folders
from tests.trackers.recorder import Recorder
from zoo.trackers import sender_process, session
from zoo.trackers.sender_process import CommandRunner


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CommandRunner:
    tracker = Recorder()
    monkeypatch.setattr(sender_process, "make", lambda name: tracker)
    monkeypatch.setattr(CommandRunner, "_log_into", lambda self, file: None)
    answers: list[dict[str, Any]] = []
    made = CommandRunner(answers.append)
    made.answers = answers  # type: ignore[attr-defined]
    made.recorder = tracker  # type: ignore[attr-defined]
    return made


def test_sendings_that_wait_are_one(runner: Any, tmp_path: Path) -> None:
    run = folders.finished(folders.run(tmp_path / "one"))
    send, end = ({"do": verb, "folder": str(run)} for verb in ("send", "end"))
    assert runner.carry_out([{"do": "connect", "names": ["mlflow"]}, send, send, send])
    assert not runner.carry_out([end, {"do": "close"}])
    events = [event[0] for event in runner.recorder.events]
    assert events == ["connect", "begin", "row", "row", "row", "end"]
    assert [answer["is"] for answer in runner.answers] == [
        "ready", "alive", "alive", "sent", "closed",
    ]  # fmt: skip


def test_a_refusal_says_what_to_do(runner: Any) -> None:
    runner.recorder.refuses = True
    runner.carry_out([{"do": "connect", "names": ["mlflow"]}])
    (answer,) = runner.answers
    assert answer["refused"]["mlflow"].startswith("--log mlflow: no. Do this")


def test_the_server_of_a_resumed_run_is_asked(runner: Any, tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one")
    run.trackers_file.write_text('{"mlflow": {"run_id": "abc", "uri": "http://there"}}')
    runner.carry_out([{"do": "connect", "names": ["mlflow"], "folder": str(run)}])
    assert runner.recorder.events == [("connect", {"run_id": "abc", "uri": "http://there"})]


def test_what_could_not_be_sent_names_the_verb(runner: Any, tmp_path: Path) -> None:
    run = folders.finished(folders.run(tmp_path / "one"))
    runner.carry_out([{"do": "connect", "names": ["mlflow"]}])
    runner.recorder.away = TimeoutError("timed out")
    runner.carry_out([{"do": "end", "folder": str(run)}])
    notes = [answer["text"] for answer in runner.answers if answer["is"] == "note"]
    assert notes[-1] == f"note: mlflow: to send what is missing: zoo log {run} --to mlflow"


def test_it_ends_with_the_training_and_not_by_its_signals() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", session.MAIN, str(session.ROOT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ""},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(b'{"do": "connect", "names": []}\n')
    process.stdin.flush()
    assert b'"ready"' in process.stdout.readline()
    process.terminate()  # As Slurm signals all processes of a job.
    process.stdin.close()  # The training was killed.
    assert process.wait(60) == 0
    process.stdout.close()
