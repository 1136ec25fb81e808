"""One worker of the local executor: a process that reads commands on stdin and trains trials.

Replies go to the standard output that it was started with; see `messages`. The process ends when
its replies have no reader, so that no worker outlives a search that was killed.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Any

from tuning.executors.base import Failed, Finished, Kept, Progress, Ready
from tuning.executors.messages import Alive, Keep, Reply, Run, Setup, Stop, decode, encode
from tuning.trials import TrialSpec
from zoo.files import streams
from zoo.files.storage import fault_of
from zoo.recipe import Template
from zoo.rundir import Run as RunFolder

if TYPE_CHECKING:
    from tuning.trial_trainer import TrialTrainer

HEARTBEAT_SECONDS = 0.5


class Channel:
    """The worker's end of both pipes. Whatever is printed meanwhile goes to stderr, the log."""

    def __init__(self) -> None:
        """Takes over standard output."""
        self._out = os.fdopen(os.dup(1), "wb")
        os.dup2(2, 1)
        self._last_heartbeat = 0.0

    def send(self, reply: Reply) -> None:
        """Sends a reply; ends the process if the pipe has no reader."""
        try:
            self._out.write(encode(reply))
            self._out.flush()
        except (BrokenPipeError, ValueError):
            os._exit(0)

    def receive(self) -> Any:
        """Waits for the next command; ends the process if there are no more."""
        line = sys.stdin.readline()
        if not line:
            os._exit(0)
        return decode(line)

    def heartbeat(self, reply: Reply) -> None:
        """Sends a reply that only shows that the worker is alive, twice a second at most."""
        now = time.monotonic()
        if now - self._last_heartbeat >= HEARTBEAT_SECONDS:
            self._last_heartbeat = now
            self.send(reply)


def main() -> None:
    """Executes commands until `Stop`; an error is sent as `Failed`."""
    channel = Channel()
    streams.guard()  # A log on a full disk ends no trial.
    try:
        _serve(channel)
    except Exception as error:
        channel.send(Failed(error=fault_of(error) or error))


def _serve(channel: Channel) -> None:
    setup: Setup = channel.receive()
    template = Template(setup.recipe, setup.overrides)
    recipe = template.recipe
    from zoo import backend

    backend.prepare(deterministic=recipe.train.deterministic, seed=recipe.seed)
    import keras
    import numpy as np

    from tuning.trial_trainer import TrialTrainer
    from zoo.check.judge.chance import balanced_images
    from zoo.data.load import load
    from zoo.plan import plan
    from zoo.train.selection import choose_monitor

    # Reading images may take longer than any trial.
    data = load(recipe, progress=lambda *_: channel.heartbeat(Alive()))
    trainer = TrialTrainer(data)
    # Trained weights that do not fit are told before the first trial.
    trainer.scaling(recipe, plan(recipe, len(data.class_names)))
    channel.send(
        Ready(
            fingerprint=data.fingerprint,
            train=len(data.train),
            validation=len(data.validation),
            classes=len(data.class_names),
            notes=list(data.notes),
            backend=keras.backend.backend(),
            device=backend.device(),
            versions=backend.versions(),
            monitor=choose_monitor(recipe, data.train)[0],
            balanced_images=balanced_images(np.bincount(data.validation.labels).tolist()),
        )
    )
    trial = ""
    frozen = False
    while True:
        match channel.receive():
            case Run(spec=spec):
                trial = spec.trial
                channel.send(_train(trainer, template, spec, channel))
                if not frozen:
                    # What TensorFlow has loaded is never garbage, and scanning it costs as much
                    # as a short trial.
                    gc.collect()
                    gc.freeze()
                    frozen = True
            case Keep(folder=folder):
                trainer.keep(RunFolder.at(folder))
                channel.send(Kept(trial=trial))
            case Stop():
                return


def _train(
    trainer: TrialTrainer, template: Template, spec: TrialSpec, channel: Channel
) -> Finished:
    """Trains a trial; sends `Progress` at its stops, twice a second at most."""

    def on_progress(step: int, steps: int) -> None:
        channel.heartbeat(Progress(trial=spec.trial, step=step, steps=steps))

    result = trainer.run(spec, spec.recipe(template), on_progress)
    return Finished(trial=spec.trial, result=result, networks=trainer.built)


if __name__ == "__main__":
    main()
