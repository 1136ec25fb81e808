"""Trains the same recipes on one and on two logical devices of a CPU; prints what came of it.

A process of its own: a backend divides its CPU before anything uses it.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from zoo import backend

keras = backend.prepare(devices=2)

import numpy as np  # noqa: E402
from rich.console import Console  # noqa: E402

from tests.runs import final  # noqa: E402
from zoo.artifact.trained_run import TrainedRun  # noqa: E402
from zoo.backend import devices  # noqa: E402
from zoo.datasets.load import load as load_data  # noqa: E402
from zoo.doctor import all_reduce  # noqa: E402
from zoo.errors import EnvironmentFault, RunError  # noqa: E402
from zoo.recipe import load  # noqa: E402
from zoo.rundir import Run  # noqa: E402
from zoo.training import Settings, checkpoint, gap, resume, train  # noqa: E402

# 1,257 digits: twelve batches of 98 and one of 81 an epoch; 52 steps.
RECIPE = """\
name: shared-out
seed: 5
data:
  source: digits
  color_mode: grayscale
  augment: [{random_crop: {padding: 1}}, {random_erasing: {factor: 0.5}}]
model:
  stack:
    - conv: {filters: 4, pool: max, dropout: 0.1}
    - residual: {stack: [{conv: {filters: 4}}], stochastic_depth: 0.3}
    - spatial_dropout: 0.1
    - fc: {units: 8, dropout: 0.2}
train:
  epochs: 4
  batch_size: 98
  optimizer: {SGD: {learning_rate: 0.05, momentum: 0.9, global_clipnorm: 1.0}}
  ema: {momentum: 0.9}
  batch_norm_batches: 2
  checkpoint_steps: 8
"""
# Made on the host, with means over classes that weigh unlike, in pairs of steps.
OTHER = """\
name: other
seed: 5
data:
  source: digits
  color_mode: grayscale
  augment: [mixup]
model:
  stack:
    - flatten
    - fc: {units: 8, activation: selu, batch_norm: none, kernel_regularizer: {l2: 1e-3}}
    - alpha_dropout: 0.2
train:
  loop: host
  epochs: 2
  batch_size: 98
  class_weight: balanced
  gradient_accumulation_steps: 2
  optimizer: {AdamW: {learning_rate: 1e-2, weight_decay: 1e-2}}
  lookahead: {every: 3}
  checkpoint_steps: 8
