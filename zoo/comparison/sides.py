"""The two sides of a comparison: recipes, with their runs if they have some. Light."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from zoo import recipe as recipes
from zoo.artifact.layout import find_export
from zoo.errors import UsageError
from zoo.files.user_paths import user_path
from zoo.plan import num_classes
from zoo.recipe import Recipe
from zoo.rundir import Run, Search
from zoo.rundir.recipe_text import is_unchanged


@dataclass(frozen=True)
class Side:
    """One side of a comparison.

    Attributes:
        given: as the user named it.
        recipe: resolved.
        run: the run whose recipe it is, or None.
        known_classes: number of classes that a run or an export knows; 0: see the recipe.
    """

    given: str
    recipe: Recipe
    run: Run | None = None
    known_classes: int = 0

    @property
    def is_made(self) -> bool:
        """Whether it is the recipe of a training, in which words stand in the place of `auto`."""
        return self.known_classes > 0

    @cached_property
    def info(self) -> dict[str, Any]:
        """run.json; empty without a run."""
        return {} if self.run is None else self.run.info()

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the comparison must know of this side."""
        if self.run is None:
            return ()
        notes = []
        if self.run.folder != user_path(self.given):
            notes.append(f"{self.run} is the newest run in {self.given}")
        digest = self.info.get("recipe_hash")
        if digest is not None and not is_unchanged(self.run, digest):
            notes.append(f"{self.run.recipe_file} was edited since the run began")
        return tuple(notes)

    def classes(self) -> int:
        """Number of classes.

        Raises:
            DataError: it is not known without loading the data.
        """
        return self.known_classes or num_classes(self.recipe)

    def as_json(self) -> dict[str, Any]:
        """The entries `a` and `b` of `zoo diff --json`."""
        return {"given": self.given, "name": self.recipe.name, "run": self.run and str(self.run)}


def open_side(given: str) -> Side:
    """Opens what an argument names.

    Args:
        given: name of a recipe that ships, a file, the folder of a run or of an export, or
            runs/NAME for its newest run.

    Raises:
        UsageError: there is no such recipe or run.
        RecipeError: the recipe has problems.
    """
    path = user_path(given)
    if not path.is_dir():
        return Side(given, recipes.load(given))
    if (path / Search.INFO_NAME).is_file():
        search = Search(path)
        raise UsageError(
            f"{given} is the folder of a search. Expected a recipe or a run: {search.recipe_file} "
            f"is what was searched, {search.best_file} what was found."
        )
    export = None if Run.is_run(path) else find_export(path)
    if export is not None:
        classes = len(export.manifest()["classes"])
        return Side(given, recipes.load(str(_required(export.recipe_file))), known_classes=classes)
    run = Run.open(path)
    classes = len(run.info().get("class_names") or ())
    return Side(given, recipes.load(str(_required(run.recipe_file))), run, classes)


def _required(file: Path) -> Path:
    """The recipe of a run or an export.

    Raises:
        UsageError: there is none, as in a run that was ended before it began.
    """
    if not file.is_file():
        raise UsageError(f"{file}: is missing. Expected a recipe.")
    return file
