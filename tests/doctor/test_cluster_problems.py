"""What is wrong with devices and processes that would train together."""

from __future__ import annotations

from typing import Any

from tests.doctor.facts import CPU, GPU, cluster, facts, member
from zoo.doctor.cluster_problems import judge
from zoo.doctor.problem import Problem


def problems(*members: dict[str, Any], **changes: Any) -> list[Problem]:
    """Those of a cluster of such processes, on JAX."""
    backend = {**facts()["backend"], "name": "jax"}
    return list(judge(facts(cluster=cluster(*members), backend=backend, **changes)))


def test_equal_processes_have_none() -> None:
    assert problems(member(0), member(1), member(2)) == []
    assert list(judge(facts())) == []


def test_other_numbers_of_devices_are_an_error() -> None:
    (found,) = problems(member(0, devices=[GPU] * 2), member(1, devices=[GPU] * 2),
                        member(2, devices=[GPU]))  # fmt: skip
    assert found.severity == "error"
    assert "2 x NVIDIA H100 in 2 of 3; 1 x NVIDIA H100 in process 2 (tux2)" in found.message


def test_other_devices_are_slower() -> None:
    (found,) = problems(member(0, devices=[GPU]), member(1, devices=[CPU]))
    assert found.severity == "warning"
    assert "wait for the slowest" in found.message


def test_versions_that_differ() -> None:
    versions = member(0)["versions"]
    found = problems(
        *(member(process) for process in range(3)),
        member(3, versions={**versions, "jax": "0.9", "rich": "1"}),
    )
    assert [(problem.severity, problem.message) for problem in found] == [
        ("warning", "jax differs between processes: 1.0 in 3 of 4; 0.9 in process 3 (tux3)"),
        ("info", "rich differs between processes: 1.0 in 3 of 4; 1 in process 3 (tux3)"),
    ]
    lacking = {name: version for name, version in versions.items() if name != "tensorflow"}
    (absent,) = problems(member(0), member(1, versions=lacking))
    assert "none in process 1 (tux1)" in absent.message


def test_many_that_differ_are_counted() -> None:
    older = {**member(0)["versions"], "jax": "0.9"}
    those = [member(process, versions=older) for process in range(10, 16)]
    (found,) = problems(*(member(process) for process in range(10)), *those)
    assert "1.0 in 10 of 16; 0.9 in process 10 (tux10), process 11 (tux11)," in found.message
    assert found.message.endswith("and 2 more")


def test_clocks_apart() -> None:
    late = member(1, clock={"seconds": -3.25, "uncertainty": 0.5})
    unsure = member(2, clock={"seconds": 3.0, "uncertainty": 2.5})
    (found,) = problems(member(0), late, unsure)
    assert found.severity == "warning"
    assert "the clock of tux1 is 3.2 s behind the one of tux0" in found.message
    (found,) = problems(member(0), member(1, clock={"seconds": 60.0, "uncertainty": 0.5}))
    assert "60.0 s ahead of" in found.message


def test_a_slow_process() -> None:
    (found,) = problems(member(0), member(1, speed=speed(3.4e10)), member(2, speed=speed(3.6e10)))
    assert found.severity == "warning"
    assert found.message.startswith("slow processes: 3.4e+10 FLOP/s in process 1 (tux1); the fas")
    assert problems(member(0, speed=[]), member(1, speed=[])) == []


def speed(flops_per_second: float) -> list[dict[str, Any]]:
    return [{**facts()["speed"][0], "flops_per_second": flops_per_second}]


def test_processes_that_do_not_meet() -> None:
    (found,) = problems(together_error="the 2 processes did not all come")
    assert found.severity == "error"
    assert "let every host reach tux0:61440" in found.fix


def test_only_jax_trains_in_several_processes() -> None:
    (found,) = judge(facts(cluster=cluster(), together_error="on JAX alone"))
    assert "the backend here is tensorflow" in found.message
    assert found.fix.startswith("export KERAS_BACKEND=jax")


def test_devices_that_are_not_there() -> None:
    (found,) = judge(facts(together_error="--devices 4: jax finds 2"))
    assert (found.severity, found.message) == ("error", "--devices 4: jax finds 2")
