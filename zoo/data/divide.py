"""Which images of a class go to which split: the same draw of a seed everywhere. Light."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping


def permutation(count: int, seed: int, name: str) -> list[int]:
    """A permutation of range(count) that depends on the count, the seed and the name alone."""
    digest = hashlib.sha256(f"{seed}\0{name}".encode("utf-8", "surrogateescape")).digest()
    generator = random.Random(int.from_bytes(digest))
    # Python guarantees the sequence of random() over its versions, but not that of shuffle().
    keys = [generator.random() for _ in range(count)]
    return sorted(range(count), key=keys.__getitem__)


def divide(
    sizes: Mapping[str, int], shares: Mapping[str, float], seed: int
) -> dict[str, dict[str, list[int]]]:
    """Splits each class's images: {split: {class: sorted positions}}, with what stays in "train".

    Each share in turn takes round-half-up(share * what is left) images, spread over the classes
    by largest remainder, and always leaves a class at least one. So ten classes of three images
    give a tenth of them, though none has a whole image to give.
    """
    parts: dict[str, dict[str, list[int]]] = {name: {} for name in (*shares, "train")}
    left = {name: permutation(size, seed, name) for name, size in sizes.items()}
    for split, share in shares.items():
        counts = _counts({name: len(rest) for name, rest in left.items()}, share, seed)
        for name, count in counts.items():
            parts[split][name], left[name] = sorted(left[name][:count]), left[name][count:]
    parts["train"] = {name: sorted(rest) for name, rest in left.items()}
    return parts


def _counts(sizes: Mapping[str, int], share: float, seed: int) -> dict[str, int]:
    """How many images each class gives; among equal remainders the seed chooses."""
    counts = {name: max(0, min(int(size * share), size - 1)) for name, size in sizes.items()}
    missing = int(sum(sizes.values()) * share + 0.5) - sum(counts.values())
    names = sorted(sizes)
    drawn = [names[i] for i in permutation(len(names), seed, "remainders")]
    drawn.sort(key=lambda name: int(sizes[name] * share) - sizes[name] * share)
    for name in drawn:
        if missing > 0 and counts[name] < sizes[name] - 1:
            counts[name] += 1
            missing -= 1
    return counts
