"""Seconds by test file, from the log of a test suite; two logs give a table of before and after.

    pytest --durations=0 --durations-min=0.02 | tee after.log
    python benchmarks/suite_time.py [before.log] after.log [--top 20]

A log is what pytest prints with `--durations=0`, or a file that it wrote with `--junit-xml`.
The seconds of a file are those of its tests, setups and teardowns together, on all workers: their
total is above the wall time, which pytest's last line tells and the table repeats. Calls below
`--durations-min` (0.005 s unless `-vv` is given) are not in a log.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

PHASE = re.compile(r"^([\d.]+)s (?:setup|call|teardown) +(\S+?\.py)(::.*)$", re.MULTILINE)
WALL = re.compile(r" in ([\d.]+)s")


Seconds = Counter[tuple[str, str]]  # By (file, test). Its values are floats.


def read(log: Path) -> tuple[Seconds, float]:
    """{(file, test): seconds} and the wall seconds of a suite."""
    text = log.read_text(encoding="utf-8", errors="replace")
    seconds: Seconds = Counter()
    if text.lstrip().startswith("<"):
        (suite,) = ElementTree.fromstring(text).iter("testsuite")  # noqa: S314  pytest's own file.
        for case in suite.iter("testcase"):
            # pytest writes tests.training.test_fit, in a class tests.training.test_fit.TestStops.
            module = re.sub(r"\.[A-Z]\w*$", "", case.attrib["classname"])
            file = module.replace(".", "/") + ".py"
            seconds[file, case.attrib["name"]] += float(case.attrib["time"])
        return seconds, float(suite.attrib["time"])
    for number, file, test in PHASE.findall(text):
        seconds[file, test.removeprefix("::")] += float(number)
    walls = WALL.findall(text)
    return seconds, float(walls[-1]) if walls else float("nan")


def by_file(seconds: Seconds) -> Counter[str]:
    """Sums the tests of each file."""
    files: Counter[str] = Counter()
    for (file, _), number in seconds.items():
        files[file] += number
    return files


def main() -> None:
    """Prints the table, then the slowest tests of the last log."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("logs", nargs="+", type=Path, metavar="LOG", help="one log, or two")
    parser.add_argument("--top", type=int, default=20, help="slowest tests to list (default 20)")
    arguments = parser.parse_args()
    suites = [read(log) for log in arguments.logs]
    tables = [by_file(seconds) for seconds, _ in suites]
    heads = "".join(f"{log.stem[:11]:>12}" for log in arguments.logs)
    print(f"{'seconds by file':44}{heads}")
    for file in sorted({*(file for table in tables for file in table)}, key=lambda file: -max(
        table[file] for table in tables
    )):  # fmt: skip
        print(f"{file:44}" + "".join(f"{table[file]:12.1f}" for table in tables))
    print(f"{'all tests':44}" + "".join(f"{sum(table.values()):12.1f}" for table in tables))
    print(f"{'wall':44}" + "".join(f"{wall:12.1f}" for _, wall in suites))
    print(f"\nslowest tests of {arguments.logs[-1].name}")
    for (file, test), number in suites[-1][0].most_common(arguments.top):
        print(f"{number:8.1f}  {file}::{test}")


if __name__ == "__main__":
    main()
