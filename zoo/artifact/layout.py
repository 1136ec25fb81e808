"""What an export is on disk, and how one is found again. Light: no model is loaded here.

    export/saved_model/NAME/1/   saved_model.pb, variables/, assets/labels.txt, assets.extra/...
    export/onnx/NAME/1/          model.onnx, labels.txt, and what stands in assets.extra/ above
    export/FORMAT/parity.json    the comparison that the newest export of this format passed

NAME/1 is a version as TensorFlow Serving names them. Beside each model lie its manifest, a model
card and the recipe, in the folder that TensorFlow Serving leaves to others: assets.extra.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import RunError

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
        folder: of the version: `.../NAME/1`.
        format: a key of `MODEL_FILES`.
    """

    folder: Path
    format: str

    def __str__(self) -> str:
        return str(self.folder)

    @property
    def model_file(self) -> Path:
        return self.folder / MODEL_FILES[self.format]

    @property
    def extra(self) -> Path:
        """Where what is not the model's own stands."""
        return self.folder / EXTRA if self.format == "saved_model" else self.folder

    @property
    def manifest_file(self) -> Path:
        return self.extra / "manifest.json"

    @property
    def card_file(self) -> Path:
        return self.extra / "README.md"

    @property
    def recipe_file(self) -> Path:
        return self.extra / "recipe.yaml"

    @property
    def warmup_file(self) -> Path:
        return self.extra / WARMUP

    @property
    def labels_file(self) -> Path:
        return (self.folder / "assets" if self.format == "saved_model" else self.folder) / LABELS

    def manifest(self) -> dict[str, Any]:
        """What manifest.json holds.

        Raises:
            RunError: it is missing, is not JSON, or lacks what every manifest has.
        """
        try:
            found: dict[str, Any] = json.loads(self.manifest_file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunError(
                f"{self.folder}: no export of `zoo export`: it has no "
                f"{self.manifest_file.relative_to(self.folder)}, which tells classes and image "
                "size. Export the run again."
            ) from None
        except (OSError, ValueError) as error:
            raise RunError(f"{self.manifest_file}: cannot be read: {error}") from None
        missing = [key for key in ("format", "classes", "image", "files") if key not in found]
        if missing:
            raise RunError(f"{self.manifest_file}: lacks {', '.join(missing)}. Export again.")
        return found

    def require_whole(self, manifest: dict[str, Any]) -> None:
        """Compares the files with their hashes in the manifest.

        Raises:
            RunError: naming all that are missing or changed.
        """
        wrong = []
        for name, told in manifest["files"].items():
            try:
                content = (self.folder / name).read_bytes()
            except OSError:
                wrong.append(f"{name} is missing")
                continue
            if hashlib.sha256(content).hexdigest() != told.get("sha256"):
                wrong.append(f"{name} is changed or cut")
        if wrong:
            raise RunError(
                f"{self.folder}: damaged, or half copied: {'; '.join(wrong)}. Copy or export it "
                "again."
            )


def find(path: str | Path) -> Artifact | None:
    """The export at a path: its version's folder, the folder of its versions, of its format, or
    the model file itself. Of several versions the newest; None where there is none.

    Raises:
        RunError: a folder of several models, or of versions without a model in them.
    """
    given = Path(path).expanduser()
    for format, name in MODEL_FILES.items():
        if given.name == name and given.is_file():
            return Artifact(given.parent, format)
        if (given / name).is_file():
            return Artifact(given, format)
    if not given.is_dir():
        return None
    numbered = versions(given)
    if numbered:
        newest = numbered[max(numbered)]
        for format, name in MODEL_FILES.items():
            if (newest / name).is_file():
                return Artifact(newest, format)
        raise RunError(
            f"{newest}: holds no model. Expected one of: {', '.join(MODEL_FILES.values())}."
        )
    # Hidden folders are exports in the making, or what a killed one left.
    models = sorted(child for child in given.glob("*/") if child.name[0] != "." and versions(child))
    if len(models) > 1:
        names = ", ".join(child.name for child in models)
        raise RunError(f"{given}: holds several models; name one of: {names}.")
    return find(models[0]) if models else None


def versions(folder: Path) -> dict[int, Path]:
    """The numbered folders in a folder, complete or not: `1`, or `00000001`."""
    found: dict[int, Path] = {}
    try:
        inner = sorted(folder.iterdir())
    except OSError:
        return {}
    for path in inner:
        if path.name.isascii() and path.name.isdigit() and path.is_dir():
            found.setdefault(int(path.name), path)
    return found
