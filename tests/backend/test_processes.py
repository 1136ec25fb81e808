"""Processes that train together: which commands may have several, and what they are told."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from zoo.backend import processes
from zoo.backend.launch import Launch
from zoo.cli.train_processes import LaunchFlags, settle
from zoo.errors import EnvironmentFault, UsageError, ZooError
from zoo.verbs.several_processes import task_of_resume

FLAGS = LaunchFlags(None, "127.0.0.1:61440", 2, 1)


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    yield
    processes.plan(None)


def test_one_process_sets_nothing_up() -> None:
    settle(LaunchFlags(), None, ["--seeds"])
    assert (processes.count(), processes.is_first(), processes.connected()) == (1, True, False)
    assert processes.exchange("topic", "text") == ["text"]
    assert processes.from_first("topic", lambda: "text") == "text"
    assert processes.resume_command("RUN") == "zoo train --resume RUN"


def test_flags_come_back_in_the_command_that_resumes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    settle(LaunchFlags(None, "10.0.0.1:61440", 3, 2, 20), "6", [])
    with pytest.raises(UsageError, match="--devices 4: .* Expected a multiple of 3"):
        settle(LaunchFlags(None, "10.0.0.1:61440", 3, 2, 20), "4", [])
    assert (processes.count(), processes.index(), processes.is_first()) == (3, 2, False)
    assert processes.resume_command("RUN") == (
        "zoo train --resume RUN --coordinator 10.0.0.1:61440 --num-processes 3 --process-id ID "
        "--heartbeat 20 --devices 6"
    )
    processes.plan(Launch("a:1", 2, 0, found_by="kubernetes"))
    assert processes.resume_command("RUN").endswith(
        "--distributed auto --coordinator a:1 --num-processes 2"
    )
    processes.plan(Launch("a:1", 2, 0, found_by="slurm"))
    assert processes.resume_command("RUN") == "srun zoo train --resume RUN --distributed auto"


@pytest.mark.parametrize(
    "flags, alone, backend, kind, part",
    [
        (FLAGS, ["--seeds"], "jax", UsageError, "--seeds: several processes make one training"),
        (FLAGS, [], "tensorflow", EnvironmentFault, "set KERAS_BACKEND=jax"),
        (LaunchFlags(heartbeat=9), [], "jax", UsageError, "--heartbeat belongs to several"),
        (LaunchFlags(coordinator="here:1"), [], "jax", UsageError, "--num-processes and"),
    ],
)
def test_what_several_processes_cannot_do_is_refused(
    monkeypatch: pytest.MonkeyPatch,
    flags: LaunchFlags,
    alone: list[str],
    backend: str,
    kind: type[ZooError],
    part: str,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(kind, match=part):
        settle(flags, None, alone)


def test_address_that_is_taken_is_refused_before_jax_crashes() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        processes.plan(Launch(f"127.0.0.1:{port}", 2, 0))
        with pytest.raises(EnvironmentFault, match="cannot listen there: Address already"):
            processes.start(print)


def test_a_coordinator_that_no_name_service_knows_is_told_of(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.0)
    processes.plan(Launch("a..b:4000", 2, 1))
    with pytest.raises(EnvironmentFault, match="process 1 finds no coordinator at a..b:4000"):
        processes.start(print)
    assert "process 1 waits up to 0 s for the coordinator a..b:4000" in capsys.readouterr().out
    processes.plan(Launch("a..b:4000", 2, 0))
    with pytest.raises(EnvironmentFault, match="process 0 cannot listen there"):
        processes.start(print)


@pytest.mark.parametrize(
    "other, code, part",
    [
        (["--num-processes 3", "train"], 2, "process 0: --num-processes 2; process 1: --num-proc"),
        (["--num-processes 2", "resume"], 4, "process 0: train; process 1: resume"),
    ],
)
def test_processes_that_were_started_differently(
    monkeypatch: pytest.MonkeyPatch, other: list[str], code: int, part: str
) -> None:
    """They would wait for each other for ever; a launcher tries again what ended with 4."""
    own = ["--num-processes 2", "train"]
    monkeypatch.setattr(processes, "exchange", lambda _, text: [text, json.dumps(other)])
    with pytest.raises(ZooError, match=part) as raised:
        processes._require_same(own)
    assert raised.value.agreed
    assert raised.value.exit_code == code
    other[:] = own
    processes._require_same(own)


def test_a_resume_may_differ_in_what_may_be_moved_alone() -> None:
    here, there = (f"data.source.folder.path={name}" for name in ("/here", "/there"))
    assert task_of_resume([here]) == task_of_resume([there]) == task_of_resume([])
    assert task_of_resume(["plugins=[/there/parts.py:Mish2]"]) == task_of_resume([])
    assert task_of_resume([here, "train.epochs=9"]) == "resume a run --set train.epochs=9"


def test_error_of_a_lost_peer_is_told_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "connected", lambda: True)
    monkeypatch.setattr(processes, "_word_of_end", lambda: "process 1 of 2 (b) ended: disk full")
    gone = ValueError("UNKNOWN: Gloo all-reduce failed: Connection reset by peer")
    lost = processes.as_lost(gone)
    assert lost is not None
    assert str(lost).startswith("process 1 of 2 (b) ended: disk full; without it no other goes on.")
    assert processes.as_lost(ValueError("shapes differ")) is None
    assert processes.as_lost(OSError("Connection reset by peer")) is None
