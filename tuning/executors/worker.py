"""One worker of a search: a process that is told trials on stdin and answers on its old stdout.

A line of JSON each way. Started by `crew.Crew`; it ends when nobody listens any more, so that a
search that was killed leaves no process behind.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from typing import Any

from tuning.trials import TrialSpec
from zoo.errors import ZooError
from zoo.recipe import Template
from zoo.rundir import Run

BEAT = 0.5  # Seconds between signs of life.


class Channel:
    """Lines of JSON to and from the search; what is printed meanwhile goes to stderr, the log."""

    def __init__(self) -> None:
        self.out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.beaten = 0.0

    def send(self, **message: Any) -> None:
        """Sends a message; without anybody to hear it, the process ends."""
        try:
            self.out.write(json.dumps(message) + "\n")
            self.out.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)

    def receive(self) -> dict[str, Any]:
        """The next message; at the end of them the process ends."""
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        message: dict[str, Any] = json.loads(line)
        return message

    def beat(self, step: int, steps: int) -> None:
        """A sign of life, now and then."""
        now = time.monotonic()
        if now - self.beaten >= BEAT:
            self.beaten = now
            self.send(type="beat", step=step, steps=steps)


def main() -> None:
    """Answers until told to stop."""
    channel = Channel()
    try:
        _work(channel)
    except ZooError as error:
        channel.send(type="error", kind=type(error).__name__, message=str(error))
    except Exception:
        channel.send(type="error", kind="bug", message=traceback.format_exc())


def _work(channel: Channel) -> None:
    first = channel.receive()
    template = Template(first["recipe"], first["overrides"])
    recipe = template.recipe
    from zoo import backend

    backend.prepare(deterministic=recipe.train.deterministic, seed=recipe.seed)
    import keras

    from tuning.trial_trainer import TrialTrainer
    from zoo.data.load import load

    # Reading images may take longer than any trial: that is no hanging.
    data = load(recipe, progress=lambda done, total, what: channel.beat(done, total))
    bench = TrialTrainer(data)
    channel.send(
        type="ready",
        fingerprint=data.fingerprint,
        classes=len(data.class_names),
        validation=len(data.validation),
        train=len(data.train),
        notes=list(data.notes),
        backend=keras.backend.backend(),
        device=backend.device(),
        versions=backend.versions(),
    )
    frozen = False
    while True:
        message = channel.receive()
        if message["type"] == "stop":
            return
        if message["type"] == "keep":
            bench.keep(Run.at(message["folder"]))
            channel.send(type="kept")
            continue
        spec = TrialSpec.from_json(message["spec"])
        result = bench.run(spec, spec.recipe(template), channel.beat)
        channel.send(type="done", result=result.to_json(), built=bench.built)
        if not frozen:
            # What TensorFlow has loaded is never garbage; looking through it costs as much as a
            # short trial.
            gc.collect()
            gc.freeze()
            frozen = True


if __name__ == "__main__":
    main()
