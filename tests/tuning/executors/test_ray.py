"""Searches on a Ray cluster of two nodes give the trials of the local pool, whatever is lost.

The cluster runs in a network namespace of its own (tests/beside.py): Ray listens on the interface
of the machine.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import beside
from tests.tuning import stand_in
from tests.tuning.searches import lasting, template
from tuning import oracle
from tuning.executors import local, ray_cluster, ray_executor, ray_worker
from tuning.executors.ray_cluster import Demand
from tuning.executors.ray_executor import RayExecutor
from tuning.search import SearchSettings, begin
from tuning.trials import TrialSpec
from zoo.errors import EnvironmentFault, UsageError
from zoo.rundir import Search

SEARCHES = "tests.tuning.executors.ray_searches"


def stand_in_search(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A search of two local stand-ins."""
    monkeypatch.setattr(oracle, "make", stand_in.RandomOracle)
    monkeypatch.setattr(local, "subprocess", stand_in.replaced())
    return begin(template(folder), folder, SearchSettings(workers=2)).folder


def require_equal(outcome: dict[str, Any], folder: Search) -> None:
    """Requires the trials of a search, row by row, its best recipe and its kept runs."""
    assert outcome["rows"] == json.loads(json.dumps(lasting(folder)))
    assert outcome["best"] == folder.best_file.read_text(encoding="utf-8")
    assert outcome["kept"] == sorted(folder.kept_trials())


