"""The parts that a recipe names, from its loading to its run folder. Light until they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import PluginError, Problem, RecipeError, RunError
from zoo.plugins import permission, reading, reference, running, source
from zoo.plugins.part import Part
from zoo.plugins.unknown import Unknown
from zoo.recipe.moved import is_moved_part
from zoo.recipe.schema import Recipe
from zoo.recipe.yaml_reader import dotted
from zoo.rundir import Run, write_text
from zoo.rundir.folder import Folder
from zoo.text.printable import quoted

# (references) -> whether `start` has told of them in this process.
_told: set[tuple[str, ...]] = set()


def parts_of(recipe: Recipe) -> list[Part]:
    """The parts that a resolved recipe names.

    Raises:
        RecipeError: one of them is no longer there.
    """
    return [reading.read_one(text) for text in recipe.plugins]


def require(recipe: Recipe) -> None:
    """Refuses a recipe whose parts the user has not allowed, before anything is imported.

    Raises:
        PluginRefused: names each part, its file and line, and how to allow it.
        UsageError: the user's configuration is broken.
    """
    permission.require(parts_of(recipe))


def start(recipe: Recipe, say: Callable[[str], None] | None = None) -> None:
    """Runs the code of a recipe's parts, and checks what only that tells. Keras is imported.

    Args:
        recipe: resolved.
        say: told in a line which code runs, once a process.

    Raises:
        PluginRefused: the user has not allowed it.
        PluginError: it failed, or a model file could not hold a layer.
        RecipeError: the network cannot be built with it.
    """
    if not recipe.plugins:
        return
    parts = parts_of(recipe)
    permission.require(parts)
    _require_names(parts)
    lines = [
        f"runs {part.word} of {part.origin.place} (sha256 {part.origin.sha256[:12]})"
        for part in parts
    ]
    for part in parts:
        running.load(part)
    from zoo import plan
    from zoo.plugins import keras_parts

    if say is not None and recipe.plugins not in _told:
        _told.add(recipe.plugins)
        for line in [*lines, *keras_parts.step_notes(recipe.train.callbacks)]:
            say(line)

    problems = plan.problems(recipe)
    if problems:
        raise RecipeError(Problem(path=dotted(path), message=text) for path, text in problems)


def _require_names(parts: Sequence[Part]) -> None:
    """Refuses two parts that a model file would call by one name, `FILE>NAME`.

    Raises:
        PluginError: there are such.
    """
    known: dict[tuple[str, str], Part] = {}
    for part in parts:
        name = (part.origin.module or part.origin.file.stem, part.origin.name)
        other = known.setdefault(name, part)
        if other.origin.file != part.origin.file:
            raise PluginError(
                f"{other.word} ({other.origin.place}) and {part.word} ({part.origin.place}) would "
                f"have one name in a model file, {'>'.join(name)}. Rename one of the files, or the "
                f"{part.origin.name} in it."
            )


def recorded(recipe: Recipe) -> dict[str, Any]:
    """What run.json, folds.json and tune.json say of a recipe's parts; empty without parts."""
    if not recipe.plugins:
        return {}
    return {"plugins": [part.as_json() for part in parts_of(recipe)]}


def keep_sources(run: Run, recipe: Recipe) -> None:
    """Copies the text of a recipe's parts into the run folder, for reading: it is never run.

    Raises:
        StorageFault: the disk did not take it.
    """
    for file in dict.fromkeys(part.origin.file for part in parts_of(recipe)):
        text = source.read(file).text
        write_text(run.plugin_copy(file.name), text)


def require_recorded(
    run: Folder, info: Mapping[str, Any], overrides: Sequence[str] = ()
) -> list[str]:
    """Refuses a run whose parts are no longer those that it was trained with.

    Args:
        run: the run, cross-validation or search.
        info: its run.json, folds.json or tune.json.
        overrides: `--set`; one of `plugins` says where they are now.

    Returns:
        The overrides of `plugins`.

    Raises:
        RunError: a file is missing or was changed.
    """
    moved = [change for change in overrides if is_moved_part(change)]
    for entry in () if moved else info.get("plugins") or ():
        file = Path(entry["file"])
        try:
            digest = _digest_now(entry)
        except Unknown as error:
            raise _changed(run, entry, str(error).removesuffix(".")) from None
        _require_digest(run, entry, file, digest)
    return moved


