"""The address at which processes meet, looked at before JAX is: it crashes, or waits. Light."""

from __future__ import annotations

import socket
from collections.abc import Callable

from zoo.backend.launch import Launch, addresses, wait_for_name
from zoo.errors import EnvironmentFault


def require_name(launch: Launch, seconds: float, say: Callable[[str], None]) -> None:
    """Requires that the coordinator's name has an address; JAX would wait for one in silence.

    A name service may know process 0 only once that was started.

    Args:
        launch: the processes.
        seconds: to wait at most.
        say: takes a line for the user if there is something to wait for.

    Raises:
        EnvironmentFault: it has none.
    """
    reason = wait_for_name(launch.coordinator, 0.0)
    if reason is None:
        return
    say(
        f"process {launch.process} waits up to {seconds:.0f} s for the coordinator "
        f"{launch.coordinator}: {reason}"
    )
    reason = wait_for_name(launch.coordinator, seconds)
    if reason is not None:
        raise EnvironmentFault(
            f"process {launch.process} finds no coordinator at {launch.coordinator}: {reason}. "
            "Expected a name or an address that every host knows; give another with --coordinator."
        )


def require_address(launch: Launch) -> None:
    """Requires that this host can listen on the address: JAX crashes where it cannot.

    Args:
        launch: the processes; this one is process 0.

    Raises:
        EnvironmentFault: it cannot.
    """
    coordinator = launch.coordinator
    if launch.found_by == "kubernetes":
        wait_for_name(coordinator)  # Its name service knows a pod some seconds after its start.
    try:
        family, kind, protocol, _, address = addresses(coordinator)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        raise EnvironmentFault(
            f"{coordinator}: process 0 cannot listen there: {error.strerror or error}. Expected an "
            "address of this host, and a port that is free; give another with --coordinator."
        ) from None
