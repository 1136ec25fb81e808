"""`zoo doctor`."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.calls import call, document
from tests.doctor.facts import GPU, LISTED, facts
from zoo.backend.choice import choose
from zoo.backend.installation import Installation
from zoo.doctor import examination


@pytest.fixture
def installation(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets what is installed: no framework, until a test says otherwise."""
    monkeypatch.setattr(
        examination, "choose", lambda look: choose(environ={"HOME": "/no"}, look=look, modules={})
    )

    def put(found: Installation) -> None:
        monkeypatch.setattr(examination, "look", lambda: found)

    put(Installation(tensorflow=False, jax=False))
    return put


def answer_of_backend(monkeypatch: pytest.MonkeyPatch, **answer: Any) -> None:
    monkeypatch.setattr(examination, "probe", lambda name, quick: answer)


def test_without_a_framework(installation: Any) -> None:
    """What is missing is told, without a traceback."""
    result = call("doctor")
    assert result.exit_code == 4
    assert "tensorflow, the backend, is not installed" in result.stdout
    assert "pip install tensorflow" in result.stdout
    assert "no; mend the errors first" in result.stdout
    assert "Traceback" not in result.output


def test_keys(installation: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The documented ones, and no others."""
    installation(Installation(tensorflow=True, jax=False))
    sample = facts()
    answer_of_backend(monkeypatch, seconds=2.5, devices=sample["devices"], speed=sample["speed"])
    result = call("doctor", "--json")
    assert result.exit_code == 0
    printed = document(result)
    assert printed["ready"] is True
    assert printed.keys() == {"ready", "problems", *sample}
    for key in ("python", "backend", "host", "backends"):
        assert printed[key].keys() == sample[key].keys(), key
    assert printed["backend"]["import_seconds"] == 2.5
    assert [entry["name"] for entry in printed["folders"]] == ["data", "jax", "runs"]
    for entry in printed["problems"]:
        assert entry.keys() == {"severity", "message", "fix"}


def test_errors_under_json(installation: Any) -> None:
    result = call("doctor", "--json")
    assert result.exit_code == 4
    printed = document(result)
    assert printed["ready"] is False
    assert printed["problems"][0]["severity"] == "error"


def test_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import doctor
    from zoo.doctor.problems import Problem

    host = {**facts()["host"], "memory_limit": 8 * 10**9}
    report = doctor.Report(
        facts(gpus=[LISTED], devices=[GPU], host=host), [Problem("warning", "slow", "wait")]
    )
    monkeypatch.setattr(doctor, "examine", lambda quick: report)
    result = call("doctor")
    assert result.exit_code == 0
    for line in (
        "backend   tensorflow: the default; imported in 5.0 s",
        "host      AMD EPYC, 4 cores, of which 2 may be used; 10.0 GB of 20.0 GB memory free, "
        "limited to 8.0 GB",
        "gpu       NVIDIA H100: 70.0 GB of 80.0 GB free, driver 580.65.06",
        "device    gpu: NVIDIA H100, 70.0 GB of 80.0 GB for the backend",
        "speed     float32   70 GFLOP/s  3x3 convolution, forward and backward, batch 128",
        "          bfloat16              skipped: no kernel",
        "folder    data  /data  0 bytes  100.0 GB free",
        "warning   slow",
        "          wait",
        "ready     yes, a training can start",
    ):
        assert line in result.stdout.splitlines()
