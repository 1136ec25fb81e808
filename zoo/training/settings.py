"""How a training talks to its caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
from rich.console import Console

from zoo.backend.device_request import Request
from zoo.text.fitting import for_console
from zoo.text.printable import escaped, one_line
from zoo.trackers.session import Tracking


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Progress output and callbacks of a training. Only a callback can change its result.

    Attributes:
        console: takes lines and progress.
        tensorboard: whether logs for TensorBoard are written into the run folder.
        tracking: trackers that are told of the run; started, and ended by the caller. None: none
            but those that `tensorboard` asks for.
        callbacks: Keras callbacks of the caller's own.
        watch: whether the live checks run.
        flags: what `zoo train` does at the end, for run.json: `evaluate`, `export`, `tensorboard`
            and `report`. None: leave run.json as it is.
        devices: number of devices that train together, or `all`; None: one, or as many as a
            resumed run began with.
        allow_other_devices: whether a run may be resumed with another number of devices, which
            gives other bits.
    """

    console: Console = field(default_factory=lambda: Console(quiet=True))
    tensorboard: bool = False
    tracking: Tracking | None = None
    callbacks: Sequence[keras.callbacks.Callback] = ()
    watch: bool = True
    flags: Mapping[str, bool] | None = None
    devices: Request = None
    allow_other_devices: bool = False

    @property
    def recorded(self) -> dict[str, Any]:
        """What run.json keeps, so that a resumed run does the same: trackers and flags."""
        trackers = self.tracking.recorded if self.tracking else {}
        return trackers if self.flags is None else {**trackers, "flags": dict(self.flags)}

    def print_line(self, text: str) -> None:
        """Prints a line for the user, as it is but for characters that cannot be printed."""
        self.console.print(
            for_console(escaped(text), self.console),
            highlight=False, markup=False, emoji=False, soft_wrap=True,
        )  # fmt: skip

    def print_note(self, note: str) -> None:
        """Prints a note on the data or the training, in one line."""
        self.print_line(one_line(f"note: {note}"))
