"""What the EXPORT of `zoo serve` means: a model's folder, one version of it, or a run. Light."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zoo.errors import DataError, RunError
from zoo.run import Run

EXPECTED = (
    "Expected a folder made by `zoo export`: export/saved_model/NAME with version folders 1, 2, "
    "..., one such version, or a run folder."
)


@dataclass(frozen=True)
class Place:
    """Where versions of a model are.

    Args:
        name: of the model, as clients write it.
        folder: that holds its version folders; of one version, the SavedModel itself.
        only: the version that is served, whatever else there is; None for the newest.
    """

    name: str
    folder: Path
    only: int | None = None

    def versions(self) -> dict[int, Path]:
        """The version folders that are there now, complete or not."""
        if self.only is not None:
            return {self.only: self.folder}
        found: dict[int, Path] = {}
        try:
            inner = sorted(self.folder.iterdir())
        except OSError:
            return {}
        for path in inner:
            if path.name.isascii() and path.name.isdigit() and path.is_dir():
                found.setdefault(int(path.name), path)
        return found


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, as far as names tell."""
    return (folder / "saved_model.pb").is_file()


def find(path: str, name: str | None = None) -> Place:
    """Where the versions are that a path means.

    Args:
        path: as given by the user.
        name: another name for the model than its folder's.

    Raises:
        RunError: the path is nothing that can be served.
        DataError: it is, but there is no version in it.
    """
    folder = Path(os.path.abspath(Path(path).expanduser()))
    if not folder.exists():
        raise RunError(f"{path}: does not exist. {EXPECTED}")
    if not folder.is_dir():
        raise RunError(f"{path}: is a file. {_about(folder)}{EXPECTED}")
    if is_saved_model(folder):
        numbered = folder.name.isascii() and folder.name.isdigit()
        of = folder.parent.name if numbered else folder.name
        return Place(name or of, folder, int(folder.name) if numbered else 1)
    if folder.name.isdigit() and not any(child.name.isdigit() for child in folder.iterdir()):
        raise DataError(
            f"{path}: no saved_model.pb in it: no SavedModel, or one that is still being copied."
        )
    place = Place(name or folder.name, folder)
    if place.versions():
        return place
    try:
        return _of_run(path, Run.open(path), name)
    except RunError as error:
        if _is_run(folder):
            raise
        one = [child for child in folder.iterdir() if Place("", child).versions()]
        if len(one) == 1:  # export/saved_model itself.
            return Place(name or one[0].name, one[0])
        raise RunError(f"{path}: holds no numeric version folder, nor a run. {EXPECTED}") from error


def _is_run(folder: Path) -> bool:
    return (folder / "run.json").is_file() or any(folder.glob("*/run.json"))


def _of_run(path: str, run: Run, name: str | None) -> Place:
    info = run.info()
    of = str(info.get("name", ""))
    place = Place(name or of, run.export_folder("saved_model") / of)
    if of and place.versions():
        return place
    status = info.get("status")
    why = "" if status == "done" else f" (its status is {status})"
    advice = f"Export it first: zoo export {run}"
    if status == "diverged":
        advice = "Nothing that diverged is exported: train it again with a lower learning rate."
    raise RunError(f"{run}: has no SavedModel to serve{why}. {advice}")


def _about(file: Path) -> str:
    if file.suffix in (".keras", ".h5", ".onnx", ".tflite"):
        return f"Files of kind {file.suffix} are not served, SavedModels are. "
    if file.name == "saved_model.pb":
        return "Give the folder that it is in. "
    return ""
