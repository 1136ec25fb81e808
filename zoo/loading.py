"""Loads recipes: reads one, applies overrides, and reports all its problems at once.

Here `zoo.recipe`, which knows words, and `zoo.plan`, which knows networks, meet: a recipe may be
valid word by word and yet describe a network that cannot be built. Scripts import these names as
`zoo.recipe.load`, `zoo.recipe.reload`, `zoo.recipe.locator` and `zoo.recipe.Template`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from zoo import plan
from zoo.errors import Problem, RecipeError, UsageError, ZooError
from zoo.plugins import installed
from zoo.plugins.part import Part
from zoo.recipe import foreign, own_parts
from zoo.recipe.backbone import backbone_of
from zoo.recipe.blocks import expand
from zoo.recipe.draft import Draft
from zoo.recipe.moved import is_moved, is_moved_part
from zoo.recipe.overrides import parse_path, put, with_values
from zoo.recipe.schema import Recipe
from zoo.recipe.shipped import find
from zoo.recipe.writing import dump_data
from zoo.recipe.yaml_reader import Document, read_text

# The path of a file, the name of a recipe that ships, or data that were read already.
Source = str | Document
Warn = Callable[[Problem], None]
Say = Callable[[str], None]


def load(
    recipe: Source,
    overrides: Sequence[str] = (),
    warn: Warn | None = None,
    say: Say | None = None,
) -> Recipe:
    """Loads, checks and resolves a recipe.

    Args:
        recipe: path of a file, name of a recipe that ships, or a recipe's data.
        overrides: changes as `a.b[0].c=VALUE`, the value in YAML; checked like the file.
        warn: called with each thing that is allowed and likely to hurt.
        say: called with a sentence on where a relative path of `data.source` leads, and on what an
            override changes beside its value.

    Returns:
        The recipe with every default written out.

    Raises:
        UsageError: there is no such recipe, or an override is not of this form.
        RecipeError: all problems of the recipe, each with file, line and path.
    """
    return _load(_draft(recipe, overrides), warn, say)


def load_text(text: str, file: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Loads, checks and resolves the text of a recipe, as `load` does.

    Args:
        text: of the recipe.
        file: where the text is to stand: relative paths are found from there.
        overrides: as `load` takes them.

    Raises:
        UsageError: an override is not of this form.
        RecipeError: all problems of the recipe.
    """
    draft = Draft(read_text(text, str(file)))
    for override in overrides:
        draft.override(override)
    return _load(draft, None, None)


def own_parts_of(recipe: str) -> list[Part]:
    """The parts of a user's own that a recipe names, and those of installed packages. Runs nothing.

    Args:
        recipe: as `load` takes it.

    Raises:
        RecipeError: a part cannot be read.
    """
    draft = _draft(recipe, ())
    own, faults = own_parts.vocabulary(draft.data, draft.folder_of)
    if faults:
        raise RecipeError(draft.located(*fault) for fault in faults)
    named = [*own.parts.values()]
    return [*named, *(part for part in installed.all_parts() if part.word not in own.parts)]


def written_out(file: Path) -> Any:
    """The data of a recipe's file, with its base, preset, `set` and blocks written out.

    That is what `extends`, `set`, the preset of data and blocks stand for; not defaults.

    Raises:
        RecipeError: the file, or the recipe that it extends, cannot be read.
    """
    data = expand(Draft(foreign.read(file)).data).data
    model = data.get("model") if isinstance(data, Mapping) else None
    if isinstance(model, Mapping):
        data = {**data, "model": {key: model[key] for key in model if key != "blocks"}}
    return data


