"""The work of `zoo tune` and of `zoo.tune` in Python: a search, its tables, figures and page."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

from tuning import tables
from tuning.executors.ray_cluster import Demand, require_demand, require_place
from tuning.journal import read_trials
from tuning.search import SearchResult, SearchSettings, begin, resume, with_proposal
from tuning.tracked import TrackedSearch
from zoo.errors import StorageFault, UsageError
from zoo.loading import Source
from zoo.recipe import Template, locator
from zoo.recipe.monitors import lower_is_better
from zoo.recipe.moved import moved
from zoo.report.search import png_figures
from zoo.rundir import Search
from zoo.rundir.search import objective_of
from zoo.trackers.names import choose
from zoo.trackers.session import Tracking
from zoo.verbs.folders import RUNS, require_no_move
from zoo.verbs.teller import Teller


@dataclass(frozen=True, kw_only=True)
class TuneJob:
    """What to search, and how.

    Attributes:
        recipe: as `zoo.loading.load` takes it; None to resume a search with its own recipe.
        overrides: changes of the recipe, as `--set` takes them.
        resume: folder of the search to resume; None to begin one.
        folder: where run folders go; None for the default.
        trials: `+N` to add N trials to a search that is resumed.
        workers: number of processes; None for the default.
        place: where trials run: `local`, `ray` or `ray://HOST:PORT`.
        demand: what each trial needs of a cluster's node; None on this machine.
        plots: whether figures are drawn.
        log: trackers, as values of `--log`; None for the default.
        tensorboard: the same as `tensorboard` in `log`: whether HParams are written.
        report: whether report.html is written.
        show: whether it is written, and opened in a browser.
    """

    recipe: Source | None = None
    overrides: Sequence[str] = ()
    resume: str | None = None
    folder: Path | None = None
    trials: str | None = None
    workers: int | None = None
    place: str = "local"
    demand: Demand | None = None
    plots: bool = False
    log: Sequence[str] | None = None
    tensorboard: bool = False
    report: bool = False
    show: bool = False


def tune(out: Teller, job: TuneJob) -> SearchResult:
    """Begins or resumes a search, then writes its tables and figures.

    Args:
        out: where to print.
        job: what to do.

    Returns:
        The best values and their scores, as written to the folder.

    Raises:
        UsageError: parts of the job do not fit together.
        ZooError: see `tuning.search.begin` and `resume`.
    """
    _require_fitting(job)
    more_trials = _more_trials(job.trials, job.resume)
    known = None if job.resume is None else Search.open(job.resume, out.note)
    if known is not None:
        job = replace(job, resume=str(known))
    if job.plots:
        from zoo.report.png import require

        require()
    if job.report or job.show:
        from zoo.verbs.reporting import require_report

        require_report(job.folder or RUNS if known is None else known.folder)
    with Tracking(out.note) as tracking:
        begun_with = None if known is None else known.info().get("log") or ()
        tracking.start(choose(job.log, job.tensorboard or None, begun_with), known)
        settings = SearchSettings(
            workers=job.workers,
            place=require_place(job.place),
            demand=job.demand or Demand(),
            listener=TrackedSearch(out.console(), tracking),
            log=tracking.names,
        )
        tracking.require()
        with _sigterm_as_ctrl_c():
            result = _run(out, job, settings, more_trials)
        out.result(result.as_json())
        _reported(out, job, result, "tensorboard" in tracking.names)
        tracking.begin(result.folder)  # Of a search that was done already, too.
    return result


def _reported(out: Teller, job: TuneJob, result: SearchResult, tensorboard: bool) -> None:
    """Writes a search's tables, figures and page, and prints its result; as for `tune`."""
    with _search_kept(result.folder):
        try:
            write_reports(out, result.folder, job.plots, tensorboard)
        finally:
            _print(out, result)
        if job.report or job.show:
            from zoo.verbs.reporting import write_report

            # The keys of the report's own document are others, such as those of `best`.
            written = write_report(out, [str(result.folder)], show=job.show)
            out.result({key: written[key] for key in ("report", "bytes")})


@contextmanager
def _search_kept(folder: Search) -> Iterator[None]:
    """Adds to a disk's failure that the search is done, and how to write its tables again."""
    try:
        yield
    except StorageFault as error:
        raise error.adding(
            f"The search is done and kept; this writes its tables again: zoo tune --resume {folder}"
        ) from error


