"""Tables of the results of benchmarks/device.py, for the terminal and for docs/benchmarks.md."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from math import sqrt
from statistics import mean, median, stdev
from typing import Any

Row = dict[str, Any]


def _number(key: str, form: str, factor: float = 1.0) -> Callable[[list[Row]], str]:
    """A column: the median over repeats of a value, `-` where there is none."""

    def cell(rows: list[Row]) -> str:
        values = [row[key] for row in rows if row.get(key) is not None]
        return format(median(values) * factor, form) if values else "-"

    return cell


def _memory(rows: list[Row]) -> str:
    """Peak on the device; on a CPU, of the process."""
    peaks = [row["peak_bytes"] or row["peak_host_bytes"] for row in rows if "peak_bytes" in row]
    return f"{max(peaks) / 1e6:,.0f}" if peaks else "-"


COLUMNS: dict[str, Callable[[list[Row]], str]] = {
    "images/s": _number("images_per_second", ",.0f"),
    "of peak": _number("share_of_rate", ".1%"),
    "compile s": _number("compile_seconds", ".1f"),
    "first step s": _number("first_step_seconds", ".1f"),
    "all s": _number("seconds", ".1f"),
    "MB": _memory,
    "loss": _number("loss", ".3f"),
    "val. acc.": _number("val_accuracy", ".3f"),
}


def table(document: dict[str, Any], markdown: bool) -> str:
    """One line a network and side, medians over the repeats."""
    groups: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in document["rows"]:
        groups[row["net"], row["side"]].append(row)
    first = {
        net: rows
        for (net, side), rows in groups.items()
        if side == "device" and "images_per_second" in rows[0]
    }
    cells = [["network", "side", "epochs", *COLUMNS, "device / it"]]
    for (net, side), rows in groups.items():
        good = [row for row in rows if "error" not in row]
        line = [net, side, str(rows[0].get("epochs") or "-")]
        line += [column(good) for column in COLUMNS.values()]
        cells.append([*line, _ratio(first.get(net), good)])
    errors = [
        f"{row['net']}, {row['side']}: {row['error'].splitlines()[-1]}"
        for row in document["rows"]
        if "error" in row
    ]
    return "\n".join([_head(document), "", _render(cells, markdown), *errors])


def _ratio(device: list[Row] | None, rows: list[Row]) -> str:
    if not device or not rows:
        return "-"
    fast, slow = (
        median(row["images_per_second"] for row in group if "images_per_second" in row)
        for group in (device, rows)
    )
    return f"{fast / slow:.2f}"


def _head(document: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in document["versions"].items())
    torch = {row["torch"] for row in document["rows"] if "torch" in row}
    return (
        f"{document['date']}, {document['device']}; {document['backend']}, {document['dtype']}; "
        f"{document['rate'] / 1e12:.2f} TFLOP/s in a matrix product; {document['jobs']} processes "
        f"compile at a time; {document['seconds']:.0f} s in all\n{versions}"
        + "".join(f", torch {version}" for version in sorted(torch))
    )


def seeds_table(document: dict[str, Any], markdown: bool) -> str:
    """One line a network, side and way of testing: mean, deviation and standard error."""
    cells = [["network", "side", "n", "test accuracy", "mean", "sd", "se", "train s", "init s"]]
    for row in document["rows"]:
        trainings = row.get("trainings", [])
        for name, key in (
            ("plain", "accuracy"),
            ("with TTA", "accuracy_tta"),
            ("best epoch, with TTA", "best_accuracy_tta"),
        ):
            values = [t[key] for t in trainings if t.get(key) is not None]
            if not values:
                continue
            deviation = stdev(values) if len(values) > 1 else float("nan")
            cells.append([
                row["net"], row["side"], str(len(values)), name, f"{mean(values):.4f}",
                f"{deviation:.4f}", f"{deviation / sqrt(len(values)):.4f}",
                f"{median(t['seconds'] for t in trainings):.2f}",
                f"{median(t.get('init_seconds') or 0.0 for t in trainings):.2f}",
            ])  # fmt: skip
    errors = [
        f"{row['net']}, {row['side']}: {row['error'].splitlines()[-1]}"
        for row in document["rows"]
        if "error" in row
    ]
    return "\n".join([_head(document), "", _render(cells, markdown), *errors])


def _render(cells: list[list[str]], markdown: bool) -> str:
    if markdown:
        lines = ["| " + " | ".join(line) + " |" for line in cells]
        return "\n".join([lines[0], "|" + "---|" * len(cells[0]), *lines[1:]])
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if place < 2 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    )
