"""Oracles decide the values of trials: KerasTuner's, behind a small interface. Light.

An oracle is not saved. The same seed and scores, reported in the same order, give the same values;
a resumed search replays them.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Any, Protocol

from tuning.space import Choice, Dimension, Space, as_json
from zoo import backend, seeds

# For a conditional path: the values that other paths must have, by path.
Conditions = Mapping[str, Mapping[str, tuple[Any, ...]]]


class Waiting(Exception):
    """Raised when the oracle needs more scores before it can draw."""


class Oracle(Protocol):
    """Draws the values of trials and learns from their scores.

    Attributes:
        learns: whether scores change its draws.
    """

    learns: bool

    def draw(self) -> tuple[str, dict[str, Any]] | None:
        """Draws the values of a new trial.

        Returns:
            The oracle's name for the trial, and its values by path; None if there are no more.

        Raises:
            Waiting: the oracle needs more scores first.
        """

    def tell(self, name: str, score: float | None) -> None:
        """Reports a trial's score, higher is better; None if the trial has none."""

    def discard(self, name: str) -> None:
        """Reports that a trial's values make no network; another draw replaces it."""

    def epochs(self, name: str) -> int | None:
        """Number of epochs that the oracle wants for a trial; None for the stage's own."""


def oracle_seed(seed: int, stage: str, space: Space, bits: int = 62) -> int:
    """Returns the oracle's seed for a stage.

    KerasTuner counts up from it, one seed per value, so that seeds close to each other would share
    draws: hashes of 62 bits do not. It is never 0, which KerasTuner takes for no seed.

    Args:
        seed: the search's seed.
        stage: the stage's name.
        space: the stage's ranges.
        bits: number of bits of the result.
    """
    text = json.dumps({path: as_json(space[path]) for path in sorted(space)}, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return seeds.derive(seed, "search", stage, digest, bits=bits) or 1


def make(kind: str, space: Space, conditions: Conditions, seed: int, epochs: int) -> Oracle:
    """Makes an oracle of KerasTuner.

    Args:
        kind: `random`, `bayesian` or `hyperband`.
        space: the ranges to draw from, by path.
        conditions: the conditions of conditional paths, by path.
        seed: seed of all draws; see `oracle_seed`.
        epochs: number of epochs of the longest trial, for hyperband.

    Raises:
        ValueError: a condition depends on a range.
    """
    return _KerasTunerOracle(kind, space, conditions, seed, epochs)


_trains_nothing = False


def train_nothing() -> None:
    """Says that this process trains nothing, as that of `zoo tune`: it can spare TensorFlow.

    Whoever calls `begin` in Python may train the winner in the same process.
    """
    global _trains_nothing
    _trains_nothing = True


def import_keras_tuner() -> Any:
    """Imports KerasTuner; in a process that trains nothing, without TensorFlow.

    Keras's backend `numpy` takes convolutions from JAX and does not load without it. TensorFlow,
    where it is imported, writes lines to stderr at once.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with backend.quiet():
        return _imported()


def _imported() -> Any:
    if not _trains_nothing or "keras" in sys.modules or find_spec("jax") is None:
        import keras_tuner  # type: ignore[import-untyped]

        return keras_tuner
    previous = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "numpy"
    try:
        import keras_tuner
    finally:
        if previous is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = previous
    return keras_tuner


class _KerasTunerOracle:
    """An oracle of KerasTuner; see `make`."""

    def __init__(
        self, kind: str, space: Space, conditions: Conditions, seed: int, epochs: int
    ) -> None:
        tuner = import_keras_tuner()
        self.learns = kind != "random"
        self._space = space
        self._draws = 0
        self._trials: dict[str, Any] = {}
        self._unscored: list[Any] = []  # Trials without a score.
        self._worst: float | None = None  # Of the scores.
        options: dict[str, Any] = {
            "objective": tuner.Objective("score", "max"),
            "hyperparameters": _hyperparameters(tuner, space, conditions),
            "seed": seed,
        }
        if kind == "hyperband":
            base: Any = tuner.oracles.HyperbandOracle
            options |= {"max_epochs": max(epochs, 2), "hyperband_iterations": sys.maxsize}
        else:
            options["max_trials"] = None
            base = tuner.oracles.RandomSearchOracle
            if kind == "bayesian":
                base = tuner.oracles.BayesianOptimizationOracle
                options["seed"] = seed % (2**31 - 1) or 1  # numpy's random states take 32 bits.
        self._oracle = type("UnsavedOracle", (_Unsaved, base), {})(**options)
        self._oracle.verbose = 0

    def draw(self) -> tuple[str, dict[str, Any]] | None:
        """See `Oracle`."""
        self._draws += 1
        if not self.learns:
            return self._random_draw()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # The fit of the Gaussian process may not converge.
            trial = self._oracle.create_trial(f"tuner{self._draws}")
        if trial.status == "STOPPED":
            return None
        if trial.status == "IDLE":
            raise Waiting
        self._trials[trial.trial_id] = trial
        sample = trial.hyperparameters
        active = {
            parameter.name: sample.values[parameter.name]
            for parameter in sample.space
            if parameter.name in self._space and sample.is_active(parameter)
        }
        return trial.trial_id, self._values(active)

    def _random_draw(self) -> tuple[str, dict[str, Any]] | None:
        """The draw of KerasTuner's `create_trial`, which also copies the space for each trial.

        A search of 100,000 trials would hold those copies, and draw them again when it is resumed.
        """
        sample = self._oracle._random_values()
        if sample is None:
            return None
        self._oracle._tried_so_far.add(self._oracle._compute_values_hash(sample))
        names = [parameter.name for parameter in self._oracle.hyperparameters.space]
        active = {name: sample[name] for name in names if name in sample and name in self._space}
        return str(self._draws), self._values(active)

    def _values(self, sample: dict[str, Any]) -> dict[str, Any]:
        return {path: _value(self._space[path], sample[path]) for path in sample}

    def tell(self, name: str, score: float | None) -> None:
        """See `Oracle`."""
        if not self.learns:
            return
        trial = self._trials[name]
        self._oracle.update_trial(name, {"score": score or 0.0})
        trial.status = "COMPLETED"
        self._oracle.end_trial(trial)
        # A trial without a score is as bad as the worst one, which changes as scores come in. An
        # infinite score would do, but KerasTuner stops a search after a few of those.
        changed = self._unscored
        if score is None:
            self._unscored.append(trial)
            changed = [trial]
        elif self._worst is None or score < self._worst:
            self._worst = score
        else:
            return
        for other in changed:
            other.score = 0.0 if self._worst is None else self._worst

    def discard(self, name: str) -> None:
        """See `Oracle`."""
        # KerasTuner learns nothing from a failed trial: the Bayesian oracle would draw the values
        # again, and a bracket of hyperband would wait for it.
        self.tell(name, None)

    def epochs(self, name: str) -> int | None:
        """See `Oracle`."""
        if not self.learns:
            return None
        epochs = self._trials[name].hyperparameters.values.get("tuner/epochs")
        return None if epochs is None else int(epochs)


class _Unsaved:
    """Mixin that writes none of KerasTuner's files: a kill may truncate them, not the journal."""

    def save(self, *_: Any) -> None:
        """Does nothing."""

    def _save_trial(self, *_: Any) -> None:
        """Does nothing."""

    def _check_consecutive_failures(self) -> None:
        """Does nothing: no trial is reported as failed, and this looks at all of them."""


def _hyperparameters(tuner: Any, space: Space, conditions: Conditions) -> Any:
    """Converts a space to KerasTuner's HyperParameters."""
    parameters = tuner.HyperParameters()
    remaining = list(space)
    while remaining:
        # Parents first.
        path = next(p for p in remaining if not set(conditions.get(p, {})) & set(remaining))
        remaining.remove(path)
        # By `merge`, as KerasTuner's scopes cannot express a condition on two paths.
        parameters.merge([_hyperparameter(tuner, path, space, conditions.get(path, {}))])
    return parameters


def _hyperparameter(
    tuner: Any, path: str, space: Space, conditions: Mapping[str, tuple[Any, ...]]
) -> Any:
    """Converts one dimension to KerasTuner's Choice, Int or Float.

    Raises:
        ValueError: a condition depends on a range.
    """
    parents = []
    for parent, allowed in conditions.items():
        choice = space[parent]
        if not isinstance(choice, Choice):
            raise ValueError(f"{parent} is no list of values")
        labels = [_label(choice, value) for value in allowed]
        parents.append(tuner.src.engine.conditions.Parent(parent, labels))
    kinds, dimension = tuner.engine.hyperparameters, space[path]
    if isinstance(dimension, Choice):
        labels = [_label(dimension, value) for value in dimension.values]
        return kinds.Choice(path, labels, conditions=parents)
    sampling = dimension.sampling
    if dimension.integer:
        ends = int(dimension.min_value), int(dimension.max_value)
        step = int(dimension.step or 1) if sampling == "linear" else None
        return kinds.Int(path, *ends, step=step, sampling=sampling, conditions=parents)
    limits = dimension.min_value, dimension.max_value
    return kinds.Float(path, *limits, step=dimension.step, sampling=sampling, conditions=parents)


def _label(choice: Choice, value: Any) -> Any:
    """The label of a value in KerasTuner, which takes numbers of one type, or text."""
    types = {type(listed) for listed in choice.values}
    return value if types in ({int}, {float}) else json.dumps(value, sort_keys=True)


def _value(dimension: Dimension, sample: Any) -> Any:
    """The value of a sample: that of its label, or a number of four digits for the recipe."""
    if isinstance(dimension, Choice):
        return next(value for value in dimension.values if _label(dimension, value) == sample)
    if dimension.integer:
        return int(sample)
    rounded = float(f"{sample:.4g}")
    return min(max(rounded, dimension.min_value), dimension.max_value)
