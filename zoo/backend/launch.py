"""Which processes train together: from flags, Slurm, Open MPI or a Kubernetes Job. Light.

A flag wins over what the launcher says: a Kubernetes Job, which tells a process its number and
nothing else, needs `--coordinator` and `--num-processes` beside `--distributed auto`.
"""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from zoo.backend.launchers import FIRST_PORT, FLAGS, NAMES, Found, detect, is_port, whole
from zoo.errors import UsageError

NAME_SECONDS = 60.0  # Until a name service knows a process that has just been started.
NAME_INTERVAL = 0.5
MOST_PROCESSES = 1_000_000

_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")


@dataclass(frozen=True)
class Launch:
    """The processes that train together, and which of them this one is.

    Args:
        coordinator: HOST:PORT of process 0, on which it waits for the others.
        processes: their number, at least 1.
        process: the index of this process, 0 to `processes` - 1.
        local_process: its index among those of this host; None if unknown.
        local_processes: how many run on this host; None if unknown.
        found_by: `flags`, `slurm`, `open mpi` or `kubernetes`.
    """

    coordinator: str
    processes: int
    process: int
    local_process: int | None = None
    local_processes: int | None = None
    found_by: str = "flags"

    def devices(self, visible: int) -> list[int] | None:
        """The devices of this host that belong to this process.

        A process that has its host alone takes all. Processes that share a host take equal shares,
        in order. One that sees a single device keeps it: its launcher has shared them out (Slurm's
        `--gpus-per-task`).

        Args:
            visible: devices that this process sees.

        Returns:
            Indices into the visible devices; None for all of them.

        Raises:
            UsageError: the devices do not divide among the processes.
        """
        local, number = self.local_process, self.local_processes
        if local is None or number in (None, 1) or visible <= 1:
            return None
        share, rest = divmod(visible, number)
        if rest:
            raise UsageError(
                f"{number} processes on this host cannot share {visible} devices equally. Start a "
                f"number of processes that divides {visible}, or let the launcher give each its "
                "own (Slurm: --gpus-per-task)."
            )
        return list(range(local * share, (local + 1) * share))


def launch(
    distributed: str | None,
    coordinator: str | None,
    num_processes: int | None,
    process_id: int | None,
    environ: Mapping[str, str],
) -> Launch | None:
    """Finds out which processes train together.

    Args:
        distributed: `auto` to ask the launcher's environment variables; None for flags alone.
        coordinator: HOST:PORT of process 0; wins over the environment, as the next two do.
        num_processes: number of processes.
        process_id: index of this process.
        environ: the environment variables.

    Returns:
        The launch; None if nothing was asked for.

    Raises:
        UsageError: a flag or a variable is missing or wrong; the message names all of them.
    """
    flags = {
        "--coordinator": coordinator, "--num-processes": num_processes, "--process-id": process_id,
    }  # fmt: skip
    given = {name: value for name, value in flags.items() if value is not None}
    if distributed is None and not given:
        return None
    if distributed not in (None, "auto"):
        raise UsageError(
            f"--distributed {distributed!r}: expected auto, which asks Slurm, Open MPI or "
            f"Kubernetes. To say it yourself: {FLAGS}."
        )
    found = Found()
    if distributed == "auto" and len(given) < len(flags):
        found = detect(environ)
    found.values.update(given)
    for name in given:
        found.faults.pop(name, None)
    return _checked(found, flags)


