"""What happens around Keras's training loop: watching, keeping the best, writing rows."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import keras

from zoo.batches import Batches
from zoo.errors import Diverged
from zoo.rundir import Run, atomic_write

# A single batch may spike; so many losses in a row above the limit are a divergence. Of losses ten
# times as high two are.
IN_A_ROW = 5
FAR, FAR_IN_A_ROW = 10.0, 2


class FirstEpoch(keras.callbacks.Callback):
    """Ends a resumed run's first epoch after the steps that it still lacks.

    Keras counts the steps of an epoch from 0; the flag that stops training also ends an epoch, and
    is taken back here before other callbacks may set it for good. So this one comes first, and
    `after_others` last: what another callback has set is left.
    """

    def __init__(self, first_step: int, steps_per_epoch: int) -> None:
        super().__init__()
        self.first_epoch, self.done = divmod(first_step, steps_per_epoch)
        self.left = steps_per_epoch - self.done
        self.epoch = self.first_epoch
        self.ended = False

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def after_others(self, batch: int, logs: Any = None) -> None:
        """Comes at the end of each step, after all other callbacks."""
        last = self.done and self.epoch == self.first_epoch and batch + 1 == self.left
        if last and not self.model.stop_training:
            self.ended = True
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        if self.ended and epoch == self.first_epoch:
            self.model.stop_training = False


class StepCounter(keras.callbacks.Callback):
    """Counts global steps and the seconds spent in training, over all parts of a run."""

    def __init__(self, first_step: int, steps_per_epoch: int, seconds: float = 0.0) -> None:
        super().__init__()
        self.step = first_step
        self.steps_per_epoch = steps_per_epoch
        self.before = seconds
        self.started = time.perf_counter()
        self.epoch_started = self.started
        self.epoch_trained: float | None = None
        self.epoch_first_step = first_step
        self.rates: list[float] = []  # steps a second of each epoch, without validation

    @property
    def seconds(self) -> float:
        return self.before + time.perf_counter() - self.started

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch_started = time.perf_counter()
        self.epoch_trained = None
        self.epoch_first_step = self.step

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.step += 1

    def on_test_begin(self, logs: Any = None) -> None:
        self.epoch_trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        ended = self.epoch_trained or time.perf_counter()
        self.rates.append((self.step - self.epoch_first_step) / (ended - self.epoch_started))


class DivergenceGuard(keras.callbacks.Callback):
    """Ends a run whose loss is no longer finite, or stays above `limit` times its first value.

    CS231n, lecture 6: "if the cost is ever > 3 * original cost, break out early". The loss of a
    step is recovered from Keras's running mean; the first one counts as at least that of equal
    scores, so that a head that starts lucky sets no unfair bar.
    """

    def __init__(
        self, clock: StepCounter, batches: Batches, limit: float | None, floor: float
    ) -> None:
        super().__init__()
        self.clock = clock
        self.batches = batches
        self.limit = limit
        self.floor = floor
        self.first_loss: float | None = None
        self.sum = 0.0
        self.seen = 0
        self.recent: deque[float] = deque(maxlen=IN_A_ROW)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # A resumed epoch goes on with the sums that its state holds.
        if self.clock.step % self.clock.steps_per_epoch == 0:
            self.sum, self.seen = 0.0, 0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.clock.step - 1
        mean, size = float((logs or {})["loss"]), self.batches.size(step)
        loss = mean + (mean - self.sum / self.seen) * self.seen / size if self.seen else mean
        self.seen += size
        self.sum = mean * self.seen
        if not math.isfinite(mean):
            raise Diverged(self._words(step, f"the loss is {mean}"))
        if self.first_loss is None:
            self.first_loss = loss
        self.recent.append(loss)
        if self.limit is None:
            return
        for times, count in ((1.0, IN_A_ROW), (FAR, FAR_IN_A_ROW)):
            factor = times * self.limit
            bar = factor * max(self.first_loss, self.floor)
            if len(self.recent) >= count and min(list(self.recent)[-count:]) > bar:
                raise Diverged(
                    self._words(
                        step,
                        f"the last {count} losses are above {bar:.4g}, "
                        f"{factor:g} times the first ({self.first_loss:.4g})",
                    )
                )

    def _words(self, step: int, what: str) -> str:
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        return (
            f"diverged at step {step} (epoch {step // self.clock.steps_per_epoch + 1}, "
            f"learning rate {rate:.3g}): {what}. Lower train.optimizer's learning_rate (try a "
            "third), or warm it up with a schedule."
        )

    def get_state(self) -> dict[str, Any]:
        return {
            "first_loss": self.first_loss,
            "sum": self.sum,
            "seen": self.seen,
            "recent": list(self.recent),
        }

    def set_state(self, values: dict[str, Any]) -> None:
        self.first_loss, self.sum, self.seen = values["first_loss"], values["sum"], values["seen"]
        self.recent.extend(values["recent"])


class BestCheckpoint(keras.callbacks.Callback):
    """Keeps the model of the best epoch in best.keras: uncompiled, of Keras's own layers alone."""

    def __init__(self, run: Run, monitor: str) -> None:
        super().__init__()
        self.run = run
        self.monitor = monitor
        self.score: tuple[float, float] | None = None
        self.epoch: int | None = None
        self.values: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        logs = {key: float(value) for key, value in (logs or {}).items()}
        accuracy, loss = logs["val_accuracy"], -logs["val_loss"]
        score = (accuracy, loss) if self.monitor == "val_accuracy" else (loss, accuracy)
        if not all(map(math.isfinite, score)) or (self.score is not None and score <= self.score):
            return
        self.score, self.epoch = score, epoch
        self.values = {key: logs[key] for key in ("val_accuracy", "val_loss")}
        # Another model around the same layers: without optimizer, loss and metrics in its file.
        bare = keras.Model(self.model.inputs, self.model.outputs, name=self.model.name)
        with atomic_write(self.run.model_file) as aside:
            bare.save(aside)

    def get_state(self) -> dict[str, Any]:
        return {"score": self.score, "epoch": self.epoch, "values": self.values}

    def set_state(self, values: dict[str, Any]) -> None:
        self.score = None if values["score"] is None else tuple(values["score"])
        self.epoch, self.values = values["epoch"], values["values"]


class MetricsLogger(keras.callbacks.Callback):
    """Writes a row an epoch into metrics.jsonl; `more` adds to each."""

    def __init__(
        self,
        run: Run,
        clock: StepCounter,
        rows: list[dict[str, Any]],
        more: Callable[[], dict[str, Any]] = dict,
    ) -> None:
        super().__init__()
        self.run = run
        self.clock = clock
        self.rows = rows
        self.more = more

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        seconds = time.perf_counter() - self.clock.epoch_started
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row: dict[str, Any] = {"epoch": epoch + 1, "step": self.clock.step}
        row |= {key: _finite(value) for key, value in (logs or {}).items()}
        row |= {"learning_rate": rate, **self.more(), "seconds": round(seconds, 3)}
        self.rows.append(row)
        self.run.write_rows(self.rows)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None
