"""Many image files in little memory: columns instead of an object for each file. Light.

A file takes the bytes of its path and 28 more. As an object with its path, its size and its time it
would take about 300, which is four gigabytes for 14 million files.
"""

from __future__ import annotations

import hashlib
import operator
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, pairwise, repeat
from typing import Any, NamedTuple

DIGEST = 32  # Bytes of a SHA-256.
BLOCK = 2**16  # Paths whose ends are turned into Python's integers at once.
MAX_TIME = 2**63 - 1  # Nanoseconds; some disks give nonsense.


class ImageFile(NamedTuple):
    """One image file.

    Args:
        path: relative to the root, with forward slashes.
        labels: indices of its classes, rising; exactly one unless the data are multi-label.
        size: in bytes.
        mtime_ns: time of its last change in nanoseconds.
        group: name of the group that it belongs to; None where images have none.
    """

    path: str
    labels: tuple[int, ...]
    size: int
    mtime_ns: int
    group: str | None = None

    @property
    def label(self) -> int:
        """Index of its class, where it has one label."""
        return self.labels[0]


class Paths(Sequence[str]):
    """Paths in one buffer, one after the other.

    Args:
        text: bytes-like: all paths in UTF-8; bytes that are none stay as they are.
        ends: where each path ends in it; an `array`, or int64 of NumPy.
    """

    def __init__(self, text: Any, ends: Any) -> None:
        self.text = text
        self.ends = ends

    @classmethod
    def of(cls, paths: Iterable[str]) -> Paths:
        """Copies paths."""
        text, ends = bytearray(), array("q")
        for path in paths:
            text += path.encode("utf-8", "surrogateescape")
            ends.append(len(text))
        return cls(bytes(text), ends)

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        return str(self._bytes(operator.index(index)), "utf-8", "surrogateescape")

    def __iter__(self) -> Iterator[str]:
        text, start = memoryview(self.text), 0
        for block in range(0, len(self), BLOCK):
            for end in self.ends[block : block + BLOCK].tolist():
                yield str(text[start:end], "utf-8", "surrogateescape")
                start = end

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(
            a == b for a, b in zip(self, other, strict=True)
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]

    def take(self, positions: Iterable[int]) -> Paths:
        """Copies the paths at some positions."""
        text, ends = bytearray(), array("q")
        for position in positions:
            text += self._bytes(position)
            ends.append(len(text))
        return Paths(bytes(text), ends)

    def _bytes(self, index: int) -> memoryview:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(index)
        index %= count
        start = int(self.ends[index - 1]) if index else 0
        return memoryview(self.text)[start : int(self.ends[index])]


