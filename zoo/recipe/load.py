"""Reads a recipe from a file or by name, applies `--set`, and reports all its problems at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from zoo.errors import Problem, RecipeError, UsageError
from zoo.recipe import yaml_reader
from zoo.recipe.overrides import applied, fault, parse_path, put
from zoo.recipe.problems import explain
from zoo.recipe.resolve import dump_data, resolved
from zoo.recipe.schema import Recipe
from zoo.recipe.shipped import shipped
from zoo.recipe.yaml_reader import Path, dotted


def find(recipe: str) -> FilePath:
    """The file of a recipe given as a path or as the name of one that ships.

    Raises:
        UsageError: there is neither.
    """
    path = FilePath(recipe).expanduser()
    if path.is_file():
        return path
    names = shipped()
    if recipe in names:
        return names[recipe]
    if path.is_dir():
        raise UsageError(f"{recipe} is a folder. Expected a recipe: a YAML file or a shipped name.")
    close = get_close_matches(recipe, names, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    raise UsageError(
        f"no recipe '{recipe}'.{hint} Expected a YAML file or one of: {', '.join(names)}."
    )


def load(
    recipe: str, overrides: Sequence[str] = (), warn: Callable[[Problem], None] | None = None
) -> Recipe:
    """Loads, checks and resolves a recipe.

    Args:
        recipe: a path, or the name of a recipe that ships.
        overrides: changes as `a.b[0].c=VALUE`, the value in YAML; checked like the file.
        warn: called with what is allowed and likely to hurt, with file, line and path.

    Returns:
        The recipe with every default written out.

    Raises:
        UsageError: no such recipe, or a change that is not of this form.
        RecipeError: all problems of the recipe, each with file, line and path.
    """
    draft = _Draft(yaml_reader.read_file(find(recipe)))
    for change in overrides:
        draft.set(change)
    loaded = draft.finish()
    if warn:
        draft.caution(loaded, warn)
    return loaded


class Template:
    """A recipe that a search puts values into.

    Args:
        recipe: a path, or the name of a recipe that ships.
        overrides: changes, as `load` takes them.
        warn: as `load` takes it.

    Raises:
        UsageError, RecipeError: as `load`.
    """

    def __init__(
        self,
        recipe: str,
        overrides: Sequence[str] = (),
        warn: Callable[[Problem], None] | None = None,
    ) -> None:
        self.draft = _Draft(yaml_reader.read_file(find(recipe)))
        for change in overrides:
            self.draft.set(change)
        self.moved = [change for change in overrides if change.startswith("data.source")]
        self.recipe = self.draft.finish()
        if warn:
            self.draft.caution(self.recipe, warn)
        # Where its images are, whatever folder a search is taken up from.
        source = self.recipe.data.source.model_dump()
        data = {**self.draft.data.get("data", {}), "source": source}
        self.data: dict[str, Any] = {**self.draft.data, "data": data}

    def dump(self, values: Mapping[str, Any] | None = None) -> str:
        """The recipe as it was given, changes made, as YAML; with values at their paths."""
        return dump_data(applied(self.data, values or {})[0])

    def filled(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with values at their paths, resolved.

        Raises:
            RecipeError: the values do not fit together, or the network cannot be built.
        """
        changed, path, why = applied(self.data, values)
        draft = _Draft(yaml_reader.Document(data=changed, lines={}, problems=(), file=None))
        if path is not None:
            raise RecipeError([draft.located(path, why)])
        return draft.finish(space=False)


def reload(file: FilePath, overrides: Sequence[str] = ()) -> Recipe:
    """Loads the recipe of a run; only `data.source` may be changed, for data that were moved.

    Raises:
        UsageError: a change of anything else.
    """
    for change in overrides:
        if not change.replace(" ", "").startswith(("data.source=", "data.source.")):
            raise UsageError(
                f"--set {change}: a run stays as it was begun; only data.source may be changed, "
                f"for data that were moved. Start a new run: zoo train {file} --set ..."
            )
    return load(str(file), overrides)


