"""Reads the weights of a run's best model or of a .keras file, layer by layer. Builds no network.

Light: imports NumPy and h5py in its functions only, so that `zoo show` may say what would be
loaded.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, Problem, RunError, UsageError, WrongModel
from zoo.files.user_paths import user_path
from zoo.plan.backbones import PREFIX
from zoo.rundir import Run

if TYPE_CHECKING:
    import numpy as np

Shape = tuple[int, ...]

CONFIG, WEIGHTS, LABELS = "config.json", "model.weights.h5", "labels.txt"
NORMALISE = "normalise"
MAX_CONFIG_BYTES = 64 * 2**20
# Keras does not compress weights: a member that is much larger than the file is made to be so.
MOST_UNPACKED, SPARE_BYTES = 8, 16 * 2**20
AT = "model.weights.from"


@dataclass(frozen=True)
class StoredLayer:
    """A layer with weights, as a file holds it.

    Attributes:
        name: of the layer.
        datasets: places of its own variables in the file, in the order of Keras.
        shapes: their shapes.
        inner: layers with weights inside of it, if it is a model.
    """

    name: str
    datasets: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    inner: dict[str, StoredLayer] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Number of its weights, those of inner layers included."""
        own = sum(math.prod(shape) for shape in self.shapes)
        return own + sum(layer.size for layer in self.inner.values())


@dataclass(frozen=True)
class StoredWeights:
    """Trained weights that a training may start from.

    Attributes:
        origin: absolute path of the run folder, or of the file.
        file: the .keras file.
        sha256: of the file.
        layers: layers with weights, by name, in the order of the network.
        normalise: what normalises images: `scale` and `offset`, or the class of a layer that does
            otherwise, as `class_name`; None: nothing.
        image_shape: (height, width, channels) of the images.
        class_names: in the order of the logits; empty: unknown.
        preprocess: `data.preprocess` of the run; None: unknown.
    """

    origin: Path
    file: Path
    sha256: str
    layers: dict[str, StoredLayer]
    normalise: dict[str, Any] | None
    image_shape: Shape
    class_names: tuple[str, ...]
    preprocess: str | None
    _content: bytes = field(repr=False)

    def arrays(self, layer: StoredLayer) -> list[np.ndarray]:
        """The values of a layer's own variables.

        Raises:
            WrongModel: some are NaN or infinite, or cannot be read.
        """
        import h5py
        import numpy as np

        with _readable(self.file), h5py.File(io.BytesIO(self._content), "r") as stored:
            values = [np.asarray(stored[dataset]) for dataset in layer.datasets]
        for value in values:
            if value.dtype.kind == "f" and not np.isfinite(value).all():
                raise _wrong_model(
                    f"{self.file}: {layer.name} holds weights that are NaN or infinite. Take those "
                    "of another run."
                )
        return values


def read(source: str) -> StoredWeights:
    """Reads what `model.weights.from` names.

    Args:
        source: path of a run folder, of the folder of a recipe's runs (the newest counts), or of a
            .keras file.

    Raises:
        DataError: there is no such run or file, or the run has no model.
        WrongModel: the file is no model file, was cut or edited.
    """
    run, file = _found(source)
    info = run.info() if run else {}
    digest = _digest(file)
    if info.get("status") == "done" and info.get("model_sha256") not in (None, digest):
        raise _wrong_model(
            f"{file}: is not the file that this run's training ended with: its SHA-256 differs "
            "from model_sha256 in run.json. Bring back the file, or train again."
        )
    with _readable(file), zipfile.ZipFile(file) as archive:
        config = _layer_configs(file, archive)
        content = _member(file, archive, WEIGHTS)
        labels = archive.read(LABELS).decode() if LABELS in archive.namelist() else ""
    names = info.get("class_names") or labels.splitlines()
    return StoredWeights(
        origin=(run.folder if run else file).absolute(),
        file=file,
        sha256=digest,
        layers=_layers(file, content, list(config)),
        normalise=_normalise(config),
        image_shape=_image_shape(config),
        class_names=tuple(names),
        preprocess=(info.get("normalisation") or {}).get("kind"),
        _content=content,
    )


