"""Which processes train together, as flags and launchers say."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.backend import launch as launch_module
from zoo.backend.launch import Launch, is_address, launch, wait_for_name
from zoo.backend.launchers import FLAGS
from zoo.errors import UsageError

SLURM = {
    "SLURM_JOB_ID": "70001",
    "SLURM_STEP_NODELIST": "tux[03-04,09]",
    "SLURM_NTASKS": "6",
    "SLURM_STEP_NUM_TASKS": "6",
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1",
    "SLURM_STEP_NUM_NODES": "3",
    "SLURM_STEP_TASKS_PER_NODE": "2(x3)",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}
OPEN_MPI_4 = {
    **OPEN_MPI,
    "OMPI_MCA_orte_hnp_uri": "1531576320.0;tcp://10.96.0.1,10.148.0.1,10.108.0.1:34911",
}
OPEN_MPI_5 = {**OPEN_MPI, "PMIX_NAMESPACE": "prterun-login-1-4097@1"}
KUBERNETES = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "JOB_COMPLETION_INDEX": "1",
    "NUM_PROCESSES": "4",
    "JAX_COORDINATOR_ADDRESS": "train-0.train:61440",
}


def auto(environ: dict[str, str], **flags: Any) -> Launch | None:
    """What `--distributed auto` finds."""
    flags = {"coordinator": None, "num_processes": None, "process_id": None, **flags}
    return launch("auto", environ=environ, **flags)


def message(distributed: str | None, environ: dict[str, str], *flags: Any) -> str:
    """The refusal."""
    with pytest.raises(UsageError) as caught:
        launch(distributed, *flags or (None, None, None), environ=environ)
    return str(caught.value)


def without(environ: dict[str, str], *names: str) -> dict[str, str]:
    """The variables but some."""
    return {name: value for name, value in environ.items() if name not in names}


def test_nothing_asked_for_is_no_launch() -> None:
    assert launch(None, None, None, None, {**SLURM, **OPEN_MPI_4, **KUBERNETES}) is None


def test_flags() -> None:
    assert launch(None, "10.0.0.1:5000", 2, 1, {}) == Launch("10.0.0.1:5000", 2, 1)
    assert launch(None, "[::1]:5000", 1, 0, SLURM) == Launch("[::1]:5000", 1, 0)


def test_slurm() -> None:
    port = 61440 + 70001 % 4096
    assert auto(SLURM) == Launch(f"tux03:{port}", 6, 3, 1, 2, "slurm")


def test_slurm_step_counts_not_the_job() -> None:
    found = auto({**SLURM, "SLURM_NTASKS": "64"})
    assert found is not None
    assert found.processes == 6
    older = auto(without(SLURM, "SLURM_STEP_NUM_TASKS", "SLURM_STEP_TASKS_PER_NODE"))
    assert older is not None
    assert (older.processes, older.local_processes) == (6, None)


@pytest.mark.parametrize(
    "environ, coordinator",
    [
        (OPEN_MPI_4, f"10.96.0.1:{61440 + 1531576320 // 4096 % 4096}"),
        (
            {
                **OPEN_MPI_4,
                "OMPI_MCA_orte_hnp_uri": "1314521088.0;tcp6://[fe80::b9b,2620::2]:43370",
            },
            f"[fe80::b9b]:{61440 + 1314521088 // 4096 % 4096}",
        ),
        (OPEN_MPI_5, "login-1:61441"),
    ],
)
def test_open_mpi(environ: dict[str, str], coordinator: str) -> None:
    assert auto(environ) == Launch(coordinator, 4, 2, 0, 2, "open mpi")
    # mpirun in a job of Slurm: Slurm's variables number the hosts.
    assert auto({**SLURM, **environ}) == auto(environ)


def test_kubernetes() -> None:
    found = Launch("train-0.train:61440", 4, 1, found_by="kubernetes")
    assert auto(KUBERNETES) == found
    index = {"JOB_COMPLETION_INDEX": "1"}
    assert auto(index, coordinator="train-0.train:61440", num_processes=4) == found


def test_a_flag_wins_over_the_launcher() -> None:
    found = auto(SLURM, coordinator="first:70")
    assert found == Launch("first:70", 6, 3, 1, 2, "slurm")
    assert auto({**SLURM, "SLURM_STEP_NODELIST": "?"}, coordinator="first:70") == found
    assert auto({}, coordinator="a:1", num_processes=2, process_id=0) == Launch("a:1", 2, 0)


def test_variables_of_jax_win_over_what_is_derived() -> None:
    found = auto({**SLURM, "JAX_COORDINATOR_PORT": "99"})
    assert found is not None
    assert found.coordinator == "tux03:99"
    found = auto({**SLURM, "JAX_COORDINATOR_ADDRESS": "other:98"})
    assert found is not None
    assert found.coordinator == "other:98"


def test_as_jax_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clusters = pytest.importorskip("jax._src.clusters")
    for environ, cluster in ((SLURM, clusters.SlurmCluster), (OPEN_MPI_4, clusters.OmpiCluster)):
        with monkeypatch.context() as patch:
            patch.setattr(os, "environ", dict(environ))
            assert cluster.is_env_present()
            found = auto(dict(environ))
            assert found is not None
            assert found.coordinator == cluster.get_coordinator_address(1, None)
            assert found.processes == cluster.get_process_count()
            assert found.process == cluster.get_process_id()
            assert found.local_process == cluster.get_local_process_id()


def test_no_launcher_names_what_was_looked_for() -> None:
    text = message("auto", {})
    for part in ("Slurm", "Open MPI", "Kubernetes", "JOB_COMPLETION_INDEX", FLAGS):
        assert part in text


def test_slurm_job_without_srun() -> None:
    assert "was not started by srun" in message("auto", {"SLURM_JOB_ID": "8", "SLURM_PROCID": "0"})


def test_another_word_than_auto() -> None:
    assert "--distributed 'slurm': expected auto" in message("slurm", SLURM)


def test_all_that_is_missing_at_once() -> None:
    text = message(None, {}, "a:1", None, None)
    assert "--num-processes and --process-id missing" in text
    text = message("auto", {"JOB_COMPLETION_INDEX": "1"})
    assert "JAX_COORDINATOR_ADDRESS" in text
    assert "NUM_PROCESSES" in text
    text = message("auto", without(OPEN_MPI_4, "OMPI_MCA_orte_hnp_uri", "OMPI_COMM_WORLD_RANK"))
    assert "OMPI_COMM_WORLD_RANK" in text
    assert "OMPI_MCA_orte_hnp_uri or PMIX_NAMESPACE" in text


def test_all_that_is_wrong_at_once() -> None:
    text = message(None, {}, "nowhere", 0, -1)
    for part in (
        "--coordinator: expected HOST:PORT",
        "--num-processes: expected a whole number from 1",
        "--process-id: expected a whole number from 0",
    ):
        assert part in text
    assert "--process-id: 2 of 2 processes; expected 0 to 1" in message(None, {}, "a:1", 2, 2)
    wrong = {
        **SLURM,
        "SLURM_STEP_NUM_TASKS": "six",
        "SLURM_STEP_NODELIST": "tux[",
        "SLURM_PROCID": "",
    }
    text = message("auto", {**SLURM, **wrong})
    for part in ("SLURM_STEP_NUM_TASKS: expected", "SLURM_STEP_NODELIST: expected nodes",
                 "looked for SLURM_PROCID"):  # fmt: skip
        assert part in text


@pytest.mark.parametrize(
    "text", ["a:1", "10.0.0.1:65535", "[fe80::1]:80", "node-1.example.org.:8080"]
)
def test_addresses(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a:",
        ":1",
        "a:0",
        "a:65536",
        "a:x",
        "[a]:1",
        "::1:1",
        "a b:1",
        "-a:1",
        "a:1:2",
        "http://a:1",
    ],
)
def test_other_texts_are_no_addresses(text: str) -> None:
    assert not is_address(text)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "0", "000.0", "[::]", "[::%lo]", "224.0.0.1", "[ff02::1]", "255.255.255.255"],
)
def test_addresses_of_many_hosts_or_interfaces_are_refused(host: str) -> None:
    assert "--coordinator: expected one address of process 0's host" in message(
        None, {}, f"{host}:4000", 2, 0
    )


@pytest.mark.parametrize(
    "environ, part",
    [
        ({**SLURM, "SLURM_STEP_NODELIST": "a" + "[1]" * 3000}, "SLURM_STEP_NODELIST: expected"),
        ({**SLURM, "JAX_COORDINATOR_PORT": "many"}, "JAX_COORDINATOR_PORT: expected a port"),
        ({**SLURM, "JAX_COORDINATOR_PORT": "0"}, "JAX_COORDINATOR_PORT: expected a port"),
        ({**SLURM, "SLURM_STEP_NUM_TASKS": "9" * 9}, "SLURM_STEP_NUM_TASKS: expected"),
        ({**OPEN_MPI_5, "PMIX_NAMESPACE": f"prterun-a-{'9' * 5000}@1"}, "PMIX_NAMESPACE"),
        (
            {**OPEN_MPI_4, "OMPI_MCA_orte_hnp_uri": f"{'9' * 5000}.0;tcp://10.0.0.1:1"},
            "OMPI_MCA_orte_hnp_uri",
        ),
    ],
    ids=["brackets", "port", "port 0", "tasks", "version 5", "version 4"],
)
def test_variables_beyond_reason_are_named(environ: dict[str, str], part: str) -> None:
    assert part in message("auto", environ)


def test_a_place_on_a_host_that_cannot_be_is_none() -> None:
    """No devices of other processes are taken, and nothing is divided by zero."""
    for change in ({"OMPI_COMM_WORLD_LOCAL_SIZE": "0"}, {"OMPI_COMM_WORLD_LOCAL_RANK": "7"}):
        found = auto({**OPEN_MPI_5, **change})
        assert found is not None
        assert found.devices(8) is None


def test_more_processes_than_any_cluster_has() -> None:
    assert "--num-processes: expected a whole number from 1 to 1,000,000" in message(
        None, {}, "a:1", 10**20, 0
    )


@given(st.integers(1, 16), st.integers(1, 16))
def test_processes_of_a_host_share_its_devices(processes: int, share: int) -> None:
    visible = processes * share
    each = [Launch("a:1", processes, i, i, processes).devices(visible) for i in range(processes)]
    if processes == 1 or visible == 1:
        assert each == [None] * processes
    else:
        assert [device for devices in each for device in devices or ()] == list(range(visible))


def test_devices_that_do_not_divide_are_refused() -> None:
    with pytest.raises(UsageError, match="3 processes on this host cannot share 8 devices equally"):
        Launch("a:1", 3, 0, 0, 3).devices(8)
    assert Launch("a:1", 2, 1, 1, 2).devices(1) is None  # Its launcher has shared them out.
    assert Launch("a:1", 2, 1).devices(8) is None


@given(
    st.dictionaries(
        st.sampled_from(sorted({**SLURM, **OPEN_MPI_5, **KUBERNETES})), st.text(max_size=8)
    )
)
def test_any_environment_is_a_launch_or_a_refusal(environ: dict[str, str]) -> None:
    try:
        found = auto(environ)
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert found is not None
        assert 0 <= found.process < found.processes
        assert is_address(found.coordinator)


def test_a_name_that_is_known_later(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def look(host: str, port: int, **_: Any) -> list[Any]:
        asked.append((host, port))
        if len(asked) < 3:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return []

    monkeypatch.setattr(socket, "getaddrinfo", look)
    monkeypatch.setattr(launch_module, "NAME_INTERVAL", 0.0)
    assert wait_for_name("[fe80::1]:80", seconds=30.0) is None
    assert asked == [("fe80::1", 80)] * 3
    asked.clear()
    assert wait_for_name("train-0.train:80", seconds=0.0) == (
        "train-0.train: Name or service not known"
    )


@pytest.mark.parametrize("host", ["a..b", "a" * 64])
def test_a_name_that_no_service_can_know(host: str) -> None:
    assert is_address(f"{host}:80")
    assert wait_for_name(f"{host}:80", seconds=0.0) == (
        f"{host}: a part of the name is empty or too long"
    )