"""


class Broken(Exception):
    """What ends a training in its middle."""


class BreakOff(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends a training after some steps, as if it was killed: only what is on the disk is left."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.left = steps

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.left -= 1
        if not self.left:
            raise Broken


def trained(folder: Path, text: str, count: int, **options: Any) -> Run:
    file = folder / "recipe.yaml"
    file.write_text(text, encoding="utf-8")
    return train(load(str(file)), folder / f"runs-{count}", Settings(devices=count, **options))


def last(run: Run) -> tuple[list[np.ndarray], list[dict[str, Any]]]:
    saved = checkpoint.newest(run)
    assert saved is not None
    return [np.asarray(values, np.float64) for values in saved[1]], run.rows()


def distance(one: Run, other: Run) -> dict[str, float]:
    """The largest differences of variables, as shares of values above 1, and of metrics."""
    (states, rows), (other_states, other_rows) = last(one), last(other)
    pairs = zip(states, other_states, strict=True)
    timed = {"seconds", "images_per_second"}
    return {
        "variables": max(
            float(np.max(np.abs(a - b) / np.maximum(np.abs(a), 1), initial=0)) for a, b in pairs
        ),
        "metrics": max(
            abs(row[key] - other[key])
            for row, other in zip(rows, other_rows, strict=True)
            for key in row.keys() & other.keys() - timed  # The watch adds some.
        ),
    }


def refused(error: type[Exception], make: Any) -> str:
    try:
        make()
    except error as raised:
        return str(raised)
    return ""


def broken_off_and_resumed(folder: Path, whole: Run) -> dict[str, Any]:
    """A training that broke off in its second epoch: resumed as it was, and as it was not."""
    with suppress(Broken):
        trained(folder, RECIPE, 2, callbacks=[BreakOff(21)])
    (run,) = [Run(file.parent) for file in folder.glob("runs-2/*/*/run.json")]
    copy = Run(Path(shutil.copytree(run.folder, folder / "copy")))
    answers: dict[str, Any] = {
        "saved": [file.name for file in run.state_files()],
        "other": refused(RunError, lambda: resume(run.folder, Settings(devices=1))),
    }
    resume(run.folder)
    answers["same"] = final(run) == final(whole)
    console = Console(file=io.StringIO(), width=500)
    settings = Settings(devices=1, allow_other_devices=True, console=console, watch=False)
    resume(copy.folder, settings)
    answers["note"] = console.file.getvalue()  # type: ignore[attr-defined]
    info = copy.info()
    answers |= {"devices": info["devices"], "changed": info["devices_changed"]}
    answers["distance"] = distance(copy, whole)
    return answers


def batch_norms(run: Run) -> list[Any]:
    model = keras.saving.load_model(run.model_file)
    return [each for each in model.layers if isinstance(each, keras.layers.BatchNormalization)]


def noted_shares() -> list[int]:
    """Notes, from now on, of how many images a device computes in a step of a training."""
    found: list[int] = []
    if keras.backend.backend() == "jax":
        from zoo.training.loop.jax_program import JaxProgram

        run_program = JaxProgram._call

        def called(self: Any, state: Any, constants: Any, *draws: Any) -> Any:
            if "augment" in draws[0] and (size := len(draws[0]["indices"])) not in sizes:
                sizes.add(size)
                program = self._program.lower(state, constants, *draws).compile().as_text()
                found.extend(map(int, re.findall(r"f32\[(\d+),8,8,1\]", program)))
            return run_program(self, state, constants, *draws)

        sizes: set[int] = set()
        JaxProgram._call = called  # type: ignore[method-assign]
        return found
    from zoo.training.loop.mirrored_program import MirroredProgram

    on_device = MirroredProgram._on_device

    def noted(self: Any, arrays: Any, shared: bool) -> Any:
        answer = on_device(self, arrays, shared)
        if self.training:
            found.append(answer[1].shape[0])
        return answer

    MirroredProgram._on_device = noted  # type: ignore[method-assign]
    return found


def predictions(run: Run) -> Any:
    model = TrainedRun(run)
    return model.logits(load_data(model.recipe).test)


def all_reduces() -> list[dict[str, Any]]:
    """What `zoo doctor --devices 2` measures; each sum is checked on the way."""
    devices.set_up(2)
    all_reduce.SIZES = (4_000, 1_000_000)
    try:
        return all_reduce.measure_all_reduce()
    finally:
        devices.tear_down()


def main(folder: Path) -> dict[str, Any]:
    folders = {name: folder / name for name in ("first", "other", "broken")}
    for each in folders.values():
        each.mkdir()
    gap.IMAGES = 81  # No batch that two devices divide.
    one = trained(folders["first"], RECIPE, 1, watch=False)
    shares = noted_shares()
    two = trained(folders["first"], RECIPE, 2)
    answers: dict[str, Any] = {
        "first": distance(one, two),
        "info": {key: two.info()[key] for key in ("devices", "loop", "steps")},
        "devices_of_one": one.info()["devices"],
        "watch": [each["id"] for each in json.loads(two.checks_file.read_text())["findings"]],
        "shares": sorted(set(shares)),
        "after": devices.current().count,
        "predictions": float(np.max(np.abs(predictions(one) - predictions(two)))),
        "synchronized": sorted({layer.synchronized for layer in batch_norms(two)}),
        "broken": broken_off_and_resumed(folders["broken"], two),
        "other": distance(
            *(trained(folders["other"], OTHER, count, watch=False) for count in (1, 2))
        ),
        "all_reduces": all_reduces(),
        "too_many": refused(EnvironmentFault, lambda: devices.set_up(3)),
    }
    return answers


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