def reload(file: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Loads the recipe of a run; what was moved may have another place: data, own parts.

    Args:
        file: the run's recipe.
        overrides: as `load` takes them.

    Raises:
        UsageError: an override of anything else.
        RecipeError: as `load`.
    """
    require_source_alone(file, overrides)
    return load(str(file), overrides)


def require_source_alone(file: Path, overrides: Sequence[str]) -> None:
    """Refuses changes of a run's recipe other than of `data.source` and `plugins`.

    Args:
        file: the run's recipe.
        overrides: as `load` takes them.

    Raises:
        UsageError: an override of anything else.
    """
    for override in overrides:
        if not is_moved(override):
            raise UsageError(
                f"--set {override}: a run stays as it was begun; only data.source and plugins may "
                "be changed, for data and parts of your own that were moved, and with `zoo train "
                f"--resume` train.epochs, for more of them. Start a new run: zoo train {file} "
                "--set ..."
            )


def locator(recipe: Source, overrides: Sequence[str] = ()) -> Callable[[Problem], Problem]:
    """Returns a function that finds the place of a problem in a recipe.

    Some problems are found long after a recipe was loaded, such as trained weights that are not
    there. They know their key alone, as `path`; the function adds file and line, or the override.

    Args:
        recipe: as `load` takes it; it is read again for the first such problem.
        overrides: as `load` takes them.
    """

    @cache
    def draft() -> Draft | None:
        try:
            found = _draft(recipe, overrides)
        except ZooError:  # The recipe was moved or edited since it was loaded.
            return None
        found.expanded()
        return found

    def locate(problem: Problem) -> Problem:
        path = parse_path(problem.path or "")
        if problem.file is not None or path is None:
            return problem
        found = draft()
        return problem if found is None else found.located(path, problem.message)

    return locate


class Template:
    """A recipe into which a search puts values.

    Attributes:
        recipe: without such values, resolved.
        data: of the recipe as given, overrides made, with absolute paths of its source and of
            trained weights: a search may be resumed from another folder.
        moved: the overrides that say where its images and the user's own parts are, with absolute
            paths, if some do.
    """

    def __init__(
        self,
        recipe: Source,
        overrides: Sequence[str] = (),
        warn: Warn | None = None,
        say: Say | None = None,
    ) -> None:
        """Loads a recipe, with the arguments and errors of `load`."""
        draft = _draft(recipe, overrides)
        self.recipe = _load(draft, warn, say)
        source = self.recipe.data.source.model_dump()
        names_source = any(override.strip().startswith("data.source") for override in overrides)
        self.moved = [f"data.source={json.dumps(source)}"] if names_source else []
        if any(map(is_moved_part, overrides)):
            self.moved.append(f"plugins={json.dumps(self.recipe.plugins)}")
        data = {**draft.data.get("data", {}), "source": source}
        self.data: dict[str, Any] = {**draft.data, "data": data}
        if self.recipe.plugins:
            self.data["plugins"] = list(self.recipe.plugins)
        weights = self.recipe.model.weights
        if weights is not None and weights.source is not None:
            model = self.data["model"]
            placed = {**model["weights"], "from": weights.source}
            self.data["model"] = {**model, "weights": placed}
        stage = backbone_of(self.recipe.model)
        first = self.data["model"]["stack"][0]
        if stage and stage.file and isinstance(first, dict) and "backbone" in first:
            put(self.data, ("model", "stack", 0, "backbone", "weights"), stage.file)

    def dump(self, values: Mapping[str, Any] | None = None) -> str:
        """The recipe as it was given, overrides made, as YAML; with values at their paths."""
        return dump_data(with_values(self.data, values or {})[0])

    def filled(self, values: Mapping[str, Any]) -> Recipe:
        """The recipe with values at their paths, resolved.

        Raises:
            RecipeError: the values do not fit together, or the network cannot be built.
        """
        data, path, why = with_values(self.data, values)
        draft = Draft(Document(data=data, lines={}, problems=(), file=None))
        if path is not None:
            raise RecipeError([draft.located(path, why)])
        return draft.checked(plan.problems, with_space=False)


def _draft(recipe: Source, overrides: Sequence[str]) -> Draft:
    if isinstance(recipe, Document):  # An override changes the data in place.
        draft = Draft(replace(recipe, data=deepcopy(recipe.data)))
    else:
        draft = Draft(foreign.read(find(recipe)))
    for override in overrides:
        draft.override(override)
    return draft


def _load(draft: Draft, warn: Warn | None, say: Say | None) -> Recipe:
    recipe = draft.checked(plan.problems)
    if say:
        for note in draft.notes:
            say(note)
    if warn:
        for caution in draft.cautions(plan.cautions(recipe)):
            warn(caution)
    return recipe
