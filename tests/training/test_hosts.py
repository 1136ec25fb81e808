"""Two processes on the loopback: killed, frozen or stopped, they end with the undisturbed weights.

Layer, loss, metric, callback and, in the host loop, an augmentation are the user's own.

host_runs.py starts them, in a network namespace of its own, beside other tests: tests/beside.py.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import beside
from zoo.rundir import Run

RUNS = "tests.training.host_runs"

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(1260), pytest.mark.beside(RUNS, needs="jax"),
]  # fmt: skip


@pytest.fixture(scope="module")
def runs(base_folder: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of host_runs.py, and what it printed."""
    outcome: dict[str, Any] = beside.outcome(RUNS, base_folder)
    return beside.folder_of(RUNS, base_folder), outcome


def run_in(folder: Path) -> Run:
    (file,) = folder.glob("*/*/run.json")
    return Run(file.parent)


def require_same(one: Run, other: Run) -> None:
    """Requires equal bits in the last state, and equal rows of metrics but for the seconds."""
    (first, second) = (run.state_files()[0] for run in (one, other))
    assert first.name == second.name
    with np.load(first) as a, np.load(second) as b:
        variables = [name for name in a.files if name.startswith("v")]
        assert len(variables) > 10
        assert all(a[name].tobytes() == b[name].tobytes() for name in variables)
    rows = [[{**row, "seconds": 0} for row in run.rows()] for run in (one, other)]
    assert rows[0] == rows[1]
    assert "val_Sure" in rows[0][-1]
    assert len(rows[0]) == 11  # A callback of the last process ended the training of all.


def test_killed_process_ends_the_other_and_both_resume_to_the_same_bits(
    runs: tuple[Path, dict[str, Any]],
) -> None:
    """The host loop, with a last batch that two devices do not divide."""
    folder, outcome = runs
    lost, resumed = outcome["killed"]["lost"], outcome["killed"]["resumed"]
    assert lost["codes"] == [4, -9]
    sentence = lost["printed"][0].splitlines()[-1]
    assert sentence.startswith("zoo: another process was lost")
    assert "zoo train --resume" in sentence
    assert resumed["codes"] == [0, 0]
    assert resumed["printed"][1] == ""  # Process 0 speaks for both.
    run = run_in(folder / "killed")
    assert (run.info()["devices"], run.info()["processes"]) == (2, 2)
    require_same(run_in(folder / "one-host"), run)


def test_signal_to_one_process_stops_both_at_one_step(runs: tuple[Path, dict[str, Any]]) -> None:
    """Started as Slurm does it; only process 0 tells."""
    stopped = runs[1]["frozen"]["stopped"]
    assert stopped["codes"] == [130, 130]
    assert "SIGTERM after step" in stopped["printed"][0]
    assert "srun zoo train --resume" in stopped["printed"][0]
    assert stopped["printed"][1] == ""


def test_frozen_process_ends_all_and_one_process_with_as_many_devices_resumes(
    runs: tuple[Path, dict[str, Any]],
) -> None:
    """The device loop; process 0 froze, which runs JAX's coordinator."""
    folder, outcome = runs
    frozen = outcome["frozen"]["frozen"]
    assert frozen["codes"] == [4, 4]
    for printed in frozen["printed"]:
        sentence = printed.splitlines()[-1]
        assert "another process was lost, or gave no sign of life for 5 seconds" in sentence
        assert "zoo train --resume" in sentence
    code, printed = outcome["frozen"]["last"]
    assert code == 0, printed
    require_same(run_in(folder / "one-device"), run_in(folder / "frozen"))
