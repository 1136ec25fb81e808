"""Progress of training, for people: a bar on a terminal, a line an epoch."""

from __future__ import annotations

import time
from typing import Any

import keras
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from zoo.batches import Batches
from zoo.train.observers import StepCounter

DRAWS_PER_SECOND = 8


class EpochLines(keras.callbacks.Callback):
    """Shows each epoch as it goes, with loss, accuracy, images/s and the time left."""

    def __init__(self, console: Console, clock: StepCounter, epochs: int, batches: Batches) -> None:
        super().__init__()
        self.console = console
        self.clock = clock
        self.epochs = epochs
        self.batch_size = batches.images_per_step
        self.bar: Progress | None = None
        self.task: Any = None
        self.drawn = 0.0

    def on_train_begin(self, logs: Any = None) -> None:
        if self.console.quiet or not self.console.is_terminal:
            return
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[values]}"),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        self.bar = Progress(*columns, console=self.console, transient=True)
        total = self.epochs * self.clock.steps_per_epoch
        self.task = self.bar.add_task(
            "", total=total, completed=self.clock.step, epoch=f"1/{self.epochs}", values=""
        )
        self.bar.start()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        if self.bar is None or now - self.drawn < 1 / DRAWS_PER_SECOND:
            return
        self.drawn = now
        logs = logs or {}
        done = self.clock.step - self.clock.epoch_first_step
        rate = done * self.batch_size / max(now - self.clock.epoch_started, 1e-9)
        epoch = (self.clock.step - 1) // self.clock.steps_per_epoch + 1
        self.bar.update(
            self.task,
            completed=self.clock.step,
            epoch=f"{epoch}/{self.epochs}",
            values=f"loss {float(logs.get('loss', 0)):.4f}  "
            f"accuracy {float(logs.get('accuracy', 0)):.4f}  {rate:,.0f} images/s",
        )

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {key: float(value) for key, value in (logs or {}).items()}
        rate = self.clock.rates[-1] * self.batch_size
        self.console.print(
            f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}  "
            f"loss {logs['loss']:.4f}  accuracy {logs['accuracy']:.4f}  "
            f"val_loss {logs['val_loss']:.4f}  val_accuracy {logs['val_accuracy']:.4f}  "
            f"{rate:,.0f} images/s",
            highlight=False,
            soft_wrap=True,
        )

    def close(self) -> None:
        """Takes the bar away, however training ended."""
        if self.bar is not None:
            self.bar.stop()
            self.bar = None
