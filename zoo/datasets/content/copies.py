"""Notes on splits that make measured accuracy say little. Light."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from math import gcd

from zoo.datasets.file_list import Paths
from zoo.text.printable import quoted

# What tools and people add to the name of an image that they altered: `0003_flip.jpg`,
# `cat (3) - Copy.png`, `x-rot90.png`.
_ALTERED = re.compile(
    r"(.+?)[\s._-]+\(?(?:aug(?:mented|mentation)?|[hv]?flip(?:ped)?|mirror(?:ed)?"
    r"|rot(?:ated?|ation)?|bright(?:er|ness)?|dark(?:er|ened)?|contrast|nois[ey]|blur(?:red|ry)?"
    r"|crop(?:ped)?|zoom(?:ed)?|shift(?:ed)?|shear(?:ed)?|jitter(?:ed)?|copy|hue|saturation"
    r"|translat(?:ed|ion)|elastic)\d*(?:[\s._()-].*)?",
    re.IGNORECASE,
)
# `p012_003.png`, `v_Archery_g01_frame12.jpg`: a series, then the number of an image in it.
_NUMBER = re.compile(
    r"(?<![\s._-])[\s._-]++(?:frame|slice|img|image|view)?+[\s._-]*+\(?(\d+)\)?$", re.IGNORECASE
)
# Without one of these in a name no pattern above matches, and a search for them is quicker.
_HINTS = (
    "aug", "flip", "mirror", "rot", "bright", "dark", "contrast", "nois", "blur", "crop", "zoom",
    "shift", "shear", "jitter", "copy", "hue", "saturation", "translat", "elastic", ".rf.",
)  # fmt: skip
_SEPARATORS, _DIGITS = " \t\n\r\f\v._-", "0123456789"
_NUMBERED = ("frame", "slice", "img", "image", "view")  # Words between a series and its number.
MIN_SERIES = 10  # For each class, in the mean: breeds and cameras are fewer.
MAX_IN_SERIES = 100  # In the mean: more are a kind rather than one patient or video.
IN_SERIES = 0.8  # Share of all images that must lie in series.
_ROBOFLOW = re.compile(r"(.+)\.rf\.[0-9a-f]{8,}")  # `cat_jpg.rf.0123456789abcdef.jpg`


def notes_on_sizes(sizes: Mapping[str, int]) -> list[str]:
    """Notes a validation split of more images than the training split.

    Args:
        sizes: number of images of each split.
    """
    train, validation = sizes["train"], sizes["validation"]
    if validation <= train:
        return []
    return [
        f"validation has {validation:,} images, more than the {train:,} of train: are the two "
        "folders swapped?"
    ]


def may_be_altered(paths: Paths) -> bool:
    """Whether the name of any image may be that of an altered copy of another."""
    text = bytes(paths.text).lower()  # All at once: a word across two paths does no harm.
    return any(hint.encode() in text for hint in _HINTS)


def notes_on_copies(split: str, files: Sequence[str], train: Sequence[str]) -> list[str]:
    """Notes images that are, by their names, altered copies of training images, or these of them.

    Meant for a split that was drawn by chance: between folders that were made by hand, equal names
    are no sign. A name counts as that of a copy if its original is there too.

    Args:
        split: its name.
        files: paths of its images.
        train: paths of the training images.
    """
    bases = _bases(chain(files, train))
    if not bases:
        return []
    # An original that no altered name asks for would match files of its own name alone.
    originals = {stem for path in chain(files, train) if (stem := _stem(path)) in bases}
    in_train: dict[str, str] = {}
    for path in train:
        original = _original(path, originals)
        if original in bases:
            in_train.setdefault(original, path)
    copies = [
        (path, in_train[original])
        for path in files
        if (original := _original(path, originals)) in in_train
    ]
    # Two files that differ in their endings alone say nothing.
    copies = [pair for pair in copies if _stem(pair[0]) != _stem(pair[1])]
    if not copies:
        return []
    example = " and ".join(map(quoted, copies[0]))
    return [
        f"{len(copies):,} of {len(files):,} images of {split} are, by their names, made of the "
        f"same images as training images, such as {example}: measured accuracy flatters. Remove "
        "the altered copies and set data.augment, which makes them anew in each epoch, or divide "
        "the images into train/, validation/ and test/ yourself"
    ]


def notes_on_series(
    split: str, files: Sequence[str], train: Sequence[str], classes: int
) -> list[str]:
    """Notes images that continue, by the numbers in their names, series of training images.

    Meant for a split that was drawn by chance, without groups. Nearly all images must lie in series
    whose numbers have few gaps, with many series in each class: then they are likely to be
    patients, videos or bursts of a camera.

    Args:
        split: its name.
        files: paths of its images.
        train: paths of the training images.
        classes: number of classes.
    """
    counts = Counter(name[0] for path in chain(train, files) if (name := _series(path)))
    likely = {name for name, count in counts.items() if count >= 3}
    if len(likely) < MIN_SERIES * classes:
        return []  # Without the numbers, which take memory.
    series: dict[str, list[int]] = {}
    in_train: dict[str, str] = {}
    for place, path in enumerate(chain(train, files)):
        name = _series(path)
        if name is not None and name[0] in likely:
            series.setdefault(name[0], []).append(name[1])
            if place < len(train):
                in_train.setdefault(name[0], path)
    long = {name: numbers for name, numbers in series.items() if _counts_up(numbers)}
    images = sum(map(len, long.values()))
    if (
        len(long) < MIN_SERIES * classes
        or images < IN_SERIES * (len(files) + len(train))
        or images > MAX_IN_SERIES * len(long)
    ):
        return []
    named = [(path, name[0]) for path in files if (name := _series(path)) is not None]
    shared = [(path, in_train[name]) for path, name in named if name in long and name in in_train]
    if not shared:
        return []
    example = " and ".join(map(quoted, shared[0]))
    return [
        f"{len(shared):,} of {len(files):,} images of {split} continue, by the numbers in their "
        f"names, series of training images, such as {example} ({len(long):,} series): if a series "
        "is of one patient or video, measured accuracy flatters; set data.source's group"
    ]


def _series(path: str) -> tuple[str, int] | None:
    """The series that an image belongs to by its name, and its number; None if it has none."""
    folder, _, name = _stem(path).rpartition("/")
    found = split_series(name)
    return None if found is None else (f"{folder}/{found[0]}", found[1])


def split_series(name: str) -> tuple[str, int] | None:
    """Splits a name into a series and a number in it, as `_NUMBER` does, but quicker."""
    if not name.isascii() or name.endswith("\n"):
        match = _NUMBER.search(name)
        return (name[: match.start()], int(match[1])) if match and match.start() else None
    end = name[:-1] if name.endswith(")") else name
    head = end.rstrip(_DIGITS)
    number = end[len(head) :]
    if not number:
        return None
    if head.endswith("("):
        head = head[:-1]
    core = head.rstrip(_SEPARATORS)
    for word in _NUMBERED:
        if core.lower().endswith(word):
            before = core[: -len(word)]
            series = before.rstrip(_SEPARATORS)
            if series != before:
                return (series, int(number)) if series else None
    return (core, int(number)) if core and core != head else None


def _counts_up(numbers: Sequence[int]) -> bool:
    """Whether numbers count up with few gaps, in whatever steps; three or more."""
    different = sorted(set(numbers))
    if len(different) < 3:
        return False
    step = gcd(*(b - a for a, b in pairwise(different)))
    return (different[-1] - different[0]) // step < 2 * len(different)


def _stem(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{folder}/{name.rpartition('.')[0] or name}"


def _bases(paths: Iterable[str]) -> set[str]:
    """The paths of the images, without endings, that files may have been made of by their names."""
    bases = set()
    for path in paths:
        if _is_hinted(path):
            folder, _, name = _stem(path).rpartition("/")
            match = _ROBOFLOW.fullmatch(name) or _ALTERED.fullmatch(name)
            if match:
                bases.add(f"{folder}/{match[1]}")
    return bases


def _is_hinted(path: str) -> bool:
    lower = path.lower()
    return any(hint in lower for hint in _HINTS)


def _original(path: str, originals: set[str]) -> str:
    """The path, without its ending, of the image that a file was made of; its own if of none."""
    stem = _stem(path)
    if not _is_hinted(path):
        return stem
    folder, _, name = stem.rpartition("/")
    if match := _ROBOFLOW.fullmatch(name):
        return f"{folder}/{match[1]}"
    match = _ALTERED.fullmatch(name)
    original = f"{folder}/{match[1]}" if match else stem
    return original if original in originals else stem
