"""Collects the facts of `zoo doctor` and has them judged. Light."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.backend.choice import BACKENDS, choose
from zoo.backend.installation import look
from zoo.doctor import folders, gpus, host, packages
from zoo.doctor.probe import probe
from zoo.doctor.problem import Problem
from zoo.doctor.problems import find
from zoo.doctor.question import Question

_ALONE = Question()


@dataclass(frozen=True)
class Report:
    """What `zoo doctor` found.

    Args:
        facts: the document of `--json`, without `ready` and `problems`.
        problems: what is wrong, the worst first.
    """

    facts: dict[str, Any]
    problems: list[Problem]

    @property
    def ready(self) -> bool:
        """Whether a training could start."""
        return all(problem.severity != "error" for problem in self.problems)

    def as_json(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        problems = [problem.as_json() for problem in self.problems]
        return {"ready": self.ready, **self.facts, "problems": problems}


def examine(question: Question = _ALONE, runs: Path = Path("runs")) -> Report:
    """Examine this machine and this installation, and what it would train with.

    Args:
        question: what to look at.
        runs: where run folders would go.
    """
    installation = look()
    installed = {"tensorflow": installation.tensorflow, "jax": installation.jax}
    choice = choose(look=lambda: installation)
    # Before the backend takes memory of them.
    listed = gpus.list_gpus()
    found: dict[str, Any] = {}
    if choice.backend not in BACKENDS:
        found["error"] = "zoo does not train on it"
    elif not installed[choice.backend]:
        found["error"] = "not installed"
    elif question.launch is not None and choice.backend != "jax":
        found["together_error"] = "several processes train together on JAX alone"
    else:
        found = probe(choice.backend, question)
    facts = {
        "python": {
            "version": platform.python_version(),
            "executable": sys.executable,
            "platform": platform.platform(),
        },
        "packages": packages.versions(),
        "backend": {
            "name": choice.backend,
            "chosen_by": choice.chosen_by,
            "reason": choice.reason,
            "error": found.get("error"),
            "import_seconds": found.get("seconds"),
        },
        "host": host.describe(),
        "gpus": listed,
        "accelerator": installation.accelerator,
        "backends": {
            "tensorflow": {
                "installed": installation.tensorflow,
                "obstacle": installation.tensorflow_obstacle,
            },
            "jax": {"installed": installation.jax, "obstacle": installation.jax_obstacle},
        },
        "devices": found.get("devices", []),
        "speed": found.get("speed", []),
        "all_reduce": found.get("all_reduce", []),
        "cluster": _cluster(question, found.get("processes", [])),
        "together_error": found.get("together_error"),
        "folders": folders.describe(runs),
        "missing_extras": {
            name: list(lacking) for name, lacking in packages.missing_extras().items()
        },
    }
    return Report(facts, find(facts))


def _cluster(question: Question, processes: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Describe the processes that the launcher started; None for one alone."""
    launch = question.launch
    if launch is None:
        return None
    return {
        "found_by": launch.found_by,
        "coordinator": launch.coordinator,
        "size": launch.processes,
        "process": launch.process,
        "processes": processes,
    }
