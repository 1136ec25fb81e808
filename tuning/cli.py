"""`zoo tune`: what its flags do, and what it prints."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from tuning import tables
from tuning.journal import read
from tuning.progress import SearchProgress
from tuning.search import Outcome, Settings, begin, resume, with_proposal
from zoo.cli.output import Output
from zoo.errors import UsageError
from zoo.report import search_figures
from zoo.rundir import Search


def tune(
    out: Output,
    recipe: str | None,
    overrides: Sequence[str],
    going_on: str | None,
    folder: Path,
    workers: int | None,
    plots: bool,
    tensorboard: bool,
) -> None:
    """Searches, or takes a search up again; then writes what it leaves to look at."""
    if recipe is None and going_on is None:
        raise UsageError("Expected a RECIPE, or --resume FOLDER.")
    if workers is not None and going_on is not None:
        raise UsageError(
            "--workers with --resume: what trials are compared with depends on their number; a "
            "search goes on with as many workers as it was begun with."
        )
    if plots:
        from zoo.report.check_figures import require

        require()
    settings = Settings(workers=workers, watcher=SearchProgress(out.console()))
    with _terminated():
        if going_on is None:
            template, proposed = with_proposal(str(recipe), overrides, out.warn)
            if proposed:
                out.note(
                    "note: the recipe has no tune: block; learning rate and weight decay are "
                    "searched. The folder's recipe.yaml has the block, to be copied and changed."
                )
            found = begin(template, folder, settings)
        elif recipe is None:
            found = resume(going_on, settings, overrides=overrides)
        else:
            given, _ = with_proposal(recipe, overrides, out.warn)
            moved = [change for change in overrides if change.startswith("data.source")]
            found = resume(going_on, settings, given, moved)
    out.result(found.as_json())
    leave(out, found.folder, plots, tensorboard)
    _told(out, found)


def leave(out: Output, folder: Search, plots: bool, tensorboard: bool) -> None:
    """Writes the table, and plots and logs where asked for."""
    rows = read(folder.trials_file)
    info = folder.info()
    tables.write_csv(rows, folder.csv_file)
    if plots:
        objective = info["recipe"].get("tune", {}).get("objective", "val_accuracy")
        made = search_figures.draw(
            rows, info["stages"], objective, folder.plots_folder,
            lower_is_better=objective == "val_loss",
        )  # fmt: skip
        out.result({"plots": [str(file) for file in made]})
        out.text(f"plots     {folder.plots_folder}: {', '.join(file.name for file in made)}")
    if tensorboard:
        tables.write_hparams(rows, folder.tensorboard_folder)
        out.text(f"hparams   tensorboard --logdir {folder.tensorboard_folder}")


def _told(out: Output, found: Outcome) -> None:
    for words in (*found.edge_verdicts, *found.words):
        out.text(f"verdict   {words}")
    best = found.best
    spread = "" if best["score_sd"] is None else f" ± {best['score_sd']:.4f} (n={best['seeds']})"
    out.text(f"best      {best['score']:.4f}{spread}: trial {best['trial']}")
    for path, value in best["values"].items():
        out.text(f"          {path}: {value}")
    out.text(f"trials    {found.trials} in {found.seconds:.1f} s: {found.folder.csv_file}")
    out.text(f"recipe    zoo train {found.folder.best_file}")


@contextmanager
def _terminated() -> Iterator[None]:
    """SIGTERM ends a search as Ctrl-C does."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    old: Any = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, old)
