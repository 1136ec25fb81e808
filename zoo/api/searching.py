"""`zoo.tune` and `zoo.search`. Only this module of zoo, and the verb `tune`, import `tuning`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo import loading
from zoo import rundir as folders
from zoo.api import html
from zoo.api.arguments import as_list, at_least, checked
from zoo.api.arguments import path as check_path
from zoo.api.backend import Device, require_choice
from zoo.api.recipes import Overrides, RecipeLike, as_given, as_overrides, remember
from zoo.api.run import Run
from zoo.api.telling import PythonTeller
from zoo.api.wording import worded, worded_class
from zoo.errors import RunError, UsageError
from zoo.recipe.monitors import lower_is_better
from zoo.recipe.schema import Recipe
from zoo.rundir.search import objective_of

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = (
    "stage", "status", "score", "epochs", "best_epoch", "steps", "seconds", "seed", "reason",
)  # fmt: skip


@worded
@checked
def tune(
    recipe: RecipeLike | None = None,
    overrides: Overrides | None = None,
    *,
    resume: str | os.PathLike[str] | Search | None = None,
    trials: int | None = None,
    workers: int | None = None,
    on: str = "local",
    cpus_per_trial: float | None = None,
    gpus_per_trial: float | None = None,
    out: str | os.PathLike[str] | None = None,
    plots: bool = False,
    log: str | Sequence[str] | None = None,
    tensorboard: bool = False,
    device: Device = None,
    quiet: bool = False,
) -> Search:
    """Searches a recipe's hyperparameters at random, coarse to fine, or resumes a search.

    Trials are trained in processes of their own: in a script, call this below
    `if __name__ == "__main__":`. Ctrl-C ends the search; what is done is kept.

    Args:
        recipe: whatever `zoo.load` takes; one without a `tune:` block gets one. None to resume.
        overrides: likewise; with `resume` of its limits, and of `data.source` and `plugins`, for
            images and parts of your own that were moved.
        resume: a search that was interrupted, or is to have more trials: its folder or the
            `Search`.
        trials: with `resume`: trials to add to the last stage.
        workers: number of processes; None: one for each GPU, or one.
        on: where trials run: `local`, `ray` or `ray://HOST:PORT`.
        cpus_per_trial: on Ray, CPUs of a worker; None: 1.
        gpus_per_trial: on Ray, GPUs of a worker, which may be a fraction; None: 0.
        out: where the folder is made, as `OUT/NAME/tune-TIME`; None: `runs`.
        plots: also draw the trials as PNG files.
        log: trackers: words of `mlflow`, `wandb`, `tensorboard`, `csv`; None: those of the variable
            ZOO_LOG, with `resume` as it was begun.
        tensorboard: the same as `tensorboard` in `log`.
        device: `cpu`: leave GPUs alone; None: what the backend takes.
        quiet: whether nothing is printed.

    Raises:
        RecipeError: the recipe is wrong, or no values of the space make a network.
        UsageError: arguments that do not fit together.
        DataError: the images cannot be used.
        EnvironmentFault: the workers cannot be started.
        RunError: what is to be resumed is no search, is running, or has another recipe.
        Diverged: no trial came to its end.
        Interrupted: see above; `error.facts["folder"]` is the search's folder, if there is one.
    """
    from tuning import cli
    from tuning.executors.ray_cluster import Demand

    at_least("trials", trials, 1)
    at_least("workers", workers, 1)
    given = None if recipe is None else as_given(recipe, overrides)
    changes = as_overrides(overrides) if given is None else given.overrides
    if device == "gpu":
        raise UsageError(
            "device='gpu': a search cannot require a GPU, since its workers choose their devices. "
            "Expected 'cpu' or None. On Ray: gpus_per_trial=1."
        )
    require_choice(device)
    resumed = str(resume.path) if isinstance(resume, Search) else resume
    if resumed is not None:
        check_path("resume", resumed)
    job = cli.TuneJob(
        recipe=None if given is None else given.source,
        overrides=changes,
        resume=None if resumed is None else os.fspath(resumed),
        folder=None if out is None else Path(out).expanduser(),
        trials=None if trials is None else f"+{trials}",
        workers=workers,
        place=on,
        demand=Demand.of(cpus_per_trial, gpus_per_trial),
        plots=plots,
        log=as_list(log),
        tensorboard=tensorboard,
    )
    with PythonTeller(quiet) as teller:
        result = cli.tune(teller, job)
    return Search(result.folder)


@worded
@checked
def search(path: str | os.PathLike[str]) -> Search:
    """Opens a search that was made before, by `zoo tune` or `zoo.tune`.

    Args:
        path: its folder; of `runs/NAME` the newest search in it.

    Raises:
        RunError: there is no search.
        DamagedFile: its tune.json was cut or edited.
    """
    return Search(folders.Search.open(os.fspath(path)))


@worded_class
class Search:
    """The folder of a search. Files are read when they are asked for.

    Two searches are equal if their folder is the same.

    Args:
        folder: the search's folder.

    Attributes:
        folder: the names in it (`zoo.rundir.Search`).
    """

    def __init__(self, folder: folders.Search) -> None:
        self.folder = folder
        folder.info()  # A damaged file is refused here.

    @property
    def path(self) -> Path:
        """The search's folder."""
        return self.folder.folder

    @property
    def info(self) -> dict[str, Any]:
        """What tune.json holds: status, seconds, stages with their ranges, verdicts and more.

        Raises:
            DamagedFile: it was cut or edited.
        """
        return self.folder.info()

    @property
    def status(self) -> str:
        """`done`, `interrupted`, `failed` or `running`."""
        return str(self.info["status"])

    @property
    def trials(self) -> pd.DataFrame:
        """A row for each finished trial, by its name: stage, status, score, and its values.

        The column of a value is named by its path in the recipe. The score is the search's
        objective as it was measured, such as the validation accuracy.

        Raises:
            DamagedFile: trials.jsonl was edited.
        """
        import pandas as pd

        from tuning.journal import read_trials

        records = read_trials(self.folder)
        rows = [
            {"trial": each.trial, **{key: getattr(each, key) for key in COLUMNS}, **each.values}
            for each in records
        ]
        return pd.DataFrame(rows, columns=None if rows else ["trial", *COLUMNS]).set_index("trial")

    @property
    def best(self) -> dict[str, Any]:
        """The winner: its trial, values, score, and the score's standard deviation over seeds.

        Raises:
            RunError: the search has not come to its end.
        """
        best = self.info.get("best")
        if best is None:
            raise RunError(
                f"{self.folder}: has no best trial yet (status {self.status}). Resume it: "
                f"zoo tune --resume {self.folder}"
            )
        return dict(best)

    @checked
    def best_recipe(self) -> Recipe:
        """The recipe with the winner's values.

        Raises:
            RunError: the search has not come to its end.
            RecipeError: best.yaml was edited and is no recipe any more.
        """
        _ = self.best
        file = str(self.folder.best_file)
        return remember(loading.load(file), file, ())

    @property
    def verdicts(self) -> list[str]:
        """Sentences on ranges whose best values lie at an edge, and on the winner's score."""
        info = self.info
        return [*(info.get("edge_verdicts") or ()), *(info.get("words") or ())]

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe that was given to the search, with its space.

        Raises:
            RecipeError: the file was edited and is no recipe any more.
        """
        file = str(self.folder.recipe_file)
        return remember(loading.load(file), file, ())

    @checked
    def run(self, trial: str) -> Run:
        """The run folder of a trial; those of the best trials are kept.

        Args:
            trial: its name, of the index of `trials`.

        Raises:
            RunError: its run was not kept.
        """
        kept = self.folder.kept_trials()
        if trial not in kept:
            raise RunError(
                f"{self.folder}: no run of trial {trial} is kept. Expected one of: "
                f"{', '.join(kept) or 'none'}; tune.keep says how many are."
            )
        return Run(self.folder.trial(trial))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Search):
            return NotImplemented
        return self.path.resolve() == other.path.resolve()

    def __hash__(self) -> int:
        return hash(self.path.resolve())

    def __getstate__(self) -> dict[str, Any]:
        return {"folder": self.folder}

    def __repr__(self) -> str:
        best = self.info.get("best")
        found = "" if best is None else f", best {best['score']:.4f}"
        return f"<Search {self.status}{found}, {self.path}>"

    def _repr_html_(self) -> str:
        """How a notebook shows the search: the winner, verdicts, and the best trials."""
        info = self.info
        best = info.get("best") or {}
        lines: list[tuple[str, object]] = [("folder", self.path)]
        if best:
            lines.append(("best trial", f"{best['trial']}: {best['score']:.4f}"))
            lines += list(best["values"].items())
        table = self.trials
        paths = [name for name in table.columns if name not in COLUMNS]
        lower = lower_is_better(objective_of(info))
        ranked = table.sort_values("score", ascending=lower, na_position="last", kind="stable")
        rows = [
            (name, *(_plain(row[key]) for key in ("stage", "status", "score", *paths)))
            for name, row in ranked.iterrows()
        ]
        head = ("trial", "stage", "status", "score", *(path.rpartition(".")[2] for path in paths))
        said = "".join(f"<p>{html.text(each)}</p>" for each in self.verdicts)
        shown = html.title("Search", self.status) + html.table((), lines) + said
        return shown + html.table(head, rows)


def _plain(value: Any) -> object:
    """A cell's value as Python's own; empty where a trial has none."""
    value = value.item() if hasattr(value, "item") else value
    return "" if value is None or value != value else value
