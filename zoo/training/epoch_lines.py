"""Progress of a training, for people: a line an epoch, with a bar on a terminal; else a bar alone.

In a notebook the bar holds the newest epoch's line, and stays: what came before is in the history.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from zoo import notebook
from zoo.progress import rewritten_output
from zoo.text.fitting import for_console
from zoo.training.observers import Observer


class EpochLines(Observer):
    """Shows each epoch with its loss, accuracy, images/s and the time left.

    Args:
        console: where the lines go; a bar is drawn on terminals alone.
        images_per_step: mean number of images per step.
        monitor: metric that selects the best epoch, which each line tells.
    """

    def __init__(
        self, console: Console, images_per_step: float, monitor: str = "val_accuracy"
    ) -> None:
        self.console = console
        self.images_per_step = images_per_step
        self.monitor = None if monitor in ("val_accuracy", "val_loss") else monitor
        self._bar: Progress | None = None
        self._output = rewritten_output(console)
        self._newest = ""  # The line of the newest epoch, in a notebook.

    def on_train_begin(self) -> None:
        """Starts the bar."""
        if self._output is not None or self.console.quiet or not self.console.is_terminal:
            return
        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
        )
        counter = self.counter
        self._task = self._bar.add_task(
            "",
            total=counter.steps,
            completed=counter.step,
            epoch=f"1/{counter.epochs}",
            values="",
        )
        self._bar.start()

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Moves the bar on."""
        if self._output is not None:
            self._show_in_notebook()
        if self._bar is None:
            return
        counter = self.counter
        images = (counter.step - counter.epoch_first_step) * self.images_per_step
        rate = images / max(time.perf_counter() - counter.epoch_started, 1e-9)
        self._bar.update(
            self._task,
            completed=counter.step,
            epoch=f"{counter.epoch}/{counter.epochs}",
            values=f"loss {counter.metrics.get('loss', 0):.4f}  "
            f"accuracy {counter.metrics.get('accuracy', 0):.4f}  {rate:,.0f} images/s",
        )

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        """Prints the epoch's line."""
        epochs = self.counter.epochs
        rate = self.counter.steps_per_second[-1] * self.images_per_step
        monitored = f"{self.monitor} {logs[self.monitor]:.4f}  " if self.monitor else ""
        line = (
            f"epoch {epoch + 1:>{len(str(epochs))}}/{epochs}  "
            f"loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}  "
            f"val_loss {logs['val_loss']:.4f}  val_accuracy {logs['val_accuracy']:.4f}  "
            f"{monitored}"
        )
        speed = f"{rate:,.0f} images/s"
        # On a terminal the bar tells the speed, too.
        too_wide = self._bar is not None and len(line) + len(speed) > self.console.width
        line = line.rstrip() if too_wide else line + speed
        if self._output is None:
            self.console.print(for_console(line, self.console), highlight=False, soft_wrap=True)
        else:
            self._newest = line
            self._show_in_notebook()

    def _show_in_notebook(self) -> None:
        if self._output is not None:
            counter = self.counter
            text = self._newest or f"epoch {counter.epoch}/{counter.epochs}"
            self._output.show(partial(notebook.bar, counter.step, counter.steps, text))

    def close(self) -> None:
        """Takes the bar away, however training ended."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        if self._output is not None:
            self._output.keep()
