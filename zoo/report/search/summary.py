"""What a report says of a search, as plain numbers. Light: scikit-learn is imported when needed."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from zoo.report.search.importance import Forest, importance
from zoo.report.search.outcome import (
    Best,
    ConfirmedTrial,
    SearchFiles,
    best_of,
    budget,
    confirmation,
    pruning,
    verdicts,
)
from zoo.report.search.rows import in_order, short_names
from zoo.rundir import Search
from zoo.text.commands import command


class SearchSummary:
    """What a report says of a search, computed once.

    Args:
        files: the files of the search.
    """

    def __init__(self, files: SearchFiles) -> None:
        self.files = files
        self.best: Best | None = best_of(files)
        self.confirmed: list[ConfirmedTrial] = confirmation(files)
        self.forests: list[Forest] = [
            importance(stage, files.searched_rows, lower_is_better=files.lower_is_better)
            for stage in files.stages
        ]
        self.budget = budget(files.rows)
        self.prunings = [found for stage in files.stages if (found := pruning(stage, files.rows))]
        self.verdicts = verdicts(files)
        self.paths = in_order(files.searched_rows, files.stages)
        self.names = short_names(self.paths)

    @property
    def command(self) -> str:
        """The command that trains the best recipe."""
        return command("zoo", "train", Search(self.files.folder).best_file)

    def as_json(self) -> dict[str, Any]:
        """The document of `zoo report SEARCH --json`."""
        files = self.files
        return {
            "search": str(files.folder),
            "name": files.info.get("name"),
            "status": files.state,
            "objective": files.objective,
            "trials": len(files.rows),
            "unfinished": files.unfinished,
            "lost_trainings": files.lost,
            "seconds": files.info["seconds"],
            "best": self.best and asdict(self.best),
            "best_command": self.command if files.best_recipe is not None else None,
            "confirmation": [asdict(each) for each in self.confirmed],
            "importance": [asdict(each) for each in self.forests],
            "budget": [asdict(each) for each in self.budget],
            "pruning": [asdict(each) for each in self.prunings],
            "edges": [{"stage": stage, "words": words} for stage, words in self.verdicts],
        }
