"""Resolves the EXPORT of `zoo serve`: a model's folder, one version of it, or a run. Light."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from zoo.artifact import layout
from zoo.errors import DataError, RunError
from zoo.files.user_paths import user_path
from zoo.rundir import Run
from zoo.rundir.kinds import kind_of

EXPECTED = (
    "Expected a folder made by `zoo export`: export/saved_model/NAME with version folders 1, 2, "
    "..., one such version, or a run folder."
)


@dataclass(frozen=True)
class ModelPath:
    """The folder of a model's versions, and its name.

    Attributes:
        name: the model's name in URLs.
        folder: holds the version folders; with `only`, the SavedModel itself.
        only: the one version to serve; None for all in `folder`.
    """

    name: str
    folder: Path
    only: int | None = None

    def versions(self) -> dict[int, Path]:
        """The version folders that exist now, complete or not."""
        if self.only is not None:
            return {self.only: self.folder}
        return layout.version_folders(self.folder)


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a file named as a SavedModel's."""
    return (folder / layout.MODEL_FILES["saved_model"]).is_file()


def find(path: str, name: str | None = None, say: Callable[[str], None] | None = None) -> ModelPath:
    """Finds the model that a path names.

    Args:
        path: a model's folder, a version's folder or a run, as given by the user.
        name: another name for the model than its folder's.
        say: told in a line which of several runs was taken.

    Raises:
        RunError: the path leads to nothing that can be served.
        DataError: the path is a version's folder, but holds no SavedModel.
    """
    folder = Path(os.path.abspath(user_path(path)))
    if not folder.exists():
        raise RunError(f"{path}: does not exist. {EXPECTED}")
    if not folder.is_dir():
        raise RunError(f"{path}: is a file. {_advice(folder)}{EXPECTED}")
    if is_saved_model(folder):
        numbered = folder.name.isascii() and folder.name.isdigit()
        own_name = folder.parent.name if numbered else folder.name
        return ModelPath(name or own_name, folder, int(folder.name) if numbered else 1)
    _require_saved_model(path, folder)
    if folder.name.isdigit() and not any(child.name.isdigit() for child in folder.iterdir()):
        raise DataError(
            f"{path}: no saved_model.pb in it: no SavedModel, or one that is still being copied."
        )
    model_path = ModelPath(name or folder.name, folder)
    if model_path.versions():
        return _only_model(path, [model_path])
    try:
        run = Run.open(path, say)
    except RunError as error:
        children = [child for child in sorted(folder.iterdir()) if not child.name.startswith(".")]
        if any(each.is_dir() and kind_of(each) for each in (folder, *children)):
            raise  # It says what was found instead of a run.
        models = [ModelPath(name or child.name, child) for child in children]
        models = [model for model in models if model.versions()]
        if models:
            return _only_model(path, models)
        raise RunError(f"{path}: holds no numeric version folder, nor a run. {EXPECTED}") from error
    return _in_run(run, name)


def _only_model(path: str, models: list[ModelPath]) -> ModelPath:
    """Returns the one model, if there is one and it is a SavedModel."""
    if len(models) > 1:
        names = ", ".join(model.folder.name for model in models)
        raise RunError(f"{path}: holds several models; name one of: {names}.")
    versions = models[0].versions()
    _require_saved_model(path, versions[max(versions)])
    return models[0]


def _require_saved_model(path: str, folder: Path) -> None:
    """Refuses a version's folder that holds a model in another format."""
    if is_saved_model(folder):
        return
    for format, file in layout.MODEL_FILES.items():
        if (folder / file).is_file():
            raise RunError(
                f"{path}: holds a model in the format {format}, and SavedModels alone are served. "
                "Export the run as a SavedModel: zoo export RUN."
            )


def _in_run(run: Run, name: str | None) -> ModelPath:
    """The SavedModel that a run exported."""
    info = run.info()
    own_name = str(info.get("name", ""))
    model_path = ModelPath(name or own_name, run.export_folder("saved_model") / own_name)
    if own_name and model_path.versions():
        return model_path
    status = info.get("status")
    why = "" if status == "done" else f" (its status is {status})"
    advice = f"Export it first: zoo export {run}"
    if status == "diverged":
        advice = "Nothing that diverged is exported: train it again with a lower learning rate."
    raise RunError(f"{run}: has no SavedModel to serve{why}. {advice}")


def _advice(file: Path) -> str:
    """What to give instead of a file."""
    if file.suffix in (".keras", ".h5", ".onnx", ".tflite"):
        return f"Files of kind {file.suffix} are not served, SavedModels are. "
    if file.name == "saved_model.pb":
        return "Give the folder that it is in. "
    return ""
