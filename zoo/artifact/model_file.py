"""Reads a run's best.keras, and refuses a file that does not hold the network of the run's recipe.

Keras builds whatever the configuration in a .keras file describes: a layer of ten billion filters
takes the machine's memory before an error says anything. So the file is compared with the recipe's
plan first: its members and their sizes, the layers in its configuration, the sizes of its weights.
Then Keras loads it, and the network and its weights are compared once more.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from zoo import backend
from zoo.errors import WrongModel
from zoo.model import builder
from zoo.plan import Plan

CONFIG, WEIGHTS = "config.json", "model.weights.h5"
MAX_CONFIG_BYTES = 64 * 2**20
SPARE_BYTES = 16 * 2**20  # What HDF5 adds to the weights, at most.
BYTES_PER_WEIGHT = 8
# Options of layers that decide on shapes.
SHAPE_OPTIONS = (
    "filters", "units", "kernel_size", "strides", "padding", "dilation_rate", "groups",
    "depth_multiplier", "pool_size", "pieces", "channels", "shared_axes",
)  # fmt: skip
MAX_DIFFERENCES = 3  # That an error names.


def load(file: Path, planned: Plan, layers: dict[str, keras.Layer]) -> keras.Model:
    """Loads a model file that must hold the network of a plan, with finite weights.

    Args:
        file: a .keras file.
        planned: the plan of the run's recipe.
        layers: the layers of that plan by name, not built; see `zoo.model.unbuilt.layers`.

    Raises:
        WrongModel: it is no model file, is cut, holds another network or weights that are not
            finite.
    """
    check(file, planned, layers)
    with _readable(file):
        model: keras.Model = keras.saving.load_model(file, safe_mode=True)
    differences = builder.agrees(model, planned)
    if differences:
        raise damaged(file, _listed("is not the network of the recipe", differences))
    require_finite(file, model)
    return model


def check(file: Path, planned: Plan, layers: dict[str, keras.Layer]) -> None:
    """Requires that a model file describes the network of a plan, without building it.

    Args:
        file: see `load`; likewise the others.
        planned: see `load`.
        layers: see `load`.

    Raises:
        WrongModel: it is no model file, is cut, or holds another network.
    """
    with _readable(file), zipfile.ZipFile(file) as archive:
        _require_layers(file, _config(file, archive), planned, layers)
        _require_weights(file, archive, planned, len(layers) + 1)


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    """Turns whatever a damaged file causes into a sentence."""
    try:
        yield
    except WrongModel:
        raise
    except Exception as error:  # Each part of such a file has its own errors in Keras and HDF5.
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise damaged(file, f"cannot be read: {reason[0][:200]}") from None


def damaged(file: Path, reason: str) -> WrongModel:
    """The error of a model file that cannot be used.

    Args:
        file: the file.
        reason: what is wrong, as the rest of a sentence that begins with the file.
    """
    return WrongModel(
        f"{file}: {reason}. Bring back the file that the training wrote, or train again."
    )


def require_finite(file: Path, model: keras.Model) -> None:
    """Refuses weights of NaN or infinity.

    Args:
        file: the model file, for the error.
        model: as loaded from it.

    Raises:
        WrongModel: names the first ones.
    """
    wrong = []
    for variable in model.weights:
        values = backend.to_numpy(variable)
        if values.dtype.kind not in "iub" and not np.isfinite(values.astype(np.float64)).all():
            wrong.append(variable.path)
    if wrong:
        raise damaged(file, _listed("holds weights that are NaN or infinite", wrong))


def _listed(sentence: str, entries: list[str]) -> str:
    more = len(entries) - MAX_DIFFERENCES
    shown = "; ".join(entry[:160] for entry in entries[:MAX_DIFFERENCES])
    return f"{sentence}: {shown}" + (f"; and {more} more" if more > 0 else "")


def _config(file: Path, archive: zipfile.ZipFile) -> dict[str, Any]:
    """The configuration of the network."""
    if archive.getinfo(CONFIG).file_size > MAX_CONFIG_BYTES:
        raise damaged(file, f"{CONFIG} in it is larger than {MAX_CONFIG_BYTES:,} bytes")
    config = json.loads(archive.read(CONFIG))
    if not isinstance(config, dict):
        raise damaged(file, f"{CONFIG} in it describes no network")
    return config


def _require_layers(
    file: Path, config: dict[str, Any], planned: Plan, layers: dict[str, keras.Layer]
) -> None:
    """Compares the layers of the configuration, before any is built, with those of the plan."""
    entries = config.get("config")
    entries = entries.get("layers") if isinstance(entries, dict) else None
    if config.get("class_name") != "Functional" or not isinstance(entries, list):
        raise damaged(file, f"{CONFIG} in it describes no network of layers")
    image = planned.layers[0]
    if len(entries) != len(layers) + 1:
        raise damaged(
            file,
            f"is not the network of the recipe. Expected {len(layers) + 1} layers. Received "
            f"{len(entries)}",
        )
    found: dict[Any, Any] = {}
    for entry in entries:
        options = entry.get("config") if isinstance(entry, dict) else None
        if not isinstance(options, dict) or not isinstance(options.get("name"), str):
            raise damaged(file, f"{CONFIG} in it has a layer without a name")
        found[options["name"]] = (entry.get("class_name"), options)
    differences = []
    for name in (image.name, *layers):
        class_name, options = found.get(name, (None, {}))
        if class_name is None:
            differences.append(f"there is no layer {name}")
        elif name in layers:
            differences += _differences(layers[name], class_name, options)
        elif class_name != "InputLayer" or _shape(options) != list(image.output_shape):
            differences.append(
                f"{name}: Expected images {list(image.output_shape)}. Received "
                f"{str(_shape(options))[:60]}"
            )
    if differences:
        raise damaged(file, _listed("is not the network of the recipe", differences))


def _shape(options: dict[str, Any]) -> Any:
    """Shape of the images, without the batch, of an input layer's options."""
    shape = options.get("batch_shape")
    return shape[1:] if isinstance(shape, list) else shape


