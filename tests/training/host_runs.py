"""Trainings of two processes on the loopback; some processes are killed, frozen or stopped.

usage: host_runs.py FOLDER      prints one JSON document; test_hosts.py runs it in a network
                                namespace of its own

Each `zoo train` is a fork of this process, which has imported JAX and Keras and computed nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ |= {
    "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",  # Compiling takes longer than what is tested.
}  # fmt: skip
# Not `prepare`: it would start JAX, which must not be running when a process is forked.
import jax  # noqa: E402, F401
import keras  # noqa: E402, F401

from zoo import cli  # noqa: E402
from zoo.rundir import Run  # noqa: E402
from zoo.training import checkpoint, state_file  # noqa: E402, F401

# A part of each kind of the user's own; the augmentation is used in the host loop alone.
PARTS = """
import keras
from keras import ops
from zoo.backend import processes
from zoo.plugins import Augmentation

class Scale(keras.layers.Layer):
    def build(self, shape):
        self.factor = self.add_weight(shape=shape[-1:], initializer="ones", name="factor")
    def call(self, inputs):
        return inputs * self.factor

class Noise(Augmentation):
    def augment(self, images, rng):
        return images ^ rng.integers(0, 4, images.shape, "uint8")

def Plain(y_true, y_pred):
    return keras.losses.sparse_categorical_crossentropy(y_true, y_pred, from_logits=True)

class Sure(keras.metrics.Mean):
    def update_state(self, y_true, y_pred, sample_weight=None):
        super().update_state(ops.max(ops.softmax(y_pred), axis=-1))

class Stop(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch == 10 and processes.index() == processes.count() - 1:
            self.model.stop_training = True
"""
NAMES = ("Scale", "Noise", "Plain", "Sure", "Stop")
NOISE = ["--set", "data.augment=[{random_crop: {padding: 1}}, Noise]"]
RECIPE = f"""
name: hosts
seed: 3
plugins: [{", ".join(f"parts.py:{name}" for name in NAMES)}]
data: {{source: digits, color_mode: grayscale, augment: [{{random_crop: {{padding: 1}}}}]}}
model:
  defaults: {{order: [conv, bn, act, pool]}}
  stack:
    - conv: {{filters: 4, pool: max, dropout: 0.1}}
    - Scale
train:
  epochs: 12
  batch_size: 50
  optimizer: {{Adam: {{learning_rate: 1e-2}}}}
  loss: Plain
  metrics: [Sure]
  callbacks: [Stop]
  checkpoint_steps: 26
"""
HEARTBEAT = 5
END = ["--no-evaluate", "--no-export", "--allow-plugins"]


class Process:
    """One `zoo train`.

    Args:
        log: file for what it prints.
        arguments: of `zoo train`.
        environ: more environment variables.
    """

    def __init__(
        self, log: Path, arguments: Sequence[str], environ: Mapping[str, str] | None = None
    ) -> None:
        self.log = log
        self.pid = os.fork()
        if not self.pid:
            _run(log, arguments, environ or {})

    def child(self) -> int:
        """The process that trains, below the one that was started."""
        return int(Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()[0])

    def end(self) -> int:
        """Waits for the end; returns the exit code, or a signal's number, negative."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


def _run(log: Path, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(file, 1)
    os.dup2(file, 2)
    os.environ.update(environ)
    sys.argv = ["zoo", "train", *arguments]
    code: Any = 0
    try:
        cli.main()
    except SystemExit as ending:
        code = ending.code
    except BaseException:
        sys.excepthook(*sys.exc_info())
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))


class Pair:
    """Two processes that train together.

    Args:
        folder: for their logs.
        arguments: of both.
        port: of the coordinator.
        launcher: which variables tell each process which one it is; None: flags do.
        second: arguments of the second process alone.
    """

    def __init__(
        self,
        folder: Path,
        arguments: Sequence[str],
        port: int,
        launcher: Callable[[int], Mapping[str, str]] | None = None,
        second: Sequence[str] = (),
    ) -> None:
        self.began = time.monotonic()
        self.processes = []
        for number in range(2):
            flags = ["--distributed", "auto"]
            if launcher is None:
                flags = ["--coordinator", f"127.0.0.1:{port}", "--num-processes", "2"]
                flags += ["--process-id", str(number), *(second if number else ())]
            self.processes.append(
                Process(
                    folder / f"{port}-{number}.txt",
                    [*arguments, *END, "--heartbeat", str(HEARTBEAT), *flags],
                    launcher(number) if launcher else None,
                )
            )

    def end(self) -> dict[str, Any]:
        """Waits for both; returns their exit codes, what they printed, and seconds from `began`."""
        codes = [process.end() for process in self.processes]
        seconds = time.monotonic() - self.began
        printed = [process.log.read_text() for process in self.processes]
        return {"codes": codes, "printed": printed, "seconds": round(seconds, 2)}

    def wait_for_state(self, out: Path, newer_than: str = "") -> None:
        """Waits until a state has been saved that is newer than another one."""
        while not any(path.name > newer_than for path in out.glob("*/*/state/step-*.npz")):
            time.sleep(0.02)
            for process in self.processes:
                if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                    raise RuntimeError(process.log.read_text())
        self.began = time.monotonic()


