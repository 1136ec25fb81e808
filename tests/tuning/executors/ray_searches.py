"""Searches on a Ray cluster of two nodes, both on this machine; test_ray.py runs it.

usage: ray_searches.py FOLDER [SCENARIO...]  prints one JSON document
       ray_searches.py --drive ARGUMENTS     `zoo ARGUMENTS`, for a driver that is to be killed

The search `real` trains. In the others workers are stand-ins that train nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from tests.tuning import stand_in
from tests.tuning.searches import Recorder, lasting, recipe_file, template
from tuning import oracle
from tuning.executors import node_folder, pool, ray_cluster, ray_executor, session
from tuning.executors.base import Finished, Kept, Progress
from tuning.executors.messages import Keep, Run, Stop
from tuning.executors.ray_worker import TrialWorker
from tuning.journal import read_trials
from tuning.search import SearchSettings, begin, resume
from zoo.rundir import Search

# Scenarios of test_ray.py. The others take half a minute each, and are run by hand.
TESTED = ("real", "disturbed", "killed_driver")
SILENCE = 8.0


class StandIn(TrialWorker):
    """An actor that answers as a worker does, and trains nothing."""

    def _work(self, load: session.LoadData) -> None:
        queues, trial = self._queues, ""
        queues.receive()
        queues.send(stand_in.ready())
        Path(os.environ["TMPDIR"], f"ready-{os.getpid()}").touch()
        while True:
            match queues.receive():
                case Stop():
                    return
                case Keep(folder=folder):
                    stand_in.keep(Path(folder))
                    queues.send(Kept(trial=trial))
                case Run(spec=spec):
                    trial = spec.trial
                    for step in range(3):
                        time.sleep(0.1)
                        queues.send(Progress(trial=trial, step=step, steps=3))
                    queues.send(Finished(trial=trial, result=stand_in.train(spec), networks=1))


class Disturbing(Recorder):
    """Does something when a number of trials has finished."""

    def __init__(self, faults: Mapping[int, Callable[[], None]]) -> None:
        super().__init__()
        self._faults = faults
        self._finished = 0

    def finished(self, record: Any, total: int, left: Any) -> None:
        super().finished(record, total, left)
        self._finished += 1
        if self._finished in self._faults:
            self._faults[self._finished]()


def use_stand_ins() -> None:
    """Replaces the actor and KerasTuner's oracle by those of stand_in."""
    ray.cloudpickle.register_pickle_by_value(stand_in)
    ray_executor.TrialWorker = StandIn  # type: ignore[misc]
    oracle.make = stand_in.RandomOracle  # type: ignore[assignment]


def actors() -> list[int]:
    """The process ids of the actors."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            line = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if line.startswith(b"ray::StandIn"):
            found.append(int(folder.name))
    return sorted(found)


def settings(listener: Recorder, workers: int = 2, **options: Any) -> SearchSettings:
    return SearchSettings(workers=workers, place="ray", listener=listener, **options)


def left() -> list[str]:
    """The folders of workers on this machine, which is both nodes."""
    return sorted(path.name for path in Path(os.environ["TMPDIR"]).glob(f"{node_folder.PREFIX}*"))


def outcome(folder: Search, notes: list[str]) -> dict[str, Any]:
    """What a search came to."""
    return {
        "rows": lasting(folder),
        "best": folder.best_file.read_text(encoding="utf-8"),
        "kept": sorted(folder.kept_trials()),
        "attempts": sum(record.attempts for record in read_trials(folder)),
        "notes": notes,
        "left": left(),
    }


def search(
    folder: Path, listener: Recorder, tune: Mapping[str, Any] | None = None, **options: Any
) -> dict[str, Any]:
    """Runs a search on the cluster."""
    result = begin(template(folder, **(tune or {})), folder, settings(listener, **options))
    return outcome(result.folder, listener.notes)


def disturbed(folder: Path, cluster: Cluster) -> dict[str, Any]:
    """Actors are killed and frozen in the middle of a search; a node is lost, another joins."""

    def kill() -> None:
        os.kill(actors()[0], signal.SIGKILL)

    def freeze() -> None:
        """Of one that has or gets a trial: nobody misses one that is still starting."""
        ready = [pid for pid in actors() if Path(os.environ["TMPDIR"], f"ready-{pid}").exists()]
        os.kill(ready[0], signal.SIGSTOP)

    def replace_node() -> None:
        cluster.remove_node(next(iter(cluster.worker_nodes)), allow_graceful=False)
        cluster.add_node(num_cpus=1)

    faults = {2: replace_node, 5: kill, 7: kill, 9: kill, 11: kill, 13: kill, 16: freeze}
    return search(folder, Disturbing(faults), silence=SILENCE)


def drive(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Begins a search in a process of its own."""
    command = [sys.executable, "-m", "tests.tuning.executors.ray_searches", "--drive", "tune"]
    command += [str(recipe_file(folder)), "--workers", "2", "--on", "ray", "--out", str(folder)]
    return subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)


