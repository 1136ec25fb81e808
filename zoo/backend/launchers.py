"""What a launcher tells a process by environment variables: Slurm, Open MPI, Kubernetes. Light.

A launcher starts one command several times and tells each process its number. The variables and
the ports are those that JAX reads (`jax._src.clusters`), so that both agree; JAX itself is not
imported, since a wrong launch must be refused before anything heavy loads.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from zoo.backend.node_list import first_node
from zoo.errors import UsageError

# Ports that JAX takes for a coordinator: the upper end of the range of temporary ports.
FIRST_PORT, PORTS = 61440, 4096
FLAGS = "--coordinator HOST:PORT --num-processes N --process-id I"
NAMES = {"open mpi": "Open MPI", "slurm": "Slurm", "kubernetes": "Kubernetes"}


@dataclass
class Found:
    """What a launcher said.

    Args:
        by: its name.
        values: by flag, what stands for it: text of the environment, or the flag's own value.
        sources: by flag, the variable that holds its value, or would.
        local: index of the process on its host, and the number of processes there.
        faults: by flag, what is wrong with the variable that stands for it.
    """

    by: str = "flags"
    values: dict[str, str | int] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    local: tuple[int | None, int | None] = (None, None)
    faults: dict[str, str] = field(default_factory=dict)


def whole(value: str | int) -> int | None:
    """A whole number from an environment variable or a flag; None if it is none."""
    if isinstance(value, int):
        return value
    text = value.strip()
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def is_port(text: str) -> bool:
    """Whether a text is the number of a port."""
    return re.fullmatch("[0-9]{1,5}", text) is not None and 0 < int(text) < 2**16


def _place(local: int | None, number: int | None) -> tuple[int | None, int | None]:
    """The index of a process on its host and their number, if both can be true; else nothing."""
    return (local, number) if local is None or number is None or local < number else (None, None)


def detect(environ: Mapping[str, str]) -> Found:
    """Asks the variables of each launcher.

    Raises:
        UsageError: there is none, or the command runs in a Slurm job but not under srun.
    """
    for look in (_open_mpi, _slurm, _kubernetes):
        found = look(environ)
        if found is not None:
            return found
    if "SLURM_JOB_ID" in environ:
        raise UsageError(
            f"--distributed auto: this is job {environ['SLURM_JOB_ID']} of Slurm, but the command "
            "was not started by srun (SLURM_STEP_NODELIST is not set), so that it would run once. "
            "Put srun before it: srun zoo train ... --distributed auto."
        )
    raise UsageError(
        "--distributed auto: no launcher found. Looked for Open MPI (OMPI_COMM_WORLD_SIZE, which "
        "mpirun sets), Slurm (SLURM_JOB_ID and SLURM_STEP_NODELIST, which srun sets) and an "
        f"indexed Job of Kubernetes (JOB_COMPLETION_INDEX). Use one of them, or give {FLAGS}."
    )


def _collect(
    by: str, environ: Mapping[str, str], variables: Mapping[str, tuple[str, ...]]
) -> Found:
    """The first variable of each flag that is set."""
    found = Found(by)
    for flag, names in variables.items():
        name = next((name for name in names if environ.get(name)), None)
        found.sources[flag] = name or " or ".join(names)
        if name is not None:
            found.values[flag] = environ[name]
    return found


def _address(found: Found, environ: Mapping[str, str], derive: Callable[[], str | None]) -> None:
    """Sets the coordinator: JAX's own variable, or else host and port from the launcher's."""
    if environ.get("JAX_COORDINATOR_ADDRESS"):
        found.sources["--coordinator"] = "JAX_COORDINATOR_ADDRESS"
        found.values["--coordinator"] = environ["JAX_COORDINATOR_ADDRESS"]
        return
    derived = derive()
    if derived is None:
        return
    found.values["--coordinator"] = derived
    port = environ.get("JAX_COORDINATOR_PORT")
    if port and not is_port(port):
        found.faults["--coordinator"] = (
            f"JAX_COORDINATOR_PORT: expected a port from 1 to 65535, received {port!r}"
        )


def _port(job: int, environ: Mapping[str, str]) -> str:
    """The coordinator's port, as JAX chooses it from the number of a job."""
    return environ.get("JAX_COORDINATOR_PORT") or str(FIRST_PORT + job % PORTS)


