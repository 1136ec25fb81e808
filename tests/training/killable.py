"""A training in a process of its own, which notes every step in a file and can be killed.

The processes are forked by a server that has imported TensorFlow and read the digits, once, and has
computed nothing.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from zoo import backend

backend.prepare()

import keras  # noqa: E402

from zoo import recipe  # noqa: E402
from zoo.datasets import digits  # noqa: E402
from zoo.training import Settings, resume, train  # noqa: E402

digits.raw()


class StepLog(keras.callbacks.Callback):
    """Appends the optimizer's step count to a file after each step, without a buffer."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_train_batch_end(self, batch: int, logs: object = None) -> None:
        os.write(self.handle, f"{int(self.model.optimizer.iterations.numpy())}\n".encode())

    def get_state(self) -> dict[str, object]:
        return {}

    def set_state(self, values: dict[str, object]) -> None:
        """Each process opens the file itself."""


def kill_in_write(name: str, count: int) -> None:
    """Has this process kill itself in the `count`-th write of a file whose name begins so.

    Half of the file is on the disk then, under its temporary name.
    """
    replace, left = os.replace, [count]

    def torn(temporary: str | Path, path: str | Path) -> None:
        if Path(path).name.startswith(name):
            left[0] -= 1
            if not left[0]:
                os.truncate(temporary, Path(temporary).stat().st_size // 2)
                os.kill(os.getpid(), signal.SIGKILL)
        replace(temporary, path)

    os.replace = torn  # type: ignore[assignment]


def work(recipe_file: Path, out: Path, run: Path | None, kill_in: tuple[str, int] | None) -> None:
    """Trains a recipe, or resumes a run, and notes the steps in `out/steps.txt`."""
    if kill_in:
        kill_in_write(*kill_in)
    settings = Settings(callbacks=[StepLog(out / "steps.txt")])
    if run:
        resume(run, settings)
    else:
        train(recipe.load(str(recipe_file)), out, settings)


def start(
    recipe_file: Path, out: Path, run: Path | None, kill_in: tuple[str, int] | None
) -> ForkServerProcess:
    """Starts `work` in a process of its own."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=work, args=(recipe_file, out, run, kill_in))
    process.start()
    return process