@dataclass
class _Draft:
    """A recipe's data before it is checked, and where each value came from.

    `broken` are the places where the reader found something: what the schema says there only
    follows from that.
    """

    document: yaml_reader.Document
    problems: list[Problem] = field(default_factory=list)
    origins: dict[Path, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    data: Any = None

    def __post_init__(self) -> None:
        self.data = self.document.data
        for problem in self.document.problems:
            self.read_problem(problem)

    def problem(self, path: Path, message: str) -> None:
        """Notes a problem, unless one that the reader found there already explains it."""
        at = f"{dotted(path)}."
        if any(at.startswith((f"{known}.", f"{known}[")) for known in self.broken):
            return
        self.problems.append(self.located(path, message))

    def located(self, path: Path, message: str) -> Problem:
        """The problem of a place, with the file and line, or the change, that it comes from."""
        origin = next((text for at, text in self.origins.items() if path[: len(at)] == at), None)
        return Problem(
            message=message,
            file=origin or self.document.file,
            line=None if origin else self.document.line(path),
            path=dotted(path) or None,
        )

    def read_problem(self, problem: Problem) -> None:
        self.problems.append(problem)
        if problem.path:
            self.broken.append(problem.path)

    def set(self, change: str) -> None:
        target, equals, text = change.partition("=")
        path = parse_path(target.strip())
        if not equals or path is None:
            raise UsageError(
                f"--set {change}: not a change. Expected PATH=VALUE, "
                "for example train.epochs=5 or model.stack[0].conv.filters=32."
            )
        # The last change of a place is the one that holds: it is looked up first.
        self.origins = {path: f"--set {change}", **self.origins}
        try:
            document = yaml_reader.read_text(text)
        except RecipeError as error:
            self.problem(path, error.problems[0].message)
            return
        for problem in document.problems:
            inner = f".{problem.path}" if problem.path else ""
            at = (dotted(path) + inner).replace(".[", "[")
            self.read_problem(replace(problem, file=f"--set {change}", line=None, path=at))
        if not isinstance(self.data, dict):
            self.data = {}
        found = fault(self.data, path)
        if found is None:
            put(self.data, path, document.data)
        else:
            where, message = found
            self.origins = {where: f"--set {change}", **self.origins}
            self.problem(where, message)

    def _stack_alone(self) -> Recipe | None:
        """The recipe with its name and training left out: its stack may be wrong as well."""
        rest = {key: self.data.get(key) for key in ("data", "model")}
        try:
            return Recipe.model_validate({"name": "stack", "train": {"epochs": 1}, **rest})
        except ValidationError:
            return None

    def caution(self, recipe: Recipe, warn: Callable[[Problem], None]) -> None:
        """Tells of what is allowed and likely to hurt."""
        from zoo.plan import cautions

        for path, message in cautions(recipe):
            warn(self.located(path, message))

    def finish(self, space: bool = True) -> Recipe:
        """The recipe, checked and resolved; `space`: whether that of its search is checked too."""
        if self.data is None:
            self.problem((), "the recipe is empty. See `zoo show digits-tiny` for one that works.")
            raise RecipeError(self.problems)
        recipe = None
        if isinstance(self.data, dict):
            try:
                recipe = Recipe.model_validate(self.data)
            except ValidationError as error:
                for path, message in explain(error):
                    self.problem(path, message)
                recipe = self._stack_alone()
        else:
            self.problem((), "not a recipe. Expected a map with name, data, model and train.")
        if recipe is not None:
            from zoo.plan import problems

            for path, message in problems(recipe):
                self.problem(path, message)
            if recipe.tune is not None and space:
                from zoo.recipe.space import problems as misplaced

                for path, message in misplaced(self.data, recipe.tune):
                    self.problem(path, message)
        if self.problems or recipe is None:
            raise RecipeError(sorted(self.problems, key=lambda p: (p.line is None, p.line or 0)))
        return resolved(recipe)
