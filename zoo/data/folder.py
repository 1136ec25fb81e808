"""The folder source: verifies every image file once, then reads from the cache or streams.

Every file of every split is decoded in full before training, so that a broken test image is found
at the start. Threads do it: Pillow frees the interpreter while it decodes.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from zoo.data import cache, images, layout
from zoo.data.cache import Entry, Progress
from zoo.data.images import BadImage, ImageSpec
from zoo.data.layout import ImageFile, Layout
from zoo.data.memory import free_bytes
from zoo.data.splits import FileSplit, Split, Splits
from zoo.data.statistics import Statistics
from zoo.errors import DataError, Problem
from zoo.recipe.schema import Data
from zoo.recipe.source import Folder

CHUNK = 64
SUM_BYTES = 2**20  # summed at once, in each thread
ABSENT = "absent"


@dataclass(frozen=True)
class Verdict:
    """What verifying one file told; `reason` is why it is bad, or None."""

    sha256: str
    frames: int
    reason: str | None


def load(
    options: Folder, data: Data, spec: ImageSpec, cache_dir: Path, progress: Progress
) -> Splits:
    """Loads a folder of images.

    Raises:
        DataError: the layout does not hold, or images are bad (all of them at once).
        EnvironmentFault: the cache cannot be written.
    """
    root = Path(os.path.abspath(Path(options.path).expanduser()))
    found = layout.read(
        root,
        validation_split=options.validation_split,
        test_split=options.test_split,
        split_seed=options.split_seed,
    )
    resident_key, streamed_key = (_key(found, spec, resident=flag) for flag in (True, False))
    resident, entry = _choose(found, data, spec, cache_dir, resident_key)
    if entry is None and not resident:
        entry = cache.find(cache_dir, streamed_key)
    if entry is None:
        key = resident_key if resident else streamed_key
        entry = cache.store(
            cache_dir,
            key,
            lambda folder: _fill(folder, found, data, spec, progress, resident=resident),
            _needed(found, spec) if resident else 0,
        )
    _judge(entry.manifest, data, found)
    return _splits(entry, found, spec, resident=resident)


def _choose(
    found: Layout, data: Data, spec: ImageSpec, cache_dir: Path, key: str
) -> tuple[bool, Entry | None]:
    """Whether to be resident, and the entry where there is one already."""
    if data.loading == "streamed":
        return False, None
    entry = cache.find(cache_dir, key)
    if entry is not None or data.loading == "resident":
        return True, entry
    needed = _needed(found, spec)
    return needed <= free_bytes() // 2 and cache.has_space(cache_dir, needed), None


def _needed(found: Layout, spec: ImageSpec) -> int:
    """Bytes of all images, decoded."""
    height, width, channels = spec.shape
    return sum(map(len, found.splits.values())) * height * width * channels


def _key(found: Layout, spec: ImageSpec, *, resident: bool) -> str:
    files = {
        split: [(file.path, file.label, file.size, file.mtime_ns) for file in files]
        for split, files in found.splits.items()
    }
    return cache.key_of(
        {
            "source": "folder",
            "root": str(found.root),
            "resident": resident,
            "classes": found.class_names,
            "files": files,
            "spec": asdict(spec),
        }
    )


def _fill(
    folder: Path,
    found: Layout,
    data: Data,
    spec: ImageSpec,
    progress: Progress,
    *,
    resident: bool,
) -> dict[str, Any]:
    """Verifies all files into a cache folder; raises on bad ones before anything is kept."""
    outs: dict[str, np.ndarray | None] = {
        split: cache.create_array(folder / f"{split}.npy", (len(files), *spec.shape))
        if resident
        else None
        for split, files in found.splits.items()
    }
    verdicts, statistics = _verify(found, outs, spec, progress)
    manifest = _manifest(found, verdicts)
    _judge(manifest, data, found)
    for split, out in outs.items():
        if out is not None:
            cache.flush(out)
            keep = np.array([verdict.reason is None for verdict in verdicts[split]])
            cache.keep_rows(folder / f"{split}.npy", keep)
    if statistics is not None:
        cache.save_statistics(folder, statistics)
    return manifest


def _verify(
    found: Layout,
    outs: Mapping[str, np.ndarray | None],
    spec: ImageSpec,
    progress: Progress,
) -> tuple[dict[str, list[Verdict]], Statistics | None]:
    """Decodes all files; returns a verdict a file, and the sums over good training images."""
    splits = found.splits
    verdicts: dict[str, list[Verdict]] = {split: [] for split in splits}
    total = sum(map(len, splits.values()))
    done = 0
    statistics: Statistics | None = None

    def verify(split: str, start: int) -> tuple[str, int, list[Verdict], Statistics | None]:
        files = splits[split][start : start + CHUNK]
        return split, start, *_verify_chunk(found.root, files, outs[split], start, spec, split)

    pool = ThreadPoolExecutor(images.THREADS, thread_name_prefix="zoo-verify")
    try:
        chunks: dict[tuple[str, int], list[Verdict]] = {}
        # No list of the jobs is kept: each holds sums as large as eight images.
        for job in as_completed(
            pool.submit(verify, split, start)
            for split, files in splits.items()
            for start in range(0, len(files), CHUNK)
        ):
            split, start, chunk, sums = job.result()
            chunks[split, start] = chunk
            if sums is not None:
                statistics = sums if statistics is None else statistics + sums
            done += len(chunk)
            progress(done, total, "checking images")
    finally:
        # Also on an error or Ctrl-C: what waits is dropped, what runs ends within a chunk.
        pool.shutdown(wait=True, cancel_futures=True)
    for split, start in sorted(chunks):
        verdicts[split] += chunks[split, start]
    return verdicts, statistics


def _verify_chunk(
    root: Path,
    files: Iterable[ImageFile],
    out: np.ndarray | None,
    start: int,
    spec: ImageSpec,
    split: str,
) -> tuple[list[Verdict], Statistics | None]:
    verdicts = []
    good: list[np.ndarray] = []
    total: Statistics | None = None
    decoded_bytes = math.prod(spec.shape)
    for row, file in enumerate(files, start):
        digest, frames, reason = ABSENT, 1, None
        try:
            content = _content(root / file.path)
            digest = hashlib.sha256(content).hexdigest()
            decoded = images.decode(content, spec)
        except BadImage as error:
            reason = str(error)
        else:
            frames = decoded.frames
            if out is not None:
                out[row] = decoded.pixels
            if split == "train":
                good.append(decoded.pixels)
        if len(good) * decoded_bytes >= SUM_BYTES:
            total, good = _added(total, good), []
        verdicts.append(Verdict(digest, frames, reason))
    return verdicts, _added(total, good)


def _added(total: Statistics | None, pixels: list[np.ndarray]) -> Statistics | None:
    if not pixels:
        return total
    more = Statistics.of(np.stack(pixels))
    return more if total is None else total + more


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadImage(f"cannot be read: {error.strerror or error}") from None


def _manifest(found: Layout, verdicts: Mapping[str, list[Verdict]]) -> dict[str, Any]:
    splits: dict[str, dict[str, list[Any]]] = {}
    bad, animated = [], []
    for split, files in found.splits.items():
        rows: dict[str, list[Any]] = {"files": [], "labels": [], "sha256": []}
        for file, verdict in zip(files, verdicts[split], strict=True):
            if verdict.reason is not None:
                bad.append((split, file.path, verdict.reason))
                continue
            rows["files"].append(file.path)
            rows["labels"].append(file.label)
            rows["sha256"].append(verdict.sha256)
            if verdict.frames > 1:
                animated.append((file.path, verdict.frames))
        splits[split] = rows
    return {
        "splits": splits,
        "bad": bad,
        "animated": animated,
        "fingerprint": _fingerprint(found.class_names, splits),
    }


def _fingerprint(names: tuple[str, ...], splits: Mapping[str, Mapping[str, list[Any]]]) -> str:
    """SHA-256 over split, class, relative path and content hash of every image that is used."""
    digest = hashlib.sha256()
    for split in sorted(splits):
        rows = splits[split]
        for path, label, sha in sorted(
            zip(rows["files"], rows["labels"], rows["sha256"], strict=True)
        ):
            line = f"{split}\0{names[label]}\0{path}\0{sha}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _judge(manifest: Mapping[str, Any], data: Data, found: Layout) -> None:
    """Raises DataError for bad images, unless they are to be skipped and enough remain."""
    bad = manifest["bad"]
    problems = [Problem(file=str(found.root / path), message=reason) for _, path, reason in bad]
    if bad and data.on_bad_image == "error":
        total = sum(map(len, found.splits.values()))
        raise DataError(
            f"{len(bad)} of {total} images cannot be used; repair or remove these files, or leave "
            "them out with data.on_bad_image: skip",
            problems,
        )
    splits = manifest["splits"]
    left = set(splits["train"]["labels"])
    lost = [name for label, name in enumerate(found.class_names) if label not in left]
    if lost:
        lost_files = {file.path for file in found.train if file.label not in left}
        raise DataError(
            f"without its bad images, train has none of: {', '.join(lost)}. Expected at least one "
            "a class; repair these files, or remove the class",
            [
                problem
                for problem, (split, path, _) in zip(problems, bad, strict=True)
                if split == "train" and path in lost_files
            ],
        )
    for split, rows in splits.items():
        if not rows["labels"]:
            raise DataError(f"without its bad images, {split} is empty; repair them", problems)


def _splits(entry: Entry, found: Layout, spec: ImageSpec, *, resident: bool) -> Splits:
    stored = entry.manifest["splits"]

    def split(name: str) -> Split:
        if resident:
            files = stored[name]["files"]
            return replace(entry.array_split(name), root=found.root, files=files)
        statistics = entry.statistics if name == "train" else None
        return FileSplit(found.root, stored[name]["files"], entry.labels(name), spec, statistics)

    return Splits(
        train=split("train"),
        validation=split("validation"),
        test=split("test") if "test" in stored else None,
        class_names=found.class_names,
        image_shape=spec.shape,
        fingerprint=entry.manifest["fingerprint"],
        notes=(*found.notes, *_notes(entry.manifest)),
    )


def _notes(manifest: Mapping[str, Any]) -> list[str]:
    notes = [f"left out {path}: {reason}" for _, path, reason in manifest["bad"]]
    notes += [
        f"{path} has {frames} frames or pages; the first is used"
        for path, frames in manifest["animated"]
    ]
    splits = manifest["splits"]
    for one, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        if one in splits:
            known = set(splits[other]["sha256"])
            shared = sum(sha in known for sha in splits[one]["sha256"])
            if shared:
                notes.append(f"{shared} files of {one} are byte for byte files of {other}")
    return notes
