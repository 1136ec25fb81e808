"""The learning rate that `zoo check` suggests, and `--write`, which writes it into a copy."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.cli.output import Output
from zoo.errors import RecipeError

if TYPE_CHECKING:
    from zoo.checks.judge.rates import RoundedSuggestion
    from zoo.recipe import Recipe, Template


def suggest_rate(
    out: Output,
    loaded: Recipe,
    suggestion: RoundedSuggestion | None,
    recipe: str,
    overrides: Sequence[str],
    write: Path | None,
) -> None:
    """Print the suggested learning rate and, with `--write`, write it into a copy of the recipe."""
    if suggestion is None:
        if write is not None:
            out.note("nothing written: the scan suggests no learning rate; C14 says why")
        return
    rate, (low, high) = suggestion["learning_rate"], suggestion["search"]
    out.text(f"suggested learning rate {rate:g}; search from {low:g} to {high:g}")
    if write is None:
        return
    from zoo import recipe as recipes
    from zoo.editor.user_file import create

    optimizer = loaded.train.optimizer.word
    tune = _tune_block(recipes.Template(recipe, overrides), optimizer, (low, high))
    changes = [f"train.optimizer.{optimizer}.learning_rate={rate:g}", f"tune={json.dumps(tune)}"]
    changed = recipes.load(recipe, [*overrides, *changes])
    header = f"# zoo check: learning rate {rate:g}; `zoo tune` searches from {low:g} to {high:g}\n"
    text = _changed_text(recipe, changed, [*overrides, *changes], write)
    create(write, (header + text).encode())
    out.result({"written": str(write)})
    out.text(f"recipe    {write}")


def _tune_block(template: Template, optimizer: str, rates: tuple[float, float]) -> dict[str, Any]:
    """Return the recipe's `tune:` block, or a proposed one, with this range of learning rates."""
    from zoo.recipe.tune import proposal

    given = template.data.get("tune")
    if not isinstance(given, dict):
        return proposal(optimizer, template.recipe.train.epochs, rates)
    entry = {"min_value": rates[0], "max_value": rates[1], "sampling": "log"}
    path = f"train.optimizer.{optimizer}.learning_rate"
    return {**given, "space": {**given["space"], path: entry}}


def _changed_text(recipe: str, changed: Recipe, changes: Sequence[str], file: Path) -> str:
    """Return the text of a changed recipe.

    That is the recipe's own text, with its comments, each value changed in its place, if it says
    the same where it is to stand; else the changed recipe written out.
    """
    from zoo import recipe as recipes
    from zoo.editor.edit import CannotEdit
    from zoo.loading import load_text
    from zoo.verbs.fixing import CLAIM, assignments, with_values

    text = CLAIM.sub("", recipes.find(recipe).read_bytes().decode("utf-8-sig"))
    try:
        *values, (_, tune) = assignments(changes)
        edited = _with_tune(with_values(text, values), tune)
        if load_text(edited, file) == changed:
            return edited
    except (CannotEdit, RecipeError):
        pass  # Paths relative to the recipe lead elsewhere from there.
    return recipes.dump(changed)


def _with_tune(text: str, tune: dict[str, Any]) -> str:
    """Return the text of a recipe with a block `tune`: at its end, if it has none."""
    from zoo.editor.recipe_edit import set_value
    from zoo.recipe.writing import dump_data
    from zoo.recipe.yaml_reader import read_text

    if "tune" in read_text(text).data:
        return set_value(text, ("tune",), tune).text
    return f"{text.rstrip()}\n{dump_data({'tune': tune})}"
