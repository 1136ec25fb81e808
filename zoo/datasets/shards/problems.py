"""What is wrong with shards, each thing with its shard and member, told all at once. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from zoo.errors import DataError, Problem
from zoo.text.counted import counted
from zoo.text.printable import quoted

SHOWN = 20  # Problems of one kind that are told one by one.

# What problems of a kind are called, with {s} where the plural has an s, and what to do.
NO_SHARD = "shard{s} that cannot be read"
CUT = "shard{s} cut short or damaged"
NO_LABEL = "image{s} without a label"
NO_IMAGE = "label{s} without an image"
SEVERAL = "key{s} with several images"
TWICE = "member{s} that come twice"
WRONG_LABEL = "label{s} that cannot be read"
UNKNOWN_LABEL = "unknown label{s}"
ADVICE: Mapping[str, str] = {
    NO_SHARD: "copy the missing shards, or correct the pattern",
    CUT: "copy or write these shards anew, or read what is whole with data.on_bad_image: skip",
    NO_LABEL: "write the shards with a label beside each image, or name the ending of the labels "
    "(data.source.shards.label)",
    NO_IMAGE: "write the shards with an image beside each label, or name the ending of the images "
    "(data.source.shards.image)",
    SEVERAL: "say which of them is the image: data.source.shards.image",
    TWICE: "write these shards anew, each name once",
    WRONG_LABEL: "write one number or name for each image",
    UNKNOWN_LABEL: "correct the labels, or the names in data.source.shards.class_names",
}


class ShardProblems:
    """What is wrong with shards, by kind.

    Args:
        root: folder of the shards.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._by_kind: dict[str, list[tuple[str, str]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_kind)

    def add(self, kind: str, place: str, message: str) -> None:
        """Adds a problem.

        Args:
            kind: one of those above.
            place: shard, or shard/member, relative to the root.
            message: what is wrong there.
        """
        self._by_kind.setdefault(kind, []).append((place, message))

    def add_all(self, problems: Iterable[Sequence[str]], shard: str) -> None:
        """Adds what a scan of a shard found: (kind, member or "", message) each."""
        for kind, member, message in problems:
            self.add(kind, f"{shard}/{member}" if member else shard, message)

    def error(self) -> DataError:
        """Returns the error that tells all problems."""
        total = sum(map(len, self._by_kind.values()))
        kinds = ", ".join(_counted(len(found), kind) for kind, found in self._by_kind.items())
        advised = "; ".join(ADVICE[kind] for kind in self._by_kind)
        problems: list[Problem] = []
        for kind, found in self._by_kind.items():
            shown = found if len(found) <= SHOWN + 1 else found[:SHOWN]
            problems += [
                Problem(file=str(self.root / place), message=message) for place, message in shown
            ]
            if len(found) > len(shown):
                shards = len({place.partition(".tar/")[0] for place, _ in found[len(shown) :]})
                problems.append(
                    Problem(
                        message=f"and {_counted(len(found) - len(shown), kind, 'more ')}, in "
                        f"{counted(shards, 'shard')}"
                    )
                )
        return DataError(
            f"{quoted(self.root)}: {counted(total, 'problem')} in its shards: {kinds}. "
            f"{advised[0].upper()}{advised[1:]}",
            problems,
        )


def _counted(number: int, kind: str, more: str = "") -> str:
    return f"{number:,} {more}{kind.format(s='s' * (number != 1))}"
