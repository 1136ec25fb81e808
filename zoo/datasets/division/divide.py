"""Draws which images of each class go to which split; a seed gives one draw on every machine.

Light. Not scikit-learn's StratifiedShuffleSplit: that is heavy to import, and does not promise the
same draw in every version.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections.abc import Iterable, Mapping, Sequence


def permutation(count: int, seed: int, name: str) -> list[int]:
    """Returns a permutation of range(count) that depends on count, seed and name alone."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogateescape")).digest()
    generator = random.Random(int.from_bytes(digest))
    # Python guarantees the sequence of random() across versions, but not that of shuffle().
    keys = [generator.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def divide(
    sizes: Mapping[str, int], shares: Mapping[str, float], seed: int
) -> dict[str, dict[str, array[int]]]:
    """Divides the images of each class into splits, stratified.

    Each share in turn takes round-half-up(share * remaining images), spread over the classes by
    largest remainder; every class keeps at least one image for training. So ten classes of three
    images can give a tenth of them, although no class has a whole image to give.

    Args:
        sizes: number of images of each class.
        shares: fraction of the remaining images for each split other than "train".
        seed: seed of the draw.

    Returns:
        {split: {class: sorted positions of its images}}, with the remainder in "train".
    """
    left = dict(sizes)
    counts: dict[str, dict[str, int]] = {}
    for split, share in shares.items():
        counts[split] = _counts(left, share, seed)
        left = {name: count - counts[split][name] for name, count in left.items()}
    splits: dict[str, dict[str, array[int]]] = {name: {} for name in (*shares, "train")}
    for name, size in sizes.items():  # One class at a time: a permutation takes much memory.
        order = permutation(size, seed, name)
        start = 0
        for split in splits:
            end = size if split == "train" else start + counts[split][name]
            splits[split][name] = array("q", sorted(order[start:end]))
            start = end
    return splits


def _counts(sizes: Mapping[str, int], share: float, seed: int) -> dict[str, int]:
    """Returns how many images each class gives; among equal remainders the seed chooses."""
    counts = {name: max(0, min(int(size * share), size - 1)) for name, size in sizes.items()}
    missing = int(sum(sizes.values()) * share + 0.5) - sum(counts.values())
    names = sorted(sizes)
    by_remainder = [names[i] for i in permutation(len(names), seed, "remainders")]
    by_remainder.sort(key=lambda name: int(sizes[name] * share) - sizes[name] * share)
    for name in by_remainder:
        if missing > 0 and counts[name] < sizes[name] - 1:
            counts[name] += 1
            missing -= 1
    return counts


def divide_sets(
    labels: Sequence[Sequence[int]], shares: Mapping[str, float], seed: int
) -> dict[str, list[int]]:
    """Divides images with any number of labels into splits, each label stratified.

    Iterative stratification: the label with the fewest images left is dealt out first, each of its
    images to the side that lacks most of that label (Sechidis et al. 2011, "On the Stratification
    of Multi-Label Data", algorithm 1). Each share in turn is taken of the remaining images; every
    label keeps at least one image for training.

    Args:
        labels: indices of the labels of each image.
        shares: fraction of the remaining images for each split other than "train".
        seed: seed of the draw.

    Returns:
        {split: sorted positions of its images}, with the remainder in "train".
    """
    splits: dict[str, list[int]] = {}
    remaining = list(range(len(labels)))
    for split, share in shares.items():
        order = permutation(len(remaining), seed, split)
        taken = set(_taken([labels[remaining[i]] for i in order], share))
        places = {remaining[i] for place, i in enumerate(order) if place in taken}
        splits[split] = sorted(places)
        remaining = [i for i in remaining if i not in places]
    return {**splits, "train": remaining}


def _taken(labels: Sequence[Sequence[int]], share: float) -> Iterable[int]:
    """Positions of the images that one split takes, in the order in which they are dealt out."""
    images: dict[int, list[int]] = {}
    for place, of_image in enumerate(labels):
        for label in of_image:
            images.setdefault(label, []).append(place)
    lacking = {label: share * len(places) for label, places in images.items()}
    left = {label: len(places) for label, places in images.items()}
    kept = dict.fromkeys(images, 0)  # Of the remaining side.
    wanted = int(share * len(labels) + 0.5)
    taken: list[int] = []
    dealt = [False] * len(labels)
    while left:
        rarest = min(left, key=lambda label: (left[label], label))
        for place in images[rarest]:
            if dealt[place]:
                continue
            dealt[place] = True
            # The other side lacks what is left of the label but for what this side lacks.
            takes = lacking[rarest] > left[rarest] - lacking[rarest] and all(
                kept[label] or left[label] > 1 for label in labels[place]
            )
            if takes:
                taken.append(place)
            for label in labels[place]:
                if takes:
                    lacking[label] -= 1
                else:
                    kept[label] += 1
                left[label] -= 1
        del left[rarest]
        left = {label: count for label, count in left.items() if count}
    # Images without labels fill up; then labels of few images, which give none each, and yet a
    # share of all of them together.
    chosen = set(taken)
    for place in sorted(range(len(labels)), key=lambda place: bool(labels[place])):
        if len(taken) >= wanted:
            break
        if place not in chosen and all(kept[label] > 1 for label in labels[place]):
            taken.append(place)
            for label in labels[place]:
                kept[label] -= 1
    return taken
