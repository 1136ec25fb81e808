"""Reads how a folder of images is laid out: its classes, its splits, and what it ignores.

Light: only directory listings, no image is opened. The same folder, shares and split seed give the
same layout on every machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.data.divide import divide
from zoo.errors import DataError

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
LOOK_LIKE_SPLITS = {*SPLIT_FOLDERS, "training", "valid", "dev", "testing"}
DEFAULT_SHARE = 0.1
NAMED_IN_NOTES = 10
EXPECTED = (
    "Expected train/CLASS/*.jpg (with validation/ and test/ beside train/ where they exist), "
    "or CLASS/*.jpg"
)


@dataclass(frozen=True)
class ImageFile:
    """One image file: `path` is relative to the root, with forward slashes; `size` in bytes."""

    path: str
    label: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Layout:
    """The image files of each split; `test` is None where there is none. Labels index classes."""

    root: Path
    class_names: tuple[str, ...]
    train: tuple[ImageFile, ...]
    validation: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...] | None
    notes: tuple[str, ...]

    @property
    def splits(self) -> dict[str, tuple[ImageFile, ...]]:
        """The splits that exist, by name."""
        splits = {"train": self.train, "validation": self.validation}
        return splits if self.test is None else splits | {"test": self.test}


@dataclass
class _Listing:
    """What one walk over the folder has left aside."""

    root: Path
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


Group = list[tuple[str, int, int]]  # path relative to the root, bytes, mtime in nanoseconds
Groups = dict[str, Group]  # by class name


def class_names(path: Path) -> tuple[str, ...] | None:
    """The class names of a folder, sorted, from directory names alone.

    None if the folder does not exist or holds no class folders. Checks nothing else.
    """
    try:
        folders = _folders(path)
        if _has_train_split(path, folders):
            folders = _folders(path / "train")
        elif set(folders) & set(SPLIT_FOLDERS) - {"train"}:
            return None
    except OSError:
        return None
    return tuple(folders) or None


def read(
    path: Path,
    *,
    validation_split: float | None = None,
    test_split: float | None = None,
    split_seed: int = 0,
) -> Layout:
    """Reads the layout of a folder and splits off what it has no folder for.

    Raises:
        DataError: the folder is missing or not laid out as `EXPECTED`, it has fewer than two
            classes, an empty class, or a split is asked for that already has a folder.
    """
    listing = _Listing(path)
    try:
        given = _given_splits(path, listing)
        names = tuple(sorted(given["train"]))
        _check_classes(path, given, names)
        flat = given.pop("", None) is not None
        shares = _shares(path, given, validation_split, test_split, flat=flat)
    except OSError as error:
        raise DataError(f"cannot read the folder {path}: {error.strerror or error}") from None
    splits = {name: _files(groups, names) for name, groups in given.items()}
    if shares:
        _split_off(splits, shares, split_seed, names, listing)
    for name, files in splits.items():
        if not files:
            raise DataError(
                f"{path}: the {name} split has no image. Expected at least one; give every class "
                f"more images, or a larger {name}_split"
            )
    _note_missing({name: splits[name] for name in splits if name not in shares}, names, listing)
    _note_ignored(listing)
    return Layout(
        root=path,
        class_names=names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        notes=tuple(listing.notes),
    )


def _folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())


def _has_train_split(path: Path, folders: Sequence[str]) -> bool:
    """Whether train/ is a split, not a class of that name beside others (as of vehicles)."""
    if "train" not in folders:
        return False
    return bool(_folders(path / "train")) or set(folders) <= set(SPLIT_FOLDERS)


def _given_splits(path: Path, listing: _Listing) -> dict[str, Groups]:
    """The groups of each split that has a folder; a flat layout is all train, marked by ""."""
    if not path.exists():
        raise DataError(f"the folder {path} does not exist. {EXPECTED}; check data.source.folder")
    if not path.is_dir():
        raise DataError(f"{path} is not a folder. {EXPECTED}; check data.source.folder")
    folders = _folders(path)
    if _has_train_split(path, folders):
        given: dict[str, Groups] = {}
        for folder in folders:
            split = SPLIT_FOLDERS.get(folder)
            if split is None:
                listing.notes.append(f"ignored the folder {folder}/ beside train/: not a split")
            elif split in given:
                raise DataError(f"{path} has both validation/ and val/. Expected one; merge them")
            else:
                given[split] = _groups(path / folder, listing)
        _note_stray(path, listing)
        return given
    _check_flat(path, folders)
    return {"train": _groups(path, listing), "": {}}


def _check_flat(path: Path, folders: Sequence[str]) -> None:
    named = sorted(set(folders) & set(SPLIT_FOLDERS) - {"train"})
    if named:
        raise DataError(
            f"{path} has {named[0]}/ but no train/ with class folders. {EXPECTED}; move the class "
            f"folders into train/, or rename {named[0]}/ if it is a class"
        )
    if folders and all(folder.lower() in LOOK_LIKE_SPLITS for folder in folders):
        raise DataError(
            f"{path} has no class folders but {_listed(folders)}. {EXPECTED}; rename the folders "
            "to train, validation and test"
        )


def _groups(folder: Path, listing: _Listing) -> Groups:
    """The images of each class folder in a folder, sorted by path; empty classes too."""
    names = _folders(folder)
    if not names:
        images = sum(map(is_image, os.listdir(folder)))
        found = f"{images} images directly in it" if images else "nothing to read"
        raise DataError(
            f"{folder} has no class folders. {EXPECTED}. Received {found}; put the images of each "
            "class into a folder of its own"
        )
    _note_stray(folder, listing)
    return {name: sorted(_walk(folder / name, listing, ())) for name in names}


def _walk(
    folder: Path, listing: _Listing, above: tuple[tuple[int, int], ...]
) -> Iterator[tuple[str, int, int]]:
    """Yields the images in a folder and the folders in it; a link to a folder above is cut."""
    status = folder.stat()
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        listing.ignored.append(_relative(folder, listing.root))
        return
    prefix = _relative(folder, listing.root)
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            elif entry.is_dir():
                yield from _walk(folder / entry.name, listing, (*above, identity))
            elif is_image(entry.name) and entry.is_file():
                stat = entry.stat()
                yield f"{prefix}/{entry.name}", stat.st_size, stat.st_mtime_ns
            else:
                listing.ignored.append(f"{prefix}/{entry.name}")


def is_image(name: str) -> bool:
    """Whether a file is taken for an image by its name; hidden ones are not."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _note_stray(folder: Path, listing: _Listing) -> None:
    """Notes files that lie beside class folders or splits."""
    with os.scandir(folder) as entries:
        listing.ignored += [
            _relative(folder / entry.name, listing.root)
            for entry in entries
            if not entry.name.startswith(".") and not entry.is_dir()
        ]


