"""A recipe on its way from text to `Recipe`: its data, where they come from, what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from zoo.errors import Problem, RecipeError, UsageError
from zoo.recipe import extends, own_parts, presets, space, warmup
from zoo.recipe.backbone import backbone_of, with_backbone
from zoo.recipe.blocks import Expansion, Origin, expand
from zoo.recipe.network import Network
from zoo.recipe.overrides import fault, parse_path, put
from zoo.recipe.own_words import Vocabulary, known
from zoo.recipe.places import KEYS, place, place_path
from zoo.recipe.problems import explain
from zoo.recipe.resolve import resolved
from zoo.recipe.schema import Recipe
from zoo.recipe.writing import unreadable
from zoo.recipe.yaml_reader import Document, KeyPath, dotted, read_text
from zoo.text.shortened import start_of

_NUMBER = re.compile(r"\d[\d,.]*")

# What a check of a whole recipe finds: sentences, each with the path that it is about.
Check = Callable[[Recipe], Iterable[tuple[KeyPath, str]]]


@dataclass
class Draft:
    """A recipe's data before they are checked, and where each value came from.

    Attributes:
        document: as it was read, then with its base and its preset written out
            (`zoo.recipe.extends`); its problems are the draft's first.
        problems: found so far.
        origins: path -> text of the override that set it, the last override first.
        broken: paths at which the reader found a problem; what the schema says there would only
            follow from that.
        data: of the document, with overrides.
        notes: what a relative path was taken for, and what an override changed beside its value.
        epochs_before: `train.epochs` before the first override of it; None if there is none.
        expansion: the data with the uses of blocks written out, once they are checked.
        own: the words of the user's own parts that `plugins` names, once they are read.
        repeats: (path, message but for its numbers) -> how often that problem was found.
    """

    document: Document
    problems: list[Problem] = field(default_factory=list)
    origins: dict[KeyPath, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    data: Any = None
    notes: list[str] = field(default_factory=list)
    epochs_before: Any = None
    expansion: Expansion = field(init=False)
    own: Vocabulary = field(default_factory=Vocabulary)
    repeats: Counter[tuple[str | None, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Writes out the base and the preset.

        Raises:
            RecipeError: the recipe that this one extends cannot be used.
        """
        self.document = extends.written_out(self.document)
        self.data = self.document.data
        self.expansion = Expansion(self.data)
        for problem in self.document.problems:
            self._add_from_reader(problem)

    def add(self, path: KeyPath, message: str) -> None:
        """Adds a problem, unless one that is known at that path explains it already.

        Args:
            path: in the data as they are checked, blocks written out.
            message: what is wrong.
        """
        if not self.expansion.is_broken(path):
            self._add(self.expansion.origin_of_problem(path), message)

    def _add(self, origin: Origin, message: str) -> None:
        at = f"{dotted(origin.path)}."
        if any(at.startswith((f"{known}.", f"{known}[")) for known in self.broken):
            return
        problem = self._problem(origin, message)
        # Each use of a block shows the mistake that the block holds.
        key = (problem.path, _NUMBER.sub("", message))
        self.repeats[key] += 1
        if self.repeats[key] == 1 or not (origin.uses or origin.place):
            self.problems.append(problem)

    def located(self, path: KeyPath, message: str) -> Problem:
        """A problem at a path, with the file and line, or the override, that it comes from."""
        return self._problem(self.expansion.origin(path), message)

    def cautions(self, found: Iterable[tuple[KeyPath, str]]) -> list[Problem]:
        """What a valid recipe may do but is likely to regret, each told once.

        Args:
            found: as (path, sentence), the path in the resolved recipe.
        """
        problems = [
            self._problem(Origin(path), text)
            for path, text in self.expansion.cautions
            # A variant need not use all blocks of its base.
            if self.document.place(path)[0] == self.document.file
        ]
        problems += [self.located(path, text) for path, text in found]
        given = self.data.get(own_parts.KEY)
        problems += [self.located(*each) for each in own_parts.cautions(self.own, given)]
        return list({(each.path, each.message): each for each in reversed(problems)}.values())[::-1]

    def _problem(self, origin: Origin, message: str) -> Problem:
        file, line = self._place(origin.path)
        # A line without a file is one of the file that the problem itself names.
        near = file if line is not None else self.document.file
        uses = [f"used at {self._named(use, near)}" for use in origin.uses]
        if origin.place:
            uses.insert(0, f"{origin.text} at {self._named(origin.place, near)}")
        return Problem(
            message=message,
            file=file,
            line=line,
            path=dotted(origin.path) or None,
            use=", ".join(uses) or None,
        )

    def _place(self, path: KeyPath) -> tuple[str | None, int | None]:
        """The file and line, or the override, that a value of the recipe as given comes from."""
        override = next((text for at, text in self.origins.items() if path[: len(at)] == at), None)
        if override:
            return override, None
        return self.document.place(path)

    def _named(self, path: KeyPath, near: str | None) -> str:
        """A place of the recipe as given, with its line or override.

        Args:
            path: the place.
            near: the file whose lines need no name.
        """
        file, line = self._place(path)
        own = f"line {line}" if file == near else f"{file}:{line}"
        place = file if line is None else own
        return f"{dotted(path)}, {place}" if place else dotted(path)

    def override(self, override: str) -> None:
        """Sets a value, given as `a.b[0].c=VALUE`; what is wrong with it becomes a problem.

        Raises:
            UsageError: not of this form.
        """
        target, equals, text = override.partition("=")
        path = parse_path(target.strip())
        origin = f"--set {start_of(override, 200)}"
        if not equals or path is None:
            raise UsageError(
                f"{origin}: not a change. Expected PATH=VALUE, "
                "for example train.epochs=5 or model.stack[0].conv.filters=32."
            )
        with own_parts.known_in(self.data, self.folder_of):
            self._override(path, origin, text)

    def _override(self, path: KeyPath, origin: str, text: str) -> None:
        """Sets a value, given as text; what is wrong with it becomes a problem."""
        # The last override of a path is the one that holds, so it is looked up first.
        self.origins = {path: origin, **self.origins}
        try:
            document = read_text(text)
        except RecipeError as error:
            self.add(path, error.problems[0].message)
            return
        for problem in document.problems:
            inner = f".{problem.path}" if problem.path else ""
            at = (dotted(path) + inner).replace(".[", "[")
            self._add_from_reader(replace(problem, file=origin, line=None, path=at))
        if not isinstance(self.data, dict):
            self.data = {}
        misplaced = fault(self.data, path)
        if misplaced is None:
            if path == warmup.EPOCHS and self.epochs_before is None:
                self.epochs_before = (self.data.get("train") or {}).get("epochs")
            put(self.data, path, document.data)
            if path in (("data",), presets.PATH):
                self._write_preset(path)
        else:
            at_fault, message = misplaced
            self.origins = {at_fault: origin, **self.origins}
            self.add(at_fault, message)

    def _write_preset(self, path: KeyPath) -> None:
        """Writes the preset of `data` out that an override gave."""
        block = self.data["data"]
        if path == presets.PATH:
            block = {key: value for key, value in block.items() if key not in presets.IDENTITY}
        document = extends.with_preset(Document({"data": block}, {}, (), None))
        self.data["data"] = document.data["data"]
        for problem in document.problems:
            self.add(path, problem.message)
            self.broken.append("data")

    def checked(self, check: Check, with_space: bool = True) -> Recipe:
        """The recipe, valid and resolved.

        Args:
            check: finds what is wrong with a recipe whose words are valid.
            with_space: whether the search space is checked, too.

        Raises:
            RecipeError: all problems, in the order of the file's lines.
        """
        self._fit_warmup()
        self.own, faults = own_parts.vocabulary(self.data, self.folder_of)
        for path, message in faults:
            self.add(path, message)
        with known(self.own):
            return self._checked(check, with_space)

    def expanded(self) -> None:
        """Writes the uses of blocks out, for the places of problems that are found later."""
        self.own, _ = own_parts.vocabulary(self.data, self.folder_of)
        with known(self.own):
            self.expansion = expand(self.data)

    def folder_of(self, path: KeyPath) -> Path | None:
        """The folder that a relative file of `plugins` is found from: the recipe's, or None."""
        typed = any(path[: len(at)] == at for at in self.origins)
        return None if typed else own_parts.folder_of(self.document, path)

    def _checked(self, check: Check, with_space: bool) -> Recipe:
        self.expansion = expand(self.data)
        for each in self.expansion.faults:
            self._add(each.origin, each.message)
        recipe = self._validated()
        if recipe is not None:
            recipe = self._placed(recipe)
            # Stages are missing where blocks could not be written out.
            for path, message in check(recipe) if not self.expansion.faults else ():
                self.add(path, message)
            if recipe.tune is not None and with_space:
                for path, message in space.problems(self.data, recipe.tune):
                    self.add(path, message)
            if not self.problems:
                recipe = resolved(recipe)
                self._require_readable(recipe)
        if self.problems or recipe is None:
            raise RecipeError(sorted(self.problems, key=self._order))
        return recipe

    def _order(self, problem: Problem) -> tuple[bool, bool, int]:
        """The file's own lines first, then those of its base, then overrides."""
        return problem.line is None, problem.file != self.document.file, problem.line or 0

    def _fit_warmup(self) -> None:
        """Shrinks the file's warm-up in proportion where an override of the epochs leaves it over.

        A training of one epoch is what many try first. A warm-up that was itself set by an override
        is left to be refused.
        """
        if self.epochs_before is None or any(
            at == warmup.SCHEDULE[: len(at)] or at[:2] == warmup.SCHEDULE for at in self.origins
        ):
            return
        shrunk = warmup.shrunk(self.data, self.epochs_before)
        if shrunk is not None:
            path, before, now = shrunk
            put(self.data, path, now)
            epochs = self.data["train"]["epochs"]
            self.notes.append(warmup.note(path, before, self.epochs_before, now, epochs))

    def _require_readable(self, recipe: Recipe) -> None:
        """Refuses a recipe that could not be read again with all its defaults written out."""
        too_long = unreadable(recipe, self.expansion.data)
        if too_long is not None:
            self.add(*too_long)

    def _placed(self, recipe: Recipe) -> Recipe:
        """The recipe with the absolute paths of its source and of trained weights."""
        recipe = recipe.model_copy(update={"model": self._with_weights_placed(recipe.model)})
        source = recipe.data.source
        key = ("data", "source", source.word, KEYS.get(source.word, ""))
        typed = any(key[: len(at)] == at for at in self.origins)
        placed = place(source, self.document.file_of(key), typed=typed)
        if placed.fault and placed.key:
            self.add(placed.key, placed.fault)
        if placed.note and placed.key:
            self.notes.append(f"{dotted(placed.key)}: {placed.note}")
        if placed.root_note:
            self.notes.append(f"data.source.csv.root: {placed.root_note}")
        data = recipe.data.model_copy(update={"source": placed.source})
        plugins = own_parts.references(self.own)
        return recipe.model_copy(update={"data": data, "plugins": plugins})

    def _with_weights_placed(self, model: Network) -> Network:
        """The network with the absolute paths of the weights that it starts from."""
        weights, stage = model.weights, backbone_of(model)
        if weights is not None and weights.source is not None:
            path = self._placed_path(("model", "weights", "from"), weights.source)
            model = model.model_copy(update={"weights": weights.with_source(path)})
        if stage is not None and stage.file is not None:
            key = ("model", "stack", 0, "backbone", "weights")
            path = self._placed_path(key, stage.file)
            model = with_backbone(model, stage.model_copy(update={"weights": path}))
        return model

    def _placed_path(self, key: KeyPath, path: str) -> str:
        typed = any(key[: len(at)] == at for at in self.origins)
        placed = place_path(path, self.document.file_of(key), typed=typed)
        if placed.fault:
            self.add(key, placed.fault)
        if placed.note:
            self.notes.append(f"{dotted(key)}: {placed.note}")
        return placed.path

    def _add_from_reader(self, problem: Problem) -> None:
        self.problems.append(problem)
        if problem.path:
            self.broken.append(problem.path)

    def _validated(self) -> Recipe | None:
        """The data as a recipe; where they are none, as much of it as can be checked further."""
        if self.data is None:
            self.add((), "the recipe is empty. See `zoo show digits-tiny` for one that works.")
            return None
        if not isinstance(self.data, dict):
            self.add((), "not a recipe. Expected a map with name, data, model and train.")
            return None
        try:
            return Recipe.model_validate(self.expansion.data)
        except ValidationError as error:
            for path, message in explain(error):
                self.add(path, message)
            return self._network_alone()

    def _network_alone(self) -> Recipe | None:
        """Data and model with a name and a training that are valid, to check the stack as well."""
        network = {key: self.expansion.data.get(key) for key in ("data", "model")}
        try:
            return Recipe.model_validate({"name": "stack", "train": {"epochs": 1}, **network})
        except ValidationError:
            return None
