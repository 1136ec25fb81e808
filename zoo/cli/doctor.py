"""`zoo doctor`: what there is to train with, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output, columns
from zoo.errors import EnvironmentFault
from zoo.text.sizes import size_text

if TYPE_CHECKING:
    from zoo.doctor import Report

LABEL_WIDTH = 10


@app.command()
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Do not measure the speed.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show versions, devices, memory, speed and caches; what is missing, and what mends it."""
    with Output(as_json, debug, quiet) as out:
        from zoo.doctor import examine

        with out.console().status("importing the backend" + ("" if quick else ", measuring")):
            report = examine(quick)
        out.result(report.as_json())
        out.text("\n".join(_lines(report)))
        if not report.ready:
            raise typer.Exit(EnvironmentFault.exit_code)


def _lines(report: Report) -> Iterator[str]:
    """Yield the lines: facts, then problems with their fixes, then the verdict."""
    facts = report.facts
    python, packages = facts["python"], facts["packages"]
    rows = [
        ("python", f"{python['version']}, {python['executable']}; {python['platform']}"),
        ("packages", ", ".join(f"{name} {found}" for name, found in packages.items() if found)),
        ("backend", _backend(facts["backend"])),
        ("host", _host(facts["host"])),
        *(("gpu", _gpu(gpu)) for gpu in facts["gpus"]),
        *(("device", _device(device)) for device in facts["devices"]),
    ]
    yield from (_line(label, text) for label, text in rows)
    yield from _table("speed", list(map(_speed, facts["speed"])), (1,))
    yield from _table("folder", list(map(_folder, facts["folders"])), (2,))
    for problem in report.problems:
        yield _line(problem.severity, problem.message)
        yield _line("", problem.fix)
    verdict = "yes, a training can start" if report.ready else "no; mend the errors first"
    yield _line("ready", verdict)


def _line(label: str, text: str) -> str:
    return f"{label:<{LABEL_WIDTH}}{text}"


def _table(label: str, rows: list[list[str]], right: tuple[int, ...]) -> Iterator[str]:
    """Yield aligned rows, the first of them with the label."""
    for i, line in enumerate(columns(rows, right).splitlines() if rows else ()):
        yield _line("" if i else label, line)


def _backend(backend: dict[str, Any]) -> str:
    text = f"{backend['name']}: {backend['reason']}"
    if backend["error"]:
        return f"{text}; {backend['error']}"
    return f"{text}; imported in {backend['import_seconds']:.1f} s"


def _host(host: dict[str, Any]) -> str:
    text = f"{host['cpu']}, {host['cores']} cores"
    if host["cores_usable"] < host["cores"]:
        text += f", of which {host['cores_usable']:g} may be used"
    if host["memory_total"] is not None:
        text += f"; {_size(host['memory_available'])} of {_size(host['memory_total'])} memory free"
    if host["memory_limit"] is not None:
        text += f", limited to {_size(host['memory_limit'])}"
    return text


def _gpu(gpu: dict[str, Any]) -> str:
    return (
        f"{gpu['name']}: {_size(gpu['memory_free'])} of {_size(gpu['memory_total'])} free, "
        f"driver {gpu['driver']}"
    )


def _device(device: dict[str, Any]) -> str:
    text = f"{device['kind']}: {device['name']}"
    if device["memory_total"] is None:
        return text
    return (
        f"{text}, {_size(device['memory_free'])} of {_size(device['memory_total'])} for the backend"
    )


def _speed(row: dict[str, Any]) -> list[str]:
    if row["skipped"]:
        return [row["dtype"], "", f"skipped: {row['skipped']}"]
    speed = f"{row['flops_per_second'] / 1e9:,.0f} GFLOP/s"
    return [row["dtype"], speed, f"3x3 convolution, forward and backward, batch {row['batch']}"]


def _folder(folder: dict[str, Any]) -> list[str]:
    taken = "" if folder["bytes"] is None else _size(folder["bytes"])
    state = f"{_size(folder['free'])} free" if folder["writable"] else "not writable"
    return [folder["name"], folder["path"], taken, state]


def _size(count: int | None) -> str:
    return "?" if count is None else size_text(count)
