"""The processes that train together, on one host or several: how they meet, talk and part. Light.

They meet at JAX's coordinator, which process 0 runs. Texts travel over the coordinator's store of
keys; arrays over the devices. A process that ends by an error of its own leaves word of it first,
so that the others can say why they end.

With one process nothing is set up: every function answers at once.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import threading
import time
from collections.abc import Callable
from inspect import signature
from typing import Any

from zoo.backend import coordinator, supervisor
from zoo.backend.hardware import count_nvidia
from zoo.backend.launch import Launch
from zoo.errors import EnvironmentFault, PeerLost, UsageError
from zoo.plugins import flag
from zoo.text.shortened import in_one_line

HEARTBEAT = 100  # Seconds without a sign of life after which a process counts as lost; JAX's own.
START_SECONDS = 300  # That processes wait for each other at the start.
_SLICE_MS = 1000  # A wait for a key looks this often whether a process has ended.
_LISTEN_SECONDS = 1.0  # Between two looks whether a process has ended.
_HEARD_SECONDS = 2.5  # That process 0, whose end closes the store, waits for the others to hear.
_ENDED = "zoo/ended"
# What JAX's errors say when a collective operation fails because a process is gone.
_SIGNS = (
    "gloo", "nccl", "rccl", "unavailable", "connection", "coordination", "heartbeat", "peer",
    "socket", "deadline_exceeded",
)  # fmt: skip

_launch: Launch | None = None
_heartbeat = HEARTBEAT
_resume_flags = ""


def plan(launch: Launch | None, heartbeat: int = HEARTBEAT, devices: str | None = None) -> None:
    """Notes which processes will train together; nothing is started yet.

    Args:
        launch: the processes; None for this one alone.
        heartbeat: seconds without a sign of life after which a process counts as lost.
        devices: `--devices` as given.
    """
    global _launch, _heartbeat, _resume_flags
    _launch, _heartbeat = launch, heartbeat
    _resume_flags = "" if launch is None else _flags(launch, heartbeat, devices)


def _flags(launch: Launch, heartbeat: int, devices: str | None) -> str:
    """The flags that start the same processes again."""
    found = {
        "flags": f"{_address(launch)} --process-id ID",
        # A Job tells a process its number and nothing else.
        "kubernetes": f" --distributed auto{_address(launch)}",
    }
    flags = found.get(launch.found_by, " --distributed auto")
    if heartbeat != HEARTBEAT:
        flags += f" --heartbeat {heartbeat}"
    return flags + (f" --devices {devices}" if devices else "")


def _address(launch: Launch) -> str:
    """The flags of the coordinator and of the number of processes."""
    return f" --coordinator {shlex.quote(launch.coordinator)} --num-processes {launch.processes}"


def resume_command(run: Any) -> str:
    """The command that resumes a run, with the flags of its processes.

    Args:
        run: the run, or its folder.
    """
    return f"{_launcher()}zoo train --resume {run}{_resume_flags}{flag.text()}"


def _launcher() -> str:
    return "srun " if _launch is not None and _launch.found_by == "slurm" else ""


def count() -> int:
    """Number of processes that train together."""
    return 1 if _launch is None else _launch.processes


def heartbeat() -> int:
    """Seconds without a sign of life after which a process counts as lost."""
    return _heartbeat


def index() -> int:
    """Index of this process; 0 where it trains alone."""
    return 0 if _launch is None else _launch.process


def is_first() -> bool:
    """Whether this process owns the run folder."""
    return index() == 0


def name() -> str:
    """This process in a sentence: `process 1 of 2 (host-b)`."""
    return f"process {index()} of {count()} ({socket.gethostname()})"


def start(say: Callable[[str], None], task: str = "") -> None:
    """Meets the other processes, before JAX looks at its devices.

    Args:
        say: takes a line for the user.
        task: what this process was started to do, for people; the same one in all processes.

    Raises:
        EnvironmentFault: process 0 cannot listen on the coordinator's address, its name has no
            address, or JAX is too old.
        UsageError: the processes were started with different numbers of them.
        EnvironmentFault: they were started with different tasks.
    """
    launch = _launch
    if launch is None:
        return
    if launch.process:
        coordinator.require_name(launch, START_SECONDS, say)
    else:
        coordinator.require_address(launch)
        say(f"{launch.processes} processes meet at {launch.coordinator}")
    import jax

    _require_heartbeat(jax)
    # JAX would take SIGTERM for itself; a training stops at a step that all agree on.
    with contextlib.suppress(AttributeError):  # Of other versions.
        jax.config.update("jax_enable_preemption_service", False)
    jax.distributed.initialize(
        launch.coordinator,
        launch.processes,
        launch.process,
        local_device_ids=_local_devices(launch),
        cluster_detection_method="deactivate",
        initialization_timeout=START_SECONDS,
        heartbeat_timeout_seconds=_heartbeat,
        coordinator_bind_address=launch.coordinator,
    )
    _require_same([f"--num-processes {launch.processes}", task])
    supervisor.tell(phase="met")
    threading.Thread(target=_listen, daemon=True).start()


def _require_same(asked: list[str]) -> None:
    """Requires that all processes were asked for the same; some would wait for ever.

    Args:
        asked: their number, then what they are to do.

    Raises:
        UsageError: their numbers differ.
        EnvironmentFault: their tasks differ, as when a launcher restarts some processes before and
            others after the first state is saved; its next try finds that state everywhere.
    """
    texts = exchange("asked", json.dumps(asked))
    for number, text in enumerate(texts):
        pairs = zip(json.loads(texts[0]), json.loads(text), strict=True)
        for kind, (first, other) in zip((UsageError, EnvironmentFault), pairs, strict=True):
            if first != other:
                error = kind(
                    f"the processes were started differently: process 0: {first}; process "
                    f"{number}: {other}. Start all of them with the same command, but for "
                    "--process-id."
                )
                error.agreed = True
                raise error


def _require_heartbeat(jax: Any) -> None:
    """Requires a JAX whose coordinator takes a heartbeat.

    Raises:
        EnvironmentFault: it is an older one.
    """
    if "heartbeat_timeout_seconds" not in signature(jax.distributed.initialize).parameters:
        raise EnvironmentFault(
            f"several processes need a newer JAX than {jax.__version__}, whose coordinator takes a "
            "heartbeat: pip install -U jax"
        )


def _listen() -> None:
    """Tells the parent what another process left that ended by an error.

    JAX may abort this process before it can read that itself.
    """
    while connected():
        word = _word_of_end()
        if word is not None:
            supervisor.tell(word=word)
            return
        time.sleep(_LISTEN_SECONDS)


def _local_devices(launch: Launch) -> list[int] | None:
    """The accelerators of this host that belong to this process; None for all of them."""
    if not {"cuda", "gpu"} & set((os.environ.get("JAX_PLATFORMS") or "cuda").split(",")):
        return None
    return launch.devices(count_nvidia(os.environ))


def _client() -> Any:
    """JAX's client of the coordinator's store."""
    from jax._src import distributed

    return distributed.global_state.client


def connected() -> bool:
    """Whether this process has met others, and has not parted from them."""
    import sys

    return _launch is not None and "jax" in sys.modules and _client() is not None


def exchange(topic: str, text: str) -> list[str]:
    """Gathers a text of each process.

    Args:
        topic: a name that is used once.
        text: that of this process.

    Returns:
        The texts of all processes, in their order.

    Raises:
        PeerLost: another process ended by an error.
    """
    if _launch is None:
        return [text]
    client = _client()
    if _launch.process == 0:
        texts = [text, *(_read(f"zoo/{topic}/{number}") for number in range(1, count()))]
        client.key_value_set(f"zoo/{topic}", json.dumps(texts))
        return texts
    client.key_value_set(f"zoo/{topic}/{_launch.process}", text)
    return list(map(str, json.loads(_read(f"zoo/{topic}"))))


def from_first(topic: str, make: Callable[[], str]) -> str:
    """Returns a text that process 0 makes, in every process.

    Args:
        topic: a name that is used once.
        make: called in process 0.

    Raises:
        PeerLost: another process ended by an error.
    """
    if _launch is None:
        return make()
    if _launch.process:
        return _read(f"zoo/{topic}")
    text = make()
    _client().key_value_set(f"zoo/{topic}", text)
    return text


def _read(key: str) -> str:
    """Waits for a key of the store.

    Raises:
        PeerLost: a process ended by an error.
    """
    while True:
        try:
            return str(_client().blocking_key_value_get(key, _SLICE_MS))
        except Exception as error:  # JAX's error; its class differs by version.
            if "DEADLINE_EXCEEDED" not in str(error):
                raise
        word = _word_of_end()
        if word is not None:
            raise lost(word)


def _word_of_end() -> str | None:
    """What a process left that ended by an error; None if none did."""
    try:
        return str(_client().key_value_try_get(_ENDED))
    except Exception:  # NOT_FOUND; or the coordinator is gone.
        return None


def lost(word: str | None = None) -> PeerLost:
    """The error of a process that cannot go on without another one.

    Args:
        word: what the other one left; None if it left nothing.
    """
    reason = word or "another process was lost"
    return PeerLost(f"{reason}; without it no other goes on. {supervisor.advice()}")


def as_lost(error: BaseException) -> PeerLost | None:
    """The error of a lost process, if that is what an error of JAX means; else None."""
    if not connected() or isinstance(error, PeerLost):
        return None
    if type(error).__name__ not in ("JaxRuntimeError", "XlaRuntimeError", "ValueError"):
        return None
    text = str(error).lower()
    if not any(sign in text for sign in _SIGNS):
        return None
    time.sleep(0.2)  # Its word may be on the way.
    return lost(_word_of_end())


def tell_end(error: BaseException) -> None:
    """Leaves word for the other processes that this one ends by an error of its own."""
    if not connected() or isinstance(error, PeerLost):
        return
    word = f"{name()} ended: {in_one_line(error) or type(error).__name__}".rstrip(".")
    client = _client()
    with contextlib.suppress(Exception):  # Nobody may be there to hear it.
        client.key_value_set(_ENDED, word[:1000])
    if is_first() and count() > 1:
        time.sleep(_HEARD_SECONDS)


def part() -> None:
    """Parts from the other processes at the end of a training, once all have reached it.

    Raises:
        PeerLost: another process ended by an error.
    """
    if not connected():
        return
    import jax

    exchange("end", "")
    jax.distributed.shutdown()
    supervisor.tell(phase="parted")


def leave(code: int) -> None:
    """Ends this process at once if it has not parted: JAX would wait, and abort.

    Args:
        code: exit code.
    """
    if connected():
        supervisor.flush()
        os._exit(code)
