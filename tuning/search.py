"""Begins and resumes a search, and refuses to resume one whose recipe has changed.

The whole state of a search is in its folder: the recipe, the journal of trials, tune.json.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuning.coordinator import Coordinator
from tuning.executors.base import Executor
from tuning.executors.local import LocalExecutor, gpus
from tuning.executors.pool import SILENCE_SECONDS
from tuning.executors.ray_cluster import Demand
from tuning.listener import SearchListener
from tuning.result import SearchResult
from tuning.same_recipe import own_template, plain, require_same
from tuning.state import SearchState
from zoo.backend.choice import settle
from zoo.errors import Problem, RecipeError, RunError, StorageFault
from zoo.loading import Source
from zoo.plan.capacity import require_memory
from zoo.plugins import recipe_parts
from zoo.recipe import Recipe, Template
from zoo.recipe.tune import Tune, proposal
from zoo.recipe.writing import dump_data
from zoo.rundir import Search, write_text
from zoo.text.counted import counted
from zoo.version import __version__

if TYPE_CHECKING:
    from zoo.datasets.splits import Splits

TIME_FORMAT = "%Y-%m-%dT%H:%M:%S%z"
ROUNDING_MARGIN = 1.02  # A limit must exceed the seconds spent by this factor to be more time.


@dataclass(frozen=True, kw_only=True)
class SearchSettings:
    """How a search is run. Only `workers` affects the result.

    Attributes:
        workers: number of workers; None for one per GPU, or one, on this machine, and for as many
            as a cluster has room for.
        place: where the workers run: `local`, `ray` or `ray://HOST:PORT`.
        demand: what each worker needs of a cluster's node.
        listener: its methods are called at each event.
        silence: seconds without a message after which a worker counts as hung.
        log: names of the trackers that are told, for tune.json; None: as it was begun.
    """

    workers: int | None = None
    place: str = "local"
    demand: Demand = field(default_factory=Demand)
    listener: SearchListener = field(default_factory=SearchListener)
    silence: float = SILENCE_SECONDS
    log: Sequence[str] | None = None


Settings = SearchSettings  # The name in scripts written for earlier versions.


def begin(
    template: Template, out: Path = Path("runs"), settings: SearchSettings | None = None
) -> SearchResult:
    """Begins a search in a new folder `out/NAME/tune-...` and runs it to its end.

    Args:
        template: the recipe, with a `tune:` block.
        out: folder of all run folders.
        settings: workers and listener.

    Returns:
        The best values and their scores, as written to the folder.

    Raises:
        DataError: the data cannot be read.
        EnvironmentFault: the workers cannot be started, or no memory here can hold a training.
        RunError: the recipe has no `tune:` block.
        RecipeError: no values of the space make a network.
        Diverged: no trial came to its end.
        PluginRefused: the user has not allowed parts of their own that it names.
        Interrupted: Ctrl-C or SIGTERM; the search can be resumed.
    """
    settings = settings or SearchSettings()
    recipe_parts.require(template.recipe)
    if settings.place == "local":
        require_memory(template.recipe)
    workers = settings.workers or _default_workers(settings)
    folder = Search.create(out, template.recipe.name)
    with folder.locked():
        try:
            write_text(folder.recipe_file, template.dump())
        except StorageFault as error:
            folder.remove()
            raise error.adding("No trial was begun; nothing is kept.") from error
        info: dict[str, Any] = {
            "status": "running", "name": template.recipe.name, "seed": template.recipe.seed,
            "started": time.strftime(TIME_FORMAT), "zoo": __version__,
            "workers": workers, "lag": 2 * workers - 1, "recipe": plain(template.data),
            "seconds": 0.0, "stages": [], "log": list(settings.log or ()),
            **recipe_parts.recorded(template.recipe),
        }  # fmt: skip
        return _run(folder, info, template, template.recipe.tune, settings)


def resume(
    path: str | Path,
    settings: SearchSettings | None = None,
    given: Template | None = None,
    overrides: Sequence[str] = (),
    more_trials: int = 0,
) -> SearchResult:
    """Resumes a search and runs it to its end.

    Args:
        path: the search's folder.
        settings: as for `begin`, without `workers`.
        given: the recipe that the user expects it to have; None for its own.
        overrides: changes of limits and, if data or parts of the user's own were moved, of
            `data.source` and `plugins`.
        more_trials: trials to add to the last stage, or to the last extra round of it that was
            begun: those are drawn from the finest ranges, and no trial before them changes.

    Returns:
        The result; that of the earlier run if the search is done already.

    Raises:
        EnvironmentFault: the workers cannot be started.
        RunError: there is no such search, or it is running, or it has another recipe; the
            differences are named; or it cannot be given more trials; or a part of the user's own
            has another text.
        DamagedFile: a file of the search was cut or edited.
        DataError: the data are not those that it began with.
        Diverged: no trial came to its end.
        Interrupted: Ctrl-C or SIGTERM; the search can be resumed.
    """
    settings = settings or SearchSettings()
    folder = Search.open(path)
    with folder.locked():
        info = folder.info()
        if not folder.recipe_file.is_file():
            raise RunError(
                f"{folder.recipe_file}: is missing; the search cannot be resumed without it."
            )
        if settings.log is not None:
            info = {**info, "log": list(settings.log)}
        own = own_template(folder, info, overrides, given)
        for template, where in ((own, str(folder.recipe_file)), (given, "the recipe given")):
            if template is not None:
                require_same(info["recipe"], plain(template.data), folder, where)
        limits = given.recipe.tune if given is not None else None
        tune = limits or own.recipe.tune  # They differ in limits at most: the given ones hold.
        if more_trials and tune is not None:
            info = _with_more_trials(folder, info, tune, more_trials)
            settings.listener.note(
                f"note: stage {info['added'][-1]['stage']} gets "
                f"{counted(more_trials, 'more trial')}"
            )
        elif info["status"] == "done" and not _has_more_time(info, tune):
            note = f"{folder} is done already: nothing to resume. More trials: --trials +N."
            if info.get("out_of_time"):
                note += " Time was up; give it more with --set tune.max_minutes=..."
            settings.listener.note(note)
            return SearchResult(
                folder=folder, best=info["best"], edge_verdicts=info["edge_verdicts"],
                words=info["words"], trials=info["trials"], seconds=info["seconds"],
            )  # fmt: skip
        return _run(folder, info, own, tune, settings)


def _run(
    folder: Search,
    info: dict[str, Any],
    template: Template,
    tune: Tune | None,
    settings: SearchSettings,
) -> SearchResult:
    """Runs a search."""
    if tune is None:
        raise RunError(f"{folder.recipe_file}: has no tune: block.")
    recipe_parts.require(template.recipe)
    settle(info.get("backend"), settings.listener.note)  # The workers inherit it.
    executor = _executor(folder, info["workers"], template, settings)
    state = SearchState(folder, info)
    tune = tune.model_copy(update={"objective": _objective(info, template.recipe, tune)})
    return Coordinator(state, template, tune, executor, settings.listener).run()


def _default_workers(settings: SearchSettings) -> int:
    """The number of workers that this machine or the cluster has room for.

    Raises:
        EnvironmentFault: there is no cluster.
    """
    if settings.place == "local":
        return len(gpus()) or 1
    from tuning.executors import ray_cluster

    settle(None, settings.listener.note)  # The workers inherit it.
    for line in ray_cluster.connect(settings.place, settings.demand):
        settings.listener.note(line)
    return ray_cluster.capacity(settings.demand)


def _executor(
    folder: Search, workers: int, template: Template, settings: SearchSettings
) -> Executor:
    """What runs the trials, at the place of the settings."""
    if settings.place == "local":
        return LocalExecutor(folder, workers, template.moved, settings.silence)
    from tuning.executors.ray_executor import RayExecutor, shippable

    def load() -> Splits | None:
        from zoo.datasets.load import load

        return shippable(load(template.recipe))

    return RayExecutor(
        folder, workers, where=settings.place, demand=settings.demand, load=load,
        overrides=template.moved, silence=settings.silence, say=settings.listener.note,
    )  # fmt: skip


def _with_more_trials(
    folder: Search, info: dict[str, Any], tune: Tune, count: int
) -> dict[str, Any]:
    """The contents of tune.json with trials added to the last stage.

    If an extra round of the last stage was begun, the newest one gets them: more trials in a stage
    before it would change the ranges that its trials were drawn from.

    Raises:
        RunError: the stage has no other values, or the search has no time.
    """
    stage = tune.stages[-1].name
    begun = {entry["name"]: entry for entry in info["stages"]}
    target = next((name for name in reversed(begun) if name.startswith(f"{stage}+")), stage)
    if begun.get(target, {}).get("exhausted"):
        raise RunError(
            f"{folder}: --trials +{count}: stage {target} has tried all values of its space. Begin "
            "a new search with wider ranges."
        )
    if tune.max_minutes is not None and tune.max_minutes * 60 <= info["seconds"]:
        raise RunError(
            f"{folder}: --trials +{count}: the {tune.max_minutes:g} minutes of tune.max_minutes "
            "are spent. Give the search more of them too: --set tune.max_minutes=..."
        )
    entry = {"stage": target, "trials": count, "at": time.strftime(TIME_FORMAT)}
    return {**info, "added": [*info.get("added", ()), entry]}


def _objective(info: dict[str, Any], recipe: Recipe, tune: Tune) -> str:
    """What trials are compared by; `auto` where only the data tell."""
    if tune.objective != "auto":
        return tune.objective
    if "data" in info:  # A search of an older version compared accuracies.
        return str(info.get("objective", "val_accuracy"))
    return recipe.train.monitor


def _has_more_time(info: dict[str, Any], tune: Tune | None) -> bool:
    """Whether a search that ran out of time has more of it now."""
    if not info.get("out_of_time") or tune is None:
        return False
    return tune.max_minutes is None or tune.max_minutes * 60 > info["seconds"] * ROUNDING_MARGIN


def with_proposal(
    recipe: Source,
    overrides: Sequence[str],
    warn: Callable[[Problem], None] | None = None,
    say: Callable[[str], None] | None = None,
) -> tuple[Template, bool]:
    """Loads a recipe to be searched; proposes a `tune:` block if it has none.

    Overrides inside of the block (`tune.stages[0].trials=4`) then change the proposed one.

    Args:
        recipe: as `zoo.loading.load` takes it.
        overrides: changes of the recipe.
        warn: called with each warning; None to ignore them.
        say: called with a sentence on where a relative path leads.

    Returns:
        The recipe, and whether its block was proposed.

    Raises:
        UsageError: an override cannot be read.
        RecipeError: the recipe has mistakes.
    """
    inside = [override for override in overrides if override.strip().startswith("tune.")]
    others = [override for override in overrides if override not in inside]
    try:
        bare = Template(recipe, others).recipe
    except RecipeError as error:
        if not inside or not any((each.path or "").startswith("tune") for each in error.problems):
            raise
        return Template(recipe, overrides, warn, say), False  # They may mend the recipe's block.
    if bare.tune is not None:
        return Template(recipe, overrides, warn, say), False
    block = dump_data(proposal(bare.train.optimizer.word, bare.train.epochs))
    return Template(recipe, [*others, f"tune={block}", *inside], warn, say), True


__all__ = ["SearchResult", "SearchSettings", "Settings", "begin", "resume", "with_proposal"]