def _check_classes(path: Path, given: Mapping[str, Groups], names: tuple[str, ...]) -> None:
    empty = [name for name in names if not given["train"][name]]
    if empty:
        raise DataError(
            f"{path}: no image in the training class{'es' * (len(empty) > 1)} {_listed(empty)}. "
            f"Expected files ending in {' '.join(EXTENSIONS)}; add images or remove the folder"
        )
    if len(names) < 2:
        raise DataError(f"{path} has only one class, {names[0]}. Expected at least two")
    for split, groups in given.items():
        unknown = sorted(set(groups) - set(names))
        if unknown:
            raise DataError(
                f"{path}: {split} has class{'es' * (len(unknown) > 1)} that train lacks: "
                f"{_listed(unknown)}. Expected only {_listed(names)}; the folders' names must match"
            )


def _shares(
    path: Path,
    given: Mapping[str, Groups],
    validation_split: float | None,
    test_split: float | None,
    *,
    flat: bool,
) -> dict[str, float]:
    """What to split off train, test first: a validation share counts what the test leaves."""
    for name, share in (("validation", validation_split), ("test", test_split)):
        if share is not None and name in given:
            raise DataError(
                f"data.source.folder.{name}_split is given, but {path} has a {name} folder; "
                "drop one of the two"
            )
    shares: dict[str, float] = {}
    if "test" not in given and (flat or test_split is not None):
        shares["test"] = DEFAULT_SHARE if test_split is None else test_split
    if "validation" not in given:
        shares["validation"] = DEFAULT_SHARE if validation_split is None else validation_split
    return shares


def _files(groups: Groups, names: tuple[str, ...]) -> tuple[ImageFile, ...]:
    return tuple(
        ImageFile(path, label, size, mtime_ns)
        for label, name in enumerate(names)
        for path, size, mtime_ns in groups.get(name, ())
    )


def _split_off(
    splits: dict[str, tuple[ImageFile, ...]],
    shares: Mapping[str, float],
    seed: int,
    names: tuple[str, ...],
    listing: _Listing,
) -> None:
    by_class: dict[str, list[ImageFile]] = {name: [] for name in names}
    for file in splits["train"]:
        by_class[names[file.label]].append(file)
    parts = divide({name: len(files) for name, files in by_class.items()}, shares, seed)
    for split, positions in parts.items():
        splits[split] = tuple(by_class[name][i] for name in names for i in positions[name])
        small = [name for name in names if not positions[name]]
        if small:
            listing.notes.append(
                f"too few images to give one to {split}, class{'es' * (len(small) > 1)}: "
                f"{_listed(small)}"
            )


def _note_missing(
    splits: Mapping[str, tuple[ImageFile, ...]], names: tuple[str, ...], listing: _Listing
) -> None:
    for split, files in splits.items():
        present = {file.label for file in files}
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            listing.notes.append(f"no image in {split} of: {_listed(missing)}")


def _note_ignored(listing: _Listing) -> None:
    if listing.ignored:
        count, files = len(listing.ignored), _listed(sorted(listing.ignored))
        listing.notes.append(
            f"ignored {count} file{'s' * (count > 1)} that no image reader is for: {files}"
        )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED_IN_NOTES
    return ", ".join(names[:NAMED_IN_NOTES]) + (f" and {more} more" if more > 0 else "")
