"""One trial followed through its training: its order, its result, and what stops it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tuning import pruning
from zoo import losses
from zoo.recipe import Recipe
from zoo.train.observers import StepCounter

if TYPE_CHECKING:
    from tuning.trial_trainer import TrialTrainer


@dataclass(frozen=True, kw_only=True)
class Order:
    """A trial to run.

    Attributes:
        recipe: resolved, with its values, seed and epochs.
        objective: val_accuracy or val_loss.
        rule: of pruning.
        rivals: by rung, in steps, the scores there of trials that this one is compared with.
        seconds: limit, or None.
    """

    recipe: Recipe
    objective: str = "val_accuracy"
    rule: str = "none"
    rivals: Mapping[int, Sequence[float]] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(kw_only=True)
class Result:
    """What came of a trial. Scores are higher where better: an accuracy, or a loss's negative.

    Attributes:
        status: done, pruned, diverged, timeout or failed.
        score: of the best epoch; None without a whole epoch.
        reason: why it stopped, where it did not end.
        epochs: whole ones.
        steps: made.
        seconds: of the training.
        setup_seconds: to build and trace a network, where another trial's could not be used.
        best_epoch: from 1.
        curve: a row an epoch.
        rungs: score by step.
    """

    status: str = "done"
    score: float | None = None
    reason: str | None = None
    epochs: int = 0
    steps: int = 0
    seconds: float = 0.0
    setup_seconds: float = 0.0
    best_epoch: int | None = None
    curve: list[dict[str, Any]] = field(default_factory=list)
    rungs: dict[int, float] = field(default_factory=dict)
    weights: list[np.ndarray] = field(default_factory=list)


class Stopped(Exception):
    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def score_of(objective: str, logs: Mapping[str, float]) -> float:
    """What trials are compared by, higher is better."""
    return logs["val_accuracy"] if objective == "val_accuracy" else -logs["val_loss"]


class Follow(keras.callbacks.Callback):
    """Follows a trial: beats, rungs, its limit, its best epoch."""

    def __init__(
        self,
        bench: TrialTrainer,
        order: Order,
        result: Result,
        clock: StepCounter,
        tell: Callable[[int, int], None],
        began: float,
    ) -> None:
        super().__init__()
        self.bench = bench
        self.order = order
        self.result = result
        self.clock = clock
        self.tell = tell
        self.began = began
        self.steps = order.recipe.train.epochs * clock.steps_per_epoch
        self.rungs = set(pruning.rungs(order.rule, self.steps))
        self.best: tuple[float, float] | None = None

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.tell(self.clock.step, self.steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.clock.step
        self.tell(step, self.steps)
        limit = self.order.seconds
        if limit is not None and time.perf_counter() - self.began > limit:
            raise Stopped("timeout", f"over {limit / 60:.3g} minutes after step {step}")
        if step in self.rungs:
            self._rung(step)

    def _rung(self, step: int) -> None:
        sync = getattr(self.model, "jax_state_sync", None)
        if sync is not None:
            sync()
        logits = self.bench.logits(self.model)
        if self.order.objective == "val_accuracy":
            score = float(np.mean(logits.argmax(axis=1) == self.bench.labels))
            bar = self.bench.chance
        else:
            choice = self.order.recipe.train.loss
            score = -float(losses.make(choice)(self.bench.labels, logits.astype(np.float32)))
            bar = -losses.at_start(choice, self.bench.classes)
        self.result.rungs[step] = score
        others = self.order.rivals.get(step, ())
        why = pruning.left_behind(self.order.rule, score, others, bar)
        if why:
            self.result.score = score if self.result.score is None else self.result.score
            raise Stopped("pruned", f"at step {step} of {self.steps} {why}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        found = {key: float(value) for key, value in (logs or {}).items()}
        result = self.result
        result.epochs = epoch + 1
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row: dict[str, Any] = {"epoch": epoch + 1, "step": self.clock.step}
        row |= {key: value if math.isfinite(value) else None for key, value in found.items()}
        result.curve.append(row | {"learning_rate": rate})
        score = score_of(self.order.objective, found)
        other = "val_loss" if self.order.objective == "val_accuracy" else "val_accuracy"
        second = -found[other] if other == "val_loss" else found[other]
        if not (math.isfinite(score) and math.isfinite(second)):
            return
        if self.best is None or (score, second) > self.best:
            self.best = (score, second)
            result.score, result.best_epoch = score, epoch + 1
            sync = getattr(self.model, "jax_state_sync", None)
            if sync is not None:
                sync()
            result.weights = [np.array(keras.ops.convert_to_numpy(v)) for v in self.model.variables]
