"""The scripts in deploy/slurm: a shell reads them, and zoo's command line takes their commands."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.deploy.commands import require_parsed, zoo_commands

FOLDER = ROOT / "deploy/slurm"
NAMES = ("train.sbatch", "tune.sbatch")


@pytest.mark.parametrize("name", NAMES)
def test_the_shell_reads_it(name: str) -> None:
    done = subprocess.run(["bash", "-n", FOLDER / name], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_commands_are_parsed(name: str) -> None:
    commands = zoo_commands((FOLDER / name).read_text(encoding="utf-8"))
    assert commands
    for command in commands:
        require_parsed(command if name == "train.sbatch" else [*command, "recipe.yaml"])


def run(folder: Path, code: int, **environ: str) -> tuple[int, list[str]]:
    """Runs train.sbatch with stand-ins for Slurm's programs; returns its code and their calls."""
    programs = folder / "bin"
    programs.mkdir(exist_ok=True)
    for program, body in (("srun", f"exit {code}"), ("scontrol", "exit 0")):
        file = programs / program
        file.write_text(f'#!/bin/sh\necho {program} "$@" >> {folder}/calls\n{body}\n')
        file.chmod(0o755)
    (folder / "calls").unlink(missing_ok=True)
    done = subprocess.run(
        ["bash", FOLDER / "train.sbatch", "r.yaml", "--set", "seed=1", "--heartbeat", "30"],
        cwd=folder,
        env={
            **os.environ,
            **environ,
            "SLURM_JOB_ID": "7",
            "PATH": f"{programs}:{os.environ['PATH']}",
        },
    )
    return done.returncode, (folder / "calls").read_text().splitlines()


def test_it_starts_and_resumes(tmp_path: Path) -> None:
    start = (
        "srun zoo train r.yaml --out runs/slurm-7 --distributed auto --set seed=1 --heartbeat 30"
    )
    assert run(tmp_path, 0) == (0, [start])
    (tmp_path / "runs/slurm-7/r/20260101-000000/state").mkdir(parents=True)
    assert run(tmp_path, 2) == (2, [start])  # Nothing was saved yet.
    (tmp_path / "runs/slurm-7/r/20260101-000000/state/step-000000100.npz").touch()
    resume = "srun zoo train --resume runs/slurm-7/r --distributed auto --heartbeat 30"
    assert run(tmp_path, 0) == (0, [resume])
    # A lost host, the end of its time, a process that was killed: the job is queued again.
    for code in (4, 130, 137):
        assert run(tmp_path, code) == (code, [resume, "scontrol requeue 7"])
    for code in (1, 2, 3):
        assert run(tmp_path, code) == (code, [resume])
    assert run(tmp_path, 137, SLURM_RESTART_COUNT="20") == (137, [resume])


def test_the_state_files_are_those_of_a_run() -> None:
    from zoo.rundir.run import Run

    state = Run(Path("runs/slurm-7/name/time")).state_file(100)
    assert state.match("runs/slurm-7/*/*/state/step-*.npz")
