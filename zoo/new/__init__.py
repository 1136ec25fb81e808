"""`zoo new`: writes a recipe for a folder of images, or a known data set, that trains as it stands.

`inspect_folder` and `inspect_known` look at the images, `choose` decides, `recipe_text` writes.
Nothing imports Keras; `tfds:NAME` alone imports TensorFlow Datasets.
"""

from __future__ import annotations

import errno
import shlex
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.errors import StorageFault, UsageError
from zoo.new.choose import Choices, choose
from zoo.new.findings import Findings
from zoo.new.recipe_name import recipe_name
from zoo.new.recipe_text import duration, recipe_text
from zoo.progress import Progress, no_progress
from zoo.rundir import write_text
from zoo.storage import writing

TFDS = "tfds:"

__all__ = ["NewRecipe", "duration", "new", "target_file"]


@dataclass(frozen=True)
class NewRecipe:
    """A recipe that was written.

    Args:
        file: the recipe.
        findings: what was found out about the images.
        choices: what was chosen for them.
        parameters: number of the network's parameters.
    """

    file: Path
    findings: Findings
    choices: Choices
    parameters: int

    def as_json(self) -> dict[str, Any]:
        """Returns the document of `zoo new --json`."""
        chosen = {**asdict(self.choices), "parameters": self.parameters}
        return {"recipe": str(self.file), "findings": self.findings.as_json(), "chosen": chosen}


def new(
    data: str, out: Path | None = None, *, force: bool = False, progress: Progress = no_progress
) -> NewRecipe:
    """Looks at images and writes a recipe for them.

    Args:
        data: a folder, `digits`, or `tfds:NAME`.
        out: the file to write; None for `<name of the data>.yaml` in the working directory.
        force: whether an existing file may be replaced.
        progress: called with (images done, images in all, what is being done).

    Raises:
        UsageError: the file exists, or cannot be one.
        DataError: the data is missing or unusable.
        EnvironmentFault: a package is not installed.
        StorageFault: the file cannot be written.
    """
    file = target_file(data, out, force=force)
    findings = _inspect(data, progress)
    choices = choose(findings)
    text = recipe_text(findings, choices, shlex.quote(str(file)))
    parameters = _parameters(text, findings)
    _write(file, text, force=force)
    return NewRecipe(file, findings, choices, parameters)


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
        data: a folder, `digits`, or `tfds:NAME`.
        out: the user's `--out`, if given.
        force: whether an existing file may be replaced.

    Raises:
        UsageError: the file exists, is a folder, or its folder is missing.
    """
    file = Path(f"{_name(data)}.yaml") if out is None else out.expanduser()
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
    return recipe_name(Path(data).expanduser().absolute().resolve().name)


def _inspect(data: str, progress: Progress) -> Findings:
    if data == "digits" or data.startswith(TFDS):
        from zoo.new import inspect_known

        if data == "digits":
            return inspect_known.inspect_digits()
        return inspect_known.inspect_tfds(data.removeprefix(TFDS), progress)
    from zoo.new.inspect_folder import inspect_folder

    return inspect_folder(data, progress)


def _parameters(text: str, findings: Findings) -> int:
    """Loads and plans the recipe, so that no broken one is written; returns its parameters."""
    from zoo import recipe as recipes
    from zoo.plan import plan

    with tempfile.TemporaryDirectory(prefix="zoo-new-") as folder:
        draft = Path(folder) / "recipe.yaml"
        write_text(draft, text)
        recipe = recipes.load(str(draft))
    return plan(recipe, max(2, len(findings.class_names))).parameters