def _digest_now(entry: Mapping[str, Any]) -> str:
    """The digest of what an entry of `plugins` names, now; of a module, wherever it is installed.

    Raises:
        Unknown: it is not there.
    """
    if reference.parse(entry["reference"]).is_file:
        return source.read(Path(entry["file"])).sha256
    return reading.read(entry["reference"]).origin.sha256


def require_of_run(run: Run, overrides: Sequence[str] = ()) -> None:
    """Refuses a run whose parts may not run, or have changed, before anything is imported.

    Args:
        run: the run.
        overrides: `--set`.

    Raises:
        RunError: a file is missing or was changed.
        PluginRefused: the user has not allowed the code.
    """
    info = run.info()
    entries = info.get("plugins") or ()
    if not require_recorded(run, info, overrides):
        permission.require(reading.read_one(entry["reference"]) for entry in entries)


def require_same(run: Folder, info: Mapping[str, Any], recipe: Recipe) -> None:
    """Refuses a run's recipe whose parts are not those that run.json names.

    Args:
        run: the run, cross-validation or search.
        info: its run.json, folds.json or tune.json.
        recipe: the run's, loaded.

    Raises:
        RunError: they differ.
    """
    entries = {entry["word"]: entry for entry in info.get("plugins") or ()}
    for part in parts_of(recipe):
        entry = entries.get(part.word)
        if entry is None:
            raise RunError(
                f"{run.info_file}: says nothing of {part.word} ({part.origin.place}), which the "
                "run's recipe names: one of the two was edited. Bring them back from a copy."
            )
        if part.origin.name != entry["name"]:
            reason = f"{part.word} is now {part.origin.name} of {quoted(part.origin.file)}"
            raise _changed(run, entry, reason)
        _require_digest(run, entry, part.origin.file, part.origin.sha256)


def start_recorded(entries: Sequence[Mapping[str, Any]], where: str) -> None:
    """Runs the parts that an export needs, as its manifest names them.

    Args:
        entries: as `Part.as_json` writes them.
        where: the export, for errors.

    Raises:
        PluginRefused: the user has not allowed their code.
        RunError: a file is missing or was changed.
        PluginError: their code failed.
    """
    parts = []
    for entry in entries:
        try:
            part = reading.read(str(entry["reference"]))
            fault = "was changed" if part.origin.sha256 != entry["sha256"] else ""
        except Unknown as error:
            fault = str(error)
        if fault:
            raise RunError(
                f"{where}: holds {entry['word']} of {entry['file']}: {fault.removesuffix('.')}. "
                "Bring that text back, or export the run again; a SavedModel and an ONNX file need "
                "no such file."
            )
        parts.append(part)
    permission.require(parts)
    for part in parts:
        running.load(part)


def _require_digest(run: Folder, entry: Mapping[str, Any], file: Path, digest: str) -> None:
    if digest != entry["sha256"]:
        raise _changed(
            run, entry,
            f"{quoted(file)} was changed since then (sha256 {digest[:12]}, not "
            f"{entry['sha256'][:12]})",
        )  # fmt: skip


def _changed(run: Folder, entry: Mapping[str, Any], reason: str) -> RunError:
    kept = ""
    if isinstance(run, Run):
        copy = run.plugin_copy(Path(entry["file"]).name)
        kept = f" (the run has a copy to read and compare, {copy})"
    word = "" if entry["word"] == entry["name"] else f"{entry['word']} = "
    return RunError(
        f"{run}: was begun with {entry['word']} of {entry['file']}: {reason}. It stays as it was "
        f"begun: bring that text back{kept}, name where it is now with "
        f'--set "plugins=[{word}FILE.py:{entry["name"]}]", or begin anew.'
    )
