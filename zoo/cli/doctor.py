"""`zoo doctor`: what there is to train with, and what is missing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    CoordinatorOption,
    DebugOption,
    DistributedOption,
    JsonOption,
    NumProcessesOption,
    ProcessIdOption,
    QuietOption,
)
from zoo.cli.output import Output, columns
from zoo.doctor.cluster_problems import flops_per_second
from zoo.errors import EnvironmentFault, UsageError
from zoo.text.sizes import size_text

if TYPE_CHECKING:
    from zoo.backend.launch import Launch
    from zoo.doctor import Question, Report

LABEL_WIDTH = 10
MAX_PROCESSES = 32  # That the text lists.


@app.command()
def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Do not measure the speed.")] = False,
    devices: Annotated[
        str | None,
        typer.Option(
            "--devices",
            metavar="N|all",
            help="Also time an all-reduce over N devices of this machine, as `zoo train "
            "--devices` would use them.",
        ),
    ] = None,
    distributed: DistributedOption = None,
    coordinator: CoordinatorOption = None,
    num_processes: NumProcessesOption = None,
    process_id: ProcessIdOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show versions, devices, memory, speed and caches; what is missing, and what mends it.

    Started in several processes, as a training over several hosts would be, it also shows what
    each of them has, how far their clocks are apart, and how fast they exchange numbers.
    """
    with Output(as_json, debug, quiet) as out:
        from zoo.backend.device_request import parse
        from zoo.backend.launch import launch
        from zoo.doctor import Question, examine

        found = launch(distributed, coordinator, num_processes, process_id, os.environ)
        if found is not None and found.processes == 1:  # As in a training.
            found = None
        if found is not None and devices is not None:
            raise UsageError(
                "--devices: a doctor of several processes looks at all their devices. Leave "
                "--devices out, or the options of several processes."
            )
        question = Question(quick, parse(devices), found)
        with out.console().status(_status(question)):
            report = examine(question)
        if found is None or found.process == 0:
            out.result(report.as_json())
            out.text("\n".join(_lines(report)))
        elif not report.ready:  # Process 0 may not have heard of it.
            for problem in report.problems:
                if problem.severity == "error":
                    out.remark(f"{_of(found)}: {problem.message}; to mend it: {problem.fix}")
        if not report.ready:
            raise typer.Exit(EnvironmentFault.exit_code)


def _of(launch: Launch) -> str:
    return f"zoo doctor in process {launch.process} of {launch.processes}"


def _status(question: Question) -> str:
    text = "importing the backend" + ("" if question.quick else ", measuring")
    launch = question.launch
    if launch is None:
        return text
    return f"{text}; waiting for {launch.processes} processes at {launch.coordinator}"


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
    if facts["cluster"] is not None:
        yield from _cluster(facts["cluster"])
    yield from _table("together", list(map(_all_reduce, facts["all_reduce"])), (1, 2))
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
    if backend["import_seconds"] is None:
        return f"{text}; not imported"
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


def _cluster(cluster: dict[str, Any]) -> Iterator[str]:
    """Yield what several processes have: a line of them all, then one of each."""
    processes = cluster["processes"]
    hosts = len({process["host"] for process in processes})
    if processes:
        number = f"{cluster['size']:,} processes on {hosts:,} host{'s' if hosts > 1 else ''}"
        where = f"found by {cluster['found_by']}; they meet at {cluster['coordinator']}"
        yield _line("cluster", f"{number}, {where}")
    yield from _table("process", list(map(_process, processes[:MAX_PROCESSES])), (0, 3))
    if len(processes) > MAX_PROCESSES:
        yield _line("", f"and {len(processes) - MAX_PROCESSES:,} more, which --json shows")


def _process(process: dict[str, Any]) -> list[str]:
    devices = process["devices"]
    memory = devices[0]["memory_total"]
    named = f"{len(devices)} x {devices[0]['kind']}: {devices[0]['name']}"
    speed = flops_per_second(process["speed"])
    clock = process["clock"]
    text = "clock of reference" if not process["process"] else (
        f"clock {1e3 * clock['seconds']:+.2f} ms, ± {1e3 * clock['uncertainty']:.2f}"
    )  # fmt: skip
    return [
        str(process["process"]),
        process["host"],
        named + ("" if memory is None else f", {_size(memory)} each"),
        "" if speed is None else f"{speed / 1e9:,.0f} GFLOP/s",
        text,
    ]


def _all_reduce(row: dict[str, Any]) -> list[str]:
    what = f"all-reduce of {_size(row['bytes'])} over {row['devices']:,} devices"
    if row["skipped"]:
        return [what, "", "", f"skipped: {row['skipped']}"]
    speed = f"{_size(row['bytes_per_second'])}/s"
    return [what, f"{1e3 * row['seconds']:.2f} ms", speed, ""]


def _folder(folder: dict[str, Any]) -> list[str]:
    taken = "" if folder["bytes"] is None else _size(folder["bytes"])
    state = f"{_size(folder['free'])} free" if folder["writable"] else "not writable"
    return [folder["name"], folder["path"], taken, state]


def _size(count: int | None) -> str:
    return "?" if count is None else size_text(count)
