"""Draws splits and folds from the files of a source, then chooses classes.

Splits and folds are drawn before classes are chosen, so that an image lies in the same split
whichever classes a recipe takes, and what one recipe tests on is never what another one of the same
source trained on. Light.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zoo.datasets.content.copies import notes_on_series
from zoo.datasets.division import folds
from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.division.grouping import divide_groups, notes_on_groups, require_apart
from zoo.datasets.folders.tree import in_words
from zoo.datasets.image_files import Files, notes_on, split_off
from zoo.recipe.subset import Fold


@dataclass(frozen=True, kw_only=True)
class SplitConfig:
    """What a recipe asks for of the files of a source.

    Args:
        choice: of its classes.
        shares: fraction of the training images for each split that has no files of its own.
        seed: of the draws.
        fold: of cross-validation; None for none.
        where: the data set, for messages.
        multi_label: whether an image has any number of classes; one without is not left out.
    """

    choice: ClassChoice
    shares: Mapping[str, float]
    seed: int
    fold: Fold | None
    where: str
    multi_label: bool = False

    def labels(self, files: Files) -> list[tuple[int, ...] | None]:
        """The network's labels for each of `label_sets`; None: such files are left out."""
        return [self._labels(labels) for labels in files.label_sets]

    def _labels(self, labels: Sequence[int]) -> tuple[int, ...] | None:
        new = {self.choice.labels[label] for label in labels} - {None}
        if not new and not self.multi_label:
            return None
        return tuple(sorted(label for label in new if label is not None))

    def source_names(self, files: Files) -> list[tuple[str, ...]]:
        """The names of each file's classes in the source."""
        names = [tuple(self.choice.source_names[label] for label in labels)
                 for labels in files.label_sets]  # fmt: skip
        return [names[label] for label in files.label_ids]


@dataclass(frozen=True)
class DrawnSplits:
    """The files of each split.

    Args:
        splits: {split: its files}, labelled for the network.
        pool: in cross-validation, the files of train and validation, the same for every fold.
        notes: sentences that the user should see.
    """

    splits: dict[str, Files]
    pool: Files | None
    notes: list[str]


def draw_splits(given: Mapping[str, Files], config: SplitConfig) -> DrawnSplits:
    """Draws the splits that are asked for, and chooses classes.

    Args:
        given: {split: its files}, with the source's labels; `train` always.
        config: what the recipe asks for.

    Returns:
        The splits; some may be empty.

    Raises:
        DataError: a group lies in two of the given splits, a class has no training image, or the
            folds cannot be drawn.
    """
    choice, fold = config.choice, config.fold
    splits = dict(given)
    if fold is not None:
        both = splits["train"] + splits.pop("validation", Files.of(()))
        splits["train"] = both.ordered()
    grouped = any(files.has_groups for files in splits.values())
    if grouped:
        learned = {
            split: list(files.relabelled(config.labels(files)).groups())
            for split, files in splits.items()
        }
        require_apart(learned, config.where)
    shares = {split: share for split, share in config.shares.items() if split not in splits}
    if fold is not None:
        shares.pop("validation", None)
    total, notes = len(splits["train"]), []
    if shares and grouped:
        splits |= _with_whole_groups(splits["train"], shares, config)
    elif shares:
        notes = split_off(
            splits, shares, config.seed, choice.source_names, multi_label=config.multi_label
        )
    pool = None
    if fold is not None:
        pool = splits["train"]
        splits |= _folded(pool, config, fold, grouped=grouped)
        pool = _chosen(pool, config)
    splits = {name: splits[name] for name in ("train", "validation", "test") if name in splits}
    if grouped:
        notes = _group_notes(splits, shares, total)
    if choice.changes:
        notes = notes if grouped else []
        notes += choice.notes({split: _left_out(of, config) for split, of in splits.items()})
        splits = {split: _chosen(files, config) for split, files in splits.items()}
        choice.require_images(splits["train"].label_counts(), config.where)
    drawn = [*shares, *(["validation"] if fold else [])]
    if fold is not None:
        notes.append(folds.note(fold, len(splits["train"]), len(splits["validation"])))
    if choice.changes or fold or grouped:
        notes += _missing({split: splits[split] for split in drawn}, choice.names, grouped=grouped)
    notes += notes_on(splits, drawn, choice.names)
    if drawn and not grouped:
        last, train = drawn[-1], splits["train"].paths
        notes += notes_on_series(last, splits[last].paths, train, len(choice.names))
    return DrawnSplits(splits, pool, notes)


def _with_whole_groups(
    files: Files, shares: Mapping[str, float], config: SplitConfig
) -> dict[str, Files]:
    """Divides training files into the splits of `shares` and what remains for train."""
    positions = divide_groups(config.source_names(files), _groups(files), shares, config.seed)
    return {split: files.take(of) for split, of in positions.items()}


def _folded(files: Files, config: SplitConfig, fold: Fold, *, grouped: bool) -> dict[str, Files]:
    """Divides files into the fold that validates and those that train."""
    groups = _groups(files) if grouped else None
    parts = folds.folds_of(config.source_names(files), groups, fold.of, config.seed)
    names = [None if of is None else [config.choice.names[label] for label in of]
             for of in config.labels(files)]  # fmt: skip
    folds.require_trainable(
        [names[label] for label in files.label_ids],
        parts, fold, grouped=grouped, where=config.where,
    )  # fmt: skip
    held = fold.index - 1
    return {
        "train": files.take(array("q", (i for i, part in enumerate(parts) if part != held))),
        "validation": files.take(array("q", (i for i, part in enumerate(parts) if part == held))),
    }


def _groups(files: Files) -> list[str]:
    """Each file's group; one of its own for a file without."""
    return [f"\0{file.path}" if file.group is None else file.group for file in files]


def _chosen(files: Files, config: SplitConfig) -> Files:
    """The files of the classes that are chosen, with the network's labels."""
    return files.relabelled(config.labels(files)).ordered()


def _left_out(files: Files, config: SplitConfig) -> Counter[int]:
    counts: Counter[int] = Counter()
    kept = config.labels(files)
    for label, count in Counter(files.label_ids).items():
        if kept[label] is None:
            counts[files.label_sets[label][0]] += count
    return counts


def _group_notes(splits: Mapping[str, Files], shares: Mapping[str, float], total: int) -> list[str]:
    asked, left = {}, 1.0
    for split, share in shares.items():
        asked[split] = left * share
        left -= asked[split]
    named = {split: [g for g in of.groups() if g is not None] for split, of in splits.items()}
    return notes_on_groups(named, asked, total)


def _missing(splits: Mapping[str, Files], names: Sequence[str], *, grouped: bool) -> list[str]:
    """Notes the classes that a split drawn by zoo has no image of."""
    notes = []
    for split, files in splits.items():
        present = files.label_counts()
        missing = [name for label, name in enumerate(names) if label not in present]
        if missing:
            few = "too few groups" if grouped else "too few images"
            notes.append(
                f"{few} to give one to {split}, class{'es' * (len(missing) > 1)}: "
                f"{in_words(missing)}"
            )
    return notes
