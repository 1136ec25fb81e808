"""Keeps groups of images, such as those of one patient or video, together in one split. Light."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from zoo.datasets.division.divide import permutation
from zoo.datasets.folders.tree import NAMED_IN_ERRORS
from zoo.errors import DataError, Problem
from zoo.recipe.source import PARENT
from zoo.text.counted import counted
from zoo.text.printable import quoted

MAX_STARTS = 16  # Orders of the groups that are tried.
MAX_WORK = 200_000  # Additions for all of them.
FAR = 0.2  # Of the share asked for: a larger difference is told.


def group_of(path: str, in_class: str, word: str) -> str | None:
    """Reads the name of a file's group.

    Args:
        path: of the file, relative to the folder of its split.
        in_class: of the file, relative to the folder of its class.
        word: `data.source.folder.group`: `parent`, or a regular expression.

    Returns:
        None if the file has none.
    """
    if word == PARENT:
        first, slash, _ = in_class.partition("/")
        return first if slash else None
    match = re.search(word, path)
    if match is None:
        return None
    return (match[1] if match.re.groups else match[0]) or None


def require_apart(groups: Mapping[str, Sequence[str | None]], where: str) -> None:
    """Requires that no group has images in two splits.

    Args:
        groups: {split: the group of each image}; None for an image that counts for no group.
        where: the data set.

    Raises:
        DataError: a group has; names all of them.
    """
    counts = {split: Counter(group for group in of if group) for split, of in groups.items()}
    shared = sorted(
        {name for one, other in combinations(counts.values(), 2) for name in one.keys() & other}
    )
    if not shared:
        return
    problems = [
        Problem(
            message=f"group {quoted(name)}: "
            + ", ".join(f"{of[name]:,} in {split}" for split, of in counts.items() if of[name])
        )
        for name in shared[:NAMED_IN_ERRORS]
    ]
    more = len(shared) - len(problems)
    problems += [Problem(message=f"and {more:,} more")] if more else []
    raise DataError(
        f"{where}: {counted(len(shared), 'group')} of {len(set().union(*counts.values())):,} "
        "have images in several splits, so that what is measured flatters. Expected each group in "
        "one split: move its images, or give no splits (class folders alone, or a table without "
        "data.source.csv.split), and zoo divides by groups. If these are no groups, "
        "change data.source's group",
        problems,
    )


@dataclass
class _Parts:
    """Parts that are being filled with groups.

    Args:
        targets: images wanted in each part, in total and of each class.
        filled: images in each part so far.
        groups: number of groups with images of each class, in each part.
        left: number of groups with images of each class that are in no part yet.
        training: index of the part that must hold every class; None: each class must lie in two.
    """

    targets: list[dict[str | None, float]]
    filled: list[Counter[str | None]]
    groups: list[Counter[str | None]]
    left: Counter[str | None]
    training: int | None

    def growth(self, part: int, group: Mapping[str | None, int]) -> float:
        """Growth of the sum of (images - wanted)^2 / wanted if a group goes into a part."""
        target, filled = self.targets[part], self.filled[part]
        return sum(
            count * (count + 2 * (filled[key] - target[key])) / target[key]
            for key, count in group.items()
        )

    def allowed(self, part: int, group: Mapping[str | None, int]) -> bool:
        """Whether every class of a group can still be trained if the group goes into a part."""
        if self.training is not None:
            return part == self.training or all(
                self.left[key] or self.groups[self.training][key] for key in group
            )
        return all(
            self.left[key] or any(of[key] for i, of in enumerate(self.groups) if i != part)
            for key in group
        )

    def put(self, part: int, group: Mapping[str | None, int], sign: int = 1) -> None:
        """Puts a group into a part, or takes it out with sign -1."""
        for key, count in group.items():
            self.filled[part][key] += sign * count
            self.groups[part][key] += sign

    def distance(self) -> float:
        """Sum of (images - wanted)^2 / wanted over parts and classes."""
        return sum(
            (filled[key] - wanted) ** 2 / wanted
            for target, filled in zip(self.targets, self.filled, strict=True)
            for key, wanted in target.items()
        )


def spread(
    groups: Mapping[str, Mapping[str | None, int]],
    shares: Sequence[float],
    seed: int,
    training: int | None = None,
) -> dict[str, int]:
    """Divides groups into parts that come close to shares of all images and of each class.

    The groups are placed one after the other, large ones first and in random order among those of
    about the same size, each where it lessens most the sum of (images - wanted)^2 / wanted over
    parts and classes: the chi-square statistic. Of several orders the best is taken. The same
    groups, shares and seed give the same parts on every machine.

    Args:
        groups: {group: {class: number of its images, above 0; None: of all its images}}.
        shares: fraction of the images wanted in each part; their sum is 1.
        seed: of the random orders.
        training: index of the part that keeps a group of every class; None: the parts are folds,
            and each class of several groups lies in at least two of them.

    Returns:
        {group: index of its part}. No part is empty where that can be.
    """
    names = sorted(groups)
    # Sums are rounded in one order, whatever that of the classes is.
    vectors = {name: dict(sorted(groups[name].items(), key=_by_class)) for name in names}
    totals: Counter[str | None] = Counter()
    held: Counter[str | None] = Counter()
    for vector in vectors.values():
        totals.update(vector)
        held.update(vector.keys())
    targets = [{key: share * total for key, total in totals.items()} for share in shares]
    work = len(shares) * sum(map(len, vectors.values()))
    best: tuple[float, dict[str, int], _Parts] | None = None
    for start in range(max(1, min(MAX_STARTS, MAX_WORK // max(1, work)))):
        empty: list[Counter[str | None]] = [Counter() for _ in shares]
        parts = _Parts(targets, empty, [Counter() for _ in shares], Counter(held), training)
        order = [names[i] for i in permutation(len(names), seed, f"groups {start}")]
        order.sort(key=lambda name: -vectors[name][None].bit_length())
        placed: dict[str, int] = {}
        for name in order:
            vector = vectors[name]
            parts.left.subtract(vector.keys())
            open_parts = [part for part in range(len(shares)) if parts.allowed(part, vector)]
            placed[name] = min(
                open_parts or range(len(shares)), key=lambda part: parts.growth(part, vector)
            )
            parts.put(placed[name], vector)
        _fill_empty(parts, placed, vectors)
        distance = parts.distance()
        if best is None or distance < best[0]:
            best = distance, placed, parts
    return {} if best is None else {name: best[1][name] for name in names}


def _fill_empty(
    parts: _Parts, placed: dict[str, int], vectors: Mapping[str, Mapping[str | None, int]]
) -> None:
    """Gives each empty part the group that costs least, from a part that has several."""
    for part, filled in enumerate(parts.filled):
        if filled[None]:
            continue
        counts = Counter(placed.values())
        costs = []
        for name, home in placed.items():
            vector = vectors[name]
            parts.put(home, vector, -1)
            if counts[home] > 1 and parts.allowed(part, vector):
                costs.append((parts.growth(part, vector) - parts.growth(home, vector), name))
            parts.put(home, vector)
        if costs:
            name = min(costs)[1]
            parts.put(placed[name], vectors[name], -1)
            parts.put(part, vectors[name])
            placed[name] = part


def _by_class(item: tuple[str | None, int]) -> tuple[bool, str]:
    return item[0] is not None, item[0] or ""


def counts_of(
    labels: Sequence[Sequence[str]], groups: Sequence[str]
) -> dict[str, Counter[str | None]]:
    """Counts the images of each class in each group, and all its images under None.

    Args:
        labels: the classes of each image.
        groups: the group of each image.
    """
    counts: dict[str, Counter[str | None]] = {}
    for of_image, group in zip(labels, groups, strict=True):
        counts.setdefault(group, Counter()).update([None, *of_image])
    return counts


def divide_groups(
    labels: Sequence[Sequence[str]],
    groups: Sequence[str],
    shares: Mapping[str, float],
    seed: int,
) -> dict[str, list[int]]:
    """Divides images into splits, groups whole, as `divide.divide` does without groups.

    Args:
        labels: the classes of each image.
        groups: the group of each image.
        shares: fraction of the remaining images for each split other than "train".
        seed: of the draw.

    Returns:
        {split: sorted positions of its images}, with the remainder in "train".
    """
    splits, fractions, left = [*shares, "train"], [], 1.0
    for share in shares.values():
        fractions.append(left * share)
        left -= fractions[-1]
    parts = spread(counts_of(labels, groups), [*fractions, left], seed, training=len(shares))
    positions: dict[str, list[int]] = {split: [] for split in splits}
    for position, group in enumerate(groups):
        positions[splits[parts[group]]].append(position)
    return positions


def notes_on_groups(
    groups: Mapping[str, Sequence[str]], asked: Mapping[str, float], total: int
) -> list[str]:
    """Returns sentences on the groups of splits, and on shares that whole groups missed.

    Args:
        groups: {split: the group of each of its images}.
        asked: {split: fraction of all images that was asked for}, of splits drawn by zoo.
        total: number of images; fractions are parts of it.
    """
    counts = Counter(name for of in groups.values() for name in of)
    if not counts:
        return []
    per_split = ", ".join(f"{len(set(of)):,} in {split}" for split, of in groups.items())
    notes = [f"{counted(len(counts), 'group')}: {per_split}"]
    if max(counts.values()) == 1:
        notes.append("each image is a group of its own, so data.source's group changes nothing")
    missed = [
        f"{split} has {len(groups[split]) / total:.1%} of the images instead of {share:.1%}"
        for split, share in asked.items()
        if abs(len(groups[split]) - share * total) > max(1, FAR * share * total)
    ]
    if missed:
        name, size = counts.most_common(1)[0]
        notes.append(
            f"groups stay whole, so {' and '.join(missed)}; the largest group, {quoted(name)}, "
            f"has {size / total:.1%}"
        )
    return notes


def unnamed(
    paths: Sequence[str], total: int, word: str, where: str, key: str = "data.source.folder.group"
) -> DataError:
    """The error of files without a group.

    Args:
        paths: of these files.
        total: number of all files.
        word: `data.source.folder.group`.
        where: the data set.
        key: of the recipe, which has the word.
    """
    expected = (
        "CLASS/GROUP/*.jpg, a folder for each group within that of the class"
        if word == PARENT
        else f"paths within a split in which {quoted(word)} is found"
    )
    problems = [Problem(file=path, message="names no group") for path in paths[:NAMED_IN_ERRORS]]
    more = len(paths) - len(problems)
    problems += [Problem(message=f"and {more:,} more")] if more else []
    return DataError(
        f"{where}: {len(paths):,} of {total:,} images belong to no group. Expected "
        f"{expected}; rename or move them, or change {key}",
        problems,
    )
