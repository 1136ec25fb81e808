"""Times two checkouts of zoo against each other: the same commands by both, in turns.

    python benchmarks/paired_times.py OLD_CHECKOUT NEW_CHECKOUT [--cifar10 PATH] [--repeats 5]
    python benchmarks/paired_times.py OLD_CHECKOUT NEW_CHECKOUT --only help check --repeats 10

PATH is a folder with train/CLASS/*.jpg and test/CLASS/*.jpg. Each command is a process of its own.
Which checkout goes first alternates from repeat to repeat, so that what else the machine does hits
both alike; it should do nothing else. Prints the minimum and the median of each figure, and the
ratio of the medians, NEW over OLD:

    epoch   seconds of an epoch from the second on: digits-tiny, and cifar10-quick with --cifar10
    trial   seconds and setup seconds of a trial, and wall seconds of a search over its trials
    check   wall seconds of `zoo check digits-tiny`
    help    wall seconds of `zoo --help`, ten times a repeat
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

from checkouts import (
    SEARCHED,
    Checkout,
    pair,
    parser,
    read_rows,
    search_overrides,
    source_overrides,
)

PARTS = ("epoch", "trial", "check", "help")
HELPS = 10

Figures = dict[str, list[float]]


def epoch_seconds(side: Checkout, recipe: str, overrides: list[str]) -> Figures:
    """Trains a recipe; seconds of each epoch with its validation, but for the first."""
    run, _ = side.run("train", recipe, overrides, "--no-export", "--no-evaluate")
    rows = read_rows(run / "metrics.jsonl")[1:]
    return {f"epoch of {recipe}": [row["seconds"] for row in rows]}


def trial_seconds(side: Checkout, trials: int) -> Figures:
    """Searches; seconds of each trial by the journal, and wall seconds over trials."""
    folder, wall = side.run("tune", SEARCHED, search_overrides(trials))
    rows = read_rows(folder / "trials.jsonl")
    return {
        "trial, seconds": [row["seconds"] for row in rows],
        "trial, setup seconds": [row["setup_seconds"] for row in rows],
        "search, wall seconds a trial": [wall / len(rows)],
    }


def measure(side: Checkout, part: str, cifar10: Path | None, trials: int, epochs: int) -> Figures:
    """One repeat of one part by one checkout."""
    if part == "epoch":
        figures = epoch_seconds(side, "digits-tiny", [])
        if cifar10:
            overrides = [*source_overrides(cifar10), f"train.epochs={epochs}"]
            figures |= epoch_seconds(side, "cifar10-quick", overrides)
        return figures
    if part == "trial":
        return trial_seconds(side, trials)
    if part == "check":
        return {"check digits-tiny": [side.check("digits-tiny")[1]]}
    return {"--help": [side.zoo("--help")[1] for _ in range(HELPS)]}


def table(old: Figures, new: Figures) -> str:
    """Minimum and median of each figure, and the ratio of the medians."""
    head = f"{'seconds':<32}{'old min':>9}{'median':>9}{'new min':>9}{'median':>9}{'ratio':>8}"
    lines = [head]
    for name in old:
        before, after = old[name], new[name]
        ratio = f"{median(after) / median(before):8.3f}" if median(before) else f"{'-':>8}"
        figures = (min(before), median(before), min(after), median(after))
        lines.append(f"{name:<32}" + "".join(f"{figure:9.3f}" for figure in figures) + ratio)
    return "\n".join(lines)


def main() -> None:
    """Parses the command line, times, and prints."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--repeats", type=int, default=5, metavar="N")
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    arguments.add_argument("--trials", type=int, default=16, help="of the search; at least 3")
    arguments.add_argument("--epochs", type=int, default=4, help="of cifar10-quick; at least 2")
    arguments.add_argument("--json", type=Path, metavar="FILE", help="write every figure there")
    options = arguments.parse_args()
    if options.epochs < 2:
        arguments.error("--epochs: the first epoch is left out; expected at least 2")
    figures: dict[str, Figures] = {"old": defaultdict(list), "new": defaultdict(list)}
    with pair(options) as sides:
        for side in sides:
            side.zoo("--help")  # Compiles and reads what both then find in memory.
        for repeat in range(options.repeats):
            for part in options.only:
                for side in sides if repeat % 2 == 0 else sides[::-1]:
                    found = measure(side, part, options.cifar10, options.trials, options.epochs)
                    for name, times in found.items():
                        figures[side.side][name] += times
                print(f"repeat {repeat + 1}/{options.repeats}: {part}", file=sys.stderr, flush=True)
    print(table(figures["old"], figures["new"]))
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