@pytest.mark.slow
@pytest.mark.timeout(1260)
@pytest.mark.beside(SEARCHES, needs="ray")
def test_trials_equal_those_of_the_local_pool_whatever_is_lost(
    tmp_path: Path, base_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Actors, a node, the search. They run beside other tests: mostly they wait for Ray."""
    outcomes = beside.outcome(SEARCHES, base_folder)
    real = begin(template(tmp_path / "real"), tmp_path / "real", SearchSettings(workers=2)).folder
    require_equal(outcomes["real"], real)
    undisturbed = stand_in_search(tmp_path / "stand_in", monkeypatch)
    for name in ("disturbed", "killed_driver"):
        require_equal(outcomes[name], undisturbed)
        assert outcomes[name]["attempts"] > len(outcomes[name]["rows"])  # Some ran again.
    # A worker that is killed leaves its files to the next one there, of this search or the next.
    assert outcomes["killed_driver"]["left"] == []
    lost = [note for note in outcomes["disturbed"]["notes"] if "was lost" in note]
    assert len(lost) == 7, lost  # Five kills, one freeze, one node.
    assert sum("was silent for 8 s" in note for note in lost) == 1
    assert sum("its process died" in note for note in lost) >= 5


def test_places() -> None:
    for wrong in ("cluster", "ray://", "ray://host", "ray://host:port", "ray:", "ray://host:0",
                  "ray://host:99999", "ray://a b:1"):  # fmt: skip
        with pytest.raises(UsageError, match=r"--on .*Expected local .* ray://HOST:PORT"):
            ray_cluster.require_place(wrong)
    assert ray_cluster.require_place("local") == "local"


@pytest.mark.parametrize(
    "amounts, flag",
    [
        ({"cpus": float("inf")}, "--cpus-per-trial inf"),
        ({"gpus": 1e-9}, "--gpus-per-trial 1e-09"),
        ({"gpus": 1e6}, "--gpus-per-trial 1e"),
        ({"gpus": 1.5}, "--gpus-per-trial 1.5: Expected a part of one GPU"),
    ],
)
def test_amounts_that_ray_cannot_count(amounts: dict[str, float], flag: str) -> None:
    """It would refuse each worker, or wait for ever."""
    with pytest.raises(UsageError, match=flag):
        ray_cluster.require_demand(Demand(**amounts))


def test_amounts_that_it_can() -> None:
    for amounts in ({}, {"cpus": 0.0}, {"cpus": 1.5, "gpus": 0.25}, {"gpus": 2.0}):
        ray_cluster.require_demand(Demand(**amounts))


def test_ray_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_cluster.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match="not installed: pip install") as caught:
        ray_cluster.require_place("ray://head:10001")
    assert caught.value.exit_code == 4


def test_a_token_is_sent_if_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    assert not ray_cluster._has_token()
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("secret")
    assert ray_cluster._has_token()


def test_a_lost_connection_is_not_hidden_by_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends the workers may fail as what was lost did; the first error is to be told."""

    def lost() -> None:
        raise ConnectionError("the client is gone")

    ended: list[str] = []
    ray = SimpleNamespace(
        is_initialized=lambda: True, exceptions=SimpleNamespace(RayError=RuntimeError)
    )
    monkeypatch.setitem(sys.modules, "ray", ray)
    monkeypatch.setattr(ray_cluster, "disconnect", lambda: ended.append("disconnected"))
    executor = RayExecutor(
        Search(tmp_path), 1, where="ray", demand=Demand(), load=lambda: None, say=print
    )
    close = SimpleNamespace(remote=lost)
    worker: Any = SimpleNamespace(handle=SimpleNamespace(close=close), exists=True)
    executor._workers = [worker]
    executor.stop()
    assert ended == ["disconnected"]
    assert executor._workers == []


def test_a_connection_that_is_lost_in_any_call_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in waiting alone: in giving a trial, in reading a reply, in asking for a run folder."""

    def lost(*_: object, **__: object) -> Any:
        raise ConnectionError("the client is gone")

    exceptions = SimpleNamespace(RayError=ZeroDivisionError, RaySystemError=ZeroDivisionError)
    ray = SimpleNamespace(exceptions=exceptions, wait=lambda each, **_: (each, []), get=lost)
    monkeypatch.setitem(sys.modules, "ray", ray)
    executor = RayExecutor(
        Search(tmp_path), 1, where="ray://head:1", demand=Demand(), load=lambda: None, say=print
    )
    call = SimpleNamespace(remote=lost)
    handle = SimpleNamespace(host=SimpleNamespace(remote=object), command=call)
    spec = TrialSpec(trial="a-0", stage="a", index=0, values={}, seed=0, epochs=1)
    for use in (
        lambda: executor.submit(spec),
        lambda: executor.keep("a-0", tmp_path),
        lambda: list(executor.events(0.0)),
    ):
        worker = ray_executor._Actor(0, handle)
        worker.ready, worker.last_trial = True, "a-0"
        executor._workers = [worker]
        with pytest.raises(EnvironmentFault, match="is lost: .* --resume .* --on ray://head:1"):
            use()


def test_nodes_that_lack_packages_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    own = dict.fromkeys((*ray_cluster.NEEDED, "jax"), "2.0")
    nodes = {
        "b": {package: "2.0" for package in own if package != "keras"},
        "a": {package: "2.0" for package in own if package not in ("jax", "scipy")},
    }
    with pytest.raises(EnvironmentFault, match=r"(?s)node a lacks scipy, jax.*node b lacks keras"):
        ray_cluster.compare_nodes(nodes, own)


def test_nodes_with_other_versions_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    own = dict.fromkeys((*ray_cluster.NEEDED, "jax"), "2.0")
    assert ray_cluster.compare_nodes({"a": own}, own) == []
    (line,) = ray_cluster.compare_nodes({"a": own, "b": {**own, "keras": "2.1"}}, own)
    assert "node b has other versions: keras 2.1, here 2.0" in line


def test_workers_get_threads_and_their_part_of_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
        monkeypatch.delenv(name, raising=False)
    environment = ray_cluster.worker_environment(Demand(cpus=4, gpus=0.25))
    assert environment["OMP_NUM_THREADS"] == environment["TF_NUM_INTRAOP_THREADS"] == "4"
    assert float(environment["XLA_PYTHON_CLIENT_MEM_FRACTION"]) == pytest.approx(0.225)
    whole = ray_cluster.worker_environment(Demand(cpus=0.5, gpus=1))
    assert whole["OMP_NUM_THREADS"] == "1"
    assert "XLA_PYTHON_CLIENT_MEM_FRACTION" not in whole


def test_run_folders_travel_whole(tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    (sent / "plots").mkdir(parents=True)
    (sent / "run.json").write_text("{}")
    (sent / "plots" / "a.png").write_bytes(b"\x00\x01")
    files = ray_worker._packed(sent)
    assert not sent.exists()
    ray_worker.unpack(files, tmp_path / "received")
    assert (tmp_path / "received" / "run.json").read_text() == "{}"
    assert (tmp_path / "received" / "plots" / "a.png").read_bytes() == b"\x00\x01"


def cluster_of(free: float, total: float) -> SimpleNamespace:
    """Stands in for `ray`, connected with a cluster of so many CPUs."""
    return SimpleNamespace(
        cluster_resources=lambda: {"CPU": total}, available_resources=lambda: {"CPU": free}
    )


@pytest.mark.parametrize(
    "free, total, line",
    [
        (8.0, 8.0, None),
        (2.0, 8.0, "4 workers are wanted, and 1 fit beside what runs in the cluster now"),
        (0.0, 2.0, "4 workers are wanted, and 1 fit in the cluster as it is now"),
    ],
)
def test_workers_that_must_wait_are_told_before_the_first_trial(
    monkeypatch: pytest.MonkeyPatch, free: float, total: float, line: str | None
) -> None:
    monkeypatch.setitem(sys.modules, "ray", cluster_of(free, total))
    lines = ray_cluster.remarks(Demand(cpus=2.0), 4)
    assert len(lines) == (line is not None)
    assert all(line is not None and line in told for told in lines)


def test_workers_that_are_not_there_are_told_ever_more_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ray", cluster_of(0.0, 2.0))
    now = [0.0]
    monkeypatch.setattr(ray_executor.time, "monotonic", lambda: now[0])
    lines: list[str] = []
    executor = RayExecutor(
        Search(tmp_path), 3, where="ray", demand=Demand(), load=lambda: None, say=lines.append
    )
    states = [(True, True), (True, False), (False, False)]
    workers: list[Any] = [SimpleNamespace(exists=e, ready=r) for e, r in states]
    executor._workers = workers
    times = []
    for now[0] in range(300):
        before = len(lines)
        executor._tell_missing()
        times += [now[0]] * (len(lines) - before)
    assert times == [30, 60, 120, 240]
    told = "1 of 3 are ready; 1 load the data, 1 wait for room or start (free: 0 of 2 CPUs)"
    assert set(lines) == {f"workers   {told}"}
    for worker in workers:
        worker.exists = worker.ready = True
    executor._tell_missing()
    assert len(lines) == 4


def test_many_workers_send_fewer_heartbeats(tmp_path: Path) -> None:
    """The search reads about 200 a second, of however many workers."""

    def heartbeat(workers: int, silence: float = 600.0) -> float:
        return local.LocalExecutor(Search(tmp_path), workers, silence=silence).heartbeat

    assert heartbeat(1) == heartbeat(100) == 0.5
    assert heartbeat(1000) == 5.0
    assert heartbeat(1000, silence=4.0) == 1.0
