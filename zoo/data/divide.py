"""Draws which images of each class go to which split; a seed gives one draw on every machine.

Light. Not scikit-learn's StratifiedShuffleSplit: that is heavy to import, and does not promise the
same draw in every version.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping


def permutation(count: int, seed: int, name: str) -> list[int]:
    """Returns a permutation of range(count) that depends on count, seed and name alone."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogateescape")).digest()
    generator = random.Random(int.from_bytes(digest))
    # Python guarantees the sequence of random() across versions, but not that of shuffle().
    keys = [generator.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def divide(
    sizes: Mapping[str, int], shares: Mapping[str, float], seed: int
) -> dict[str, dict[str, list[int]]]:
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
    splits: dict[str, dict[str, list[int]]] = {name: {} for name in (*shares, "train")}
    remaining = {name: permutation(size, seed, name) for name, size in sizes.items()}
    for split, share in shares.items():
        left = {name: len(positions) for name, positions in remaining.items()}
        for name, count in _counts(left, share, seed).items():
            splits[split][name] = sorted(remaining[name][:count])
            remaining[name] = remaining[name][count:]
    splits["train"] = {name: sorted(positions) for name, positions in remaining.items()}
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
