"""Reads a recipe from a file or by name, applies `--set`, and reports all its problems at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from zoo import reader
from zoo.errors import Problem, RecipeError, UsageError
from zoo.reader import Path, dotted
from zoo.recipe.problems import explain, model_at, unknown_key
from zoo.recipe.resolve import resolved
from zoo.recipe.schema import Recipe
from zoo.recipe.words import Choice, first_option
from zoo.shipped import shipped

_STEP = re.compile(r"([A-Za-z0-9_]+)((?:\[\d+\])*)")


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
    recipe: str, sets: Sequence[str] = (), warn: Callable[[Problem], None] | None = None
) -> Recipe:
    """Loads, checks and resolves a recipe.

    Args:
        recipe: a path, or the name of a recipe that ships.
        sets: changes as `a.b[0].c=VALUE`, the value in YAML; checked like the file.
        warn: called with what is allowed and likely to hurt, with file, line and path.

    Returns:
        The recipe with every default written out.

    Raises:
        UsageError: no such recipe, or a change that is not of this form.
        RecipeError: all problems of the recipe, each with file, line and path.
    """
    draft = _Draft(reader.read_file(find(recipe)))
    for change in sets:
        draft.set(change)
    loaded = draft.finish()
    if warn:
        from zoo.plan import cautions

        for path, message in cautions(loaded):
            warn(draft.located(path, message))
    return loaded


def reload(file: FilePath, sets: Sequence[str] = ()) -> Recipe:
    """Loads the recipe of a run; only `data.source` may be changed, for data that were moved.

    Raises:
        UsageError: a change of anything else.
    """
    for change in sets:
        if not change.replace(" ", "").startswith(("data.source=", "data.source.")):
            raise UsageError(
                f"--set {change}: a run stays as it was begun; only data.source may be changed, "
                f"for data that were moved. Start a new run: zoo train {file} --set ..."
            )
    return load(str(file), sets)


@dataclass
class _Draft:
    """A recipe's data before it is checked, and where each value came from.

    `broken` are the places where the reader found something: what the schema says there only
    follows from that.
    """

    document: reader.Document
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
            document = reader.read_text(text)
        except RecipeError as error:
            self.problem(path, error.problems[0].message)
            return
        for problem in document.problems:
            inner = f".{problem.path}" if problem.path else ""
            at = (dotted(path) + inner).replace(".[", "[")
            self.read_problem(replace(problem, file=f"--set {change}", line=None, path=at))
        if not isinstance(self.data, dict):
            self.data = {}
        fault = _fault(self.data, path)
        if fault is None:
            _put(self.data, path, document.data)
        else:
            where, message = fault
            self.origins = {where: f"--set {change}", **self.origins}
            self.problem(where, message)

    def _stack_alone(self) -> Recipe | None:
        """The recipe with its name and training left out: its stack may be wrong as well."""
        rest = {key: self.data.get(key) for key in ("data", "model")}
        try:
            return Recipe.model_validate({"name": "stack", "train": {"epochs": 1}, **rest})
        except ValidationError:
            return None

    def finish(self) -> Recipe:
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
        if self.problems or recipe is None:
            raise RecipeError(sorted(self.problems, key=lambda p: (p.line is None, p.line or 0)))
        return resolved(recipe)


def parse_path(text: str) -> Path | None:
    """`a.b[0].c` as ("a", "b", 0, "c"); None where it is not a path."""
    path: list[str | int] = []
    for step in text.split("."):
        match = _STEP.fullmatch(step)
        if match is None:
            return None
        path.append(match[1])
        path.extend(int(index) for index in re.findall(r"\d+", match[2]))
    return tuple(path)


def _fault(data: Any, path: Path) -> tuple[Path, str] | None:
    """Where and why a path cannot be set in a recipe's data; None: it can."""
    here = data
    for index, part in enumerate(path):
        block, at = path[:index], path[: index + 1]
        if isinstance(here, list):
            if not isinstance(part, int):
                return at, f"{dotted(block)} is a list; write its items as {dotted(block)}[0]."
            if part >= len(here):
                return at, f"there is no item {part}; {dotted(block)} has {_items(len(here))}."
            here = here[part]
            continue
        if isinstance(part, int):
            return at, f"{dotted(block)} is not a list, so it has no item {part}."
        model = model_at(block)
        if model is None:
            return at, f"nothing to set '{part}' in; {dotted(block)} holds a value, not a map."
        if part not in model.model_fields:
            return at, unknown_key(at)
        words = _keys(here)
        if issubclass(model, Choice) and words and part not in words:
            return at, (
                f"the recipe has {words[0]} there. To take another word, set all of it: "
                f"{dotted(block)}={{{part}: ...}}"
            )
        here = here.get(part) if isinstance(here, dict) else None
    return None


def _items(count: int) -> str:
    return f"{count} item, [0]" if count == 1 else f"{count} items, [0] to [{count - 1}]"


def _keys(value: Any) -> list[str]:
    """The keys of a value, as far as it is a word or a map of words."""
    if isinstance(value, str):
        return [value]
    return list(value) if isinstance(value, dict) else []


def _put(data: Any, path: Path, value: Any) -> None:
    """Sets a value at a path that `_fault` found nothing wrong with."""
    here: Any = data
    for index, part in enumerate(path[:-1]):
        child: Any = here.get(part) if isinstance(here, dict) else here[part]
        if not isinstance(child, dict | list):
            child = _opened(child, path[: index + 1])
            here[part] = child
        here = child
    here[path[-1]] = value


def _opened(value: Any, path: Path) -> dict[str, Any]:
    """A short form written out, so that a key can be set in it.

    `optimizer: SGD` is `optimizer: {SGD: {}}`, and `SGD: 0.1` is `SGD: {learning_rate: 0.1}`.
    """
    model = model_at(path)
    if value is None or value == "none" or model is None or not model.model_fields:
        return {}
    if issubclass(model, Choice):
        return {str(value): {}}
    parent = model_at(path[:-1])
    short = parent is not None and issubclass(parent, Choice)
    return {first_option(model): value} if short else {}
