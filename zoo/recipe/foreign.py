"""Tells files of other programs, given where a recipe is expected, for what they are. Light.

Such a file has no key of a recipe, or means something else by it: a list of its unknown keys helps
nobody. One sentence says what it is and what to do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.errors import Problem, RecipeError
from zoo.recipe.yaml_reader import MAX_BYTES, Document, read_file

BLOCKS = ("data", "model", "train")  # Maps in every recipe.
MOST_LOOKED_AT = 2_000  # Values that are searched for the key of a class.
MIN_OPTIONS = 3  # Of a flat list of training options.
JSON_HEAD = 1 << 16
_BLOCK = re.compile(rb"^[\"']?(data|model|train)[\"']? *:", re.MULTILINE)

FOLDERS = (
    "zoo learns one class for each image: put the images in a folder for each class, and "
    "`zoo new FOLDER` writes the recipe"
)
BOXES = f"Boxes are no classes: {FOLDERS}"
START = "`zoo new FOLDER` writes a recipe for your images; `zoo list` names those that ship"
LAYERS = f"docs/network.md describes model.stack, which holds a recipe's layers. {START}"
MODEL = "`zoo predict`, `export` and `serve` take the folder of a run or of an export"


@dataclass(frozen=True)
class Kind:
    """A kind of file that is known by its keys.

    Args:
        what: it is.
        keys: names that it has at its top, all of them.
        advice: what to do.
    """

    what: str
    keys: frozenset[str]
    advice: str


def _kind(what: str, keys: str, advice: str) -> Kind:
    return Kind(what, frozenset(keys.split()), advice)


# The first that fits is told. A file with two blocks of a recipe is one, whatever else it holds.
KINDS = (
    _kind("annotations of COCO: boxes or masks in images", "images annotations", BOXES),
    _kind("annotations of labelme: outlines in an image", "shapes imagePath", BOXES),
    _kind("GeoJSON", "type features", FOLDERS),
    _kind("a network of YOLO", "backbone head", LAYERS),
    _kind("a Jupyter notebook", "cells nbformat", START),
    _kind("the configuration of a Keras model", "class_name config", LAYERS),
    _kind("the configuration of a Hugging Face model", "model_type", LAYERS),
    _kind("the configuration of a Hugging Face model", "architectures", LAYERS),
    _kind("the configuration of a Hugging Face model", "id2label", LAYERS),
    _kind("a sweep of Weights & Biases", "method parameters", "docs/tuning.md has `tune`"),
    _kind("a configuration of Weights & Biases", "_wandb", START),
    _kind("a configuration of Ludwig", "input_features output_features", START),
    _kind("a file of Docker Compose", "services", START),
    _kind("a workflow of GitHub Actions", "jobs on", START),
    _kind("a manifest of Kubernetes", "apiVersion kind", START),
    _kind("an environment of conda", "channels dependencies", START),
    _kind("an environment of conda", "name dependencies", START),
    _kind("a configuration of pre-commit", "repos", START),
    _kind("a configuration of TypeScript", "compilerOptions", START),
    _kind("a configuration of ESLint", "extends rules", START),
    _kind("a JSON Schema", "$schema properties", START),
    _kind(
        "run.json of a run", "status recipe_hash",
        "The run's recipe is recipe.yaml beside it; `zoo train --resume RUN` goes on with a run",
    ),
    _kind(
        "manifest.json of an export", "format classes files",
        "The recipe is recipe.yaml beside it",
    ),
)  # fmt: skip
# Options of a training that other tools write without blocks, as timm's args.yaml.
OPTIONS = frozenset((
    "aa", "batch_size", "bs", "dataset", "drop_path", "epochs", "img_size", "imgsz",
    "learning_rate", "lr", "lr0", "momentum", "num_classes", "opt", "optimizer", "pretrained",
    "sched", "scheduler", "weight_decay", "workers",
))  # fmt: skip
# Where a parser finds no map, the name of the file or its start says what it is.
ENDINGS = {
    ".py": ("a Python script", START),
    ".ipynb": ("a Jupyter notebook", START),
    ".sh": ("a shell script", START),
    ".toml": ("a TOML file", START),
    ".ini": ("an INI file", START),
    ".cfg": ("an INI file, or a network of Darknet", START),
    ".md": ("a text in Markdown", START),
    ".html": ("a web page", START),
    ".xml": ("an XML file, such as one of Pascal VOC's boxes", BOXES),
    ".jsonl": ("a file of JSON lines", START),
    ".csv": ("a table", FOLDERS),
    ".tsv": ("a table", FOLDERS),
    ".xlsx": ("a table", FOLDERS),
    ".parquet": ("a table", FOLDERS),
    ".txt": ("a list, or another text", START),
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"), (
        "an image", f"`zoo predict RUN IMAGE` prints its class; {FOLDERS}")),
    **dict.fromkeys((".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".xz"), (
        "an archive", "Unpack it; `zoo new FOLDER` writes a recipe for a folder of images")),
    **dict.fromkeys((".keras", ".h5", ".hdf5", ".onnx", ".tflite", ".pb", ".pt", ".pth", ".ckpt",
                     ".safetensors", ".npz"), ("a model's file", MODEL)),
}  # fmt: skip


def read(path: Path) -> Document:
    """Reads a recipe's file.

    Raises:
        RecipeError: as `zoo.recipe.yaml_reader.read_file`; or it is another program's file.
    """
    head = _head(path)
    if head.lstrip()[:1] in (b"{", b"["):
        _require_no_foreign(path, _json(path, head))
    try:
        document = read_file(path)
    except RecipeError:
        _require_known_name(path, head)
        raise
    if not isinstance(document.data, Mapping):
        _require_known_name(path, head)
    _require_no_foreign(path, document.data)
    return document


def kind_of(data: Any) -> tuple[str, str] | None:
    """Says what data are that are no recipe.

    Args:
        data: as YAML or JSON holds them.

    Returns:
        (what it is, what to do), or None for what may be a recipe.
    """
    if not isinstance(data, Mapping):
        return None
    if any(key == "_target_" for key in _keys(data)):
        return "a configuration of Hydra, which names Python classes", LAYERS
    if any(key == "class_path" for key in _keys(data)):
        return "a configuration of Lightning, which names Python classes", LAYERS
    if sum(isinstance(data.get(block), Mapping) for block in BLOCKS) > 1:
        return None
    if _is_yolo_data(data):
        return "a data set of YOLO, whose labels are boxes in images", BOXES
    if isinstance(data.get("defaults"), list):
        return "a configuration of Hydra", START
    keys = {key for key in data if isinstance(key, str)}
    for kind in KINDS:
        if kind.keys <= keys:
            return kind.what, kind.advice
    if len(keys & OPTIONS) >= MIN_OPTIONS and not keys & {"data", "train", "evaluate", "tune"}:
        return (
            "a flat list of training options, as other tools write it",
            "A recipe has them in blocks, such as train.epochs, train.batch_size and "
            f"train.optimizer: {{SGD: {{learning_rate: 0.1}}}}. {START}",
        )
    return None


def _is_yolo_data(data: Mapping[Any, Any]) -> bool:
    """Whether a map names folders of splits, and classes, by keys that also mean other things."""
    names_folders = isinstance(data.get("train"), str | list) and not isinstance(
        data.get("val"), Mapping
    )
    return names_folders and bool({"names", "nc", "val"} & data.keys())


def _keys(data: Any) -> Iterator[Any]:
    """The keys of maps in data, outer ones first, of so many values at most."""
    level, seen = [data], 0
    while level and seen < MOST_LOOKED_AT:
        inner: list[Any] = []
        for value in level:
            if isinstance(value, Mapping):
                yield from value
            inner += value.values() if isinstance(value, Mapping) else value
            seen += 1
        level = [value for value in inner if isinstance(value, Mapping | list)]


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(JSON_HEAD)
    except OSError:
        return b""  # Told when it is read.


def _json(path: Path, head: bytes) -> Any:
    """A JSON file's data; of a large one what its first keys show; None for what is no JSON."""
    try:
        if path.stat().st_size <= MAX_BYTES:
            return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    is_coco = b'"images"' in head or b'"annotations"' in head or b'"licenses"' in head
    return {"images": [], "annotations": []} if is_coco else None


def _require_no_foreign(path: Path, data: Any) -> None:
    kind = kind_of(data)
    if kind is not None:
        raise _refused(path, *kind)


def _require_known_name(path: Path, head: bytes) -> None:
    """Refuses a file that holds no map by what its name or its start says.

    Raises:
        RecipeError: the name or the start is known, and no recipe with a mistake is in it.
    """
    if len(set(_BLOCK.findall(head))) > 1:
        return
    if path.name.lower().startswith(("dockerfile", "containerfile")) or head.startswith(b"FROM "):
        raise _refused(path, "a Dockerfile", START)
    if path.name.lower() == "makefile":
        raise _refused(path, "a Makefile", START)
    kind = ENDINGS.get(path.suffix.lower())
    if kind is not None:
        raise _refused(path, *kind)


def _refused(path: Path, what: str, advice: str) -> RecipeError:
    message = f"not a recipe but {what}. {advice[0].upper()}{advice[1:]}."
    return RecipeError([Problem(message=message, file=str(path))])
