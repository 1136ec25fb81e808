"""A search: stages from coarse to fine, then the best again over fresh seeds.

Everything that counts is in the folder: the recipe, the journal of trials, tune.json. What decides
is computed anew from them when a search is taken up again, so that it goes on as it would have.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tuning.coordinator import Coordinator
from tuning.executors.local import gpus
from tuning.outcome import Outcome, Settings
from zoo import __version__
from zoo.errors import Problem, RunError
from zoo.recipe import Template
from zoo.recipe.resolve import dump_data
from zoo.recipe.tune import proposal
from zoo.rundir import Search, write_text

# What may be changed between two parts of a search: it changes no trial.
FREE = ("tune.max_minutes", "tune.trial_minutes", "tune.keep", "data.source", "name")


def begin(
    template: Template, out: Path = Path("runs"), settings: Settings | None = None
) -> Outcome:
    """Searches in a new folder `out/NAME/tune-...`.

    Args:
        template: the recipe; without a `tune:` block, learning rate and weight decay are searched.
        out: where run folders go.
        settings: workers, and who watches.

    Raises:
        RecipeError: no values of the space make a network.
        Diverged: no trial ended.
        Interrupted: Ctrl-C or SIGTERM; the search can be taken up again.
    """
    settings = settings or Settings()
    folder = Search.create(out, template.recipe.name)
    with folder.locked():
        write_text(folder.recipe_file, template.dump())
        workers = settings.workers or len(gpus()) or 1
        now = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        info: dict[str, Any] = {
            "status": "running", "name": template.recipe.name, "seed": template.recipe.seed,
            "started": now, "zoo": __version__, "workers": workers, "lag": 2 * workers - 1,
            "recipe": _plain(template.data), "seconds": 0.0, "stages": [],
        }  # fmt: skip
        return Coordinator(folder, template, info, settings).run()


def resume(
    path: str | Path,
    settings: Settings | None = None,
    given: Template | None = None,
    overrides: Sequence[str] = (),
) -> Outcome:
    """Takes up a search where it was left.

    Args:
        path: its folder.
        settings: as for `begin`.
        given: a recipe that it is expected to be of; None: its own.
        overrides: changes of `data.source`, for data that were moved, and of limits.

    Raises:
        RunError: there is no such search, or it is running, or it is of another recipe; the
            differences are named.
        DataError: the data are no longer those that it began with.
        Diverged, Interrupted: as for `begin`.
    """
    settings = settings or Settings()
    folder = Search.open(path)
    with folder.locked():
        info = folder.info()
        if not folder.recipe_file.is_file():
            raise RunError(f"{folder.recipe_file}: is missing; without it nothing can go on.")
        own = Template(str(folder.recipe_file), overrides)
        for other, where in ((own, str(folder.recipe_file)), (given, "the recipe given")):
            if other is not None:
                _require_same(info["recipe"], _plain(other.data), folder, where)
        limits = given if given is not None and given.recipe.tune is not None else own
        if info["status"] == "done" and not _more_time(info, limits):
            settings.watcher.note(
                f"{folder} is done already: nothing to resume. Time was up; give it more with "
                "--set tune.max_minutes=..."
                if info.get("out_of_time")
                else f"{folder} is done already: nothing to resume."
            )
            return Outcome(
                folder=folder, best=info["best"], edge_verdicts=info["edge_verdicts"],
                words=info["words"], trials=info["trials"], seconds=info["seconds"],
            )  # fmt: skip
        course = Coordinator(folder, own, info, settings)
        if limits.recipe.tune is not None:
            course.tune = limits.recipe.tune  # The same but for limits, which are those given now.
        return course.run()


def _more_time(info: dict[str, Any], limits: Template) -> bool:
    """Whether a search that ended for its time has more of it now."""
    tune = limits.recipe.tune
    if not info.get("out_of_time") or tune is None:
        return False
    return tune.max_minutes is None or tune.max_minutes * 60 > info["seconds"] * 1.02


def with_proposal(recipe: str, overrides: Sequence[str], warn: Any = None) -> tuple[Template, bool]:
    """A recipe ready to be searched, and whether the space is one that was proposed for it."""
    template = Template(recipe, overrides, warn)
    if template.recipe.tune is not None:
        return template, False
    train = template.recipe.train
    block = proposal(train.optimizer.word, train.epochs)
    return Template(recipe, [*overrides, f"tune={dump_data(block)}"]), True


def _plain(data: Any) -> Any:
    """A recipe's data as JSON gives it back."""
    return json.loads(json.dumps(data))


def differences(old: Any, new: Any, path: str = "") -> list[str]:
    """Where two recipes differ, as sentences; limits that change no result are left out."""
    if path in FREE:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found: list[str] = []
        for key in [*old, *(key for key in new if key not in old)]:
            at = f"{path}.{key}" if path else str(key)
            missing = object()
            one, other = old.get(key, missing), new.get(key, missing)
            if one is missing or other is missing:
                what = f"only now: {other}" if one is missing else f"no longer there, was {one}"
                found += _named(at, what)
            else:
                found += differences(one, other, at)
        return found
    return [] if old == new else _named(path, f"was {old}, is {new}")


def _named(path: str, what: str) -> list[str]:
    return [] if path in FREE else [f"{path}: {what}"]


def _require_same(old: Any, new: Any, folder: Search, where: str) -> None:
    found = differences(old, new)
    if found:
        raise RunError(
            f"{folder}: was begun with another recipe, and trials of two are never mixed. Begin a "
            f"new search without --resume, or put {where} back:",
            [Problem(message=text) for text in found],
        )


__all__ = ["Outcome", "Settings", "begin", "resume", "with_proposal"]