def slurm(number: int) -> dict[str, str]:
    """The variables of a task of Slurm; JAX's port is 61440 + the job's number."""
    return {
        "SLURM_JOB_ID": "7", "SLURM_STEP_NODELIST": "127.0.0.1", "SLURM_NTASKS": "2",
        "SLURM_PROCID": str(number), "SLURM_LOCALID": str(number), "SLURM_STEP_NUM_NODES": "1",
    }  # fmt: skip


def run_of(out: Path) -> str:
    """The only run folder."""
    (file,) = out.glob("*/*/run.json")
    return str(file.parent)


def newest_state(out: Path) -> str:
    """Name of the newest state file."""
    return Run(Path(run_of(out))).state_files()[0].name


def undisturbed(folder: Path, recipe: str, loop: str) -> None:
    """One process with two devices, which nothing disturbs."""
    out = folder / f"one-{loop}"
    arguments = [recipe, "--out", str(out), "--devices", "2", "--set", f"train.loop={loop}", *END]
    arguments += NOISE if loop == "host" else []
    process = Process(folder / f"one-{loop}.txt", arguments)
    if process.end():
        raise RuntimeError(process.log.read_text())


def killed(folder: Path, recipe: str) -> dict[str, Any]:
    """The process that does not own the run folder is killed; then both are started again.

    On its host the user's own parts have moved meanwhile.
    """
    out = folder / "killed"
    pair = Pair(folder, [recipe, "--out", str(out), "--set", "train.loop=host", *NOISE], 20001)
    pair.wait_for_state(out)
    os.kill(pair.processes[1].pid, signal.SIGKILL)
    outcome = {"lost": pair.end()}
    moved = folder / "moved.py"
    moved.write_text(PARTS, encoding="utf-8")
    places = ["--set", f"plugins=[{', '.join(f'{moved}:{name}' for name in NAMES)}]"]
    resumed = Pair(folder, ["--resume", run_of(out)], 20002, second=places)
    return outcome | {"resumed": resumed.end()}


def stopped_and_frozen(folder: Path, recipe: str) -> dict[str, Any]:
    """Slurm starts both; SIGTERM to one stops both, then process 0 freezes; one process resumes."""
    out = folder / "frozen"
    arguments = [recipe, "--out", str(out), "--set", "train.loop=device"]
    pair = Pair(folder, arguments, 20003, slurm)
    pair.wait_for_state(out)
    os.kill(pair.processes[1].pid, signal.SIGTERM)
    outcome = {"stopped": pair.end(), "stopped_state": newest_state(out)}
    pair = Pair(folder, ["--resume", run_of(out)], 20004)
    pair.wait_for_state(out, outcome["stopped_state"])
    child = pair.processes[0].child()
    os.kill(child, signal.SIGSTOP)
    code = pair.processes[1].end()
    seconds = time.monotonic() - pair.began
    os.kill(child, signal.SIGCONT)
    codes = [pair.processes[0].end(), code]
    printed = [process.log.read_text() for process in pair.processes]
    outcome["frozen"] = {"codes": codes, "printed": printed, "seconds": round(seconds, 2)}
    last = Process(folder / "last.txt", ["--resume", run_of(out), *END])
    return outcome | {"last": [last.end(), last.log.read_text()]}


def main(folder: Path) -> None:
    """Runs all of them."""
    recipe = folder / "hosts.yaml"
    recipe.write_text(RECIPE, encoding="utf-8")
    (folder / "parts.py").write_text(PARTS, encoding="utf-8")
    undisturbed(folder, str(recipe), "host")
    undisturbed(folder, str(recipe), "device")
    outcome = {"killed": killed(folder, str(recipe))}
    outcome["frozen"] = stopped_and_frozen(folder, str(recipe))
    print(json.dumps(outcome))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
