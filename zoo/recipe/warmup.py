"""The length of a warm-up; shrinks one that `--set train.epochs=N` leaves too long. Light."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zoo.recipe.yaml_reader import KeyPath, dotted

EPOCHS: KeyPath = ("train", "epochs")
SCHEDULE: KeyPath = ("train", "schedule")
KEY = "warmup_epochs"
WORDS = ("one_cycle", "cosine")
SHARE = 0.15  # Of a training: what `zoo new` proposes.


def shrunk(data: Mapping[str, Any], epochs_before: Any) -> tuple[KeyPath, float, float] | None:
    """Returns the warm-up that fits into fewer epochs, if the one that is given does not.

    It becomes the same share of the training as before, as in the trials of a search.

    Args:
        data: of a recipe whose `train.epochs` was changed; not checked yet.
        epochs_before: its `train.epochs` before that.

    Returns:
        (path of the warm-up, its epochs before, its epochs now); None where nothing is to be done.
    """
    train = data.get("train")
    schedule = train.get("schedule") if isinstance(train, Mapping) else None
    if not isinstance(train, Mapping) or not isinstance(schedule, Mapping) or len(schedule) != 1:
        return None
    epochs: Any = train.get("epochs")
    ((word, options),) = schedule.items()
    if word not in WORDS:
        return None
    # `one_cycle: 3` is short for `one_cycle: {warmup_epochs: 3}`.
    warmup: Any = options.get(KEY) if isinstance(options, Mapping) else options
    if not (_is_number(warmup) and _is_number(epochs) and _is_number(epochs_before)):
        return None
    if not 0 < epochs < warmup <= epochs_before:
        return None
    return (*SCHEDULE, word, KEY), warmup, float(f"{warmup * epochs / epochs_before:.4g}")


def note(path: KeyPath, before: float, epochs_before: float, now: float, epochs: float) -> str:
    """Says that a warm-up was shortened.

    Args:
        path: of the warm-up.
        before: its epochs before.
        epochs_before: those of the training before.
        now: its epochs now.
        epochs: those of the training now.
    """
    return (
        f"note: {dotted(path)}: {before:g} epochs of {epochs_before:g} are shortened to {now:g} of "
        f"{epochs:g}, since train.epochs was set to {epochs:g}; to choose another length, add "
        f"--set {dotted(path)}=..."
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
