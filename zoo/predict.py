"""Predictions for images by a run or an export. Decodes files as training does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from zoo.artifact import readers
from zoo.artifact.layout import Artifact
from zoo.datasets.content.image_ranges import ImageRanges
from zoo.datasets.content.odd_files import OddFiles
from zoo.datasets.decoding.images import Decoded, ImageSpec, decode, fit, fit_measured
from zoo.datasets.files import BadImage
from zoo.datasets.threads import THREADS
from zoo.errors import DamagedFile, EnvironmentFault, WrongModel
from zoo.plugins import recipe_parts
from zoo.progress import Progress, no_progress

BATCH_SIZE = 128


@dataclass(frozen=True)
class Prediction:
    """The likeliest classes of one file.

    Attributes:
        path: of the file.
        classes: class names, the likeliest first; empty if none reaches the threshold.
        probabilities: of `classes`.
        error: why the file could not be read; then `classes` is empty.
    """

    path: str
    classes: tuple[str, ...] = ()
    probabilities: tuple[float, ...] = ()
    error: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The prediction as `zoo predict --json` prints it."""
        return {
            "path": self.path,
            "classes": list(self.classes),
            "probabilities": list(self.probabilities),
            "error": self.error,
        }


@dataclass(frozen=True, eq=False)
class NamedImage:
    """An image that is no file of its own.

    Attributes:
        path: its name, which stands for a path.
        content: a file's bytes; or pixels, as `zoo.datasets.decoding.images.fit` takes them.
    """

    path: Path
    content: bytes | np.ndarray


class Classifier(Protocol):
    """A trained run (`zoo.artifact.trained_run.TrainedRun`) or an export (`ExportedModel`)."""

    @property
    def class_names(self) -> list[str]:
        """Class names in the order of the probabilities."""

    @property
    def multi_label(self) -> bool:
        """Whether an image has any number of classes."""

    @property
    def spec(self) -> ImageSpec:
        """How to decode and resize images."""

    @property
    def image_ranges(self) -> ImageRanges | None:
        """What most training images lie in; None if it is not known."""

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of uint8 images (n, height, width, channels)."""


class ExportedModel:
    """An export, opened with its format's own runtime.

    Args:
        artifact: the export.

    Raises:
        DamagedFile: the export is damaged, answers NaN, or was not made by `zoo export`.
        EnvironmentFault: the runtime is not installed.
    """

    def __init__(self, artifact: Artifact) -> None:
        manifest = artifact.manifest()
        artifact.verify_files(manifest)
        recipe_parts.start_recorded(manifest.get("plugins") or (), str(artifact))
        self._place = str(artifact)
        model = artifact.folder if artifact.format == "saved_model" else artifact.model_file
        try:
            self.spec = ImageSpec.from_json(manifest["image"])
            ranges = manifest.get("image_ranges")
            self.image_ranges = ranges and ImageRanges.from_json(ranges)
            self.multi_label = bool(manifest.get("multi_label"))
            # Exports of older versions do not name it.
            activation = manifest.get("activation") or "softmax"
            self.class_names, calls = readers.open_export(artifact.format, model, activation)
        except ImportError as error:
            package = {"onnx": '"zoo-keras[onnx]"', "litert": '"zoo-keras[litert]"'}
            raise EnvironmentFault(
                f"{artifact}: {error}. Install what reads it: "
                f"pip install {package.get(artifact.format, 'tensorflow')}"
            ) from None
        except Exception as error:  # Each runtime has its own errors for a damaged file.
            raise DamagedFile(
                f"{artifact}: cannot be opened; it may be damaged or half copied: "
                f"{str(error).splitlines()[0] if str(error) else type(error).__name__}. "
                "Copy or export it again."
            ) from None
        self._dtype, self._call = next(call for call in calls.values() if call[0] != "files")
        # One call compiles the model and shows whether images, classes and model fit each other.
        try:
            output = self.probabilities(np.zeros((1, *self.spec.shape), np.uint8))
        except DamagedFile:
            raise
        except Exception as error:  # Each runtime has its own errors for what does not fit.
            reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
            raise DamagedFile(
                f"{artifact}: cannot be run: {reason[0][:200]}. Export it again."
            ) from None
        if output.shape != (1, len(self.class_names)):
            raise DamagedFile(
                f"{artifact}: names {len(self.class_names)} classes and answers "
                f"{output.shape[-1]}: it is damaged. Copy or export it again."
            )
        if self.class_names != manifest["classes"]:
            raise DamagedFile(
                f"{artifact.manifest_file}: classes: Expected the {len(self.class_names)} names "
                f"in the model's own file. Received {len(manifest['classes'])} other ones. Copy or "
                "export it again."
            )

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Probabilities (n, classes) of uint8 images (n, height, width, channels).

        Raises:
            WrongModel: the model answers NaN or infinity.
        """
        answers = np.asarray(self._call(images.astype(self._dtype))["probabilities"])
        if not np.isfinite(answers).all():
            raise WrongModel(f"{self._place}: the model answers NaN or infinity. Train again.")
        return answers


