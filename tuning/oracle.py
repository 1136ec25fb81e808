"""What decides the values of trials: KerasTuner's oracles behind one small interface.

Nothing is kept by an oracle: it gives the same values for the same seed and the same answers told
in the same order, so that a search that is taken up again asks and tells it all once more.
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

from tuning.space import Range, Values, as_json
from zoo import seeds

Space = Mapping[str, Range | Values]
# By path: what other paths must be for it to be searched.
Conditions = Mapping[str, Mapping[str, tuple[Any, ...]]]


class Waiting(Exception):
    """No values before more trials are told about."""


class Oracle(Protocol):
    """Draws values, and is told what came of them."""

    def draw(self) -> tuple[str, dict[str, Any]] | None:
        """A name for the trial, and its values by path; None: there are no more.

        Raises:
            Waiting: tell of trials first.
        """

    def tell(self, name: str, score: float | None) -> None:
        """What came of a trial, higher is better; None: nothing that counts."""

    def discard(self, name: str) -> None:
        """Values that make no network: another draw takes their place."""

    def epochs(self, name: str) -> int | None:
        """Epochs that the oracle wants for a trial; None: those of the stage."""


def stream(seed: int, stage: str, space: Space, bits: int = 62) -> int:
    """The seed of a stage's draws, from the search's seed, the stage's name and its ranges.

    KerasTuner counts up from it, a seed a value, so that seeds near each other would share draws:
    hashed into 62 bits they do not. It is never 0, which KerasTuner takes for no seed.
    """
    text = json.dumps({path: as_json(space[path]) for path in sorted(space)}, sort_keys=True)
    digest = hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
    return seeds.derive(seed, "search", stage, digest, bits=bits) or 1


def make(kind: str, space: Space, conditions: Conditions, seed: int, epochs: int) -> Oracle:
    """An oracle of KerasTuner: `random`, `bayesian` or `hyperband`.

    Args:
        kind: which.
        space: what is drawn.
        conditions: what is drawn only where something else was.
        seed: as `stream` gives it.
        epochs: the most of a trial, for hyperband.
    """
    return _KerasTuner(kind, space, conditions, seed, epochs)


def _keras_tuner() -> Any:
    """KerasTuner; in the command's own process, which trains nothing, without TensorFlow.

    Keras's backend numpy takes convolutions from JAX, and does not load without it.
    """
    trains = "tuning.cli" not in sys.modules  # Whoever called `begin` may train what was found.
    if trains or "keras" in sys.modules or find_spec("jax") is None:
        import keras_tuner  # type: ignore[import-untyped]

        return keras_tuner
    chosen = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "numpy"
    try:
        import keras_tuner
    finally:
        if chosen is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = chosen
    return keras_tuner


class _KerasTuner:
    def __init__(
        self, kind: str, space: Space, conditions: Conditions, seed: int, epochs: int
    ) -> None:
        tuner = _keras_tuner()
        self.space = space
        self.scores: dict[str, float | None] = {}
        self.trials: dict[str, Any] = {}
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
        self.oracle = type("Kept", (_NothingWritten, base), {})(**options)
        self.oracle.verbose = 0

    def draw(self) -> tuple[str, dict[str, Any]] | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of the Gaussian process, whose fit may not converge.
            trial = self.oracle.create_trial(f"tuner{len(self.trials)}")
        if trial.status == "STOPPED":
            return None
        if trial.status == "IDLE":
            raise Waiting
        self.trials[trial.trial_id] = trial
        drawn = trial.hyperparameters
        active = {
            hp.name: drawn.values[hp.name]
            for hp in drawn.space
            if hp.name in self.space and drawn.is_active(hp)
        }
        return trial.trial_id, {path: _value(self.space[path], active[path]) for path in active}

    def tell(self, name: str, score: float | None) -> None:
        trial = self.trials[name]
        self.scores[name] = score
        self.oracle.update_trial(name, {"score": score or 0.0})
        trial.status = "COMPLETED"
        self.oracle.end_trial(trial)
        # Nothing is as bad as the worst. That is known only later; and KerasTuner stops a search
        # after a few scores that are not finite.
        worst = min((found for found in self.scores.values() if found is not None), default=0.0)
        for other, found in self.scores.items():
            if found is None:
                self.oracle.trials[other].score = worst

    def discard(self, name: str) -> None:
        # As failed, it would teach nothing: the Bayesian oracle would draw it again, and a bracket
        # of hyperband would wait for it.
        self.tell(name, None)

    def epochs(self, name: str) -> int | None:
        wanted = self.trials[name].hyperparameters.values.get("tuner/epochs")
        return None if wanted is None else int(wanted)


class _NothingWritten:
    """The journal holds the truth; KerasTuner's own files are written in place and can be torn."""

    def save(self, *_: Any) -> None:
        pass

    def _save_trial(self, *_: Any) -> None:
        pass


def _hyperparameters(tuner: Any, space: Space, conditions: Conditions) -> Any:
    made = tuner.HyperParameters()
    left = list(space)
    while left:
        # Parents before those that depend on them.
        path = next(p for p in left if not set(conditions.get(p, {})) & set(left))
        left.remove(path)
        # Its scopes cannot say that two others, or one that depends on a third, must have a value.
        made.merge([_hyperparameter(tuner, path, space, conditions.get(path, {}))])
    return made


def _hyperparameter(
    tuner: Any, path: str, space: Space, conditions: Mapping[str, tuple[Any, ...]]
) -> Any:
    held = []
    for parent, allowed in conditions.items():
        known = space[parent]
        if not isinstance(known, Values):
            raise ValueError(f"{parent} is no list of values")
        labels = [_label(known, value) for value in allowed]
        held.append(tuner.src.engine.conditions.Parent(parent, labels))
    kinds, dimension = tuner.engine.hyperparameters, space[path]
    if isinstance(dimension, Values):
        listed = [_label(dimension, value) for value in dimension.values]
        return kinds.Choice(path, listed, conditions=held)
    if dimension.integer:
        ends = int(dimension.min_value), int(dimension.max_value)
        step = int(dimension.step or 1) if dimension.sampling == "linear" else None
        return kinds.Int(path, *ends, step=step, sampling=dimension.sampling, conditions=held)
    limits = dimension.min_value, dimension.max_value
    scale = dimension.sampling
    return kinds.Float(path, *limits, step=dimension.step, sampling=scale, conditions=held)


def _label(dimension: Values, value: Any) -> Any:
    """What KerasTuner holds for a value: a number, or text."""
    kinds = {type(one) for one in dimension.values}
    return value if kinds in ({int}, {float}) else json.dumps(value, sort_keys=True)


def _value(dimension: Range | Values, drawn: Any) -> Any:
    """The value of a label; numbers to four digits, which is what a recipe then says."""
    if isinstance(dimension, Values):
        return next(value for value in dimension.values if _label(dimension, value) == drawn)
    if dimension.integer:
        return int(drawn)
    short = float(f"{drawn:.4g}")
    return min(max(short, dimension.min_value), dimension.max_value)