def _found(source: str) -> tuple[Run | None, Path]:
    """The run that a path names, if it is one, and its .keras file."""
    try:
        path = user_path(source)
    except UsageError as error:
        raise DataError("", [Problem(path=AT, message=error.message)]) from error
    if path.is_dir():
        try:
            run = Run.open(path)
            return run, run.require_model()
        except WrongModel as error:
            raise _wrong_model(error.message) from error
        except RunError as error:
            raise DataError("", [Problem(path=AT, message=error.message)]) from error
    if not path.is_file():
        message = (
            "does not exist. Expected a folder made by `zoo train`, or a .keras file. Received "
            f"'{source}'."
        )
        raise DataError("", [Problem(path=AT, message=message)])
    is_of_run = path == Run(path.parent).model_file and Run.is_run(path.parent)
    return (Run(path.parent) if is_of_run else None), path


def _wrong_model(message: str) -> WrongModel:
    return WrongModel("", [Problem(path=AT, message=message)])


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turns whatever a damaged file causes into a sentence."""
    try:
        yield
    except WrongModel:
        raise
    except Exception as error:  # Each part of such a file has its own errors in HDF5.
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise _wrong_model(
            f"{file}: cannot be read as a .keras file: {reason[0][:200]}. Expected the best.keras "
            "of a run, or a model that Keras 3 saved."
        ) from None


def _member(file: Path, archive: zipfile.ZipFile, name: str) -> bytes:
    size, most = archive.getinfo(name).file_size, MOST_UNPACKED * file.stat().st_size + SPARE_BYTES
    if size > most:
        raise _wrong_model(f"{file}: {name} in it unpacks to {size:,} bytes. Expected {most:,}.")
    return archive.read(name)


def _layer_configs(file: Path, archive: zipfile.ZipFile) -> dict[str, dict[str, Any]]:
    """The configuration of each layer, by name, in the order of the network."""
    if archive.getinfo(CONFIG).file_size > MAX_CONFIG_BYTES:
        raise WrongModel(f"{file}: {CONFIG} in it is larger than {MAX_CONFIG_BYTES:,} bytes.")
    config = json.loads(archive.read(CONFIG))
    return {entry["config"]["name"]: entry for entry in config["config"]["layers"]}


def _image_shape(config: dict[str, dict[str, Any]]) -> Shape:
    for entry in config.values():
        shape = entry["config"].get("batch_shape")
        if entry["class_name"] == "InputLayer" and shape:
            return tuple(int(side or 0) for side in shape[1:])
    return ()


def _normalise(config: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    entry = config.get(NORMALISE)
    if entry is None:
        return None
    if entry["class_name"] != "Rescaling":
        return {"class_name": entry["class_name"]}
    return {key: entry["config"][key] for key in ("scale", "offset")}


def _layers(file: Path, content: bytes, order: list[str]) -> dict[str, StoredLayer]:
    import h5py

    with _readable(file), h5py.File(io.BytesIO(content), "r") as stored:
        found = _children(file, stored["layers"])
    ordered = {name: found[name] for name in sorted(found, key=_position(order))}
    return _with_backbone(ordered)


def _with_backbone(layers: dict[str, StoredLayer]) -> dict[str, StoredLayer]:
    """The layers, those of a backbone as one that holds them, as a plan has it."""
    inner = {
        name: layer
        for name, layer in layers.items()
        if name == PREFIX or name.startswith(f"{PREFIX}_")
    }
    if not inner:
        return layers
    others = {name: layer for name, layer in layers.items() if name not in inner}
    return {PREFIX: StoredLayer(PREFIX, inner=inner), **others}


def _position(order: list[str]) -> Any:
    places = {name: place for place, name in enumerate(order)}
    return lambda name: places.get(name, len(places))


def _children(file: Path, group: Any) -> dict[str, StoredLayer]:
    """The layers with weights in a group of the file, by name."""
    import h5py

    layers = {}
    for child in group.values():
        variables = child.get("vars")
        if variables is None:
            continue
        name = str(variables.attrs.get("name", ""))
        datasets = sorted((key for key in variables if key.isdigit()), key=int)
        for key in datasets:
            dataset = variables[key]
            if not isinstance(dataset, h5py.Dataset) or dataset.external or dataset.is_virtual:
                raise _wrong_model(f"{file}: takes weights of {name[:100]} from another file.")
        inner = _children(file, child["layers"]) if "layers" in child else {}
        if name and (datasets or inner):
            layers[name] = StoredLayer(
                name,
                tuple(variables[key].name for key in datasets),
                tuple(tuple(variables[key].shape) for key in datasets),
                inner,
            )
    return layers
