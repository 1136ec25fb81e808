"""How a training talks to its caller."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import keras
from rich.console import Console


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Progress output and callbacks of a training. Only a callback can change its result.

    Attributes:
        console: takes lines and progress.
        tensorboard: whether logs for TensorBoard are written into the run folder.
        callbacks: Keras callbacks of the caller's own.
        watch: whether the live checks run.
    """

    console: Console = field(default_factory=lambda: Console(quiet=True))
    tensorboard: bool = False
    callbacks: Sequence[keras.callbacks.Callback] = ()
    watch: bool = True

    def print_line(self, text: str) -> None:
        """Prints a line for the user, as it is."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)
