"""Trainings of one recipe on one device at the same time: in one program, or in several processes.

    python benchmarks/together.py resnet20 --copies 1 4 8          vmapped in one program (JAX)
    python benchmarks/together.py resnet20 --processes 1 8         each a process of its own
    python benchmarks/together.py resnet20 --profile FOLDER        a trace of one copy's steps

Only the steps of the device loop are made, on random images of the recipe's size: no validation, no
observers, no files. On a GPU start NVIDIA's multi-process service before (`nvidia-cuda-mps-control
-d`): without it the GPU runs the kernels of one process at a time. Processes begin to measure when
all of them have compiled. Nothing is asserted: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
IMAGES = 20_000
ROWS = 64  # Steps of a call of the program.


def measure(options: argparse.Namespace, copies: int, ready: Path, processes: int) -> None:
    """Prints a line of JSON: images a second of this process, over all copies."""
    os.environ["KERAS_BACKEND"] = "jax"
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    from zoo import backend
    from zoo import recipe as recipes

    # The images are random, of the recipe's size: its own source is not read.
    sets = ["data.source=digits", "train.deterministic=false", *options.set]
    recipe = recipes.load(options.recipe, sets)
    backend.prepare(deterministic=False, seed=0)
    import jax
    import numpy as np

    from zoo.datasets.normalise import normalisation
    from zoo.datasets.splits import ArraySplit, Splits
    from zoo.plan import plan
    from zoo.training import components
    from zoo.training.loop import programs
    from zoo.training.loop.device_loop import DeviceLoop
    from zoo.training.loop.resident import ResidentSplit

    random = np.random.default_rng(0)
    shape = (*recipe.data.image_size, 1 if recipe.data.color_mode == "grayscale" else 3)
    pixels = random.integers(0, 256, (options.images, *shape), np.uint8)
    split = ArraySplit(pixels, random.integers(0, 10, options.images, np.int32))
    data = Splits(
        train=split,
        validation=split,
        test=None,
        class_names=tuple("0123456789"),
        image_shape=shape,
        fingerprint="",
    )
    batches = components.training_batches(recipe, data)
    scaling = normalisation(recipe.data.preprocess, split)
    model = components.compiled(recipe, plan(recipe, 10), scaling, batches.steps_per_epoch)
    components.create_metrics(model, batches(0))
    images = ResidentSplit.of(split)
    loop = DeviceLoop(model, images)
    loop.batches = batches
    program = programs.make(model, loop._batch, training=True, streamed=False)
    state: Any = model._get_jax_state(
        trainable_variables=True,
        non_trainable_variables=True,
        optimizer_variables=True,
        metrics_variables=True,
    )
    steps = min(options.steps, options.images // batches.batch_size)
    draws = [images.inputs(batches.draws(step)) for step in range(steps)]
    if copies > 1:
        program, state, draws = _vmapped(program, state, draws, copies)

    def run() -> float:
        nonlocal state
        began = time.perf_counter()
        state, losses, _ = program.run(state, images.constants, draws)
        jax.block_until_ready(losses[-1][0])
        return time.perf_counter() - began

    run()
    (ready / str(os.getpid())).touch()
    while len(list(ready.iterdir())) < processes:
        time.sleep(0.02)
    seconds = [run() for _ in range(options.repeats)]
    if options.profile:
        with jax.profiler.trace(str(options.profile)):
            run()
    rate = copies * steps * batches.batch_size / sorted(seconds)[len(seconds) // 2]
    print(json.dumps({"device": backend.device(), "images_per_second": rate, "steps": steps}))


def _vmapped(program: Any, state: Any, draws: list[Any], copies: int) -> tuple[Any, Any, Any]:
    """A program that makes the step of several copies at once, with their states and draws."""
    import jax
    import numpy as np

    several = jax.vmap(program.step, in_axes=(0, None, 0))

    def step(states: Any, constants: Any, rows: Any) -> Any:
        logs, states = several(states, constants, rows)
        return {name: values.mean() for name, values in logs.items()}, states

    return (
        type(program)(step, program.in_loop),
        jax.tree.map(lambda values: jax.numpy.stack([values] * copies), state),
        [jax.tree.map(lambda rows: np.stack([rows] * copies), each) for each in draws],
    )


def together(arguments: list[str], copies: int, processes: int) -> tuple[str, float]:
    """Runs the processes at the same time; the device, and their images a second in all."""
    with tempfile.TemporaryDirectory(prefix="zoo-together-") as folder:
        own = ["--ready", folder, "--copies", str(copies), "--processes", str(processes)]
        paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        children = [
            subprocess.Popen(
                [sys.executable, __file__, *arguments, *own],
                stdout=subprocess.PIPE,
                text=True,
                env=environment,
            )
            for _ in range(processes)
        ]
        answers = []
        for child in children:
            output, _ = child.communicate()
            if child.returncode:
                for other in children:
                    other.kill()
                raise SystemExit(f"a process ended with exit code {child.returncode}")
            answers.append(json.loads(output.splitlines()[-1]))
    return answers[0]["device"], sum(answer["images_per_second"] for answer in answers)


def main() -> None:
    """Runs the benchmark, or one process of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe")
    parser.add_argument("--copies", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--processes", nargs="+", type=int, default=[1], metavar="N")
    parser.add_argument("--images", type=int, default=IMAGES, metavar="N")
    parser.add_argument("--steps", type=int, default=5 * ROWS, metavar="N", help="of a measurement")
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--profile", type=Path, metavar="FOLDER")
    parser.add_argument("--ready", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ready:
        measure(options, options.copies[0], options.ready, options.processes[0])
        return
    arguments = sys.argv[1:]
    alone = None
    for processes in options.processes:
        for copies in options.copies:
            device, rate = together(arguments, copies, processes)
            alone = alone or rate
            print(
                f"{device}: {processes} process{'es' * (processes > 1)} of {copies}: "
                f"{rate:,.0f} images/s, {rate / alone:.2f} times the first",
                flush=True,
            )


if __name__ == "__main__":
    main()
