"""Several processes that each run the doctor: they meet, and tell process 0 what they have.

Importing this module is light. It runs in the process that imports the backend
(`zoo.doctor.probe`), once beside each of the processes that the launcher started.
"""

from __future__ import annotations

import json
import platform
import socket
import time
from typing import Any

from zoo.backend import processes
from zoo.backend.launch import Launch
from zoo.doctor import clocks, gpus, packages
from zoo.errors import EnvironmentFault, UsageError

# Until the last process is there: a node may have to be started, or an image to be fetched.
MEETING_SECONDS = processes.START_SECONDS
STEP_SECONDS = 120  # Until a process that is there answers.


class KeyValueStore:
    """JAX's store of texts, which process 0 holds: a `clocks.Board`."""

    def __init__(self) -> None:
        from jax._src import distributed

        self._client = distributed.global_state.client

    def put(self, key: str, text: str) -> None:
        """Leaves a text under a key that has none."""
        self._client.key_value_set(f"zoo/doctor/{key}", text)

    def get(self, key: str) -> str:
        """Waits for the text of a key.

        Raises:
            Exception: JAX's; there is none after `STEP_SECONDS`.
        """
        text: str = self._client.blocking_key_value_get(f"zoo/doctor/{key}", STEP_SECONDS * 1000)
        return text


def wait_for_first(launch: Launch, seconds: float = MEETING_SECONDS) -> str | None:
    """Waits until process 0 listens at the coordinator's address.

    JAX would end this process with a message in C++ if it does not.

    Args:
        launch: the processes.
        seconds: to wait at most.

    Returns:
        Why it cannot be reached, for people; None if it can.
    """
    host, _, port = launch.coordinator.rpartition(":")
    reason = "no answer"
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with socket.create_connection((host.strip("[]"), int(port)), timeout=5.0):
                return None
        except OSError as error:
            reason = error.strerror or str(error) or type(error).__name__
        except UnicodeError:  # Of Python's own codec for names.
            return f"{host}: a part of the name is empty or too long"
        time.sleep(min(0.25, max(end - time.monotonic(), 0.0)))
    return (
        f"process {launch.process} waited {seconds:.0f} s for process 0 at {launch.coordinator}: "
        f"{reason}"
    )


def join() -> str | None:
    """Joins the processes that `processes.plan` noted, before JAX looks at its devices.

    Returns:
        Why it failed, for people; None if it did not. JAX ends this process (SIGABRT) if not all
        come in time.
    """
    try:
        processes.start(lambda line: None)
    except (EnvironmentFault, UsageError) as fault:
        return fault.message
    except RuntimeError as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        return f"{processes.name()} cannot join the others: {reason[0]}"
    return None


def describe(launch: Launch, devices: list[dict[str, Any]], speed: list[Any]) -> dict[str, Any]:
    """Describes this process, without its clock.

    Args:
        launch: the processes.
        devices: those of this process, as `zoo.doctor.probe` lists them.
        speed: what they do, as `zoo.doctor.probe.measure` returns it for each dtype.
    """
    drivers = [gpu["driver"] for gpu in gpus.list_gpus()]
    return {
        "process": launch.process,
        "host": socket.gethostname(),
        "devices": devices,
        "speed": speed,
        "versions": {
            "python": platform.python_version(),
            **packages.versions(),
            **packages.plugin_versions(),
            **({"driver": drivers[0]} if drivers else {}),
        },
    }


def exchange(board: clocks.Board, launch: Launch, own: dict[str, Any]) -> list[dict[str, Any]]:
    """Brings what each process has to process 0, and compares its clock with process 0's.

    Args:
        board: between all processes.
        launch: the processes.
        own: what `describe` returned here.

    Returns:
        In process 0 the facts of all, in order, each with `clock` as `clocks.ask` returns it, and
        zeros for process 0 itself; in the others their own facts alone.

    Raises:
        EnvironmentFault: a process is there, but does not answer.
    """
    if launch.process:
        clock = clocks.ask(board, f"clock/{launch.process}", time.time)
        facts = {**own, "clock": clock}
        board.put(f"facts/{launch.process}", json.dumps(facts))
        return [facts]
    members = [{**own, "clock": {"seconds": 0.0, "uncertainty": 0.0}}]
    for process in range(1, launch.processes):
        try:
            clocks.answer(board, f"clock/{process}", time.time)
            members.append(json.loads(board.get(f"facts/{process}")))
        except Exception as error:  # JAX's error; its class differs by version.
            if "DEADLINE_EXCEEDED" not in str(error):
                raise
            raise EnvironmentFault(
                f"process {process} of {launch.processes} came, and was then silent for "
                f"{STEP_SECONDS} s"
            ) from None
    return members