def _run(out: Teller, job: TuneJob, settings: SearchSettings, more_trials: int) -> SearchResult:
    """Runs a new search, or resumes one; the parts of the job fit together."""
    if job.resume is None:
        return _begun(out, job.recipe or "", job.overrides, job.folder, settings)
    if job.recipe is None:
        return resume(job.resume, settings, overrides=job.overrides, more_trials=more_trials)
    given, _ = with_proposal(job.recipe, job.overrides, out.warn)
    out.locate = locator(job.recipe, job.overrides)
    return resume(job.resume, settings, given, moved(job.overrides), more_trials)


def _require_fitting(job: TuneJob) -> None:
    """Refuses parts of a job that do not fit together.

    Raises:
        UsageError: says which, and what to write.
    """
    if job.recipe is None and job.resume is None:
        raise UsageError("Expected a RECIPE, or --resume FOLDER.")
    if job.workers is not None and job.resume is not None:
        raise UsageError(
            "--workers cannot be changed with --resume, since the results depend on it. Leave "
            "--workers out."
        )
    if job.resume is not None:
        require_no_move(job.folder, Path(job.resume).expanduser())
    if job.place == "local" and job.demand is not None:
        raise UsageError(
            "--cpus-per-trial and --gpus-per-trial are for trials on a cluster. Add --on ray, or "
            "leave them out: on this machine the workers share its CPUs and GPUs."
        )
    if job.demand is not None:
        require_demand(job.demand)


def _begun(
    out: Teller,
    recipe: Source,
    overrides: Sequence[str],
    folder: Path | None,
    settings: SearchSettings,
) -> SearchResult:
    """Runs a new search; a recipe without a `tune:` block gets one."""
    template, proposed = with_proposal(recipe, overrides, out.warn, out.note)
    out.locate = locator(recipe, overrides)
    if proposed:
        out.note(
            f"note: the recipe has no tune: block; {_searched(template)}. "
            "The proposed block is in recipe.yaml of the search's folder."
        )
    return begin(template, folder or RUNS, settings)


def _more_trials(text: str | None, resumed: str | None) -> int:
    """N of `--trials +N`; 0 where it is not given.

    Raises:
        UsageError: it is not of this form, or no search is resumed.
    """
    if text is None:
        return 0
    if resumed is None:
        raise UsageError(
            f"--trials {text}: adds trials to a search that is resumed, with --resume FOLDER. In a "
            "new search each stage has its own number of trials: --set 'tune.stages[0].trials=N' "
            "for the first, [1] for the second."
        )
    if not re.fullmatch(r"\+[1-9][0-9]{0,4}", text):
        raise UsageError(f"--trials {text}: Expected + and a number of trials to add, such as +20.")
    return int(text)


def _searched(template: Template) -> str:
    """What a search with a proposed block searches."""
    paths = list(template.recipe.tune.space if template.recipe.tune else ())
    if [path.rpartition(".")[2] for path in paths] == ["learning_rate", "weight_decay"]:
        return "learning rate and weight decay are searched"
    return f"these are searched: {', '.join(paths)}"


def write_reports(out: Teller, folder: Search, plots: bool, tensorboard: bool) -> None:
    """Writes trials.csv and, if asked for, figures and HParams."""
    records = read_trials(folder)
    info = folder.info()
    tables.write_csv(records, folder.csv_file)
    if plots:
        objective = objective_of(info)
        files = png_figures.draw(
            [record.to_json() for record in records], info["stages"], objective,
            folder.plots_folder, lower_is_better=lower_is_better(objective),
        )  # fmt: skip
        out.result({"plots": [str(file) for file in files]})
        out.text(f"plots     {folder.plots_folder}: {', '.join(file.name for file in files)}")
    if tensorboard:
        tables.write_hparams(records, folder.tensorboard_folder)
        out.text(f"hparams   tensorboard --logdir {folder.tensorboard_folder}")


def _print(out: Teller, result: SearchResult) -> None:
    for message in (*result.edge_verdicts, *result.words):
        out.text(f"verdict   {message}")
    best = result.best
    spread = "" if best["score_sd"] is None else f" ± {best['score_sd']:.4f} (n={best['seeds']})"
    out.text(f"best      {best['score']:.4f}{spread}: trial {best['trial']}")
    for path, value in best["values"].items():
        out.text(f"          {path}: {value}")
    out.text(f"trials    {result.trials} in {result.seconds:.1f} s: {result.folder.csv_file}")
    out.text(f"recipe    zoo train {result.folder.best_file}")


@contextmanager
def _sigterm_as_ctrl_c() -> Iterator[None]:
    """Lets SIGTERM end a search as Ctrl-C does, in the main thread: others have no signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
