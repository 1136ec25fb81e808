"""Folders of searches for the tests of reports, written without training anything."""

from __future__ import annotations

import json
import math
import random
import tempfile
from pathlib import Path
from typing import Any

from tests.report.pages import EVIL
from zoo.files.json_files import dumps
from zoo.report.blocks import Page
from zoo.report.search.outcome import read
from zoo.report.search.page import SearchReport
from zoo.rundir import Search

RATE, DROP = "train.optimizer.SGD.learning_rate", "model.dropout"
OPTIMIZER, MOMENTUM = "train.optimizer", "train.optimizer.SGD.momentum"
SPACE: dict[str, Any] = {
    OPTIMIZER: {"values": ["SGD", "Adam"]},
    RATE: {"min_value": 1e-6, "max_value": 10.0, "sampling": "log"},
    MOMENTUM: {
        "min_value": 0.5, "max_value": 0.99, "sampling": "linear", "when": {OPTIMIZER: "SGD"},
    },
    DROP: {"min_value": 0.0, "max_value": 0.5, "sampling": "linear"},
}  # fmt: skip


def stage(name: str, trials: int, prune: str = "none", **changed: Any) -> dict[str, Any]:
    """An entry of `stages` in tune.json."""
    return {
        "name": name, "trials": trials, "epochs": 2, "oracle": "random", "prune": prune,
        "space": SPACE, **changed,
    }  # fmt: skip


def row(index: int, stage: str = "coarse", **changed: Any) -> dict[str, Any]:
    """A row of trials.jsonl: the score follows the learning rate alone, best at 0.1."""
    drawn = random.Random(f"{stage} {index}")
    values: dict[str, Any] = {
        OPTIMIZER: drawn.choice(["SGD", "Adam"]),
        RATE: 10 ** drawn.uniform(-6, 1),
        DROP: drawn.random() / 2,
    }
    if values[OPTIMIZER] == "SGD":
        values[MOMENTUM] = drawn.uniform(0.5, 0.99)
    score = 0.95 - abs(math.log10(values[RATE] / 0.1)) / 10
    rungs = {str(step): score * step / 40 for step in (8, 16, 24, 32)}
    return {
        "trial": f"{stage}-{index:03d}", "stage": stage, "index": index, "values": values,
        "status": "done", "score": score, "se": 0.01, "epochs": 2, "steps": 40, "seconds": 2.0,
        "setup_seconds": 0.5, "seed": index, "attempts": 1, "started": 1.7e9 + 3 * index,
        "ended": 1.7e9 + 3 * index + 2.5, "rungs": rungs, "curve": [], **changed,
    }  # fmt: skip


def pruned(index: int, rung: int = 1, **changed: Any) -> dict[str, Any]:
    """A trial that was stopped at a rung, from 1."""
    whole = row(index)
    rungs = dict(list(whole["rungs"].items())[:rung])
    score = list(rungs.values())[-1]
    return {
        **whole, "status": "pruned", "score": score, "epochs": 0, "steps": 8 * rung,
        "seconds": 0.4 * rung, "rungs": rungs, "reason": "below the median", **changed,
    }  # fmt: skip


def fresh_seeds(trial: dict[str, Any], *scores: float | None) -> list[dict[str, Any]]:
    """The trainings of a trial with fresh seeds; None for one that diverged."""
    return [
        {
            **trial, "trial": f"confirm-{trial['trial']}-{number}", "stage": "confirm",
            "status": "diverged" if score is None else "done", "score": score, "rungs": {},
        }
        for number, score in enumerate(scores, 1)
    ]  # fmt: skip


def search(
    folder: Path,
    rows: list[dict[str, Any]],
    stages: list[dict[str, Any]] | None = None,
    best: dict[str, Any] | None = None,
    begun: list[str] | None = None,
    **info: Any,
) -> Search:
    """Write the folder of a search.

    Args:
        folder: where.
        rows: of trials.jsonl.
        stages: of tune.json.
        best: the row of the winner, for a search that is done.
        begun: trials of attempts.jsonl; None: those of the rows.
        info: other keys of tune.json.
    """
    folder.mkdir(parents=True)
    made = Search(folder)
    done: dict[str, Any] = {"status": "interrupted"}
    if best is not None:
        done = {
            "status": "done", "edge_verdicts": [], "words": [], "trials": len(rows),
            "best": {"trial": best["trial"], "values": best["values"], "score": best["score"],
                     "score_sd": None, "seeds": 1},
        }  # fmt: skip
        made.best_file.write_text(f"train:\n  optimizer:\n    SGD:\n      {RATE[20:]}: 1\n")
    made.write_info({
        "seed": 0, "workers": 1, "lag": 1, "recipe": {"tune": {"objective": "val_accuracy"}},
        "seconds": 12.5, "stages": [stage("coarse", 20)] if stages is None else stages,
        "name": "search", "objective": "val_accuracy", **done, **info,
    })  # fmt: skip
    lines = [dumps(each) + "\n" for each in rows]
    made.trials_file.write_text("".join(lines), encoding="utf-8")
    names = [each["trial"] for each in rows] if begun is None else begun
    made.attempts_file.write_text(
        "".join(json.dumps({"trial": name, "at": 0}) + "\n" for name in names), encoding="utf-8"
    )
    return made


def whole(folder: Path, reason: str = "diverged at step 8", name: str = "search") -> Search:
    """Write a search over two stages, with all that can become of a trial.

    Args:
        folder: where.
        reason: why a trial diverged.
        name: of the recipe.
    """
    rows = [row(index) for index in range(16)] + [pruned(index) for index in range(16, 22)]
    rows += [row(22, status="diverged", score=None, rungs={}, reason=reason)]
    rows += [row(23, status="failed", score=None, rungs={}, attempts=3)]
    fine = [row(index, "fine") for index in range(24, 28)]
    seeds = [*fresh_seeds(fine[0], 0.9, 0.91, 0.92), *fresh_seeds(fine[1], 0.9, 0.93, 0.88)]
    edges = [{"words": f"best {RATE} lies at the edge"}]
    stages = [stage("coarse", 24, "median"), stage("fine", 4, edges=edges)]
    return search(folder, [*rows, *fine, *seeds], stages, fine[0], name=name)


def page() -> Page:
    """The page of a whole search, with texts that try to break out."""
    with tempfile.TemporaryDirectory() as folder:
        return SearchReport(read(whole(Path(folder) / "tune-a", EVIL, EVIL))).page()
