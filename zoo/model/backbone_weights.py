"""Trained weights for a backbone: Keras's own, or those of a file.

They are read before the data, so that what is missing is told at once, and put into the network
where its first weights are set. A run that has begun has them in its state.
"""

from __future__ import annotations

import io
import os
import re
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from zoo.errors import DataError, EnvironmentFault, Problem, RecipeError
from zoo.files.user_paths import user_path
from zoo.model.backbone import application, blueprint, layers
from zoo.plan.backbones import PREFIX, backbone
from zoo.recipe import Recipe
from zoo.recipe.backbone import WEIGHTS_ENDINGS, backbone_of, missing_weights
from zoo.recipe.backbone import WEIGHTS_PATH as AT
from zoo.recipe.backbone_stage import IMAGENET, BackboneStage
from zoo.recipe.trained_weights import named
from zoo.recipe.words.backbones import BACKBONES

MEMBER = "model.weights.h5"  # Of a .keras file.
MAX_DIFFERENCES = 3  # That an error names.
Arrays = dict[str, list[np.ndarray]]


def require(recipe: Recipe) -> None:
    """Reads, or lets Keras download, the weights of a recipe's backbone, if it has any.

    They are kept for `assign`. Where `model.weights` names a run, that is likely to have them.

    Raises:
        DataError: there is no such file, it cannot be read, or holds NaN or infinity.
        RecipeError: it holds the weights of another network.
        EnvironmentFault: Keras's own are neither here nor can they be downloaded.
    """
    stage, start = backbone_of(recipe.model), recipe.model.weights
    from_run = start is not None and start.source is not None and not named(PREFIX, start.exclude)
    if stage is not None and stage.weights is not None and not from_run:
        _values(stage)


def assign(model: keras.Model, recipe: Recipe) -> None:
    """Gives the backbone of a network its trained weights, if the recipe names any.

    Args:
        model: built from the recipe.
        recipe: resolved.

    Raises:
        DataError: see `require`.
        RecipeError: see `require`.
        EnvironmentFault: see `require`.
    """
    stage = backbone_of(recipe.model)
    if stage is None or stage.weights is None:
        return
    known, values = backbone(stage.name), _values(stage)
    for index, layer in enumerate(known.layers):
        if layer.trainable + layer.fixed:
            model.get_layer(known.keras_name(index)).set_weights(values[layer.name])


def _values(stage: BackboneStage) -> Arrays:
    if stage.file is None:
        return _imagenet(stage.name)
    fault = missing_weights(stage)
    if fault:
        raise DataError("", [Problem(path=AT, message=fault)])
    file = user_path(stage.file)
    return _of_file(stage.name, file, file.stat().st_mtime_ns)


def _unusable(message: str) -> DataError:
    return DataError("", [Problem(path=AT, message=f"{message}.")])


def _unfit(message: str) -> RecipeError:
    return RecipeError([Problem(path=AT, message=f"{message}.")])


@lru_cache(maxsize=1)
def _imagenet(name: str) -> Arrays:
    """Keras's own weights, which it downloads unless they are in its cache."""
    try:
        with _quiet():
            network = application(name, _smallest(name), IMAGENET)
    except Exception as error:  # Whatever urllib, a proxy or a disk may raise.
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        folder = Path(os.environ.get("KERAS_HOME") or "~/.keras") / "models"
        message = (
            f"imagenet: Keras has no weights of {name} in {folder}, and cannot download them: "
            f"{reason}. Download that file on a machine that can, copy it into the folder or give "
            "its path as weights, or train from the start with weights: none."
        )
        raise EnvironmentFault("", [Problem(path=AT, message=message)]) from error
    return _red_first(name, _of_layers(network))


def _smallest(name: str) -> tuple[int, int]:
    side = backbone(name).smallest
    return side, side


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps Keras's progress off stdout, and its remarks on image sizes away."""
    with redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _of_layers(network: keras.Model) -> Arrays:
    """The weights of a network of `keras.applications`, by layer."""
    return {
        name: layer.get_weights()
        for name, layer in layers(network)
        if getattr(layer, "weights", None)
    }


def _red_first(name: str, values: Arrays) -> Arrays:
    """Weights for images whose first channel is red, of those of Keras."""
    if not BACKBONES[name].bgr:
        return values
    first = next(iter(values))
    kernel, *others = values[first]
    return {**values, first: [kernel[:, :, ::-1], *others]}


@lru_cache(maxsize=1)
def _of_file(name: str, file: Path, changed: int) -> Arrays:
    """The weights in a file; `changed` is the time of its last change.

    Raises:
        DataError: it cannot be read, or holds NaN or infinity.
        RecipeError: it holds the weights of another network.
    """
    if not file.name.endswith(WEIGHTS_ENDINGS):
        raise _unusable(
            f"{file} is no file of weights. Expected one that ends in " + ", ".join(WEIGHTS_ENDINGS)
        )
    try:
        content = _hdf5(file)
        with h5py.File(io.BytesIO(content), "r") as stored:
            by_name = _by_name(stored)
    except Exception as error:  # Each part of such a file has its own errors in HDF5.
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise _unusable(f"{file} cannot be read: {reason}") from None
    ours = {
        keras_name.removeprefix(f"{PREFIX}_"): arrays
        for keras_name, arrays in by_name.items()
        if keras_name.startswith(PREFIX)
    }
    if ours:  # A network of ours, whose first kernel takes red first.
        known = backbone(name)
        ours[known.layers[-1].name] = by_name.get(PREFIX, [])
        values = _matched(name, file, ours)
    else:
        values = _red_first(name, _of_keras(name, file, content, by_name))
    _require_finite(file, values)
    return values


