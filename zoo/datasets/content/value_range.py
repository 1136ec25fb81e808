"""Measures the range of values of training images, for `data.value_range: auto`.

The range is kept in the cache: the word costs one more pass over the files, once.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from zoo.datasets import cache
from zoo.datasets.content.content_summary import joined
from zoo.datasets.decoding.levels import value_limits
from zoo.datasets.decoding.opening import opened
from zoo.datasets.decoding.samples import is_deep, read
from zoo.datasets.image_files import Layout
from zoo.datasets.spec import ImageSpec, Range
from zoo.datasets.stores import ImageStore
from zoo.datasets.threads import as_results_arrive
from zoo.progress import Progress
from zoo.recipe.pixels import usable_range

CHUNK = 64  # Files a thread reads at once.


def of_files(folder: Layout, spec: ImageSpec, cache_dir: Path, progress: Progress) -> Range | None:
    """Returns the smallest and the largest value of the training images of more than 8 bits.

    Args:
        folder: the files.
        spec: has the limit of an image's size.
        cache_dir: folder of the cache.
        progress: called with (images done, images in all, what is being done).

    Returns:
        (low, high) with low below high; None if no image has more than 8 bits a channel. Files that
        cannot be read are left out: they are reported when they are decoded.

    Raises:
        EnvironmentFault: the cache cannot be written.
    """
    files = folder.train.hashed()
    key = cache.key_of({"measured": "value_range", "root": str(folder.root), "files": files})

    def fill(_: Path) -> dict[str, Any]:
        return {"value_range": _measure(folder, spec, progress)}

    entry = cache.obtain(cache_dir, key, fill, 0, progress)
    found = entry.manifest["value_range"]
    if found is None:
        return None
    return usable_range(float(found[0]), float(found[1]))


def _measure(folder: Layout, spec: ImageSpec, progress: Progress) -> Range | None:
    total, done = len(folder.train), 0
    ranges: list[Range | None] = []

    def measure_chunk(start: int) -> list[Range | None]:
        files = folder.train[start : start + CHUNK]
        return [_file_limits(folder.store, file.path, spec) for file in files]

    jobs = ((start,) for start in range(0, total, CHUNK))
    with closing(as_results_arrive(measure_chunk, jobs, "zoo-range")) as results:
        for chunk in results:
            ranges.append(joined(chunk))
            done += len(chunk)
            progress(done, total, "measuring values")
    return joined(ranges)


def _file_limits(store: ImageStore, path: str, spec: ImageSpec) -> Range | None:
    try:
        content = store.read(path, spec.max_megapixels)
        with opened(content) as image:
            if not is_deep(image) or image.width * image.height > spec.max_megapixels * 1e6:
                return None
            deep = read(image, content, depth=True, alpha=False).deep
            return None if deep is None else value_limits(deep)
    except Exception:  # A broken file, of which verification tells more.
        return None