class FileList(Sequence[ImageFile]):
    """Image files; each is made when it is asked for.

    Args:
        paths: relative to the root.
        label_ids: array of int32: the place of each file's labels in `label_sets`.
        label_sets: labels that files have, each once.
        sizes: array of int64, in bytes.
        times: array of int64, in nanoseconds.
        group_ids: array of int32: the place of each file's group in `group_names`, -1 for none;
            None where no file has one.
        group_names: names of the groups.
        digests: SHA-256 of the files' contents, 32 bytes each, where a manifest says them; else
            None.
    """

    def __init__(
        self,
        paths: Paths,
        label_ids: array[int],
        label_sets: Sequence[tuple[int, ...]],
        sizes: array[int],
        times: array[int],
        group_ids: array[int] | None = None,
        group_names: Sequence[str] = (),
        digests: bytes | None = None,
    ) -> None:
        self.paths = paths
        self.label_ids = label_ids
        self.label_sets = label_sets
        self.sizes = sizes
        self.times = times
        self.group_ids = group_ids
        self.group_names = group_names
        self.digests = digests

    @classmethod
    def of(cls, rows: Iterable[tuple[str, tuple[int, ...], int, int, str | None]]) -> FileList:
        """Copies files: `ImageFile`s, or tuples like them."""
        text, ends = bytearray(), array("q")
        ids, sizes, times, groups = array("i"), array("q"), array("q"), array("i")
        sets: dict[tuple[int, ...], int] = {}
        names: dict[str, int] = {}
        for path, labels, size, mtime_ns, group in rows:
            text += path.encode("utf-8", "surrogateescape")
            ends.append(len(text))
            ids.append(sets.setdefault(labels, len(sets)))
            sizes.append(size)
            times.append(_time(mtime_ns))
            groups.append(-1 if group is None else names.setdefault(group, len(names)))
        paths = Paths(bytes(text), ends)
        return cls(paths, ids, list(sets), sizes, times, groups if names else None, list(names))

    @classmethod
    def at(cls, paths: Paths, statuses: Iterable[tuple[int, int]]) -> FileList:
        """Makes a list of files without labels.

        Args:
            paths: of the files.
            statuses: (bytes, time in nanoseconds) of each.
        """
        sizes, times = array("q"), array("q")
        for size, time in statuses:
            sizes.append(size)
            times.append(_time(time))
        return cls(paths, array("i", bytes(4 * len(paths))), [()], sizes, times)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return tuple(self[i] for i in range(*index.indices(len(self))))
        path = self.paths[index]
        return ImageFile(
            path, self.label_sets[self.label_ids[index]], self.sizes[index], self.times[index],
            self._group(index),
        )  # fmt: skip

    def __iter__(self) -> Iterator[ImageFile]:
        sets = self.label_sets
        for path, label, size, time, group in zip(
            self.paths, self.label_ids, self.sizes, self.times, self.groups(), strict=True
        ):
            yield ImageFile(path, sets[label], size, time, group)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(
            a == b for a, b in zip(self, other, strict=True)
        )  # fmt: skip

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: FileList) -> FileList:
        if not len(self) or not len(other):
            return self if len(self) else other
        both = FileList.of(chain(self, other))
        if self.digests is not None and other.digests is not None:
            both.digests = self.digests + other.digests
        return both

    def digest(self, index: int) -> bytes | None:
        """Returns the SHA-256 that a manifest says of a file; None without one."""
        if self.digests is None:
            return None
        return self.digests[index * DIGEST : (index + 1) * DIGEST]

    @property
    def has_groups(self) -> bool:
        """Whether any file belongs to a group."""
        return self.group_ids is not None and any(group >= 0 for group in self.group_ids)

    def groups(self) -> Iterator[str | None]:
        """Yields the group of each file."""
        if self.group_ids is None:
            return repeat(None, len(self))
        names = [*self.group_names, None]
        return (names[group] for group in self.group_ids)

    def labels(self) -> Iterator[tuple[int, ...]]:
        """Yields the labels of each file."""
        sets = self.label_sets
        return (sets[label] for label in self.label_ids)

    def label_counts(self) -> Counter[int]:
        """Counts the files of each label."""
        counts: Counter[int] = Counter()
        for label, count in Counter(self.label_ids).items():
            for each in self.label_sets[label]:
                counts[each] += count
        return counts

    def take(self, positions: Sequence[int]) -> FileList:
        """Copies the files at some positions."""
        groups = self.group_ids
        return FileList(
            self.paths.take(positions),
            array("i", (self.label_ids[i] for i in positions)),
            self.label_sets,
            array("q", (self.sizes[i] for i in positions)),
            array("q", (self.times[i] for i in positions)),
            None if groups is None else array("i", (groups[i] for i in positions)),
            self.group_names,
            self._digests_at(positions),
        )

    def _digests_at(self, positions: Sequence[int]) -> bytes | None:
        digests = self.digests
        if digests is None:
            return None
        return b"".join(digests[i * DIGEST : (i + 1) * DIGEST] for i in positions)

    def relabelled(self, sets: Sequence[tuple[int, ...] | None]) -> FileList:
        """Returns the files with other labels.

        Args:
            sets: the new labels for each of `label_sets`; None: such files are left out.
        """
        known: dict[tuple[int, ...], int] = {}
        places = [-1 if of is None else known.setdefault(of, len(known)) for of in sets]
        files = self
        if -1 in places:
            kept = array("q", (i for i, at in enumerate(self.label_ids) if places[at] >= 0))
            files = self.take(kept)
        ids = array("i", (places[at] for at in files.label_ids))
        return FileList(
            files.paths, ids, list(known), files.sizes, files.times, files.group_ids,
            files.group_names, files.digests,
        )  # fmt: skip

    def in_groups(self, names: Iterable[str | None]) -> FileList:
        """Returns the files, each in the group of this name."""
        known: dict[str, int] = {}
        ids = array("i", (-1 if n is None else known.setdefault(n, len(known)) for n in names))
        return FileList(
            self.paths, self.label_ids, self.label_sets, self.sizes, self.times, ids, list(known),
            self.digests,
        )  # fmt: skip

    def hashed(self) -> str:
        """Returns a SHA-256 of all columns but the groups."""
        text = repr((len(self), list(self.label_sets), self.digests is None))
        columns = hashlib.sha256(text.encode())
        for column in (self.paths.ends, self.label_ids, self.sizes, self.times, self.paths.text):
            columns.update(memoryview(column))
        columns.update(self.digests or b"")
        return columns.hexdigest()

    def ordered(self) -> FileList:
        """Returns the files sorted by labels, then by path."""
        if all(a <= b for a, b in pairwise(zip(self.labels(), self.paths, strict=True))):
            return self
        by_set: dict[tuple[int, ...], array[int]] = {}
        for position, labels in enumerate(self.labels()):
            by_set.setdefault(labels, array("q")).append(position)
        order = array("q")
        for labels in sorted(by_set):
            order.extend(sorted(by_set[labels], key=self.paths.__getitem__))
        return self.take(order)

    def _group(self, index: int) -> str | None:
        if self.group_ids is None or self.group_ids[index] < 0:
            return None
        return self.group_names[self.group_ids[index]]


def _time(mtime_ns: int) -> int:
    return mtime_ns if -MAX_TIME <= mtime_ns <= MAX_TIME else MAX_TIME


def joined(lists: Mapping[int, FileList]) -> FileList:
    """Joins lists of files of one label each.

    Args:
        lists: {label: files}, whose own labels do not count.
    """
    text = b"".join(files.paths.text for files in lists.values())
    ends, sizes, times, ids = array("q"), array("q"), array("q"), array("i")
    for place, files in enumerate(lists.values()):
        start = ends[-1] if ends else 0
        ends.extend(array("q", (start + end for end in files.paths.ends)))
        sizes.extend(files.sizes)
        times.extend(files.times)
        ids.extend(array("i", [place]) * len(files))
    digests = [files.digests for files in lists.values() if files.digests is not None]
    return FileList(
        Paths(text, ends), ids, [(label,) for label in lists], sizes, times,
        digests=b"".join(digests) if digests else None,
    )  # fmt: skip