def late(folder: Path, cluster: Cluster) -> dict[str, Any]:
    """Four workers on two nodes of one CPU each; a third node, of two, joins during the search."""
    ray_executor.FIRST_WORD_SECONDS = 0.5

    def join() -> None:
        cluster.add_node(num_cpus=2)
        while len(actors()) < 4:
            time.sleep(0.1)

    try:
        return search(folder, Disturbing({8: join}), workers=4)
    finally:
        ray_executor.FIRST_WORD_SECONDS = 30.0


def two(folder: Path) -> dict[str, Any]:
    """Another search begins while one has all of the cluster: it waits, and has its own trials."""
    others: list[subprocess.Popen[str]] = []
    notes: list[str] = []

    def begin_another() -> None:
        others.append(drive(folder / "other"))
        lines = iter(others[0].stderr or ())
        notes.append(next(line for line in lines if "fit beside what runs" in line))

    first = search(folder / "one", Disturbing({3: begin_another}))
    _, errors = others[0].communicate()
    other = Search.open(folder / "other" / "tiny")
    return {**first, "other": outcome(other, [*notes, *errors.splitlines()])}


def renewed(folder: Path) -> dict[str, Any]:
    """Each worker is replaced after a trial, as after many networks."""
    most = pool.MAX_NETWORKS
    pool.MAX_NETWORKS = 0
    stages = [{"name": "only", "trials": 4, "epochs": 1}]
    counts: list[int] = []
    faults = {number: lambda: counts.append(len(left())) for number in range(1, 5)}
    tune = {"stages": stages, "confirm": "none", "extend": 0}
    try:
        return {**search(folder, Disturbing(faults), tune), "folders": counts}
    finally:
        pool.MAX_NETWORKS = most


def silent(folder: Path, cluster: Cluster) -> dict[str, Any]:
    """A node is frozen before the search begins."""
    node = next(iter(cluster.worker_nodes))
    raylet = node.all_processes["raylet"][0].process.pid
    os.kill(raylet, signal.SIGSTOP)
    seconds, ray_cluster.INSPECTION_SECONDS = ray_cluster.INSPECTION_SECONDS, 3.0
    try:
        return search(folder, Recorder(), workers=1)
    finally:
        ray_cluster.INSPECTION_SECONDS = seconds
        os.kill(raylet, signal.SIGCONT)


def killed_driver(folder: Path) -> dict[str, Any]:
    """The search itself is killed, and resumed."""
    process = drive(folder, "-q")
    while process.poll() is None:
        journal = next(iter((folder / "tiny").glob("tune-*/trials.jsonl")), None)
        if journal is not None and journal.read_bytes().count(b"\n") >= 4:
            break
        time.sleep(0.05)
    process.kill()
    _, errors = process.communicate()
    if process.returncode != -signal.SIGKILL:
        raise RuntimeError(f"the driver ended by itself:\n{errors}")
    started = Search.open(folder / "tiny")
    listener = Recorder()
    result = resume(started.folder, settings(listener))
    return outcome(result.folder, listener.notes)


def run(folder: Path, names: Sequence[str]) -> dict[str, Any]:
    """Runs the scenarios on one cluster; returns what each came to, and how long it took."""
    begun = time.monotonic()
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    cluster.add_node(num_cpus=1)
    os.environ["RAY_ADDRESS"] = cluster.address
    scenarios: dict[str, Callable[[], dict[str, Any]]] = {
        "real": lambda: search(folder / "real", Recorder()),
        "disturbed": lambda: disturbed(folder / "disturbed", cluster),
        "killed_driver": lambda: killed_driver(folder / "killed_driver"),
        "renewed": lambda: renewed(folder / "renewed"),
        "two": lambda: two(folder / "two"),
        "late": lambda: late(folder / "late", cluster),
        "silent": lambda: silent(folder / "silent", cluster),
    }
    outcomes: dict[str, Any] = {"cluster": {"seconds": time.monotonic() - begun}}
    for name in names:
        if name != "real":
            use_stand_ins()
        begun = time.monotonic()
        outcomes[name] = scenarios[name]()
        outcomes[name]["seconds"] = time.monotonic() - begun
    cluster.shutdown()
    return outcomes


def main() -> None:
    if sys.argv[1] == "--drive":
        use_stand_ins()
        sys.argv[1:] = sys.argv[2:]
        from zoo.cli import main as zoo

        zoo()
        return
    # A folder with a short name: Ray's sockets lie in it, whose paths have 107 bytes at most.
    with tempfile.TemporaryDirectory(prefix="zoo-", ignore_cleanup_errors=True) as nodes:
        os.environ["TMPDIR"] = nodes
        outcomes = run(Path(sys.argv[1]), sys.argv[2:] or TESTED)
    print("\n" + json.dumps(outcomes))


if __name__ == "__main__":
    main()
