"""Makes the entry of the cache for image files: verifies them, and stores what was found out."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import cache, known_pixels, stored_files
from zoo.datasets.content.content_summary import summarise
from zoo.datasets.decoding.image_content import Content
from zoo.datasets.decoding.images import ImageSpec
from zoo.datasets.division.subsets import Part, parts_of
from zoo.datasets.folders.manifest import BAD
from zoo.datasets.folders.tree import in_words
from zoo.datasets.image_files import POOL, Files, Layout
from zoo.datasets.stored_files import StoredFiles
from zoo.datasets.verified import Record
from zoo.datasets.verify import Checks, Pixels, known_hashes, verify
from zoo.errors import DataError, Problem
from zoo.progress import Progress
from zoo.recipe.data_block import Data

MANY_LABELS = -1  # Stands for the class of images with any number of labels, in a summary.


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Builds the entry of a folder or table.

    Args:
        folder: the files.
        data: the recipe's `data` block.
        spec: size and channels.
        progress: called with (images done, images in all, what is being done).
        resident: whether decoded images are stored.
        record: path of the record of what was verified.
    """

    folder: Layout
    data: Data
    spec: ImageSpec
    progress: Progress
    resident: bool
    record: Path

    def fill(self, entry_dir: Path) -> dict[str, Any]:
        """Verifies all files and fills a cache entry; returns its manifest.

        Raises:
            DataError: images are bad.
            OSError: the disk does not take it.
        """
        folder = self.folder
        pixels: dict[str, Pixels | None] = {split: None for split in folder.stored}
        statistics = None
        if self.resident:
            pixels = {split: self._pixels(entry_dir, split) for split in folder.stored}
        if folder.manifest is not None and not self.resident:
            checks = {split: _trusted(files) for split, files in folder.stored.items()}
        else:
            with closing(Record(self.record)) as record:
                record.read()
                self._copy_known(record, pixels)
                checks, statistics = verify(
                    folder, pixels, self.spec, self.progress, record,
                    lambda: _save_pixels(entry_dir, pixels),
                )  # fmt: skip
                record.forget_if_stale(sum(map(len, folder.stored.values())))
        manifest = self._manifest(entry_dir, checks)
        require_usable(manifest, entry_dir, self.data, folder)
        for split, of in pixels.items():
            if of is not None:
                cache.flush(of.array)
                cache.keep_rows(entry_dir / f"{split}.npy", checks[split].usable)
                (entry_dir / f"{split}{PRESENT}").unlink(missing_ok=True)
        (entry_dir / cache.UNFINISHED).unlink(missing_ok=True)
        if self.resident and self.record.exists():
            known_pixels.remember(self._images_note, entry_dir)
        if statistics is not None and statistics.count:
            cache.save_statistics(entry_dir, statistics)
        return manifest

    @property
    def _images_note(self) -> Path:
        return self.record.with_suffix(".images")

    def _copy_known(self, record: Record, pixels: Mapping[str, Pixels | None]) -> None:
        """Takes images that an older entry holds, where files were added or changed."""
        wanted = {split: of for split, of in pixels.items() if of is not None}
        if record.known.keys and wanted:
            hashes = {
                split: known_hashes(self.folder.stored[split], record.known) for split in wanted
            }
            cache_dir = self.record.parent.parent
            known_pixels.copy(self._images_note, cache_dir, hashes, wanted)

    def _pixels(self, entry_dir: Path, split: str) -> Pixels:
        """The array of a split's images: a new one, or that of a killed build."""
        shape = (len(self.folder.stored[split]), *self.spec.shape)
        path, present = entry_dir / f"{split}.npy", entry_dir / f"{split}{PRESENT}"
        if (entry_dir / cache.UNFINISHED).exists() and present.exists():
            array = np.load(path, mmap_mode="r+")
            rows = np.fromfile(present, bool)
            if array.shape == shape and len(rows) == shape[0]:
                return Pixels(array, rows)
        return Pixels(cache.create_array(path, shape), np.zeros(shape[0], bool))

    def _manifest(self, entry_dir: Path, checks: Mapping[str, Checks]) -> dict[str, Any]:
        """Stores the usable files, and describes them; lists bad and animated ones."""
        folder = self.folder
        stored: dict[str, StoredFiles] = {}
        bad, animated = [], []
        for split, files in folder.stored.items():
            of = checks[split]
            bad += [(split, files.paths[row], of.bad[row]) for row in sorted(of.bad)]
            animated += [(files.paths[row], of.frames[row]) for row in sorted(of.frames)]
            stored[split] = stored_files.of_list(files, of.sha256)
            if of.bad:
                stored[split] = stored[split].take(np.flatnonzero(of.usable))
        return {
            "splits": {split: stored_files.save(entry_dir, split, of)
                       for split, of in stored.items()},
            "bad": bad,
            "animated": animated,
            "content": summarise(_contents(folder, checks)).as_json(),
            "fingerprint": fingerprint(folder, stored),
            "shared": shared_files(stored) if folder.pool is None else [],
            **({"classes": len(folder.class_names)} if folder.multi_label else {}),
        }  # fmt: skip


