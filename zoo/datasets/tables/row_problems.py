"""Collects what is wrong with the rows of a table, so that all of it is told at once. Light."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from zoo.errors import DataError, Problem
from zoo.text.counted import counted
from zoo.text.printable import quoted

SHOWN = 20  # Problems of one kind that are told one by one; of the others the rows are listed.
IN_LINE = 100  # Ranges of lines that one problem lists.
MAX_LISTED = 5  # Problems that list lines, of one kind.


class RowProblems:
    """What is wrong with the rows of a table, by kind.

    Args:
        file: the table.
    """

    def __init__(self, file: str) -> None:
        self.file = file
        self._by_kind: dict[str, list[tuple[int, str]]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_kind)

    def add(self, kind: str, line: int, message: str) -> None:
        """Adds a problem.

        Args:
            kind: what such problems are called, with {s} where the plural has an s.
            line: of the table, from 1.
            message: what is wrong in this row.
        """
        self._by_kind.setdefault(kind, []).append((line, message))

    def count(self, kind: str) -> int:
        """Returns the number of problems of a kind."""
        return len(self._by_kind.get(kind, ()))

    def error(self, rows: int, advice: Sequence[str] = ()) -> DataError:
        """Returns the error that tells all problems, with the line of each.

        Args:
            rows: number of rows of the table.
            advice: sentences on what to do.
        """
        total = sum(map(len, self._by_kind.values()))
        kinds = ", ".join(_counted(len(found), kind) for kind, found in self._by_kind.items())
        advised = "; ".join((*advice, "correct the table, or remove these rows"))
        problems: list[Problem] = []
        for kind, found in self._by_kind.items():
            found.sort()
            shown = found if len(found) <= SHOWN + 1 else found[:SHOWN]
            problems += [
                Problem(file=self.file, line=line, message=message) for line, message in shown
            ]
            problems += self._listed(kind, [line for line, _ in found[len(shown) :]])
        return DataError(
            f"{quoted(self.file)}: {counted(total, 'problem')} in {counted(rows, 'row')}: {kinds}. "
            f"{advised[0].upper()}{advised[1:]}",
            problems,
        )

    def _listed(self, kind: str, lines: Sequence[int]) -> list[Problem]:
        """Lists the lines of problems that are not told one by one."""
        if not lines:
            return []
        runs = ranges(lines)
        parts = [runs[i : i + IN_LINE] for i in range(0, len(runs), IN_LINE)][:MAX_LISTED]
        texts = [f"{_counted(len(lines), kind, 'more ')}, in lines {', '.join(parts[0])}"]
        texts += [f"{kind.format(s='s')}, in lines {', '.join(part)}" for part in parts[1:]]
        if len(runs) > IN_LINE * MAX_LISTED:
            texts[-1] += f" ... {runs[-1]}"
        return [Problem(file=self.file, message=text) for text in texts]


def _counted(number: int, kind: str, more: str = "") -> str:
    return f"{number:,} {more}{kind.format(s='s' * (number != 1))}"


def ranges(lines: Sequence[int]) -> list[str]:
    """Returns numbers with ranges, rising: `3`, `7-9`, `12`."""
    runs = []
    for _, group in groupby(enumerate(sorted(set(lines))), key=lambda pair: pair[1] - pair[0]):
        numbers = [number for _, number in group]
        runs.append(str(numbers[0]) if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}")
    return runs
