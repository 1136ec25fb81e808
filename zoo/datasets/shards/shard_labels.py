"""Classes of the labels in shards: their own names, or those of a list by number. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from zoo.datasets.files import BadImage, read_regular
from zoo.datasets.folders.tree import in_words
from zoo.datasets.names import require_usable, same_name
from zoo.datasets.shards.find import WORD
from zoo.datasets.shards.index import Shard
from zoo.datasets.shards.problems import UNKNOWN_LABEL, ShardProblems
from zoo.datasets.tables.table_labels import class_names, sorted_classes
from zoo.errors import DataError
from zoo.recipe.shards_source import Shards
from zoo.text.counted import counted
from zoo.text.printable import quoted

FEW_IMAGES = 10  # So many images may all have labels of their own.
MAX_NAMES_BYTES = 2**26  # Of a file of names.


@dataclass(frozen=True)
class Classes:
    """The classes of a data set.

    Args:
        names: in their order.
        by_label: the name of the class of each label; of labels that train lacks as well.
    """

    names: tuple[str, ...]
    by_label: Mapping[str, str]


def read_names(options: Shards, root: Path) -> tuple[str, ...] | None:
    """Returns the names that a recipe gives to numbers; None: the labels are the names.

    Args:
        options: of the source.
        root: folder of the shards, where a file of names is looked for.

    Raises:
        DataError: their file cannot be read, or names a class twice.
    """
    given = options.class_names
    if given is None or isinstance(given, tuple):
        return given
    file = root / Path(given).expanduser()
    try:
        text = read_regular(file, MAX_NAMES_BYTES).decode("utf-8-sig")
    except BadImage as error:
        raise DataError(f"{quoted(file)} {error}; check {WORD}.class_names") from None
    except UnicodeDecodeError:
        raise DataError(
            f"{quoted(file)}: not UTF-8 text. Expected the name of a class a line, in the order of "
            f"their numbers ({WORD}.class_names)"
        ) from None
    names = tuple(line.strip() for line in text.splitlines())
    while names and not names[-1]:
        names = names[:-1]
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice or len(names) < 2:
        what = f"names twice: {in_words(twice)}" if twice else counted(len(names), "line")
        raise DataError(
            f"{quoted(file)}: {what}. Expected the name of a class a line, in the order of their "
            f"numbers ({WORD}.class_names)"
        )
    return names


def read_classes(
    splits: Mapping[str, Sequence[Shard]],
    names: tuple[str, ...] | None,
    problems: ShardProblems,
    *,
    choosing: bool,
) -> Classes:
    """Finds the class of each label.

    Args:
        splits: the shards of each split.
        names: that the recipe gives to numbers, or None.
        problems: labels without a class are added to it.
        choosing: whether `data.classes` chooses some, so that a label that train lacks is none.
    """
    counts = {
        split: Counter(label for shard in shards for label in shard.content.labels)
        for split, shards in splits.items()
    }
    labels = {label for count in counts.values() for label in count}
    if names is not None:
        by_label = _by_given(labels, names)
        unknown = labels - set(by_label)
    else:
        by_label = class_names(labels)
        names = sorted_classes({by_label[label] for label in counts["train"]})
        unknown = set() if choosing else {t for t in labels if by_label[t] not in set(names)}
    if unknown:
        _tell(splits, counts, unknown, names, problems)
    return Classes(names, by_label)


def _by_given(labels: set[str], names: Sequence[str]) -> dict[str, str]:
    """The class of each label that has one: by its number if all are numbers, else by its name."""
    if all(label.isdecimal() for label in labels):
        return {label: names[int(label)] for label in labels if int(label) < len(names)}
    known = {same_name(name): name for name in names}
    return {label: known[key] for label in labels if (key := same_name(label)) in known}


def _tell(
    splits: Mapping[str, Sequence[Shard]],
    counts: Mapping[str, Counter[str]],
    unknown: set[str],
    names: Sequence[str],
    problems: ShardProblems,
) -> None:
    """Adds a problem for each unknown label of each split, at the first image that has it."""
    for split, shards in splits.items():
        left = unknown & set(counts[split])
        for shard in shards:
            if left.isdisjoint(shard.content.labels):
                continue
            for member, label in zip(shard.content.members, shard.content.labels, strict=True):
                if label in left:
                    left.discard(label)
                    images = counted(counts[split][label], "image")
                    near = get_close_matches(label, names, n=1) if len(names) <= 1000 else []
                    hint = f"; did you mean {quoted(near[0])}?" if near else ""
                    problems.add(
                        UNKNOWN_LABEL,
                        f"{shard.name}/{member}",
                        f"unknown label {quoted(label)}, of {images} in {split}. "
                        f"Expected {_expected(names, label)}{hint}",
                    )


def _expected(names: Sequence[str], label: str) -> str:
    if label.lstrip("-").isdecimal() and not all(name.isdecimal() for name in names):
        return f"0 to {len(names) - 1}, for {counted(len(names), 'name')}"
    return in_words(names)


def require_classes(
    classes: Classes, train: Sequence[Shard], root: Path, *, choosing: bool
) -> None:
    """Requires at least two classes, each with a training image, that are shared by images.

    Args:
        classes: of the data set.
        train: the shards of the training images.
        root: their folder.
        choosing: whether `data.classes` chooses some of them.

    Raises:
        DataError: otherwise.
    """
    counts: Counter[str] = Counter()
    for shard in train:
        counts.update(classes.by_label[label] for label in shard.content.labels)
    names, total = classes.names, sum(counts.values())
    if len(names) < 2:
        raise DataError(
            f"{quoted(root)}: the training images have only one class, "
            f"{in_words(names) or 'none'}. Expected at least two; check {WORD}.label"
        )
    empty = [name for name in names if not counts[name]]
    if empty and not choosing:
        raise DataError(
            f"{quoted(root)}: no training image of the class{'es' * (len(empty) > 1)} "
            f"{in_words(empty)}. Expected at least one; add shards, leave the class out of "
            f"{WORD}.class_names, or choose the others: data.classes"
        )
    if len(names) == total >= FEW_IMAGES and not choosing:
        raise DataError(
            f"{quoted(root)}: each of the {total:,} images has a label of its own, such as "
            f"{in_words(names[:3])}. Expected classes that images share; check {WORD}.label"
        )
    require_usable(names, WORD)
