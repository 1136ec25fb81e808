"""The states of observers and Keras callbacks: what of them is saved, and how it comes back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from zoo.errors import DamagedFile
from zoo.files import json_files
from zoo.rundir.state_schema import OBSERVER_STATES
from zoo.training import state_file

# Class names in files of zoo 0.1 -> today's.
FORMER_NAMES = {
    "Watch": "DivergenceGuard",
    "Best": "BestEpoch",
    "Babysitter": "LiveChecks",
    "Lookahead": "LookaheadWeights",
}
REQUIRED = ("BestEpoch", "DivergenceGuard", "StepLosses")  # Every training has them.


def name_of(watcher: Any) -> str:
    """Returns the name under which a state file keeps an object's state.

    A class that takes another one's place keeps that one's name as `STATE_NAME`: the states of runs
    that were stopped before are found by it.
    """
    return str(getattr(watcher, "STATE_NAME", type(watcher).__name__))


def state_of(watcher: Any) -> dict[str, Any] | None:
    """Returns the state of an observer or a Keras callback; None if it has none."""
    if hasattr(watcher, "get_state"):
        state: dict[str, Any] | None = watcher.get_state()
        return state
    plain = {}
    for key, value in vars(watcher).items():
        if key == "min_delta" and hasattr(watcher, "monitor_op"):
            continue  # Keras negates it once per process; restoring it would negate it twice.
        value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
        if value is None or isinstance(value, bool | int | float | str):
            plain[key] = value
    return plain


def restore(stateful: Sequence[Any], entries: Sequence[Any]) -> None:
    """Restores states: the n-th object of a class gets the n-th state of that class.

    Args:
        stateful: observers and callbacks.
        entries: class names and states, as a state file holds them.

    Raises:
        DamagedFile: a state is not one of such an object.
    """
    states: dict[str, list[dict[str, Any]]] = {}
    for name, state in entries:
        states.setdefault(FORMER_NAMES.get(name, name), []).append(state)
        if name == "Watch":  # It also recovered the losses of steps.
            states["StepLosses"] = [state]
    for each in stateful:
        name = name_of(each)
        waiting = states.get(name)
        if not waiting:
            if name in REQUIRED:
                raise _unfit(name, "it is missing")
            continue
        state = waiting.pop(0)
        if name in OBSERVER_STATES:
            place = f"the saved state of {name}"
            json_files.checked(state, OBSERVER_STATES[name], place, state_file.ADVICE)
        else:
            _require_alike(name, state_of(each) or {}, state)
        try:
            if hasattr(each, "set_state"):
                each.set_state(state)
                # What was taken must also be there to be saved again.
                json.dumps(each.get_state())
            else:
                vars(each).update(state)
        # A state of another version, or an edited one: each observer has its own errors for it.
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise _unfit(name, f"{type(error).__name__}: {error}") from None


def _require_alike(name: str, present: Any, stored: Any, key: str = "") -> None:
    """Refuses a stored state whose values are of other types than those that are there now.

    None says nothing of a type, and an empty list or map nothing of its entries.

    Raises:
        DamagedFile: names the callback, the key and both types.
    """
    if isinstance(present, dict) and isinstance(stored, dict):
        for inner in present.keys() & stored.keys():
            _require_alike(name, present[inner], stored[inner], f"{key}.{inner}" if key else inner)
        return
    numbers = (int, float)
    if present is None or stored is None:
        return
    if isinstance(present, bool) is isinstance(stored, bool) and (
        (isinstance(present, numbers) and isinstance(stored, numbers))
        or (isinstance(present, list | tuple) and isinstance(stored, list | tuple))
        or isinstance(stored, type(present))
    ):
        return
    kinds = f"Expected {type(present).__name__}. Received {type(stored).__name__}"
    raise _unfit(name, f"{key}: {kinds}")


def _unfit(name: str, reason: str) -> DamagedFile:
    return DamagedFile(
        f"the saved state does not fit {name} ({reason[:200]}): it was edited, or written by "
        f"another version. {state_file.ADVICE}"
    )
