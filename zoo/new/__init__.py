"""`zoo new`: from a folder of images, or a known data set, to a recipe that trains as it stands.

`folder` and `known` look, `choose` chooses, `write` writes. Without Keras; TensorFlow Datasets is
imported for `tfds:NAME` alone.
"""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zoo.data.cache import Progress, silent
from zoo.errors import EnvironmentFault, UsageError
from zoo.new.choose import Chosen, choose
from zoo.new.findings import Findings
from zoo.new.name import recipe_name
from zoo.new.write import duration, recipe_text

TFDS = "tfds:"

__all__ = ["Made", "duration", "new", "target"]


@dataclass(frozen=True)
class Made:
    """A recipe that was written: its file, what it rests on, and its parameters."""

    file: Path
    found: Findings
    chosen: Chosen
    parameters: int

    def as_json(self) -> dict[str, Any]:
        chosen = {**asdict(self.chosen), "parameters": self.parameters}
        return {"recipe": str(self.file), "findings": self.found.as_json(), "chosen": chosen}


def new(
    data: str, out: Path | None = None, *, force: bool = False, progress: Progress = silent
) -> Made:
    """Looks at data and writes a recipe.

    Args:
        data: a folder, `digits`, or `tfds:NAME`.
        out: the file to write; None for `<name of the data>.yaml` here.
        force: whether a file that is there may be replaced.
        progress: called with (images done, images in all, what is done).

    Raises:
        UsageError: the file is there already, or cannot be one.
        DataError: the data are missing or unusable.
        EnvironmentFault: the file cannot be written, or something is not installed.
    """
    file = target(data, out, force=force)
    found = _look(data, progress)
    chosen = choose(found)
    text = recipe_text(found, chosen, shlex.quote(str(file)))
    parameters = _checked(text, found)
    try:
        # "x": a file that appeared in the meantime is not lost either.
        with open(file, "w" if force else "x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        raise _exists(file) from None
    except OSError as error:
        raise EnvironmentFault(f"{file}: cannot be written: {error.strerror or error}") from None
    return Made(file, found, chosen, parameters)


def target(data: str, out: Path | None, *, force: bool) -> Path:
    """The file to write, checked before images are looked at.

    Raises:
        UsageError: it is there already, is a folder, or its folder is missing.
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


def _look(data: str, progress: Progress) -> Findings:
    if data == "digits" or data.startswith(TFDS):
        from zoo.new import known

        if data == "digits":
            return known.look_at_digits()
        return known.look_at_tfds(data.removeprefix(TFDS), progress)
    from zoo.new import folder

    return folder.look(data, progress)


def _checked(text: str, found: Findings) -> int:
    """Loads and plans the recipe before it is kept; returns its parameters."""
    from zoo import recipe as recipes
    from zoo.plan import plan

    with tempfile.TemporaryDirectory(prefix="zoo-new-") as folder:
        draft = Path(folder) / "recipe.yaml"
        draft.write_text(text, encoding="utf-8")
        loaded = recipes.load(str(draft))
    return plan(loaded, max(2, len(found.class_names))).parameters
