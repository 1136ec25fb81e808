"""Decodes every file of a folder once, before training, and records which cannot be used."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np

from zoo.data.content.pixel_statistics import PixelStatistics
from zoo.data.decoding import images
from zoo.data.decoding.image_content import Content
from zoo.data.decoding.images import BadImage, ImageSpec
from zoo.data.image_files import ImageFile, Layout
from zoo.data.stores import ImageStore
from zoo.data.threads import as_results_arrive
from zoo.progress import Progress

CHUNK = 64  # Files a thread verifies at once.
SUM_BYTES = 2**20  # Pixels that a thread sums up at once.
ABSENT = "absent"  # Stands for the hash of a file that cannot be read.


@dataclass(frozen=True)
class FileCheck:
    """What was found out about one file.

    Args:
        sha256: hash of its content.
        frames: number of its frames or pages.
        reason: why it cannot be used; None if it can.
        content: what decoding keeps of it; None if it cannot be used.
    """

    sha256: str
    frames: int
    reason: str | None
    content: Content | None = None


def verify(
    layout: Layout,
    arrays: Mapping[str, np.ndarray | None],
    spec: ImageSpec,
    progress: Progress,
) -> tuple[dict[str, list[FileCheck]], PixelStatistics | None]:
    """Decodes all files that are stored, of all splits, in threads.

    Args:
        layout: the files.
        arrays: {split: uint8 (n, height, width, channels) to write pixels into, or None}.
        spec: size and channels.
        progress: called with (images done, images in all, what is being done).

    Returns:
        {split: one check a file, in order}, and the statistics over usable training images; None
        if there are none.
    """
    total = sum(map(len, layout.stored.values()))
    done = 0
    statistics: PixelStatistics | None = None
    chunks: dict[tuple[str, int], list[FileCheck]] = {}

    def verify_chunk(
        split: str, start: int
    ) -> tuple[str, int, list[FileCheck], PixelStatistics | None]:
        files = layout.stored[split][start : start + CHUNK]
        array = arrays[split]
        rows = None if array is None else array[start : start + CHUNK]
        return split, start, *_verify_files(layout.store, files, rows, spec, sums=split == "train")

    jobs = (
        (split, start)
        for split, files in layout.stored.items()
        for start in range(0, len(files), CHUNK)
    )
    with closing(as_results_arrive(verify_chunk, jobs, "zoo-verify")) as results:
        for split, start, checks, sums in results:
            chunks[split, start] = checks
            if sums is not None:
                statistics = sums if statistics is None else statistics + sums
            done += len(checks)
            progress(done, total, "checking images")
    in_order: dict[str, list[FileCheck]] = {split: [] for split in layout.stored}
    for split, start in sorted(chunks):
        in_order[split] += chunks[split, start]
    return in_order, statistics


def _verify_files(
    store: ImageStore,
    files: Sequence[ImageFile],
    rows: np.ndarray | None,
    spec: ImageSpec,
    *,
    sums: bool,
) -> tuple[list[FileCheck], PixelStatistics | None]:
    """Decodes some files of one split, into `rows` if given; sums up pixels if asked to."""
    checks = []
    to_sum: list[np.ndarray] = []
    statistics: PixelStatistics | None = None
    image_bytes = math.prod(spec.shape)
    for i, file in enumerate(files):
        digest, frames, reason, found = ABSENT, 1, None, None
        try:
            content = store.read(file.path, spec.max_megapixels)
            digest = hashlib.sha256(content).hexdigest()
            decoded = images.decode(content, spec, measure=True)
        except BadImage as error:
            reason = str(error)
        else:
            frames, found = decoded.frames, decoded.content
            if rows is not None:
                rows[i] = decoded.pixels
            if sums:
                to_sum.append(decoded.pixels)
        if len(to_sum) * image_bytes >= SUM_BYTES:
            statistics, to_sum = _added(statistics, to_sum), []
        checks.append(FileCheck(digest, frames, reason, found))
    return checks, _added(statistics, to_sum)


def _added(statistics: PixelStatistics | None, pixels: list[np.ndarray]) -> PixelStatistics | None:
    if not pixels:
        return statistics
    added = PixelStatistics.of(np.stack(pixels))
    return added if statistics is None else statistics + added