def _checked(found: Found, flags: Mapping[str, object]) -> Launch:
    """Checks the values.

    Raises:
        UsageError: with all that is missing or wrong.
    """
    faults = list(found.faults.values())
    numbers: dict[str, int] = {}
    for name, least in (("--num-processes", 1), ("--process-id", 0)):
        value = found.values.get(name)
        label = _label(name, found, flags)
        if value is None:
            continue
        number = whole(value)
        if number is None or not least <= number <= MOST_PROCESSES:
            faults.append(
                f"{label}: expected a whole number from {least} to {MOST_PROCESSES:,}, received "
                f"{value!r}"
            )
        else:
            numbers[name] = number
    address = found.values.get("--coordinator")
    if address is not None and "--coordinator" not in found.faults:
        fault = _fault_of_address(str(address))
        if fault:
            faults.append(f"{_label('--coordinator', found, flags)}: {fault}, received {address!r}")
    if len(numbers) == 2 and numbers["--process-id"] >= numbers["--num-processes"]:
        faults.append(
            f"{_label('--process-id', found, flags)}: {numbers['--process-id']} of "
            f"{numbers['--num-processes']} processes; expected 0 to "
            f"{numbers['--num-processes'] - 1}"
        )
    missing = [name for name in flags if name not in found.values and name not in found.faults]
    if missing:
        faults.append(_missing(missing, found))
    if faults:
        raise UsageError(f"cannot tell which processes train together: {'; '.join(faults)}.")
    return Launch(
        str(address), numbers["--num-processes"], numbers["--process-id"], *found.local, found.by
    )


def _fault_of_address(address: str) -> str | None:
    """What is wrong with a coordinator's address; None if nothing is."""
    if not is_address(address):
        return f"expected HOST:PORT, such as 10.0.0.1:{FIRST_PORT}"
    host = address.rpartition(":")[0].strip("[]").partition("%")[0]
    if not host.strip("0."):  # The C library reads 0 and 0.0 as 0.0.0.0.
        host = "0.0.0.0"
    try:
        number = ipaddress.ip_address(host)
    except ValueError:  # A name.
        return None
    if number.is_unspecified or number.is_multicast or str(number) == "255.255.255.255":
        return (
            "expected one address of process 0's host, which the others reach: everyone who "
            "reaches the coordinator can end the training"
        )
    return None


def _label(name: str, found: Found, flags: Mapping[str, object]) -> str:
    """What a user would look at: the flag, or the variable that stands for it."""
    return name if flags[name] is not None else found.sources.get(name, name)


def _missing(missing: list[str], found: Found) -> str:
    """The sentence on flags without a value."""
    if found.by == "flags":
        rest = "; or --distributed auto under Slurm, Open MPI or Kubernetes"
        return f"{' and '.join(missing)} missing; expected {FLAGS}{rest}"
    places = ", ".join(
        f"{name} (looked for {found.sources[name]})" if name in found.sources else name
        for name in missing
    )
    return f"{NAMES[found.by]} does not say {places}; give what is missing as a flag"


def wait_for_name(coordinator: str, seconds: float = NAME_SECONDS) -> str | None:
    """Waits until the name of the coordinator's host has an address.

    A cluster may start a process before its name service knows the process's name (a headless
    service of Kubernetes: some seconds).

    Args:
        coordinator: HOST:PORT.
        seconds: to wait at most.

    Returns:
        Why the name has none, for people; None if it has one.
    """
    host = coordinator.rpartition(":")[0]
    end = time.monotonic() + seconds
    while True:
        try:
            addresses(coordinator)
        except OSError as error:
            if time.monotonic() >= end:
                return f"{host}: {error.strerror or error}"
            time.sleep(NAME_INTERVAL)
        else:
            return None


def addresses(coordinator: str) -> list[Any]:
    """Returns the addresses of a coordinator, as `socket.getaddrinfo` does.

    Args:
        coordinator: HOST:PORT.

    Raises:
        OSError: its name has none.
    """
    host, _, port = coordinator.rpartition(":")
    try:
        return socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)
    except UnicodeError:  # Of Python's own codec for names.
        raise socket.gaierror(
            socket.EAI_NONAME, "a part of the name is empty or too long"
        ) from None


def is_address(text: str) -> bool:
    """Whether a text is HOST:PORT, with an IPv6 address in brackets."""
    host, colon, port = text.rpartition(":")
    if not colon or not is_port(port):
        return False
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1].partition("%")[0])
        except ValueError:
            return False
        return True
    return _HOST.fullmatch(host) is not None
