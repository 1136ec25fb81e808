"""What a run or an export says of image files. Files are decoded as training decodes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo.artifact import readers
from zoo.artifact.layout import Artifact
from zoo.data.images import THREADS, BadImage, ImageSpec, decode
from zoo.errors import EnvironmentFault, RunError
from zoo.progress import Report

BATCH = 128


@dataclass(frozen=True)
class Prediction:
    """What a model says of one file; `error` says why it says nothing."""

    path: str
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "path": self.path,
            "classes": list(self.classes),
            "probabilities": list(self.probabilities),
            "error": self.error,
        }


class Classifier(Protocol):
    """A trained run (`zoo.artifact.trained_run.TrainedRun`) or an export (`Exported`)."""

    @property
    def class_names(self) -> list[str]: ...

    @property
    def spec(self) -> ImageSpec: ...

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of uint8 images (n, height, width, channels)."""


class Exported:
    """An export, opened by its format's own runtime.

    Raises:
        RunError: it is damaged, or no export of ours.
        EnvironmentFault: the runtime is not installed.
    """

    def __init__(self, artifact: Artifact) -> None:
        manifest = artifact.manifest()
        artifact.require_whole(manifest)
        model = artifact.folder if artifact.format == "saved_model" else artifact.model_file
        try:
            self.spec = ImageSpec(**manifest["image"])
            self.class_names, calls = readers.READERS[artifact.format](model)
        except ImportError as error:
            package = {"onnx": '"zoo-keras[onnx]"', "litert": '"zoo-keras[litert]"'}
            raise EnvironmentFault(
                f"{artifact}: {error}. Install what reads it: "
                f"pip install {package.get(artifact.format, 'tensorflow')}"
            ) from None
        except Exception as error:  # Each runtime has errors of its own for a damaged file.
            raise RunError(
                f"{artifact}: cannot be opened; it may be damaged or half copied: "
                f"{str(error).splitlines()[0] if str(error) else type(error).__name__}. "
                "Copy or export it again."
            ) from None
        arrays = [entry for entry in calls.values() if entry[0] != "files"]
        self._kind, self._call = arrays[0]
        # The first call prepares, and tells whether images, classes and model fit each other.
        try:
            answer = self.probabilities(np.zeros((1, *self.spec.shape), np.uint8))
        except Exception as error:
            raise RunError(f"{artifact}: cannot be run: {error}. Export it again.") from None
        if answer.shape != (1, len(self.class_names)):
            raise RunError(
                f"{artifact}: names {len(self.class_names)} classes and answers "
                f"{answer.shape[-1]}: it is damaged. Copy or export it again."
            )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        return np.asarray(self._call(images.astype(self._kind))["probabilities"])


def predict(
    classifier: Classifier,
    paths: Sequence[Path],
    top: int = 5,
    report: Report | None = None,
) -> Iterator[Prediction]:
    """Predicts image files, in their order; a file that cannot be read spoils no other.

    Files are decoded in threads, a batch ahead of the model.

    Args:
        classifier: what predicts.
        paths: the files.
        top: classes a file, the likeliest first.
        report: told how far it is.
    """
    spec = classifier.spec

    def read(path: Path) -> np.ndarray | str:
        try:
            return decode(path, spec).pixels
        except (BadImage, OSError) as error:
            return str(error)

    with ThreadPoolExecutor(THREADS, thread_name_prefix="zoo-decode") as pool:

        def begun(start: int) -> list[Future[np.ndarray | str]]:
            return [pool.submit(read, path) for path in paths[start : start + BATCH]]

        ahead = begun(0)
        for start in range(0, len(paths), BATCH):
            read_now, ahead = ahead, begun(start + BATCH)
            found = [job.result() for job in read_now]
            yield from _answers(classifier, paths[start : start + BATCH], found, top)
            if report:
                report(min(start + BATCH, len(paths)), len(paths), "predicting")


def _answers(
    classifier: Classifier, paths: Sequence[Path], found: list[np.ndarray | str], top: int
) -> Iterator[Prediction]:
    images = [pixels for pixels in found if not isinstance(pixels, str)]
    rows = iter(classifier.probabilities(np.stack(images)) if images else ())
    names = classifier.class_names
    for path, pixels in zip(paths, found, strict=True):
        if isinstance(pixels, str):
            yield Prediction(str(path), error=pixels)
            continue
        row = next(rows)
        best = np.argsort(-row, kind="stable")[:top]
        classes = tuple(names[i] for i in best)
        yield Prediction(str(path), classes, tuple(float(row[i]) for i in best))
