"""Writes tar files as WebDataset does."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.datasets.image_files import Layout
from zoo.datasets.shards import layout
from zoo.recipe.shards_source import Shards

Members = Iterable[tuple[str, bytes | str]]


def png(number: int, size: tuple[int, int] = (8, 6)) -> bytes:
    """A PNG of noise, another one for each number."""
    pixels = np.random.default_rng(number).integers(0, 256, (*size, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write(file: Path, members: Members, format: int = tarfile.USTAR_FORMAT) -> Path:
    """Writes a tar file of members with their contents."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(file, "w", format=format) as tar:
        for name, content in members:
            data = content.encode() if isinstance(content, str) else content
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return file


def samples(labels: Iterable[object], first: int = 0, ending: str = "cls") -> Members:
    """An image and a label for each label, with keys that count from `first`."""
    for number, label in enumerate(labels, first):
        yield f"{number:04}.png", png(number)
        yield f"{number:04}.{ending}", str(label)


def data_set(root: Path, shards: Mapping[str, Iterable[object]]) -> Path:
    """Writes shards by name, each with an image for each of its labels; keys count through."""
    first = 0
    for name, labels in shards.items():
        of_shard = list(labels)
        write(root / name, samples(of_shard, first))
        first += len(of_shard)
    return root


def read(root: Path, *, skip: bool = False, **given: object) -> Layout:
    """Reads a data set in shards; its lists are kept beside it."""
    options = Shards.model_validate({"path": str(root), **given})
    return layout.read(options, cache_dir=root.parent / "cache", skip=skip)
