"""`zoo doctor`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.cli.calls import call, document, require_error
from tests.conftest import ROOT
from tests.doctor.facts import CPU, GPU, LISTED, cluster, facts, member
from tests.doctor.test_probe import require_all_reduce
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
    monkeypatch.setattr(examination, "probe", lambda name, question: answer)


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
    from zoo.doctor.problem import Problem

    host = {**facts()["host"], "memory_limit": 8 * 10**9}
    report = doctor.Report(
        facts(gpus=[LISTED], devices=[GPU], host=host), [Problem("warning", "slow", "wait")]
    )
    monkeypatch.setattr(doctor, "examine", lambda question: report)
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


ALL_REDUCE = [
    {
        "devices": 16, "processes": 2, "bytes": 1_000_000, "seconds": 0.002,
        "bytes_per_second": 5e8, "skipped": None,
    },
    {
        "devices": 16, "processes": 2, "bytes": 64_000_000, "seconds": None,
        "bytes_per_second": None, "skipped": "slow",
    },
]  # fmt: skip


def test_the_text_of_several_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import doctor

    two = cluster(
        member(0, devices=[GPU] * 8),
        member(1, devices=[CPU], clock={"seconds": -0.0015, "uncertainty": 0.0004}, speed=[]),
    )
    report = doctor.Report(facts(cluster=two, all_reduce=ALL_REDUCE), [])
    monkeypatch.setattr(doctor, "examine", lambda question: report)
    result = call("doctor")
    for line in (
        "cluster   2 processes on 2 hosts, found by slurm; they meet at tux0:61440",
        "process   0  tux0  8 x gpu: NVIDIA H100, 80.0 GB each  70 GFLOP/s  clock of reference",
        "          1  tux1  1 x cpu: AMD EPYC                               clock -1.50 ms, ± 0.40",
        "together  all-reduce of 1.0 MB over 16 devices   2.00 ms  500.0 MB/s",
        "          all-reduce of 64.0 MB over 16 devices                       skipped: slow",
    ):
        assert line in result.stdout.splitlines()


def test_more_processes_than_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import doctor

    many = cluster(*(member(process) for process in range(1000)))
    monkeypatch.setattr(doctor, "examine", lambda question: doctor.Report(facts(cluster=many), []))
    result = call("doctor")
    assert "          and 968 more, which --json shows" in result.stdout.splitlines()


SLURM = {
    "SLURM_JOB_ID": "9",
    "SLURM_STEP_NODELIST": "tux[1-2]",
    "SLURM_STEP_NUM_TASKS": "2",
    "SLURM_PROCID": "1",
}


def test_process_0_speaks_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    from zoo import doctor
    from zoo.doctor.problem import Problem

    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    problems: list[Problem] = []
    questions: list[doctor.Question] = []

    def examine(question: doctor.Question) -> doctor.Report:
        questions.append(question)
        return doctor.Report(facts(), problems)

    monkeypatch.setattr(doctor, "examine", examine)
    result = call("doctor", "--distributed", "auto")
    assert (result.exit_code, result.stdout) == (0, "")
    problems.append(Problem("error", "no network", "mend it"))
    result = call("doctor", "--distributed", "auto")
    assert (result.exit_code, result.stdout) == (4, "")
    assert "process 1 of 2: no network; to mend it: mend it" in result.stderr
    assert questions[0].launch is not None
    assert questions[0].launch.coordinator == "tux1:61449"


@pytest.mark.parametrize(
    "arguments, part",
    [
        (("--devices", "two"), "--devices"),
        (("--distributed", "auto"), "no launcher found"),
        (("--coordinator", "a:1"), "--num-processes and --process-id missing"),
        (
            ("--coordinator", "a:1", "--num-processes", 2, "--process-id", 0, "--devices", 2),
            "Leave --devices out",
        ),
    ],
)
def test_wrong_options(arguments: tuple[Any, ...], part: str) -> None:
    require_error(call("doctor", *arguments), 2, part)


def test_one_process_of_a_launcher_is_one_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a training: it needs no JAX."""
    from zoo import doctor

    asked: list[Any] = []
    report = doctor.Report(facts(), [])
    monkeypatch.setattr(doctor, "examine", lambda question: [report, asked.append(question)][0])
    one = ("--coordinator", "a:1", "--num-processes", 1, "--process-id", 0)
    assert call("doctor", *one, "--devices", 2).exit_code == 0
    assert (asked[0].launch, asked[0].devices) == (None, 2)


def test_several_processes_need_jax(installation: Any) -> None:
    installation(Installation(tensorflow=True, jax=True))
    result = call("doctor", "--coordinator", "a:1", "--num-processes", 2, "--process-id", 0)
    assert result.exit_code == 4
    assert "several processes train together on JAX alone; the backend here is" in result.stdout
    assert "export KERAS_BACKEND=jax" in result.stdout


def test_two_processes() -> None:
    """Started as srun would start them."""
    pytest.importorskip("jax", reason="pip install jax")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ, **SLURM, "KERAS_BACKEND": "jax", "CUDA_VISIBLE_DEVICES": "",
        "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}",
    }  # fmt: skip
    command = [sys.executable, "-m", "zoo", "doctor", "--quick", "--json", "--distributed", "auto"]
    processes = [
        subprocess.Popen(
            command, cwd=ROOT, env={**environ, "SLURM_PROCID": number}, text=True,
            stdout=subprocess.PIPE,
        )
        for number in "01"
    ]  # fmt: skip
    outputs = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert outputs[1] == ""
    printed = json.loads(outputs[0])
    assert printed["ready"] is True
    found = printed["cluster"]
    assert (found["found_by"], found["size"]) == ("slurm", 2)
    assert [entry["process"] for entry in found["processes"]] == [0, 1]
    assert all(entry.keys() == member(0).keys() for entry in found["processes"])
    assert abs(found["processes"][1]["clock"]["seconds"]) < 60
    count = sum(len(entry["devices"]) for entry in found["processes"])
    require_all_reduce(printed, devices=count, processes=2)