def _differences(layer: keras.Layer, class_name: Any, options: dict[str, Any]) -> Iterator[str]:
    """How a layer of the configuration differs from the one that the plan asks for."""
    expected = keras.saving.serialize_keras_object(layer)
    if class_name != expected["class_name"]:
        yield f"{layer.name}: Expected {expected['class_name']}. Received {str(class_name)[:60]}"
    for key in SHAPE_OPTIONS:
        wanted = expected["config"].get(key)
        if key in expected["config"] and options.get(key) != _plain(wanted):
            yield f"{layer.name}.{key}: Expected {wanted}. Received {str(options.get(key))[:60]}"


def _plain(value: Any) -> Any:
    """A value as JSON holds it."""
    return [*map(_plain, value)] if isinstance(value, tuple | list) else value


def _require_weights(file: Path, archive: zipfile.ZipFile, planned: Plan, num_layers: int) -> None:
    """Refuses weights that unpack to more than the plan has, before they are read."""
    most = planned.parameters * BYTES_PER_WEIGHT + SPARE_BYTES
    size = archive.getinfo(WEIGHTS).file_size
    if size > most:
        raise damaged(file, f"holds {size:,} bytes of weights. Expected at most {most:,}")
    count = 0

    def add(name: str, entry: Any) -> None:
        nonlocal count
        if isinstance(entry, h5py.Dataset):
            if entry.external or entry.is_virtual:
                raise damaged(file, f"takes {name[:100]} from another file")
            count += int(entry.size or 0) if name.endswith(tuple("0123456789")) else 0

    with h5py.File(io.BytesIO(archive.read(WEIGHTS)), "r") as stored:
        stored.visititems(add)
    # Layers such as dropout also store the state of a generator of random numbers.
    if not planned.parameters <= count <= planned.parameters + 16 * num_layers:
        raise damaged(file, f"holds {count:,} weights. Expected {planned.parameters:,}")
