"""Reads the layout of a folder of images: its classes, its splits, and the files it ignores.

Light: only lists directories, opens no image. The same folder, shares and split seed give the same
layout on every machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.divide import divide
from zoo.data.listing import EXPECTED, EXTENSIONS, Groups, Listing, in_words, subfolders
from zoo.errors import DataError

SPLIT_FOLDERS = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}
LOOK_LIKE_SPLITS = {*SPLIT_FOLDERS, "training", "valid", "dev", "testing"}
DEFAULT_SHARE = 0.1


@dataclass(frozen=True)
class ImageFile:
    """One image file.

    Args:
        path: relative to the root, with forward slashes.
        label: index of its class.
        size: in bytes.
        mtime_ns: time of its last change in nanoseconds.
    """

    path: str
    label: int
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Layout:
    """The image files of each split.

    Args:
        root: the folder.
        class_names: names of the classes, sorted; labels are indices into them.
        train: files to train on.
        validation: files to validate on.
        test: files to test on; None for no test split.
        notes: sentences that the user should see.
    """

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


def class_names(path: Path) -> tuple[str, ...] | None:
    """Reads the class names of a folder from directory names alone; checks nothing else.

    Returns:
        The names, sorted; None if the folder does not exist or holds no class folders.
    """
    try:
        folders = subfolders(path)
        if _has_train_split(path, folders):
            folders = subfolders(path / "train")
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
    """Reads the layout of a folder and splits images off for splits that have no folder.

    Args:
        path: the folder.
        validation_split: fraction of the training images for validation; None for the default.
        test_split: fraction of all images for the test; None for the default.
        split_seed: seed of these two draws.

    Raises:
        DataError: the folder is missing or not laid out as `EXPECTED`, has fewer than two classes
            or an empty one, or has a folder for a split that `*_split` asks for.
    """
    listing = Listing(path)
    try:
        given, flat = _given_splits(path, listing)
        names = tuple(sorted(given["train"]))
        _check_classes(path, given, names)
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
    return Layout(
        root=path,
        class_names=names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        notes=tuple(listing.all_notes()),
    )


def _has_train_split(path: Path, folders: Sequence[str]) -> bool:
    """Whether train/ is a split, not a class beside others (trains among vehicles)."""
    if "train" not in folders:
        return False
    return bool(subfolders(path / "train")) or set(folders) <= set(SPLIT_FOLDERS)


def _given_splits(path: Path, listing: Listing) -> tuple[dict[str, Groups], bool]:
    """Lists the images of each split that has a folder.

    Returns:
        {split: images of each class}, and whether class folders stand alone, which are all train.

    Raises:
        DataError: the folder is missing or not laid out as `EXPECTED`.
    """
    if not path.exists():
        raise DataError(f"the folder {path} does not exist. {EXPECTED}; check data.source.folder")
    if not path.is_dir():
        raise DataError(f"{path} is not a folder. {EXPECTED}; check data.source.folder")
    folders = subfolders(path)
    if _has_train_split(path, folders):
        given: dict[str, Groups] = {}
        for folder in folders:
            split = SPLIT_FOLDERS.get(folder)
            if split is None:
                listing.notes.append(f"ignored the folder {folder}/ beside train/: not a split")
            elif split in given:
                raise DataError(f"{path} has both validation/ and val/. Expected one; merge them")
            else:
                given[split] = listing.groups(path / folder)
        listing.ignore_files_in(path)
        return given, False
    _check_flat(path, folders)
    return {"train": listing.groups(path)}, True


def _check_flat(path: Path, folders: Sequence[str]) -> None:
    """Checks that class folders stand alone, without folders that look like splits.

    Raises:
        DataError: otherwise.
    """
    splits = sorted(set(folders) & set(SPLIT_FOLDERS) - {"train"})
    if splits:
        raise DataError(
            f"{path} has {splits[0]}/ but no train/ with class folders. {EXPECTED}; move the class "
            f"folders into train/, or rename {splits[0]}/ if it is a class"
        )
    if folders and all(folder.lower() in LOOK_LIKE_SPLITS for folder in folders):
        raise DataError(
            f"{path} has no class folders but {in_words(folders)}. {EXPECTED}; rename the folders "
            "to train, validation and test"
        )


def _check_classes(path: Path, given: Mapping[str, Groups], names: tuple[str, ...]) -> None:
    """Checks the classes of every split against those of train.

    Raises:
        DataError: a training class is empty, there is only one, or train lacks a class.
    """
    empty = [name for name in names if not given["train"][name]]
    if empty:
        raise DataError(
            f"{path}: no image in the training class{'es' * (len(empty) > 1)} {in_words(empty)}. "
            f"Expected files ending in {' '.join(EXTENSIONS)}; add images or remove the folder"
        )
    if len(names) < 2:
        raise DataError(f"{path} has only one class, {names[0]}. Expected at least two")
    for split, groups in given.items():
        unknown = sorted(set(groups) - set(names))
        if unknown:
            raise DataError(
                f"{path}: {split} has class{'es' * (len(unknown) > 1)} that train lacks: "
                f"{in_words(unknown)}. Expected only {in_words(names)}; the folders' names must "
                "match"
            )


def _shares(
    path: Path,
    given: Mapping[str, Groups],
    validation_split: float | None,
    test_split: float | None,
    *,
    flat: bool,
) -> dict[str, float]:
    """Returns the fraction of train for each missing split, test first.

    The validation share is taken of what the test leaves.

    Raises:
        DataError: a share is given for a split that has a folder.
    """
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
    listing: Listing,
) -> None:
    """Moves training images into the splits of `shares`; notes classes that give none."""
    by_class: dict[str, list[ImageFile]] = {name: [] for name in names}
    for file in splits["train"]:
        by_class[names[file.label]].append(file)
    divided = divide({name: len(files) for name, files in by_class.items()}, shares, seed)
    for split, positions in divided.items():
        splits[split] = tuple(by_class[name][i] for name in names for i in positions[name])
        too_small = [name for name in names if not positions[name]]
        if too_small:
            listing.notes.append(
                f"too few images to give one to {split}, class{'es' * (len(too_small) > 1)}: "
                f"{in_words(too_small)}"
            )


def _note_missing(
    splits: Mapping[str, tuple[ImageFile, ...]], names: tuple[str, ...], listing: Listing
) -> None:
    for split, files in splits.items():
        present = {file.label for file in files}
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            listing.notes.append(f"no image in {split} of: {in_words(missing)}")
