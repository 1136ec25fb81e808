"""Chooses classes and folds of a data set that comes with its own splits: digits and tfds."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from zoo.datasets.cache import Entry
from zoo.datasets.division import folds
from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.division.subsets import with_statistics
from zoo.datasets.folders.tree import in_words
from zoo.datasets.splits import Joined, Split, Splits, Subset
from zoo.errors import DataError
from zoo.recipe.data_block import Data
from zoo.recipe.subset import Fold


def choose_rows(
    splits: Splits, data: Data, where: str, cache_dir: Path, entry: Entry | None = None
) -> Splits:
    """Draws the fold and chooses the classes that a recipe asks for.

    Folds are drawn from train and validation together, before classes are chosen, so that an image
    lies in the same fold whichever classes a recipe takes.

    Args:
        splits: of the source.
        data: the recipe's `data` block.
        where: the data set, for messages.
        cache_dir: folder of the cache.
        entry: the data set's entry in the cache, so that pixel statistics are computed once; None:
            it has none, since it is small.

    Returns:
        The same splits if the recipe asks for nothing.

    Raises:
        RecipeError: `data.classes` names a class that the source does not have.
        DataError: a split has no image of the classes chosen, or the folds cannot be drawn.
    """
    choice = ClassChoice.of(data.classes, splits.class_names)
    fold = data.fold
    if fold is None and not choice.changes:
        return splits
    own = {"train": splits.train, "validation": splits.validation}
    parts: dict[str, tuple[Split, np.ndarray]] = {
        name: (split, np.arange(len(split))) for name, split in own.items()
    }
    if fold is not None:
        parts = _folded(Joined(splits.train, splits.validation), choice, fold, where)
    if splits.test is not None:
        parts["test"] = (splits.test, np.arange(len(splits.test)))
    notes = choice.notes({name: _left_out(*part, choice) for name, part in parts.items()})
    chosen = {name: _chosen(*part, choice) for name, part in parts.items()}
    choice.require_images(Counter(chosen["train"].labels.tolist()), where)
    for name, split in chosen.items():
        if not len(split):
            raise DataError(f"{where}: {name} has no image of the classes in data.classes")
    if fold is not None:
        notes.append(folds.note(fold, len(chosen["train"]), len(chosen["validation"])))
    notes += _missing(chosen, choice.names)
    train = chosen["train"]
    return replace(
        splits,
        train=train if entry is None else with_statistics(train, entry, cache_dir),
        validation=chosen["validation"],
        test=chosen.get("test"),
        class_names=choice.names,
        fingerprint=_fingerprint(splits.fingerprint, choice, fold),
        notes=(*splits.notes, *notes),
    )


def _folded(
    pool: Joined, choice: ClassChoice, fold: Fold, where: str
) -> dict[str, tuple[Split, np.ndarray]]:
    labels = pool.labels.tolist()
    of = folds.folds_of([(choice.source_names[label],) for label in labels], None, fold.of, 0)
    learned = [choice.labels[label] for label in labels]
    names = [None if label is None else (choice.names[label],) for label in learned]
    folds.require_trainable(names, of, fold, grouped=False, where=where)
    inside = np.asarray(of) == fold.index - 1
    return {"train": (pool, np.flatnonzero(~inside)), "validation": (pool, np.flatnonzero(inside))}


def _left_out(split: Split, rows: np.ndarray, choice: ClassChoice) -> Counter[int]:
    counts = Counter(np.asarray(split.labels)[rows].tolist())
    return Counter({label: n for label, n in counts.items() if choice.labels[label] is None})


def _chosen(split: Split, rows: np.ndarray, choice: ClassChoice) -> Subset:
    """The rows of the classes that are chosen, with the network's labels."""
    new = np.asarray([-1 if label is None else label for label in choice.labels], np.int32)
    labels = new[np.asarray(split.labels)[rows]]
    return Subset(split, rows[labels >= 0], new_labels=labels[labels >= 0])


def _missing(splits: dict[str, Subset], names: Sequence[str]) -> list[str]:
    notes = []
    for split, images in splits.items():
        present = set(images.labels.tolist())
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            notes.append(f"no image in {split} of: {in_words(missing)}")
    return notes


def _fingerprint(own: str, choice: ClassChoice, fold: Fold | None) -> str:
    """The source's fingerprint with the classes and the fold that are taken."""
    classes = [choice.names, choice.labels] if choice.changes else None
    text = json.dumps([own, classes, fold and [fold.index, fold.of]])
    return hashlib.sha256(text.encode()).hexdigest()
