"""Files of an export, and how to find an export again. Loads no model.

    export/saved_model/NAME/1/   saved_model.pb, variables/, assets/labels.txt, assets.extra/
    export/onnx/NAME/1/          model.onnx, labels.txt, and the files of assets.extra/
    export/FORMAT/parity.json    the last comparison of an export in this format with its run

NAME/1 is a model and a version as TensorFlow Serving names them. manifest.json, the model card and
the recipe lie beside the model. A SavedModel keeps them in assets.extra/, which TensorFlow Serving
leaves to other programs.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import DamagedFile, RunError
from zoo.files import json_files
from zoo.files.user_paths import user_path

MODEL_FILES = {
    "saved_model": "saved_model.pb",
    "keras": "model.keras",
    "onnx": "model.onnx",
    "litert": "model.tflite",
}
LABELS = "labels.txt"
EXTRA = "assets.extra"
WARMUP = "tf_serving_warmup_requests"


@dataclass(frozen=True)
class Artifact:
    """One version of one export.

    Attributes:
        folder: the version's folder, `.../NAME/1`.
        format: a key of `MODEL_FILES`.
    """

    folder: Path
    format: str

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def model_file(self) -> Path:
        """The file that identifies the format."""
        return self.folder / MODEL_FILES[self.format]

    @property
    def extra(self) -> Path:
        """The folder of the files that are not part of the model."""
        return self.folder / EXTRA if self.format == "saved_model" else self.folder

    @property
    def manifest_file(self) -> Path:
        """The description for programs."""
        return self.extra / "manifest.json"

    @property
    def card_file(self) -> Path:
        """The model card."""
        return self.extra / "README.md"

    @property
    def recipe_file(self) -> Path:
        """The recipe that trained the model."""
        return self.extra / "recipe.yaml"

    @property
    def warmup_file(self) -> Path:
        """The requests that a server runs before it is ready."""
        return self.extra / WARMUP

    @property
    def labels_file(self) -> Path:
        """The class names, one a line, in the order of the logits."""
        return (self.folder / "assets" if self.format == "saved_model" else self.folder) / LABELS

    def size(self) -> int:
        """Bytes of the model: its file, or all files of a SavedModel but those in `extra`."""
        if self.format != "saved_model":
            return self.model_file.stat().st_size
        files = (file for file in self.folder.rglob("*") if self.extra not in file.parents)
        return sum(file.stat().st_size for file in files if file.is_file())

    def manifest(self) -> dict[str, Any]:
        """Contents of manifest.json.

        Raises:
            RunError: there is none.
            DamagedFile: it holds something else than `zoo export` wrote.
        """
        from zoo.artifact.schema import Manifest

        if not os.path.lexists(self.manifest_file):
            raise RunError(
                f"{self.folder}: no export of `zoo export`: it has no "
                f"{self.manifest_file.relative_to(self.folder)}, which holds classes and image "
                "size. Export the run again."
            )
        manifest = json_files.read(self.manifest_file, Manifest, "Copy or export it again.")
        model = str(self.model_file.relative_to(self.folder))
        if manifest["format"] != self.format or model not in manifest["files"]:
            raise DamagedFile(
                f"{self.manifest_file}: describes another export: Expected the format "
                f"{self.format}, with the hash of {model}. Received {manifest['format']}. Copy or "
                "export it again."
            )
        return manifest

    def verify_files(self, manifest: dict[str, Any]) -> None:
        """Compares the files with their hashes in the manifest.

        Raises:
            DamagedFile: names every file that is missing or changed.
        """
        problems = []
        for name, entry in manifest["files"].items():
            file = self.folder / name
            try:
                if not file.is_file():
                    problems.append(f"{name} is missing")
                    continue
                size = file.stat().st_size
                if size > (entry.get("bytes") or size):  # Nobody hashes what has grown.
                    problems.append(f"{name} is changed or cut")
                    continue
                with file.open("rb") as content:
                    digest = hashlib.file_digest(content, "sha256").hexdigest()
            except (OSError, ValueError):
                problems.append(f"{name} cannot be read")
                continue
            if digest != entry["sha256"]:
                problems.append(f"{name} is changed or cut")
        if problems:
            raise DamagedFile(
                f"{self.folder}: damaged, or half copied: {'; '.join(problems)}. Copy or export it "
                "again."
            )


def find_export(path: str | Path) -> Artifact | None:
    """Finds the export at a path; of several versions the newest.

    Args:
        path: a model file, a version's folder, a model's folder of versions, or a format's folder.

    Returns:
        The export, or None if the path leads to none.

    Raises:
        RunError: the folder holds several models, or its newest version holds none.
    """
    path = user_path(path)
    for format, name in MODEL_FILES.items():
        if path.name == name and path.is_file():
            return Artifact(path.parent, format)
        if (path / name).is_file():
            return Artifact(path, format)
    if not path.is_dir():
        return None
    numbered = version_folders(path)
    if numbered:
        newest = numbered[max(numbered)]
        for format, name in MODEL_FILES.items():
            if (newest / name).is_file():
                return Artifact(newest, format)
        raise RunError(
            f"{newest}: holds no model. Expected one of: {', '.join(MODEL_FILES.values())}."
        )
    # A hidden folder is an export that is being written, or the remains of a killed one.
    models = sorted(
        child for child in path.glob("*/") if child.name[0] != "." and version_folders(child)
    )
    if len(models) > 1:
        names = ", ".join(child.name for child in models)
        raise RunError(f"{path}: holds several models; name one of: {names}.")
    return find_export(models[0]) if models else None


def label_lines(classes: list[str]) -> str:
    """Contents of labels.txt: class names, one per line."""
    return "".join(f"{name}\n" for name in classes)


def version_folders(folder: Path) -> dict[int, Path]:
    """The subfolders whose names are numbers (`1`, `00000001`), complete or not."""
    folders: dict[int, Path] = {}
    try:
        children = sorted(folder.iterdir())
    except OSError:
        return {}
    for path in children:
        if path.name.isascii() and path.name.isdigit() and path.is_dir():
            folders.setdefault(int(path.name), path)
    return folders
