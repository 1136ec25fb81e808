"""The image files of each split, however they were found: in folders, or in the rows of a table.

Light.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.data.copies import notes_on_copies, notes_on_sizes
from zoo.data.divide import divide
from zoo.data.names import differ_in_case
from zoo.data.tree import in_words

DEFAULT_SHARE = 0.1


@dataclass(frozen=True, slots=True)
class ImageFile:
    """One image file.

    Args:
        path: relative to the root, with forward slashes.
        labels: indices of its classes, rising; exactly one unless the data are multi-label.
        size: in bytes.
        mtime_ns: time of its last change in nanoseconds.
    """

    path: str
    labels: tuple[int, ...]
    size: int
    mtime_ns: int

    @property
    def label(self) -> int:
        """Index of its class, where it has one label."""
        return self.labels[0]


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
        multi_label: whether an image has any number of classes, none too.
    """

    root: Path
    class_names: tuple[str, ...]
    train: tuple[ImageFile, ...]
    validation: tuple[ImageFile, ...]
    test: tuple[ImageFile, ...] | None
    notes: tuple[str, ...]
    multi_label: bool = False

    @property
    def splits(self) -> dict[str, tuple[ImageFile, ...]]:
        """The splits that exist, by name."""
        splits = {"train": self.train, "validation": self.validation}
        return splits if self.test is None else splits | {"test": self.test}


def split_off(
    splits: dict[str, tuple[ImageFile, ...]],
    shares: Mapping[str, float],
    seed: int,
    names: tuple[str, ...],
) -> list[str]:
    """Moves training images into the splits of `shares`, stratified.

    Args:
        splits: the files of each split; `train` gives to those of `shares`.
        shares: fraction of the remaining images for each split, in this order.
        seed: seed of the draw.
        names: of the classes.

    Returns:
        Notes on classes that are too small to give an image to a split.
    """
    notes: list[str] = []
    by_class: dict[str, list[ImageFile]] = {name: [] for name in names}
    for file in splits["train"]:
        by_class[names[file.label]].append(file)
    divided = divide({name: len(files) for name, files in by_class.items()}, shares, seed)
    for split, positions in divided.items():
        splits[split] = tuple(by_class[name][i] for name in names for i in positions[name])
        too_small = [name for name in names if not positions[name]]
        if too_small:
            notes.append(
                f"too few images to give one to {split}, class{'es' * (len(too_small) > 1)}: "
                f"{in_words(too_small)}"
            )
    return notes


def notes_on(
    splits: Mapping[str, Sequence[ImageFile]], drawn: Mapping[str, float], names: tuple[str, ...]
) -> list[str]:
    """Notes what may be a slip in the names of classes, or in the sizes and images of splits.

    Args:
        splits: the files of each split.
        drawn: the splits that were drawn from train.
        names: of the classes.
    """
    notes: list[str] = []
    alike = in_words(sorted(differ_in_case(names)))
    if alike:
        notes.append(f"classes whose names differ in case alone, which may be a slip: {alike}")
    notes += notes_on_sizes({name: len(files) for name, files in splits.items()})
    for name in drawn:
        notes += notes_on_copies(name, *([f.path for f in splits[s]] for s in (name, "train")))
    for split, files in splits.items():
        if split in drawn:
            continue
        present = {label for file in files for label in file.labels}
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            notes.append(f"no image in {split} of: {in_words(missing)}")
    return notes
