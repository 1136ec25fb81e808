"""Trains or resumes in a process of its own, noting every step in a file: to be killed.

usage: killable.py RECIPE OUT STEPS_FILE [RUN]

With KILL_IN=NAME:COUNT in the environment it kills itself inside the COUNT-th write of a file whose
name begins with NAME: half of the file is there, under its temporary name.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from zoo import backend

backend.prepare()

import keras  # noqa: E402

from zoo import recipe  # noqa: E402
from zoo.train import Settings, resume, train  # noqa: E402


class StepLog(keras.callbacks.Callback):
    """Notes the optimizer's step count after each step, past any buffer."""

    def __init__(self, file: str) -> None:
        super().__init__()
        self.handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        os.write(self.handle, f"{int(self.model.optimizer.iterations.numpy())}\n".encode())


def kill_in(name: str, count: int) -> None:
    """Lets the disk see half of a file, and then nothing more of this process."""
    replace, left = os.replace, [count]

    def torn(aside: str | Path, path: str | Path) -> None:
        if Path(path).name.startswith(name):
            left[0] -= 1
            if not left[0]:
                os.truncate(aside, Path(aside).stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
        replace(aside, path)

    os.replace = torn  # type: ignore[assignment]


def main() -> None:
    if os.environ.get("KILL_IN"):
        name, _, count = os.environ["KILL_IN"].partition(":")
        kill_in(name, int(count))
    recipe_file, out, steps_file, *run = sys.argv[1:]
    settings = Settings(callbacks=[StepLog(steps_file)])
    if run:
        resume(run[0], settings)
    else:
        train(recipe.load(recipe_file), Path(out), settings)


if __name__ == "__main__":
    main()
