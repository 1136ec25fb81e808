"""The image files of each split, however they were found: in folders, or in the rows of a table.

Light.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from zoo.datasets.content.copies import may_be_altered, notes_on_copies, notes_on_sizes
from zoo.datasets.division.divide import divide, divide_sets
from zoo.datasets.file_list import FileList
from zoo.datasets.folders.manifest import Manifest
from zoo.datasets.folders.tree import in_words
from zoo.datasets.names import differ_in_case
from zoo.datasets.stores import FileStore, ImageStore
from zoo.errors import DataError
from zoo.text.printable import quoted

DEFAULT_SHARE = 0.1
POOL = "pool"  # Of train and validation in cross-validation, as the cache holds them.


Files = FileList


class Shards(ImageStore, Protocol):
    """A store in which images lie in a row in each of several files."""

    @property
    def window(self) -> int | None:
        """Images of a window that a pass shuffles; None: it shuffles all."""

    def starts(self, paths: Sequence[str]) -> list[int]:
        """Returns the positions at which a shard begins in a list of paths, in their order."""


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
        pool: in cross-validation, the files of train and validation, the same for every fold.
        shards: where the images are, if they lie in shards; None: each is a file below `root`.
        manifest: which named the files; None where they were looked for.
    """

    root: Path
    class_names: tuple[str, ...]
    train: Files
    validation: Files
    test: Files | None
    notes: tuple[str, ...]
    multi_label: bool = False
    pool: Files | None = None
    shards: Shards | None = None
    manifest: Manifest | None = None

    @property
    def store(self) -> ImageStore:
        """Where the images are read from."""
        return self.shards or FileStore(self.root)

    @property
    def splits(self) -> dict[str, Files]:
        """The splits that exist, by name."""
        splits = {"train": self.train, "validation": self.validation}
        return splits if self.test is None else splits | {"test": self.test}

    @property
    def stored(self) -> dict[str, Files]:
        """The files as they are decoded and cached: once for all folds, in `POOL`."""
        if self.pool is None:
            return self.splits
        return {POOL: self.pool} | ({} if self.test is None else {"test": self.test})


def shares_of(
    given: Container[str],
    validation_split: float | None,
    test_split: float | None,
    *,
    draw_test: bool,
) -> dict[str, float]:
    """Returns the fraction of train for each split that is missing, test first.

    The validation share is taken of what the test leaves.

    Args:
        given: the splits that have images.
        validation_split: the share that a recipe gives; None for `DEFAULT_SHARE`.
        test_split: likewise; None for `DEFAULT_SHARE`, or for no test.
        draw_test: whether a test is drawn if no share is given.
    """
    shares: dict[str, float] = {}
    if "test" not in given and (draw_test or test_split is not None):
        shares["test"] = DEFAULT_SHARE if test_split is None else test_split
    if "validation" not in given:
        shares["validation"] = DEFAULT_SHARE if validation_split is None else validation_split
    return shares


def advice_on_empty(split: str, *, grouped: bool) -> str:
    """Says how a split that is drawn from train gets an image.

    Args:
        split: its name.
        grouped: whether groups of images are kept whole.
    """
    if grouped:
        return (
            "groups stay whole, and every class keeps one to train; give every class more groups, "
            "or leave data.source's group out if these are none"
        )
    return f"give every class more images, or a larger {split}_split"


def require_images(
    word: str, place: str | Path, split: str, files: Files, *, is_drawn: bool, grouped: bool
) -> None:
    """Requires that a split of a table or of shards has an image.

    Args:
        word: path of the source in a recipe.
        place: its file or folder.
        split: name of the split.
        files: its files.
        is_drawn: whether the split is drawn from train.
        grouped: whether groups of images are kept whole.

    Raises:
        DataError: it has none.
    """
    if files:
        return
    advice = advice_on_empty(split, grouped=grouped)
    if not is_drawn:
        advice = f"add images of the classes in data.classes, or leave it out: {word}.{split}: none"
    raise DataError(
        f"{quoted(place)}: the {split} split has no image. Expected at least one; {advice}"
    )


def split_off(
    splits: dict[str, Files],
    shares: Mapping[str, float],
    seed: int,
    names: tuple[str, ...],
    *,
    multi_label: bool = False,
) -> list[str]:
    """Moves training images into the splits of `shares`, stratified.

    Args:
        splits: the files of each split; `train` gives to those of `shares`.
        shares: fraction of the remaining images for each split, in this order.
        seed: seed of the draw.
        names: of the classes.
        multi_label: whether an image has any number of classes.

    Returns:
        Notes on classes that are too small to give an image to a split.
    """
    train = splits["train"]
    if multi_label:
        sets = divide_sets(list(train.labels()), shares, seed)
        splits |= {name: train.take(places) for name, places in sets.items()}
        return _too_small({name: splits[name] for name in sets}, names)
    by_class = {name: array("q") for name in names}
    for position, labels in enumerate(train.labels()):
        by_class[names[labels[0]]].append(position)
    divided = divide({name: len(files) for name, files in by_class.items()}, shares, seed)
    for split, positions in divided.items():
        places = array("q", (by_class[name][i] for name in names for i in positions[name]))
        splits[split] = train.take(places)
    return _too_small({split: splits[split] for split in divided}, names)


def _too_small(splits: Mapping[str, Files], names: tuple[str, ...]) -> list[str]:
    """Notes classes that are too small to give an image to a split."""
    notes = []
    for split, files in splits.items():
        present = files.label_counts()
        too_small = [name for label, name in enumerate(names) if label not in present]
        if too_small:
            notes.append(
                f"too few images to give one to {split}, class{'es' * (len(too_small) > 1)}: "
                f"{in_words(too_small)}"
            )
    return notes


def notes_on(
    splits: Mapping[str, Files], drawn: Collection[str], names: tuple[str, ...]
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
    if "validation" not in drawn:
        notes += notes_on_sizes({name: len(files) for name, files in splits.items()})
    if drawn and any(may_be_altered(files.paths) for files in splits.values()):
        for name in drawn:
            notes += notes_on_copies(name, splits[name].paths, splits["train"].paths)
    for split, files in splits.items():
        if split in drawn:
            continue
        present = files.label_counts()
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            notes.append(f"no image in {split} of: {in_words(missing)}")
    return notes