def predict(
    classifier: Classifier,
    images: Sequence[Path | NamedImage],
    top: int | None = 5,
    progress: Progress = no_progress,
    odd: OddFiles | None = None,
    threshold: float = 0.0,
) -> Iterator[Prediction]:
    """Predicts images in order. An image that cannot be read yields an error and no more.

    Threads decode the next batch while the model runs.

    Args:
        classifier: a run or an export.
        images: the files, or images in memory.
        top: number of classes a file, at most; None for all.
        progress: called with the number of files done.
        odd: receives the files whose predictions deserve doubt; None: not measured.
        threshold: probability below which a class is left out.

    Yields:
        One prediction a file.
    """
    spec = classifier.spec
    paths = [image.path if isinstance(image, NamedImage) else image for image in images]

    def read(number: int) -> np.ndarray | str:
        path = paths[number]
        try:
            decoded = _decoded(images[number], spec, measure=odd is not None)
        except (BadImage, OSError) as error:
            return str(error)
        if odd is not None:
            odd.add(path, decoded)
        return decoded.pixels

    with ThreadPoolExecutor(THREADS, thread_name_prefix="zoo-decode") as pool:

        def start_reading(start: int) -> list[Future[np.ndarray | str]]:
            numbers = range(start, min(start + BATCH_SIZE, len(paths)))
            return [pool.submit(read, number) for number in numbers]

        upcoming = start_reading(0)
        for start in range(0, len(paths), BATCH_SIZE):
            current, upcoming = upcoming, start_reading(start + BATCH_SIZE)
            contents = [future.result() for future in current]
            batch = paths[start : start + BATCH_SIZE]
            yield from _predictions(classifier, batch, contents, top, threshold)
            progress(min(start + BATCH_SIZE, len(paths)), len(paths), "predicting")


def _decoded(image: Path | NamedImage, spec: ImageSpec, *, measure: bool) -> Decoded:
    content = image.content if isinstance(image, NamedImage) else image
    if not isinstance(content, np.ndarray):
        return decode(content, spec, measure=measure)
    size = (content.shape[0], content.shape[1])
    if not measure:
        return Decoded(fit(content, spec), 1, size, "array")
    pixels, measured = fit_measured(content, spec)
    return Decoded(pixels, 1, size, "array", measured)


def _predictions(
    classifier: Classifier,
    paths: Sequence[Path],
    contents: list[np.ndarray | str],
    top: int | None,
    threshold: float,
) -> Iterator[Prediction]:
    """Predictions of one batch; `contents` holds each file's pixels or its error."""
    images = [content for content in contents if not isinstance(content, str)]
    rows = iter(classifier.probabilities(np.stack(images)) if images else ())
    names = classifier.class_names
    for path, content in zip(paths, contents, strict=True):
        if isinstance(content, str):
            yield Prediction(str(path), error=content)
            continue
        row = next(rows)
        best = np.argsort(-row, kind="stable")[:top]
        best = best[row[best] >= threshold]
        classes = tuple(names[i] for i in best)
        yield Prediction(str(path), classes, tuple(float(row[i]) for i in best))
