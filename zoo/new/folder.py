"""Looks at every file of an image folder: decodes it in full, and keeps its size, mode and hash."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from zoo.data import images, layout
from zoo.data.cache import Progress
from zoo.data.images import BadImage, ImageSpec
from zoo.data.layout import ImageFile, Layout
from zoo.errors import DataError, Problem
from zoo.new.findings import Findings, Size
from zoo.new.name import recipe_name

CHUNK = 64
NAMED = 5
# Enough pixels to tell grey from colour; `nearest` takes them as they are.
SAMPLE = ImageSpec(32, 32, 3, interpolation="nearest")


@dataclass(frozen=True)
class Seen:
    """What one file told; `reason` is why it is bad, or None."""

    split: str
    file: ImageFile
    sha256: str = ""
    size: Size = (0, 0)
    mode: str = ""
    grey: bool = False
    reason: str | None = None


def look(path: str, progress: Progress) -> Findings:
    """Looks at a folder.

    Raises:
        DataError: the layout does not hold, no image can be used, or the path is not UTF-8.
    """
    root = Path(os.path.abspath(Path(path).expanduser()))
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{root!a}: the path is not UTF-8, so no recipe can name it; rename the folder"
        ) from None
    found = layout.read(root)
    seen = _look(found, progress)
    good = [one for one in seen if one.reason is None]
    bad = tuple((one.file.path, one.reason) for one in seen if one.reason is not None)
    if not good:
        raise DataError(
            f"{root}: none of {len(bad)} images can be used; repair them",
            [Problem(file=str(root / path), message=reason) for path, reason in bad],
        )
    names = found.class_names
    per_class = {split: dict.fromkeys(names, 0) for split in found.splits}
    for one in good:
        per_class[one.split][names[one.file.label]] += 1
    return Findings(
        source={"folder": str(root)},
        place=str(root),
        name=recipe_name(root.name),
        class_names=names,
        images={split: sum(counts.values()) for split, counts in per_class.items()},
        per_class=per_class,
        sizes=Counter(one.size for one in good),
        modes=Counter(one.mode for one in good),
        grey=all(one.grey for one in good),
        bad=bad,
        notes=(*found.notes, *_copies(good), *_contradictions(good, names)),
    )


def _look(found: Layout, progress: Progress) -> list[Seen]:
    """Every file of every split, in the layout's order."""
    jobs = [
        (split, files[start : start + CHUNK])
        for split, files in found.splits.items()
        for start in range(0, len(files), CHUNK)
    ]
    total = sum(len(files) for _, files in jobs)
    done = 0
    pool = ThreadPoolExecutor(images.THREADS, thread_name_prefix="zoo-new")
    try:
        submitted = [pool.submit(_chunk, found.root, split, files) for split, files in jobs]
        for job in as_completed(submitted):
            done += len(job.result())
            progress(done, total, "looking at images")
        return [one for job in submitted for one in job.result()]
    finally:
        # Also on Ctrl-C: what waits is dropped, what runs ends within a chunk.
        pool.shutdown(wait=True, cancel_futures=True)


def _chunk(root: Path, split: str, files: Iterable[ImageFile]) -> list[Seen]:
    return [_see(root, split, file) for file in files]


def _see(root: Path, split: str, file: ImageFile) -> Seen:
    try:
        content = (root / file.path).read_bytes()
        decoded = images.decode(content, SAMPLE)
    except OSError as error:
        return Seen(split, file, reason=f"cannot be read: {error.strerror or error}")
    except BadImage as error:
        return Seen(split, file, reason=str(error))
    pixels = decoded.pixels
    return Seen(
        split,
        file,
        sha256=hashlib.sha256(content).hexdigest(),
        size=decoded.size,
        mode=decoded.mode,
        grey=bool((pixels.max(axis=2) == pixels.min(axis=2)).all()),
    )


def _copies(seen: Sequence[Seen]) -> list[str]:
    """Notes of files that stand in two splits: what was trained on must not be tested on."""
    paths: dict[str, dict[str, str]] = {}
    for one in seen:
        paths.setdefault(one.split, {})[one.sha256] = one.file.path
    notes = []
    for split, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        known = paths.get(other, {})
        copies = [one for one in seen if one.split == split and one.sha256 in known]
        if copies:
            first = copies[0]
            notes.append(
                f"{len(copies)} of {split} byte for byte in {other} too, such as "
                f"{first.file.path} and {known[first.sha256]}: remove the copies, or measured "
                "accuracy flatters"
            )
    return notes


def _contradictions(seen: Sequence[Seen], names: Sequence[str]) -> list[str]:
    """A note of files that stand in two classes: one label must be wrong."""
    same: dict[str, list[ImageFile]] = {}
    for one in seen:
        same.setdefault(one.sha256, []).append(one.file)
    torn = [files for files in same.values() if len({file.label for file in files}) > 1]
    if not torn:
        return []
    shown = "; ".join(" = ".join(file.path for file in files[:3]) for files in torn[:NAMED])
    return [f"{len(torn)} images in more than one class, the same byte for byte: {shown}"]