def _slurm(environ: Mapping[str, str]) -> Found | None:
    """What srun says; the coordinator is on the step's first node."""
    if "SLURM_JOB_ID" not in environ or "SLURM_STEP_NODELIST" not in environ:
        return None
    found = _collect(
        "slurm",
        environ,
        {
            # The first counts the step's processes; the second may count the job's.
            "--num-processes": ("SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"),
            "--process-id": ("SLURM_PROCID",),
        },
    )

    def derive() -> str | None:
        job, nodes = environ["SLURM_JOB_ID"], environ["SLURM_STEP_NODELIST"]
        node, number = first_node(nodes), whole(job)
        if node is not None and number is not None:
            return f"{node}:{_port(number, environ)}"
        variable, value, expected = (
            ("SLURM_STEP_NODELIST", nodes, "nodes such as tux[01-03,07]")
            if node is None
            else ("SLURM_JOB_ID", job, "a whole number")
        )
        found.faults["--coordinator"] = f"{variable}: expected {expected}, received {value!r}"
        return None

    found.sources["--coordinator"] = "SLURM_STEP_NODELIST"
    _address(found, environ, derive)
    tasks = _tasks_per_node(environ.get("SLURM_STEP_TASKS_PER_NODE", ""))
    node_index = whole(environ.get("SLURM_NODEID", ""))
    here = tasks[node_index] if node_index is not None and node_index < len(tasks) else None
    found.local = _place(whole(environ.get("SLURM_LOCALID", "")), here)
    return found


def _tasks_per_node(text: str) -> list[int]:
    """Slurm's `2(x3),1` as 2, 2, 2, 1; empty if it is not that."""
    tasks: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"([0-9]{1,6})(?:\(x([0-9]{1,6})\))?", part.strip())
        if match is None:
            return []
        tasks += [int(match[1])] * int(match[2] or 1)
    return tasks


def _open_mpi(environ: Mapping[str, str]) -> Found | None:
    """What mpirun says; the coordinator is on the host on which mpirun runs."""
    if "OMPI_COMM_WORLD_SIZE" not in environ and "OMPI_COMM_WORLD_RANK" not in environ:
        return None
    found = _collect(
        "open mpi",
        environ,
        {
            "--num-processes": ("OMPI_COMM_WORLD_SIZE",),
            "--process-id": ("OMPI_COMM_WORLD_RANK",),
        },
    )

    def derive() -> str | None:
        # Version 4: 1531576320.0;tcp://10.96.0.1,10.148.0.1:34911, or tcp6://[...]; the number is
        # the job's, times 4096.
        uri = environ.get("OMPI_MCA_orte_hnp_uri", "")
        match = re.match(r"([0-9]{1,18})\.[0-9]+;(?:tcp://([^,:]+)|tcp6://\[([^,\]]+))", uri)
        if match:
            host = match[2] or f"[{match[3]}]"
            return f"{host}:{_port(int(match[1]) // PORTS, environ)}"
        # Version 5: prterun-HOST-PID@JOB.
        match = re.fullmatch(
            r"prte(?:run)?-(.+)-([0-9]{1,18})@[0-9]+", environ.get("PMIX_NAMESPACE", "")
        )
        return f"{match[1]}:{_port(int(match[2]), environ)}" if match else None

    found.sources["--coordinator"] = "OMPI_MCA_orte_hnp_uri or PMIX_NAMESPACE"
    _address(found, environ, derive)
    found.local = _place(
        whole(environ.get("OMPI_COMM_WORLD_LOCAL_RANK", "")),
        whole(environ.get("OMPI_COMM_WORLD_LOCAL_SIZE", "")),
    )
    return found


def _kubernetes(environ: Mapping[str, str]) -> Found | None:
    """What an indexed Job says: the process's number; the manifest must say the rest.

    JAX asks the server of Kubernetes for it, which needs the package `kubernetes` and a service
    account that may read pods; two flags need neither.
    """
    if "JOB_COMPLETION_INDEX" not in environ:
        return None
    found = _collect(
        "kubernetes",
        environ,
        {"--process-id": ("JOB_COMPLETION_INDEX",), "--num-processes": ("NUM_PROCESSES",)},
    )
    found.sources["--coordinator"] = "JAX_COORDINATOR_ADDRESS"
    _address(found, environ, lambda: None)
    return found
