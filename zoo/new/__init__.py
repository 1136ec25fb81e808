"""`zoo new`: writes a recipe for images in folders or tables, or a known data set.

`inspect_folder` and `inspect_known` look at the images, `choose` decides, `recipe_text` writes.
Nothing imports Keras; `tfds:NAME` alone imports TensorFlow Datasets.
"""

from __future__ import annotations

import errno
import shlex
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.editor.modeline import ADDRESS
from zoo.editor.schema_file import write_schema
from zoo.errors import DataError, StorageFault, UsageError
from zoo.files.storage import writing
from zoo.files.user_paths import user_path
from zoo.new.choose import Choices, choose
from zoo.new.findings import Findings
from zoo.new.recipe_name import recipe_name
from zoo.new.recipe_text import duration, recipe_text
from zoo.progress import Progress, no_progress
from zoo.recipe.presets import PRESETS
from zoo.rundir import write_text

TFDS = "tfds:"
SOURCE = "data.source."
UNKNOWN = "?"  # Stands for a column that the user does not name.

__all__ = ["NewRecipe", "duration", "new", "target_file"]


@dataclass(frozen=True)
class NewRecipe:
    """A recipe that was written.

    Args:
        file: the recipe.
        findings: what was found out about the images.
        choices: what was chosen for them.
        parameters: number of the network's parameters.
        schema: the schema that editors find through the recipe's first line; None if it could not
            be written.
    """

    file: Path
    findings: Findings
    choices: Choices
    parameters: int
    schema: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the document of `zoo new --json`."""
        chosen = {**asdict(self.choices), "parameters": self.parameters}
        return {
            "recipe": str(self.file),
            "schema": self.schema and str(self.schema),
            "findings": self.findings.as_json(),
            "chosen": chosen,
        }


def new(
    data: str,
    out: Path | None = None,
    *,
    force: bool = False,
    progress: Progress = no_progress,
    overrides: Sequence[str] = (),
) -> NewRecipe:
    """Looks at images and writes a recipe for them.

    Args:
        data: a folder, a table, `digits`, or `tfds:NAME`.
        out: the file to write; None for `<name of the data>.yaml` in the working directory.
        force: whether an existing file may be replaced.
        progress: called with (images done, images in all, what is being done).
        overrides: options of the source, such as `data.source.folder.test=eval`.

    Raises:
        UsageError: the file exists, or cannot be one, or an override is not of this form.
        RecipeError: an override has a wrong value.
        DataError: the data is missing or unusable.
        EnvironmentFault: a package is not installed.
        StorageFault: the file cannot be written.
    """
    file = target_file(data, out, force=force)
    findings = _inspect(data, progress, overrides)
    choices = choose(findings)
    text = recipe_text(findings, choices, shlex.quote(str(file)))
    parameters = _parameters(text, findings)
    _write(file, text, force=force)
    return NewRecipe(file, findings, choices, parameters, _write_schema(file))


def _write_schema(recipe: Path) -> Path | None:
    """Writes the schema beside a recipe; returns None where that is not possible.

    The recipe is good without it: an editor then says that there is no such file.
    """
    if not recipe.is_file():  # Such as /dev/stdout.
        return None
    file = recipe.parent / ADDRESS
    try:
        write_schema(file)
    except StorageFault:
        return None
    return file


def _write(file: Path, text: str, *, force: bool) -> None:
    """Writes the recipe whole or not at all.

    Raises:
        UsageError: the file appeared in the meantime.
        StorageFault: it cannot be written.
    """
    if not force:
        try:
            with writing(file):
                file.open("x").close()
        except StorageFault as error:
            raise _exists(file) if error.code == errno.EEXIST else error from None
    try:
        write_text(file, text)
    except StorageFault:
        if not force:
            file.unlink(missing_ok=True)
        raise


def target_file(data: str, out: Path | None, *, force: bool) -> Path:
    """Returns the file to write, checked before any image is looked at.

    Args:
        data: a folder, a table, `digits`, or `tfds:NAME`.
        out: the user's `--out`, if given.
        force: whether an existing file may be replaced.

    Raises:
        UsageError: the file exists, is a folder, or its folder is missing.
    """
    file = Path(f"{_name(data)}.yaml") if out is None else user_path(out, "--out")
    if file.is_dir():
        raise UsageError(f"--out {file}: is a folder. Expected the name of a file to write.")
    if not file.absolute().parent.is_dir():
        raise UsageError(f"--out {file}: the folder {file.parent} does not exist; make it first.")
    if file.exists() and not force:
        raise _exists(file)
    return file


def _exists(file: Path) -> UsageError:
    return UsageError(f"{file}: exists already; give another file with -o, or --force.")


def _name(data: str) -> str:
    if data.startswith(TFDS):
        return recipe_name(data.removeprefix(TFDS))
    path = user_path(data).absolute().resolve()
    return recipe_name(path.stem if path.is_file() else path.name)


def _inspect(data: str, progress: Progress, overrides: Sequence[str]) -> Findings:
    if data == "digits" or data.startswith(TFDS):
        from zoo.new import inspect_known

        if overrides:
            raise UsageError(
                f"--set {overrides[0]}: only the options of a folder or a table can be set."
            )

        if data == "digits":
            return inspect_known.inspect_digits()
        return inspect_known.inspect_tfds(data.removeprefix(TFDS), progress)
    if data in PRESETS and not user_path(data).exists():
        name = PRESETS[data]["source"]["tfds"]["name"]
        raise DataError(
            f"the folder {data} does not exist. The data set of that name is {TFDS}{name}: "
            f"zoo new {TFDS}{name}; a recipe may also name it, by `data: {data}`."
        )
    from zoo.new.inspect_folder import inspect_folder

    words = [text.strip().removeprefix(SOURCE).partition(".")[0] for text in overrides]
    word = next((word for word in ("csv", "shards") if word in words), "folder")
    return inspect_folder(data, progress, _options(data, overrides, word), word)


def _options(data: str, overrides: Sequence[str], word: str) -> dict[str, Any]:
    """The options of a source that overrides give, checked as in a recipe.

    Raises:
        UsageError: an override of anything else.
        RecipeError: a wrong value.
    """
    from zoo.recipe.draft import Draft
    from zoo.recipe.yaml_reader import Document

    start = f"{SOURCE}{word}."
    path = "file" if word == "csv" else "path"
    if not overrides:
        return {}
    for override in overrides:
        if not override.strip().startswith(start) or override.strip().startswith(f"{start}{path}"):
            raise UsageError(
                f"--set {override}: the rest of the recipe is written here, then edited. Expected "
                "an option of the source, such as data.source.folder.test=none or "
                "data.source.csv.label=species."
            )
    given: dict[str, Any] = {path: data}
    if word == "csv":  # The columns that are not given are found later.
        given |= {key: UNKNOWN for key in ("image", "label", "split")}
    recipe = {
        "name": "images",
        "data": {"source": {word: given}, "image_size": 1},
        "model": {"stack": ["flatten"]},
        "train": {"epochs": 1},
    }
    draft = Draft(Document(data=recipe, lines={}, problems=(), file=None))
    for override in overrides:
        draft.override(override)
    options = draft.checked(lambda _: ()).data.source.options
    named = {text.strip().removeprefix(start).partition("=")[0].strip() for text in overrides}
    values: dict[str, Any] = options.model_dump(include=named)
    return values


def _parameters(text: str, findings: Findings) -> int:
    """Loads and plans the recipe, so that no broken one is written; returns its parameters."""
    from zoo import recipe as recipes
    from zoo.plan import plan

    with tempfile.TemporaryDirectory(prefix="zoo-new-") as folder:
        draft = Path(folder) / "recipe.yaml"
        write_text(draft, text)
        recipe = recipes.load(str(draft))
    return plan(recipe, max(2, len(findings.class_names))).parameters
