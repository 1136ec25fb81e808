"""Watches one trial while it trains: progress, rungs, time limit, best epoch."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from tuning import pruning
from tuning.trials import TrialSpec
from zoo import losses
from zoo.recipe import Recipe
from zoo.train.observers import StepCounter

if TYPE_CHECKING:
    from tuning.trial_trainer import TrialTrainer


@dataclass(kw_only=True)
class Progress:
    """What is known of a trial while it trains; the fields of `TrialResult`, and more.

    Attributes:
        weights: of the best epoch.
    """

    score: float | None = None
    epochs: int = 0
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
        spec: TrialSpec,
        recipe: Recipe,
        progress: Progress,
        clock: StepCounter,
        on_progress: Callable[[int, int], None],
        began: float,
    ) -> None:
        super().__init__()
        self.bench = bench
        self.spec = spec
        self.recipe = recipe
        self.progress = progress
        self.clock = clock
        self.on_progress = on_progress
        self.began = began
        self.steps = recipe.train.epochs * clock.steps_per_epoch
        self.rungs = set(pruning.rungs(spec.rule, self.steps))
        self.best: tuple[float, float] | None = None

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.on_progress(self.clock.step, self.steps)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        step = self.clock.step
        self.on_progress(step, self.steps)
        limit = self.spec.seconds
        if limit is not None and time.perf_counter() - self.began > limit:
            raise Stopped("timeout", f"over {limit / 60:.3g} minutes after step {step}")
        if step in self.rungs:
            self._rung(step)

    def _rung(self, step: int) -> None:
        sync = getattr(self.model, "jax_state_sync", None)
        if sync is not None:
            sync()
        logits = self.bench.logits(self.model)
        if self.spec.objective == "val_accuracy":
            score = float(np.mean(logits.argmax(axis=1) == self.bench.labels))
            bar = self.bench.chance
        else:
            choice = self.recipe.train.loss
            score = -float(losses.make(choice)(self.bench.labels, logits.astype(np.float32)))
            bar = -losses.at_start(choice, self.bench.classes)
        self.progress.rungs[step] = score
        others = self.spec.rivals.get(step, ())
        why = pruning.left_behind(self.spec.rule, score, others, bar)
        if why:
            self.progress.score = score if self.progress.score is None else self.progress.score
            raise Stopped("pruned", f"at step {step} of {self.steps} {why}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        found = {key: float(value) for key, value in (logs or {}).items()}
        progress = self.progress
        progress.epochs = epoch + 1
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        row: dict[str, Any] = {"epoch": epoch + 1, "step": self.clock.step}
        row |= {key: value if math.isfinite(value) else None for key, value in found.items()}
        progress.curve.append(row | {"learning_rate": rate})
        score = score_of(self.spec.objective, found)
        other = "val_loss" if self.spec.objective == "val_accuracy" else "val_accuracy"
        second = -found[other] if other == "val_loss" else found[other]
        if not (math.isfinite(score) and math.isfinite(second)):
            return
        if self.best is None or (score, second) > self.best:
            self.best = (score, second)
            progress.score, progress.best_epoch = score, epoch + 1
            sync = getattr(self.model, "jax_state_sync", None)
            if sync is not None:
                sync()
            progress.weights = [
                np.array(keras.ops.convert_to_numpy(v)) for v in self.model.variables
            ]
