"""The connection with a Ray cluster, and what its nodes have. Light until it connects."""

from __future__ import annotations

import importlib.util
import math
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.backend.launch import is_address
from zoo.errors import EnvironmentFault, Problem, UsageError

INSTALL = "pip install 'zoo-keras[ray]'"
CLIENT = "ray://"
TOKEN = "~/.ray/auth_token"
# Packages that a node must have; our own are shipped to it.
NEEDED = ("keras", "keras-tuner", "numpy", "pillow", "pydantic", "pyyaml", "scikit-learn", "scipy")
FINEST, MOST = 1e-4, 10_000.0  # Of a resource that a worker may ask for; Ray rounds to the former.
SHARE_OF_GPU = 0.9  # Of the memory of a GPU, for the workers that share it.
INSPECTION_SECONDS = 120.0  # Ray starts a process on each node that has none.


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What a worker needs of its node.

    Attributes:
        cpus: CPUs, which also bound the threads of TensorFlow.
        gpus: GPUs; a fraction lets several workers share one.
    """

    cpus: float = 1.0
    gpus: float = 0.0

    @classmethod
    def of(cls, cpus: float | None, gpus: float | None) -> Demand | None:
        """What flags ask for; None without any. 0 CPUs let the GPUs alone bound the workers."""
        given = {"cpus": cpus, "gpus": gpus}
        needs = {name: number for name, number in given.items() if number is not None}
        return cls(**needs) if needs else None


def require_place(where: str) -> str:
    """Checks the value of `--on`.

    Args:
        where: `local`, `ray` or `ray://HOST:PORT`.

    Returns:
        The same.

    Raises:
        UsageError: it is none of these.
        EnvironmentFault: Ray is not installed.
    """
    is_client = where.startswith(CLIENT) and is_address(where.removeprefix(CLIENT))
    if where not in ("local", "ray") and not is_client:
        raise UsageError(
            f"--on {where}: no place to run trials. Expected local (processes on this machine), "
            "ray (the Ray cluster that this machine belongs to) or ray://HOST:PORT (the Ray client "
            "server of a cluster, by default at port 10001 of its head)."
        )
    if where != "local" and importlib.util.find_spec("ray") is None:
        raise EnvironmentFault(f"--on {where} needs Ray, which is not installed: {INSTALL}")
    return where


def require_demand(demand: Demand) -> None:
    """Requires that Ray can count what a worker needs; it would end each worker, or wait for ever.

    Args:
        demand: what each worker needs.

    Raises:
        UsageError: an amount is endless, finer than Ray counts, or more GPUs than one and a part.
    """
    for flag, amount in (("--cpus-per-trial", demand.cpus), ("--gpus-per-trial", demand.gpus)):
        if not math.isfinite(amount) or 0 < amount < FINEST or amount > MOST:
            raise UsageError(
                f"{flag} {amount:g}: Expected 0, or {FINEST:g} to {MOST:,.0f}. Ray counts in parts "
                f"of {FINEST:g}."
            )
    if demand.gpus > 1 and not demand.gpus.is_integer():
        raise UsageError(
            f"--gpus-per-trial {demand.gpus:g}: Expected a part of one GPU, such as 0.5, or a "
            "whole number of them."
        )


def connect(where: str, demand: Demand) -> list[str]:
    """Connects this process with a cluster, and ships our packages to its workers.

    Does nothing if this process is connected.

    Args:
        where: `ray` or `ray://HOST:PORT`.
        demand: what each worker needs.

    Returns:
        Remarks for the user.

    Raises:
        EnvironmentFault: there is no such cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if where != "ray" and _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")  # Ray's client sends none by default.
    import ray

    if ray.is_initialized():
        return []
    packages = Path(__file__).resolve().parents[2]
    arguments: dict[str, Any] = {
        "runtime_env": {
            "py_modules": [str(packages / "zoo"), str(packages / "tuning")],
            "excludes": ["**/__pycache__"],
            "env_vars": worker_environment(demand),
        },
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    if where != "ray":
        _init(where, arguments)
        return []
    try:
        ray.init(address="auto", **arguments)
        return []
    except ConnectionError:
        # Nobody started a cluster: Ray starts one for this process.
        _init(None, {**arguments, "include_dashboard": False})
        return [
            "note: no Ray cluster is running here; one of this machine alone is started. To join "
            "several: `ray start --head` on the first, and `ray start --address=HOST:6379` on the "
            "others"
        ]


def _init(address: str | None, arguments: dict[str, Any]) -> None:
    import ray

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of a connection that fails the error below says all.
            ray.init(address=address, **arguments)
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        hint = (
            " Expected the port of its client server (ray start --head --ray-client-server-port "
            f"PORT), and its token in {TOKEN} here (it lies there on the head)"
        )
        raise EnvironmentFault(
            f"no connection with a Ray cluster at {address or 'this machine'}."
            f"{hint if address else ''}",
            [Problem(message=line) for line in reason[-5:]],
        ) from None


def _has_token() -> bool:
    """Whether this machine has a token for clusters that ask for one."""
    named = any(os.environ.get(name) for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    return named or Path(TOKEN).expanduser().is_file()


def worker_environment(demand: Demand) -> dict[str, str]:
    """Returns the environment variables of workers: the backend, threads, and memory of a GPU."""
    threads = str(max(int(demand.cpus), 1))
    names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
    environment = {name: os.environ.get(name, threads) for name in names}
    environment["KERAS_BACKEND"] = os.environ.get("KERAS_BACKEND", "tensorflow")
    if 0 < demand.gpus < 1:
        # Workers that share a GPU share its memory: JAX would take most of it.
        environment["XLA_PYTHON_CLIENT_MEM_FRACTION"] = f"{SHARE_OF_GPU * demand.gpus:.4f}"
        environment["TF_FORCE_GPU_ALLOW_GROWTH"] = "true"
    return environment


def disconnect() -> None:
    """Ends the connection, and with it all workers of this process."""
    import ray

    ray.shutdown()


def capacity(demand: Demand) -> int:
    """Returns how many workers fit in the cluster as it is now, at least 1."""
    import ray

    return max(_fitting(ray.cluster_resources(), demand), 1)


def _fitting(resources: Mapping[str, float], demand: Demand) -> int:
    """How many workers resources are enough for."""
    shares = [resources.get("CPU", 0.0) / demand.cpus] if demand.cpus else []
    shares += [resources.get("GPU", 0.0) / demand.gpus] if demand.gpus else []
    return int(min(shares, default=1.0))


def room(demand: Demand) -> str:
    """Returns what is free in the cluster of what workers need, for the user."""
    import ray

    free, total = ray.available_resources(), ray.cluster_resources()
    kinds = [kind for kind, needed in (("CPU", demand.cpus), ("GPU", demand.gpus)) if needed]
    parts = [f"{free.get(kind, 0.0):g} of {total.get(kind, 0.0):g} {kind}s" for kind in kinds]
    return f"free: {', '.join(parts)}"


def remarks(demand: Demand, workers: int) -> list[str]:
    """Returns what a user should know of the cluster's resources before the first trial."""
    import ray

    total = ray.cluster_resources()
    fitting = capacity(demand)
    free = _fitting(ray.available_resources(), demand)
    lines = []
    if workers > fitting:
        lines.append(
            f"note: {workers} workers are wanted, and {fitting} fit in the cluster as it is now; "
            "the others start when it has grown"
        )
    elif workers > free:
        lines.append(
            f"note: {workers} workers are wanted, and {free} fit beside what runs in the cluster "
            "now; the others start when that has ended"
        )
    if total.get("GPU", 0.0) and not demand.gpus:
        lines.append(
            f"note: the cluster has {total['GPU']:g} GPUs, and trials get none: give each one, or "
            "a part of one, with --gpus-per-trial"
        )
    return lines


def inspect_nodes() -> list[str]:
    """Compares the packages of all nodes with those of this process.

    Returns:
        Remarks on versions that differ, and on nodes that do not answer.

    Raises:
        EnvironmentFault: nodes lack packages; names all of them.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    look = ray.remote(node_versions)
    asked = {
        look.options(
            num_cpus=0,
            max_retries=0,
            scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False),
        ).remote(): f"{node['NodeName']} ({node['NodeID'][:8]})"
        for node in ray.nodes()
        if node["Alive"]
    }
    done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=INSPECTION_SECONDS)
    remarks = [
        f"warning: node {asked[answer]} did not say in {INSPECTION_SECONDS:.0f} s which packages "
        "it has"
        for answer in silent
    ]
    found: dict[str, dict[str, str]] = {}
    for answer in done:
        try:
            found[asked[answer]] = ray.get(answer)
        except ray.exceptions.RayError as error:
            last = str(error).strip().splitlines()[-1]
            raise EnvironmentFault(f"node {asked[answer]} cannot run our code: {last}") from None
    return [*remarks, *compare_nodes(found, node_versions())]


def node_versions() -> dict[str, str]:
    """Returns {package: version} of the node that runs this; imports none of them."""
    import importlib.metadata
    import platform

    versions = {"python": platform.python_version()}
    for package in (*NEEDED, "tensorflow", "jax"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def compare_nodes(nodes: Mapping[str, Mapping[str, str]], own: Mapping[str, str]) -> list[str]:
    """Returns remarks on nodes whose versions differ from this process's.

    Args:
        nodes: {node: {package: version}}.
        own: the versions of this process.

    Raises:
        EnvironmentFault: nodes lack packages; names all of them.
    """
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    needed = (*NEEDED, backend)
    lacking = {
        node: [package for package in needed if package not in versions]
        for node, versions in nodes.items()
    }
    problems = [
        Problem(message=f"node {node} lacks {', '.join(packages)}")
        for node, packages in sorted(lacking.items())
        if packages
    ]
    if problems:
        raise EnvironmentFault(
            "nodes of the cluster lack packages that trials need. Install there what "
            "`pip install zoo-keras` would bring (zoo itself is sent to them):",
            problems,
        )
    return [line for node in sorted(nodes) for line in _differences(node, nodes[node], own)]


def _differences(node: str, versions: Mapping[str, str], own: Mapping[str, str]) -> Sequence[str]:
    differing = [
        f"{package} {versions[package]}, here {own[package]}"
        for package in own
        if package in versions and versions[package] != own[package]
    ]
    if not differing:
        return []
    return [
        f"warning: node {node} has other versions: {'; '.join(differing)}. Its trials may differ "
        "a little from the others"
    ]
