"""Observes one trial while it trains: progress, time limit, rungs of pruning."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import keras
import numpy as np

from tuning import pruning
from tuning.trials import TrialSpec, sign
from zoo import class_metrics, losses, multi_label_metrics
from zoo.checks.judge.chance import area_guessing_bound, balanced_guessing_bound, guessing_bound
from zoo.class_weights import weighted_shares
from zoo.datasets.splits import Split
from zoo.labels import class_counts, is_multi_label
from zoo.recipe import Recipe
from zoo.recipe.monitors import weighs_classes_alike
from zoo.training.observers import Observer, StepCounter, StopTraining

RUNG_IMAGES = 1000  # Validation images that a rung is scored on.
RUNG_BATCH_SIZE = 256


class TrialStopped(StopTraining):
    """A trial that was stopped before its end.

    Attributes:
        status: `pruned` or `timeout`.
    """

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class RungScorer:
    """Scores a model on a fixed sample of the validation images.

    Args:
        validation: the validation split.
        classes: number of classes.
    """

    def __init__(self, validation: Split, classes: int) -> None:
        rng = np.random.default_rng(0)
        chosen = np.sort(rng.permutation(len(validation))[:RUNG_IMAGES])
        self.classes = classes
        self.images = validation.images(chosen)
        self.labels = np.asarray(validation.labels)[chosen]
        self._counts = class_counts(self.labels, classes)
        self._largest_share = float(weighted_shares(None, self.labels, classes).max())

    def score(self, model: keras.Model, objective: str, recipe: Recipe) -> float:
        """Scores the model on the sample, at most `RUNG_IMAGES` images.

        Args:
            model: the model.
            objective: metric that trials are compared by.
            recipe: the trial's recipe, whose loss is used.

        Returns:
            A metric from 0 to 1, or a negated loss, at most 0: higher is better.
        """
        logits = np.concatenate(
            [
                model.predict_on_batch(self.images[first : first + RUNG_BATCH_SIZE])
                for first in range(0, len(self.labels), RUNG_BATCH_SIZE)
            ]
        )
        if objective != "val_loss" and is_multi_label(self.labels):
            return self._multi_label_score(logits, objective)
        if objective == "val_accuracy":
            return float(np.mean(logits.argmax(axis=1) == self.labels))
        if objective == "val_auc":
            by_sigmoid = recipe.train.loss.word == "sigmoid"
            return class_metrics.auc(self.labels, logits, by_sigmoid)
        if weighs_classes_alike(objective):
            predicted = logits.argmax(axis=1)
            table = class_metrics.confusion_matrix(self.labels, predicted, self.classes)
            return class_metrics.from_confusion_matrix(table)[objective.removeprefix("val_")]
        loss = losses.make_loss(recipe.train.loss)
        return sign(objective) * float(loss(self.labels, logits.astype(np.float32)))

    def _multi_label_score(self, logits: np.ndarray, objective: str) -> float:
        answers = multi_label_metrics.decisions(logits)
        if objective == "val_accuracy":
            return float(np.mean((answers == self.labels).all(axis=1)))
        by_class = {
            "val_mean_average_precision": multi_label_metrics.average_precision,
            "val_auc": multi_label_metrics.roc_areas,
        }
        if objective in by_class:
            return multi_label_metrics.mean_of_defined(by_class[objective](self.labels, logits))
        means = multi_label_metrics.Counts(self.labels, answers).means()
        return means[objective.removeprefix("val_")]

    def guessing_score(self, objective: str, recipe: Recipe) -> float:
        """The score that guessing reaches; see `score`."""
        counts = self._counts
        if objective == "val_accuracy":
            return guessing_bound(self._largest_share, len(self.labels))
        if objective != "val_loss" and is_multi_label(self.labels):
            images = len(self.labels)
            if objective == "val_auc":
                return area_guessing_bound(counts.tolist(), images)
            if objective == "val_mean_average_precision":  # Of a guess it is a class's share.
                return float(np.mean([guessing_bound(n / images, images) for n in counts if n]))
            return 0.0  # Yes to everything recalls everything: no score shows a guess.
        if weighs_classes_alike(objective):
            return balanced_guessing_bound(counts.tolist(), 0.5 if objective == "val_auc" else None)
        return sign(objective) * losses.uniform_loss(recipe.train.loss, self.classes)


class TrialObserver(Observer):
    """Reports a trial's progress, keeps its time limit, and prunes it at its rungs.

    Args:
        spec: the trial.
        recipe: the trial's recipe, resolved.
        scorer: scores the model at a rung.
        on_progress: called with completed steps and total steps at every stop, and after each
            batch of a validation.

    Attributes:
        rung_scores: score at each rung, by step; higher is better.
    """

    def __init__(
        self,
        spec: TrialSpec,
        recipe: Recipe,
        scorer: RungScorer,
        on_progress: Callable[[int, int], None],
    ) -> None:
        self.spec = spec
        self.recipe = recipe
        self.scorer = scorer
        self.on_progress = on_progress
        self.rung_scores: dict[int, float] = {}

    def attach(self, model: keras.Model, counter: StepCounter) -> None:
        """Hands over the model and the counter, and starts the clock of the time limit."""
        super().attach(model, counter)
        self._started = time.perf_counter()
        self._rungs = pruning.rungs(self.spec.rule, counter.steps)

    def next_stop(self, step: int) -> int | None:
        """The next rung."""
        return min((rung for rung in self._rungs if rung > step), default=None)

    def on_validation_step(self) -> None:
        """Reports progress: a validation may take long."""
        self.on_progress(self.counter.step, self.counter.steps)

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Reports progress; stops the trial at its time limit or at a rung.

        Raises:
            TrialStopped: the trial takes too long, or is worse than others.
        """
        step, steps = self.counter.step, self.counter.steps
        self.on_progress(step, steps)
        limit = self.spec.seconds
        if limit is not None and time.perf_counter() - self._started > limit:
            raise TrialStopped("timeout", f"over {limit / 60:.3g} minutes after step {step}")
        if step not in self._rungs:
            return
        objective = self.spec.objective
        score = self.scorer.score(self.model, objective, self.recipe)
        self.rung_scores[step] = score
        guessing = self.scorer.guessing_score(objective, self.recipe)
        rule, to_reach = self.spec.rule, self.spec.limits.get(step)
        reason = pruning.reason_to_prune(rule, score, to_reach, guessing)
        if reason:
            raise TrialStopped("pruned", f"at step {step} of {steps} {reason}")