def _hdf5(file: Path) -> bytes:
    """The HDF5 file that a file is, or has in it."""
    if not file.name.endswith(".keras"):
        return file.read_bytes()
    with zipfile.ZipFile(file) as archive:
        if archive.getinfo(MEMBER).file_size > 2 * file.stat().st_size + 2**24:
            raise ValueError(f"{MEMBER} in it unpacks to far more than the file is")
        return archive.read(MEMBER)


def _by_name(stored: h5py.File) -> Arrays:
    """The arrays of each layer in a file of Keras 3, by its name, those of inner models too.

    Empty for files of older versions.
    """
    found: Arrays = {}

    def add(_: str, entry: Any) -> None:
        if isinstance(entry, h5py.Dataset) and (entry.external or entry.is_virtual):
            raise ValueError("it takes arrays from other files")
        if not isinstance(entry, h5py.Group) or not entry.name.endswith("/vars"):
            return
        keys = sorted((key for key in entry if key.isdigit()), key=int)
        if keys and "name" in entry.attrs and "/layers/" in f"/{entry.name}":
            found[str(entry.attrs["name"])] = [np.asarray(entry[key]) for key in keys]

    stored.visititems(add)
    return found


def _of_keras(name: str, file: Path, content: bytes, by_name: Arrays) -> Arrays:
    """Weights of a network of Keras: as Keras reads them, else by the names of layers."""
    try:
        with _quiet():
            network = application(name, _smallest(name))
            with tempfile.TemporaryDirectory() as folder:
                old = not by_name
                copy = Path(folder) / ("weights.h5" if old else "network.weights.h5")
                copy.write_bytes(content)
                network.load_weights(copy)
    except Exception as error:  # Keras tells a wrong file by errors of several kinds.
        if by_name:
            return _matched(name, file, _renumbered(name, by_name))
        reason = " ".join(str(error).split())[:300]
        raise _unfit(f"{file} does not hold the weights of {name}: {reason}") from None
    _require_scaling(name, file, network)
    return _of_layers(network)


def _require_scaling(name: str, file: Path, network: keras.Model) -> None:
    """Refuses an EfficientNet that was trained on images scaled in another way than ImageNet's."""
    for layer in network.layers:
        if isinstance(layer, keras.layers.Normalization) and layer.weights:
            mean, variance, *_ = layer.get_weights()
            if not np.any(mean) and np.all(variance == 1):
                raise _unfit(
                    f"{file} holds an {name} that Keras trained from the start, on pixels over "
                    "255: this stage subtracts ImageNet's mean and divides by its deviation, with "
                    "which these weights do not work. Expected weights of imagenet, or of a run"
                )


def _renumbered(name: str, by_name: Arrays) -> Arrays:
    """Arrays by the names of a fresh process: a file's `conv2d_57` may be its first, `conv2d`."""
    wanted = [layer.name for layer in backbone(name).layers if layer.trainable + layer.fixed]
    renamed = dict(by_name)
    for kind in {match[1] for each in wanted if (match := re.fullmatch(r"(.+?)(?:_\d+)?", each))}:
        pattern = re.compile(rf"{re.escape(kind)}(?:_(\d+))?")
        here = _numbered(pattern, wanted)
        there = _numbered(pattern, list(by_name))
        if here != there and len(here) <= len(there):
            for new, old in zip(here, there, strict=False):
                renamed[new] = by_name[old]
    return renamed


def _numbered(pattern: re.Pattern[str], names: Sequence[str]) -> list[str]:
    found = [(int(match[1] or 0), each) for each in names if (match := pattern.fullmatch(each))]
    return [each for _, each in sorted(found)]


def _matched(name: str, file: Path, found: Mapping[str, list[np.ndarray]]) -> Arrays:
    """The arrays of each layer of a backbone.

    Raises:
        RecipeError: some are missing or of other shapes; names the first ones.
    """
    network = blueprint(name, _smallest(name))
    values, differences = {}, []
    for called, layer in layers(network):
        wanted = [tuple(weight.shape) for weight in getattr(layer, "weights", ())]
        there = [tuple(array.shape) for array in found.get(called, [])]
        if wanted and wanted != there:
            has = f"has {there}, not {wanted}" if there else "is missing"
            differences.append(f"{called} {has}")
        elif wanted:
            values[called] = list(found[called])
    if differences:
        more = len(differences) - MAX_DIFFERENCES
        shown = "; ".join(differences[:MAX_DIFFERENCES]) + (f"; and {more} more" * (more > 0))
        raise _unfit(f"{file} does not hold the weights of {name}: {shown}")
    return values


def _require_finite(file: Path, values: Arrays) -> None:
    wrong = [name for name, arrays in values.items() if not all(map(_is_finite, arrays))]
    if wrong:
        raise _unusable(f"{file}: {wrong[0]} holds weights that are NaN or infinite")


def _is_finite(array: np.ndarray) -> bool:
    return bool(np.isfinite(array.astype(np.float64)).all())