PRESENT = ".present"


def _save_pixels(entry_dir: Path, pixels: Mapping[str, Pixels | None]) -> None:
    """Writes the images that were decoded so far, so that a build that is killed can go on."""
    for split, of in pixels.items():
        if of is not None:
            present = of.present.copy()  # Threads go on.
            cache.flush(of.array)
            present.tofile(entry_dir / f"{split}{PRESENT}")
            (entry_dir / cache.UNFINISHED).touch()


def _trusted(files: Files) -> Checks:
    """What a manifest says of files that are not opened."""
    digests = np.frombuffer(files.digests or b"", np.uint8).reshape(-1, stored_files.SHA256_BYTES)
    checks = Checks(digests)
    for row in np.flatnonzero(~digests.any(axis=1)).tolist():
        checks.bad[row] = BAD
    return checks


def _contents(
    folder: Layout, checks: Mapping[str, Checks]
) -> Iterator[tuple[str, int, str, Content]]:
    """Yields what decoding keeps of each usable file, in order, for a summary."""
    for split, files in folder.stored.items():
        of_split = "train" if split == POOL else split
        groups = (MANY_LABELS if folder.multi_label else labels[0] for labels in files.labels())
        rows = zip(groups, files.paths, strict=True)
        for group, path, content in checks[split].contents(rows):
            yield of_split, group, path, content


def fingerprint(folder: Layout, splits: Mapping[str, StoredFiles]) -> str:
    """Hashes split, classes, relative path and content hash of every usable image (SHA-256)."""
    names = folder.class_names
    digest = hashlib.sha256(b"multi-label\n" if folder.multi_label else b"")
    for split in sorted(splits):
        files = splits[split]
        # No name of a class holds a tab.
        classes = ["\t".join(names[label] for label in labels) for labels in files.label_sets]
        for path, row in files.by_path():
            sha = files.sha256[row].tobytes().hex()
            line = f"{split}\0{classes[files.label_ids[row]]}\0{path}\0{sha}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def shared_files(splits: Mapping[str, StoredFiles]) -> list[tuple[str, str, int]]:
    """Counts the files that are in two splits: (split, other split, number)."""
    pairs = (("validation", "train"), ("test", "train"), ("test", "validation"))
    counts = [
        (split, other, stored_files.shared(splits[split], splits[other]))
        for split, other in pairs
        if split in splits
    ]
    return [row for row in counts if row[2]]


def require_usable(
    manifest: Mapping[str, Any], entry_dir: Path, data: Data, folder: Layout
) -> dict[str, Part]:
    """Checks that no image is bad, or that bad ones may be skipped and enough remain.

    Args:
        manifest: of the entry.
        entry_dir: its folder.
        data: the recipe's `data` block.
        folder: the files.

    Returns:
        The usable files of each split.

    Raises:
        DataError: otherwise.
    """
    bad = manifest["bad"]
    problems = [Problem(file=str(folder.root / path), message=reason) for _, path, reason in bad]
    if folder.manifest is not None:
        folder.manifest.require_unchanged(problems)
    if bad and data.on_bad_image == "error":
        total = sum(map(len, folder.stored.values()))
        ranges = any("data.value_range" in reason for _, _, reason in bad)
        raise DataError(
            f"{len(bad)} of {total} images cannot be used; "
            f"{'set data.value_range, ' * ranges}repair or remove these files, or leave "
            "them out with data.on_bad_image: skip",
            problems,
        )
    stored = {split: stored_files.read(entry_dir, split, part)
              for split, part in manifest["splits"].items()}  # fmt: skip
    splits = parts_of(stored, folder, {path for _, path, _ in bad})
    remaining = splits["train"].files.labels_present()
    lost = [name for label, name in enumerate(folder.class_names) if label not in remaining]
    if lost:
        lost_files = {file.path for file in folder.train if not remaining.issuperset(file.labels)}
        raise DataError(
            f"without its bad images, train has none of: {in_words(lost)}. Expected at least one "
            "a class; repair these files, or remove the class",
            [
                problem
                for problem, (split, path, _) in zip(problems, bad, strict=True)
                if split in ("train", POOL) and path in lost_files
            ],
        )
    for split, part in splits.items():
        if not len(part.files):
            raise DataError(f"without its bad images, {split} is empty; repair them", problems)
    return splits
