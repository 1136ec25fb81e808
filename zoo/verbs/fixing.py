"""`zoo check --fix`: plans the changes of a recipe's text that the findings advise. Light."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.checks.fixes import Fix, choose
from zoo.editor.edit import CannotEdit, Edit
from zoo.editor.modeline import ADDRESS, address_of, is_ours, with_modeline
from zoo.editor.recipe_edit import set_value
from zoo.editor.user_file import read, require_writable
from zoo.errors import RecipeError, UsageError
from zoo.loading import load, load_text
from zoo.recipe.network import Defaults
from zoo.recipe.overrides import parse_path
from zoo.recipe.shipped import find, shipped
from zoo.recipe.yaml_reader import KeyPath, dotted, read_text

if TYPE_CHECKING:
    from zoo.checks.judge import Finding
    from zoo.recipe import Recipe

# The line of a recipe that says what was measured: no longer true of a changed one.
CLAIM = re.compile(r"^# [0-9.]+ ± .*\r?\n", re.MULTILINE)


@dataclass(frozen=True)
class Change:
    """A fix in the recipe's text.

    Attributes:
        fix: what is changed.
        line: of the text, from 1.
        before: text of the old value; None if the key is new.
    """

    fix: Fix
    line: int
    before: str | None

    def as_json(self) -> dict[str, Any]:
        """The entry of `changes` under `--json`."""
        return {
            "check": self.fix.check,
            "path": dotted(self.fix.path),
            "before": self.before,
            "value": self.fix.value,
            "line": self.line,
        }


@dataclass
class PlannedFix:
    """Changes of a recipe's text that are planned.

    Attributes:
        source: the file that the recipe is read from.
        target: the file to write.
        old: content of the source.
        text: of the recipe, with the changes.
        overrides: `--set` that the text does not hold.
        changes: in the order in which they are made.
        left: (id of a check, why nothing is changed for it now).
    """

    source: Path
    target: Path
    old: bytes
    text: str
    overrides: Sequence[str]
    changes: list[Change] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)

    def diff(self) -> str:
        """What changes, line by line, as `diff -u` shows it."""
        old, new = self.old.decode().splitlines(), self.text.splitlines()
        names = (str(self.source), str(self.target))
        return "\n".join(difflib.unified_diff(old, new, *names, n=2, lineterm=""))

    def why_not(self, fix: Fix) -> str | None:
        """Why a fix cannot be made in the text; None if it can."""
        for override in self.overrides:
            at = parse_path(override.partition("=")[0].strip()) or ()
            if fix.path[: len(at)] == at or at[: len(fix.path)] == fix.path:
                return f"--set {override} decides; give --set {_override(fix)} instead"
        try:
            self.edited(fix)
        except CannotEdit as error:
            return str(error)
        return None

    def edited(self, fix: Fix) -> Edit:
        """The text with a fix, which means what the recipe means with the value set.

        Raises:
            CannotEdit: there is no such text, or the recipe would be wrong, or the same.
        """
        edit = set_value(self.text, fix.path, fix.value)
        try:
            now = load_text(self.text, self.target, self.overrides)
            then = load_text(edit.text, self.target, self.overrides)
            meant = load_text(self.text, self.target, [*self.overrides, _override(fix)])
        except RecipeError as error:
            problem = error.problems[0]
            raise CannotEdit(f"{problem.path or dotted(fix.path)}: {problem.message}") from None
        if _effective(then) == _effective(now):
            raise CannotEdit(
                f"{dotted(fix.path)} would change nothing: it has that value, or every stage has "
                "one of its own"
            )
        if then != meant:
            raise CannotEdit(f"{dotted(fix.path)} would mean something else in the file")
        return edit

    def make(self, fixes: Sequence[Fix]) -> None:
        """Make fixes in the text, each where those before it still allow it."""
        for fix in fixes:
            try:
                edit = self.edited(fix)
            except CannotEdit as error:
                self.left.append((fix.check, str(error)))
                continue
            self.text = edit.text
            self.changes.append(Change(fix, edit.line, edit.before))


def _effective(recipe: Recipe) -> Recipe:
    """A resolved recipe without the defaults of stages, which its stages hold."""
    model = recipe.model.model_copy(update={"defaults": Defaults()})
    return recipe.model_copy(update={"model": model})


def _override(fix: Fix) -> str:
    """A fix as `--set` takes it."""
    value = fix.value if isinstance(fix.value, str) else json.dumps(fix.value)
    return f"{dotted(fix.path)}={value}"


def plan(
    recipe: str, overrides: Sequence[str], findings: Sequence[Finding], write: Path | None
) -> PlannedFix:
    """Plan the changes of a recipe that findings advise.

    Args:
        recipe: path of a file, or name of a recipe that ships.
        overrides: changes as `--set` takes them; written too if another file is written.
        findings: of the recipe with its overrides.
        write: the file to write; None: the recipe's own.

    Raises:
        UsageError: the recipe ships, or its file is read-only, and no other file is given; or the
            recipe would mean something else in that file.
    """
    file = find(recipe)
    if write is None:
        require_own(recipe)
        content = read(file)
        planned = PlannedFix(file, file, content, content.decode(), overrides)
    else:
        planned = _in_another_file(recipe, file, overrides, write)
    optimizer = load(recipe, overrides).train.optimizer.word
    choice = choose(findings, optimizer, planned.why_not)
    planned.left += choice.left
    planned.make(choice.fixes)
    return planned


def require_own(recipe: str) -> None:
    """Require that a recipe's file is the user's, and may be changed.

    Raises:
        UsageError: it ships with zoo, or is read-only.
    """
    file = find(recipe)
    hint = f"To write the changed recipe to another file: --fix --write my-{file.name}"
    if file.resolve() in {path.resolve() for path in shipped().values()}:
        raise UsageError(f"{recipe} ships with zoo, and stays as it is. {hint}")
    require_writable(file, hint)


def _in_another_file(recipe: str, file: Path, overrides: Sequence[str], target: Path) -> PlannedFix:
    """The plan of a recipe that is written to another file, with its overrides, unchanged yet.

    Raises:
        UsageError: it would mean something else there.
    """
    content = read(file)
    text = CLAIM.sub("", content.decode())
    own = address_of(content)
    if own is not None and is_ours(own) and target.parent != file.parent:
        text = with_modeline(text.encode(), ADDRESS).decode()
    try:
        text = with_values(text, assignments(overrides))
        if load_text(text, target) == load(recipe, overrides):
            return PlannedFix(file, target, content, text, ())
        why = "it names paths relative to its file, or to the folder that you are in"
    except (CannotEdit, RecipeError) as error:
        why = str(error)
    raise UsageError(
        f"--write {target}: the recipe would mean something else there: {why}. Choose a file "
        f"beside {file}, or write absolute paths."
    )


def assignments(overrides: Sequence[str]) -> list[tuple[KeyPath, Any]]:
    """Overrides that were checked before, as (path, value)."""
    parted = [override.partition("=") for override in overrides]
    return [(parse_path(path.strip()) or (), read_text(text).data) for path, _, text in parted]


def with_values(text: str, values: Sequence[tuple[KeyPath, Any]]) -> str:
    """The text of a recipe with values, each set in its place.

    Raises:
        CannotEdit: one cannot be set.
    """
    for path, value in values:
        text = set_value(text, path, value).text
    return text
