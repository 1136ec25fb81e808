"""Judges what devices and processes would do together. Light.

Each judge takes the document of `zoo doctor --json`, as far as it is filled, and yields problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from zoo.doctor.problem import Problem

Facts = Mapping[str, Any]

MAX_CLOCK_SECONDS = 1.0  # Beyond it, times in logs mislead, and files seem to come from later.
SLOW_FRACTION = 0.5  # Of the fastest process's speed.
MAX_NAMED = 4  # Processes that a sentence names.
# A difference in one of these may change what is computed, or what processes wait for.
DECISIVE = ("python", "zoo", "keras", "numpy", "jax", "jaxlib", "driver")


def judge(facts: Facts) -> Iterator[Problem]:
    """Yields all problems."""
    yield from _together(facts)
    if facts["cluster"] is None:
        return
    processes = facts["cluster"]["processes"]
    if len(processes) > 1:
        for part in (_counts, _versions, _clocks, _speeds):
            yield from part(processes)


def _together(facts: Facts) -> Iterator[Problem]:
    error, cluster = facts["together_error"], facts["cluster"]
    if error is None:
        return
    if cluster is None:
        yield Problem("error", error, "zoo doctor --devices all   # shows those that there are")
        return
    if facts["backend"]["name"] != "jax":
        message = f"{error}; the backend here is {facts['backend']['name']}"
        yield Problem("error", message, "export KERAS_BACKEND=jax   # in every process")
        return
    yield Problem(
        "error",
        error,
        f"start all {cluster['size']} processes, with the same coordinator; let every host reach "
        f"{cluster['coordinator']}, and the hosts each other",
    )


def _counts(processes: Sequence[Facts]) -> Iterator[Problem]:
    """Each process makes the same number of rows of a batch."""
    found = _by_value(processes, lambda process: _listed(process["devices"]))
    if len(found) < 2:
        return
    numbers = {len(process["devices"]) for process in processes}
    yield Problem(
        "error" if len(numbers) > 1 else "warning",
        f"the processes have different devices: {_sentence(found, processes)}"
        + ("" if len(numbers) > 1 else "; all wait for the slowest"),
        "give every process the same devices",
    )


def _versions(processes: Sequence[Facts]) -> Iterator[Problem]:
    names = sorted({name for process in processes for name in process["versions"]})
    for name in names:
        found = _by_value(processes, partial(_version, name))
        if len(found) < 2:
            continue
        yield Problem(
            "warning" if name in DECISIVE or name.startswith(("jax-", "libtpu")) else "info",
            f"{name} differs between processes: {_sentence(found, processes)}",
            f"install the same {name} on every host",
        )


def _version(name: str, process: Facts) -> str:
    return str(process["versions"].get(name) or "none")


def _clocks(processes: Sequence[Facts]) -> Iterator[Problem]:
    for process in processes:
        seconds, uncertainty = process["clock"]["seconds"], process["clock"]["uncertainty"]
        if abs(seconds) - uncertainty > MAX_CLOCK_SECONDS:
            side = "ahead of" if seconds > 0 else "behind"
            yield Problem(
                "warning",
                f"the clock of {process['host']} is {abs(seconds):.1f} s {side} the one of "
                f"{processes[0]['host']}: times in logs and of files mislead",
                "let both follow the same time server (chronyd, systemd-timesyncd)",
            )


def _speeds(processes: Sequence[Facts]) -> Iterator[Problem]:
    """A process that computes much slower than the fastest one."""
    speeds = [flops_per_second(process["speed"]) for process in processes]
    fastest = max((speed for speed in speeds if speed is not None), default=None)
    if fastest is None:
        return
    slow = [
        process
        for process, speed in zip(processes, speeds, strict=True)
        if speed is not None and speed < SLOW_FRACTION * fastest
    ]
    if slow:
        each = [
            f"{flops_per_second(process['speed']) or 0:.3g} FLOP/s in {_name(process)}"
            for process in slow[:MAX_NAMED]
        ]
        more = f" and {len(slow) - MAX_NAMED:,} more" if len(slow) > MAX_NAMED else ""
        yield Problem(
            "warning",
            f"slow processes: {', '.join(each)}{more}; the fastest does {fastest:.3g}, and every "
            "step waits for the slowest",
            "look for other programs on these hosts (top, nvidia-smi), or leave them out",
        )


def flops_per_second(speed: Sequence[Facts]) -> float | None:
    """The measured speed in float32; None if it was not measured."""
    return next((row["flops_per_second"] for row in speed if row["dtype"] == "float32"), None)


def _listed(devices: Sequence[Facts]) -> str:
    """`8 x NVIDIA H100`, or the names one by one where they differ."""
    names = [str(device["name"]) for device in devices]
    return f"{len(names)} x {names[0]}" if len(set(names)) == 1 else ", ".join(names)


def _by_value(processes: Sequence[Facts], value: Callable[[Facts], str]) -> dict[str, list[Facts]]:
    """The processes of each value, the most frequent value first."""
    found: dict[str, list[Facts]] = {}
    for process in processes:
        found.setdefault(value(process), []).append(process)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def _sentence(found: Mapping[str, Sequence[Facts]], processes: Sequence[Facts]) -> str:
    """`3.15.1 in 7 of 8, 3.14.0 in process 3 (tux04)`."""
    parts = []
    for index, (value, those) in enumerate(found.items()):
        if index == 0 and len(those) > 1:
            parts.append(f"{value} in {len(those)} of {len(processes)}")
            continue
        named = ", ".join(_name(process) for process in those[:MAX_NAMED])
        more = f" and {len(those) - MAX_NAMED:,} more" if len(those) > MAX_NAMED else ""
        parts.append(f"{value} in {named}{more}")
    return "; ".join(parts)


def _name(process: Facts) -> str:
    return f"process {process['process']} ({process['host']})"
