"""One side of benchmarks/epoch_time.py: train, and wait for a turn before each epoch.

Each turn reads a line from stdin and ends with a line `@{JSON}` on stdout. Not for use by hand.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CHUNK_STEPS = 50  # Steps of a part before the next part's turn: load affects all parts alike.


def report(event: str, **values: Any) -> None:
    """Send a report to the parent."""
    print("@" + json.dumps({"event": event, **values}), flush=True)


class Turns:
    """Waits for turns, and counts the seconds spent working, not waiting."""

    def __init__(self, started: float) -> None:
        self.mark = started
        self.worked = 0.0

    def wait(self) -> None:
        """Return when the parent gives the turn."""
        self.pause()
        if not sys.stdin.readline():
            raise SystemExit("the parent has gone")
        self.mark = time.time()

    def pause(self) -> float:
        """End a stretch of work; return all seconds worked so far."""
        now = time.time()
        self.worked += now - self.mark
        self.mark = now
        return self.worked


def pace(turns: Turns) -> Any:
    """Make a Keras callback that takes turns; an epoch lasts until all callbacks saw its end."""
    import keras

    class Pace(keras.callbacks.Callback):
        """Reports the seconds of each epoch and of its parts."""

        begun: float | None = None
        processor: float
        trained: float
        validated: float
        step_hooks: float

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if self.begun is None:
                report("ready", parameters=self.model.count_params())
            else:
                self.ended()
            turns.wait()
            self.begun = time.perf_counter()
            self.processor = time.process_time()
            hooks.seconds = 0.0

        def on_test_begin(self, logs: Any = None) -> None:
            if self.begun is not None:
                self.trained = time.perf_counter()
                self.step_hooks = hooks.seconds

        def on_test_end(self, logs: Any = None) -> None:
            self.validated = time.perf_counter()

        def on_train_end(self, logs: Any = None) -> None:
            self.ended()

        def ended(self) -> None:
            now = time.perf_counter()
            assert self.begun is not None
            report(
                "epoch",
                seconds=now - self.begun,
                processor=time.process_time() - self.processor,
                training=self.trained - self.begun,
                validation=self.validated - self.trained,
                step_callbacks=self.step_hooks,
                ending=now - self.validated,
            )

    hooks = _StepHooks(keras.callbacks.CallbackList)
    return Pace()


class _StepHooks:
    """Counts the seconds spent in all callbacks around training steps."""

    def __init__(self, kind: Any) -> None:
        self.seconds = 0.0
        for name in ("on_train_batch_begin", "on_train_batch_end"):
            setattr(kind, name, self._timed(getattr(kind, name)))

    def _timed(self, method: Callable[..., None]) -> Callable[..., None]:
        def timed(*args: Any, **kwargs: Any) -> None:
            start = time.perf_counter()
            method(*args, **kwargs)
            self.seconds += time.perf_counter() - start

        return timed


def train_plain(config: dict[str, Any], turns: Turns) -> dict[str, Any]:
    """Train with the plain Keras script and save the model."""
    import plain_keras

    model = plain_keras.train(
        Path(config["path"]),
        epochs=config["epochs"],
        batch_size=config["batch_size"],
        tuned=config["tuned"],
        callbacks=[pace(turns)],
        verbose=0,
    )
    model.save(Path(config["out"]) / "plain.keras")
    return {}


def train_zoo(config: dict[str, Any], turns: Turns) -> dict[str, Any]:
    """Train the recipe; the first of two loads makes the cache of decoded images."""
    from zoo import backend, recipe
    from zoo.datasets.load import load

    loaded = recipe.load(config["recipe"], config["sets"])
    backend.prepare(deterministic=loaded.train.deterministic)
    from zoo.training import Settings, train

    first, _ = timed(lambda: load(loaded))
    second, data = timed(lambda: load(loaded))
    paced = pace(turns)
    train(loaded, Path(config["out"]), Settings(callbacks=[paced]))
    config["parts"] = lambda: parts(loaded, data, paced.model)
    return {"cache_first": first, "cache_second": second}


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds that a function takes, and its result."""
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def parts(loaded: Any, data: Any, model: Any) -> dict[str, float]:
    """Measure each part of zoo's epoch by itself, in seconds an epoch."""
    import tensorflow as tf

    from zoo.batch_datasets import training_dataset
    from zoo.batches import Batches, EvaluationBatches

    train = loaded.train
    batches = Batches(
        data.train,
        train.batch_size,
        loaded.seed,
        loaded.data.augment,
        train.drop_remainder,
        len(data.class_names),
    )
    steps = batches.steps_per_epoch
    same = iter(tf.data.Dataset.from_tensors(batches(0)).repeat().prefetch(4))
    fed, drained = iter(training_dataset(batches, 0)), iter(training_dataset(batches, 0))
    step = model.make_train_function() or model.train_function
    next_step = iter(range(steps * 100))

    def several(work: Callable[[], Any]) -> Callable[[], None]:
        def chunk() -> None:
            for _ in range(CHUNK_STEPS):
                work()

        return chunk

    jobs = {
        "batches, one thread": several(lambda: batches(next(next_step))),
        "batches through tf.data": several(lambda: next(drained)),
        "steps on one batch": several(lambda: step(same)),
        "steps on real batches": several(lambda: step(fed)),
    }
    for work in jobs.values():
        work()  # The first call traces functions.
    seconds = dict.fromkeys(jobs, 0.0)
    for _ in range(-(-steps // CHUNK_STEPS)):
        for name, work in jobs.items():
            seconds[name] += timed(work)[0]
    scale = steps / (-(-steps // CHUNK_STEPS) * CHUNK_STEPS)
    seconds_each = {name: value * scale for name, value in seconds.items()}
    validation = EvaluationBatches(data.validation)
    seconds_each["validation batches"] = timed(
        lambda: [validation[i] for i in range(validation.num_batches)]
    )[0]
    return seconds_each


def main() -> None:
    """Run `child.py CONFIG`; in this JSON object `started` is when the parent made the process."""
    config = json.loads(sys.argv[1])
    turns = Turns(config["started"])
    result = {"zoo": train_zoo, "plain": train_plain}[config["side"]](config, turns)
    result["seconds"] = turns.pause()
    result["peak_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    report("done", **result)
    if "parts" in config:
        turns.wait()
        report("parts", **config["parts"]())


if __name__ == "__main__":
    main()
