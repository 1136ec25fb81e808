"""What every worker of a search does, whatever carries its messages. Light until it starts.

A worker reads commands from a channel and answers them: it loads the recipe's data once, trains one
trial after the other, and writes the run folders of those that are kept.
"""

from __future__ import annotations

import gc
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING

from tuning.executors.base import Failed, Finished, Kept, Progress, Ready
from tuning.executors.messages import Alive, Command, Keep, Reply, Run, Setup, Stop
from tuning.trials import TrialSpec
from zoo.files import streams
from zoo.files.storage import fault_of
from zoo.plugins import faults, recipe_parts, source
from zoo.recipe import Recipe, Template
from zoo.rundir import Run as RunFolder

if TYPE_CHECKING:
    from tuning.trial_trainer import TrialTrainer
    from zoo.datasets.splits import Splits

# Loads the data of a recipe; calls the second argument now and then meanwhile.
LoadData = Callable[[Recipe, Callable[[], None]], "Splits"]


class Channel(ABC):
    """A worker's end of the connection to its executor.

    Attributes:
        heartbeat_seconds: least number of seconds between two heartbeats.
    """

    heartbeat_seconds = 0.5
    _last_heartbeat = 0.0

    @abstractmethod
    def send(self, reply: Reply) -> None:
        """Sends a reply."""

    @abstractmethod
    def receive(self) -> Command:
        """Waits for the next command."""

    def heartbeat(self, reply: Reply) -> None:
        """Sends a reply that only shows that the worker is alive, unless one was sent just now."""
        now = time.monotonic()
        if now - self._last_heartbeat >= self.heartbeat_seconds:
            self._last_heartbeat = now
            self.send(reply)


def load_data(recipe: Recipe, alive: Callable[[], None]) -> Splits:
    """Loads the data of a recipe from this machine's disks."""
    from zoo.datasets.load import load

    # Reading images may take longer than any trial.
    return load(recipe, progress=lambda *_: alive())


def work(channel: Channel, load: LoadData = load_data) -> None:
    """Executes commands until `Stop`; an error is sent as `Failed`.

    Args:
        channel: its first command is a `Setup`.
        load: loads the recipe's data.
    """
    streams.guard()  # A log on a full disk ends no trial.
    try:
        _serve(channel, load)
    except Exception as error:
        channel.send(Failed(error=fault_of(error) or faults.fault_of(error) or error))
    except SystemExit as error:
        own = faults.fault_of(error)
        if own is None:
            raise
        channel.send(Failed(error=own))


def _serve(channel: Channel, load: LoadData) -> None:
    setup = channel.receive()
    if not isinstance(setup, Setup):
        raise TypeError(f"the first command to a worker is Setup, not {type(setup).__name__}")
    channel.heartbeat_seconds = setup.heartbeat
    source.hand_over(setup.plugins)
    template = Template(setup.recipe, setup.overrides)
    recipe = template.recipe
    from zoo import backend

    backend.prepare(deterministic=recipe.train.deterministic, seed=recipe.seed)
    recipe_parts.start(recipe)
    from tuning.trial_trainer import TrialTrainer
    from zoo.model import backbone_weights
    from zoo.plan import plan

    backbone_weights.require(recipe)
    data = load(recipe, lambda: channel.heartbeat(Alive()))
    trainer = TrialTrainer(data)
    # Trained weights that do not fit are told before the first trial.
    trainer.scaling(recipe, plan(recipe, len(data.class_names)))
    channel.send(_ready(recipe, data))
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


def _ready(recipe: Recipe, data: Splits) -> Ready:
    import keras
    import numpy as np

    from zoo import backend
    from zoo.checks.judge.chance import balanced_images
    from zoo.labels import class_counts
    from zoo.training.selection import choose_monitor

    counts = class_counts(np.asarray(data.validation.labels), len(data.class_names))
    return Ready(
        fingerprint=data.fingerprint,
        train=len(data.train),
        validation=len(data.validation),
        classes=len(data.class_names),
        notes=list(data.notes),
        backend=keras.backend.backend(),
        device=backend.device(),
        versions=backend.versions(),
        monitor=choose_monitor(recipe, data.train)[0],
        # Nothing if no image has any class.
        balanced_images=balanced_images(counts.tolist()) or None,
        multi_label=data.multi_label,
    )


def _train(
    trainer: TrialTrainer, template: Template, spec: TrialSpec, channel: Channel
) -> Finished:
    """Trains a trial; sends `Progress` as heartbeats."""

    def on_progress(step: int, steps: int) -> None:
        channel.heartbeat(Progress(trial=spec.trial, step=step, steps=steps))

    result = trainer.run(spec, spec.recipe(template), on_progress)
    return Finished(trial=spec.trial, result=result, networks=trainer.built)
