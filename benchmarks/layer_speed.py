"""Times a training step of a recipe's network against Keras's own layers, in turns, on one batch.

    python benchmarks/layer_speed.py [cifar10-quick] [--rounds 12] [--split]
    TF_ENABLE_ONEDNN_OPTS=0 python benchmarks/layer_speed.py    as on a CPU without AVX-512 VNNI

Three sides: `plain`, a clone of the network with Keras's layers, loss and accuracy; `layers`, zoo's
layers with Keras's loss and accuracy; `zoo`, all of zoo. The optimizer is the same. Images are
random and the batch stays the same, so that neither data nor augmentation count. Each round times
each side once. Prints the median of each side, and of the rounds' ratios, plain over side: above 1
is faster than plain. `--split` also prints where TensorFlow's profiler saw the time of a step:
operations may run at the same time, so that their sum may exceed the step.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import backend, recipe  # noqa: E402

CLASSES = 10
STEPS_PER_EPOCH = 100  # Only schedules of learning rates see it.
SPLIT_STEPS = 10
# Part of a step -> what the names of its operations contain.
PARTS = {
    "convolutions": ("convolution",),
    "batch norm": ("bn", "batch_norm"),
    "pooling": ("pool",),
    "activations": ("_act", "relu"),
    "dense": ("matmul", "dense", "fc"),
}
Step = Callable[[], Any]


def sides(name: str) -> dict[str, Step]:
    """A function for each side that makes a training step."""
    import keras

    from zoo import optimize
    from zoo.datasets.normalise import Normalisation
    from zoo.plan import plan
    from zoo.training import components

    loaded = recipe.load(name)
    planned = plan(loaded, CLASSES)
    scaling = Normalisation("scale01", 1 / 255, 0.0)

    def zoo() -> keras.Model:
        return components.compiled(loaded, planned, scaling, STEPS_PER_EPOCH)

    def with_keras_loss(model: keras.Model) -> keras.Model:
        model.compile(
            optimizer=optimize.optimizer(loaded, model, STEPS_PER_EPOCH),
            loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
            jit_compile=zoo_model.jit_compile,
        )
        return model

    zoo_model = zoo()
    models = {
        "plain": with_keras_loss(keras.models.clone_model(zoo_model)),
        "layers": with_keras_loss(zoo()),
        "zoo": zoo_model,
    }
    for model in models.values():
        model.set_weights(zoo_model.get_weights())
    return {side: step(model, loaded) for side, model in models.items()}


def step(model: Any, loaded: recipe.Recipe) -> Step:
    """A function that makes Keras's training step on the same batch and waits for its end."""
    import numpy as np
    import tensorflow as tf

    generator = np.random.default_rng(0)
    size = loaded.train.batch_size
    images = generator.integers(0, 256, (size, *loaded.image_shape)).astype(np.uint8)
    labels = generator.integers(0, CLASSES, size).astype(np.int32)
    batches = iter(tf.data.Dataset.from_tensors((images, labels)).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(batches)["loss"])


def split(make_step: Step) -> Counter[str]:
    """Milliseconds of a step by part and operation, as TensorFlow's profiler saw them."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(SPLIT_STEPS):
            make_step()
        tf.profiler.experimental.stop()
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    times: Counter[str] = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            path, colon, operation = plane.event_metadata[event.metadata_id].name.rpartition(":")
            is_operation = colon and operation.lstrip("_")[:1].isupper() and path[-1:] != ":"
            if not is_operation or path.startswith(("Eager", "Iterator")):
                continue
            part = next((p for p, words in PARTS.items() if is_in(words, path)), "all else")
            times[f"{part}: {operation}"] += event.duration_ps / 1e9 / SPLIT_STEPS
            times[part] += event.duration_ps / 1e9 / SPLIT_STEPS
    return times


def is_in(words: tuple[str, ...], path: str) -> bool:
    """Whether the path of an operation contains one of the words."""
    return any(word in path.lower() for word in words)


def main() -> None:
    """Runs the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", nargs="?", default="cifar10-quick")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.3, help="of a side in each round")
    parser.add_argument("--split", action="store_true", help="also the parts of a step")
    arguments = parser.parse_args()
    backend.prepare(deterministic=True, seed=0)
    steps = sides(arguments.recipe)
    counts = {}
    for side, make_step in steps.items():
        losses = [make_step() for _ in range(3)]
        started = time.perf_counter()
        losses.append(make_step())
        counts[side] = max(1, round(arguments.seconds / (time.perf_counter() - started)))
        print(f"{side:<7} losses of the first steps: " + " ".join(f"{x:.5f}" for x in losses))
    times: dict[str, list[float]] = {side: [] for side in steps}
    for turn in range(arguments.rounds):
        for side in list(steps)[:: 1 if turn % 2 else -1]:
            started = time.perf_counter()
            for _ in range(counts[side]):
                steps[side]()
            times[side].append((time.perf_counter() - started) / counts[side])
    onednn = "with" if backend.has_onednn() else "without"
    print(f"{arguments.recipe}, {backend.device()}, {onednn} oneDNN")
    for side, seconds in times.items():
        ratios = [plain / other for plain, other in zip(times["plain"], seconds, strict=True)]
        print(
            f"{side:<7} {median(seconds) * 1e3:8.2f} ms a step, ratio {median(ratios):.3f} "
            f"({min(ratios):.3f} to {max(ratios):.3f})"
        )
    for side in ("plain", "zoo") if arguments.split else ():
        print(f"\n{side}: milliseconds of a step by part and operation")
        for part, milliseconds in sorted(split(steps[side]).items()):
            if milliseconds >= 0.05:
                print(f"{milliseconds:9.2f}  {part}")


if __name__ == "__main__":
    main()
