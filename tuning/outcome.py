"""How a search is run, and what it found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tuning.executors.local import SILENCE
from tuning.scheduler import SearchListener
from zoo.rundir import Search


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a search is run; nothing here but `workers` changes its result.

    Attributes:
        workers: processes at once; None: one a GPU, or one.
        watcher: is told of all that happens.
        silence: seconds without a sign of life after which a worker is taken for hung.
    """

    workers: int | None = None
    watcher: SearchListener = field(default_factory=SearchListener)
    silence: float = SILENCE


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a search found.

    Attributes:
        folder: of the search.
        best: the trial that won: its `values`, `score` and `score_sd` (None without several seeds).
        edge_verdicts: a sentence each.
        words: what fresh seeds said.
        trials: finished ones, those of the confirmation among them.
        seconds: in all.
    """

    folder: Search
    best: dict[str, Any]
    edge_verdicts: list[str]
    words: list[str]
    trials: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder),
            "status": "done",
            "trials": self.trials,
            "best": self.best,
            "edge_verdicts": self.edge_verdicts,
            "words": self.words,
            "best_recipe": str(self.folder.best_file),
            "seconds": round(self.seconds, 1),
        }
