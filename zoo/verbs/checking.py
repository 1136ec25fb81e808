"""Loads a recipe and its data, and runs the checks. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.verbs.teller import Teller

if TYPE_CHECKING:
    from zoo.checks.measure import Subject
    from zoo.checks.run import CheckReport
    from zoo.loading import Source
    from zoo.rundir import Run


def run_checks(
    out: Teller,
    recipe: Source,
    overrides: Sequence[str],
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    quick: bool = False,
    require: Callable[[list[str]], None] = lambda selected: None,
    *,
    warned: bool = False,
) -> tuple[Subject, CheckReport]:
    """Load recipe and data and run the checks; whatever can be refused early is.

    Args:
        out: is told notes, warnings and progress.
        recipe: as `zoo.loading.load` takes it.
        overrides: changes of the recipe, as `--set` takes them.
        only: ids of the checks to run; empty: all.
        skip: ids of checks to leave out.
        quick: leave out checks that train.
        require: called with the ids of the checks before the data are read.
        warned: whether the recipe's warnings were given already.

    Returns:
        What was checked, and the findings.

    Raises:
        UsageError: an id is unknown, or no check is left.
        RecipeError: the recipe is wrong.
        DataError: the data cannot be used.
        EnvironmentFault: the backend or the device is missing.
    """
    from zoo import backend
    from zoo import recipe as recipes
    from zoo.plan.capacity import require_memory
    from zoo.plugins import recipe_parts

    loaded = recipes.load(recipe, overrides, *(() if warned else (out.warn, out.note)))
    out.locate = recipes.locator(recipe, overrides)
    recipe_parts.require(loaded)
    require_memory(loaded)
    backend.prepare(deterministic=loaded.train.deterministic, say=out.note)
    from zoo.checks.measure import Subject
    from zoo.checks.measure.batch_size import batch_and_rate
    from zoo.checks.origin import origin
    from zoo.checks.run import check, select_checks
    from zoo.datasets.load import load as load_data
    from zoo.model import backbone_weights
    from zoo.progress import progress_bar, status
    from zoo.training.preparing import prepare_keras

    prepare_keras(loaded, note=out.note)
    backbone_weights.require(loaded)
    require(select_checks(only, skip, quick))  # Refuses wrong ids before the data are read.
    console = out.console()
    with progress_bar(console) as progress:
        data = load_data(loaded, progress=progress)
    for note in data.notes:
        out.note(f"note: {note}")
    known = origin(recipe, overrides)
    subject = Subject(loaded, data, before=batch_and_rate(*known) if known else None)
    try:
        with status(console, "checking") as show:
            tell = lambda text: show(f"checking {text}")  # noqa: E731
            report = check(subject, only, skip, quick, progress=tell)
    finally:
        from zoo.backend.lifetimes import tie_gradients

        tie_gradients()
    return subject, report


def write_report(subject: Subject, report: CheckReport, folder: Path) -> Run:
    """Write the findings into checks.json of a new folder.

    Args:
        subject: what was checked.
        report: the findings.
        folder: where run folders go.

    Returns:
        The new folder.

    Raises:
        StorageFault: the disk did not take it.
    """
    from zoo import recipe as recipes
    from zoo.checks import stored
    from zoo.rundir import Run

    run = Run.create(folder, subject.recipe.name, kind="check-")
    run.write_checks(
        {
            "recipe": recipes.dump(subject.recipe),
            **report.as_json(),
            "measured": stored.as_json(subject.cache),
        }
    )
    return run
