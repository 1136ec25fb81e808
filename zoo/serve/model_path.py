"""What the EXPORT of `zoo serve` means: a model's folder, one version of it, or a run. Light."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from zoo.artifact import layout
from zoo.errors import DataError, RunError
from zoo.rundir import Run

EXPECTED = (
    "Expected a folder made by `zoo export`: export/saved_model/NAME with version folders 1, 2, "
    "..., one such version, or a run folder."
)


@dataclass(frozen=True)
class ModelPath:
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
        return layout.versions(self.folder)


def is_saved_model(folder: Path) -> bool:
    """Whether a folder holds a SavedModel, as far as names tell."""
    return (folder / layout.MODEL_FILES["saved_model"]).is_file()


def find(path: str, name: str | None = None) -> ModelPath:
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
        return ModelPath(name or of, folder, int(folder.name) if numbered else 1)
    _require_no_other(path, folder)
    if folder.name.isdigit() and not any(child.name.isdigit() for child in folder.iterdir()):
        raise DataError(
            f"{path}: no saved_model.pb in it: no SavedModel, or one that is still being copied."
        )
    model_path = ModelPath(name or folder.name, folder)
    if model_path.versions():
        return _of_models(path, [model_path])
    try:
        return _of_run(path, Run.open(path), name)
    except RunError as error:
        inner = [child for child in sorted(folder.iterdir()) if not child.name.startswith(".")]
        if any(map(Run.is_one, (folder, *inner))):
            raise
        models = [ModelPath(name or child.name, child) for child in inner]
        models = [model for model in models if model.versions()]
        if models:
            return _of_models(path, models)
        raise RunError(f"{path}: holds no numeric version folder, nor a run. {EXPECTED}") from error


def _of_models(path: str, models: list[ModelPath]) -> ModelPath:
    if len(models) > 1:
        names = ", ".join(model.folder.name for model in models)
        raise RunError(f"{path}: holds several models; name one of: {names}.")
    versions = models[0].versions()
    _require_no_other(path, versions[max(versions)])
    return models[0]


def _require_no_other(path: str, folder: Path) -> None:
    """Refuses a version's folder with a model that is no SavedModel."""
    if is_saved_model(folder):
        return
    for format, file in layout.MODEL_FILES.items():
        if (folder / file).is_file():
            raise RunError(
                f"{path}: holds a model in the format {format}, and SavedModels alone are served. "
                "Export the run as a SavedModel: zoo export RUN."
            )


def _of_run(path: str, run: Run, name: str | None) -> ModelPath:
    info = run.info()
    of = str(info.get("name", ""))
    model_path = ModelPath(name or of, run.export_folder("saved_model") / of)
    if of and model_path.versions():
        return model_path
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
