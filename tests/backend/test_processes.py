"""Processes that train together: which commands may have several, and what they are told."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from zoo.backend import processes
from zoo.backend.launch import Launch
from zoo.cli.train_processes import LaunchFlags, settle
from zoo.errors import EnvironmentFault, UsageError, ZooError

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


def test_error_of_a_lost_peer_is_told_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "connected", lambda: True)
    monkeypatch.setattr(processes, "_word_of_end", lambda: "process 1 of 2 (b) ended: disk full")
    gone = ValueError("UNKNOWN: Gloo all-reduce failed: Connection reset by peer")
    lost = processes.as_lost(gone)
    assert lost is not None
    assert str(lost).startswith("process 1 of 2 (b) ended: disk full; without it no other goes on.")
    assert processes.as_lost(ValueError("shapes differ")) is None
    assert processes.as_lost(OSError("Connection reset by peer")) is None
