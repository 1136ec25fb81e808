"""A process of benchmarks/streaming.py: reads or trains on the files, an epoch a turn.

    python benchmarks/streaming_side.py CONFIG

CONFIG is a JSON object. The process waits for a line on stdin before each epoch, and then prints a
line `@{JSON}`. Not for use by hand. What PyTorch's side runs needs nothing of zoo.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

Config = dict[str, Any]


class Clock:
    """Times an epoch after its first steps, which find batches made before the turn."""

    def __init__(self, skip: int) -> None:
        self.skip = skip
        self.images = 0
        self._step = 0
        self._began = 0.0
        self._processor = 0.0

    def wait_for_turn(self) -> None:
        """Returns when the parent says so."""
        if not sys.stdin.readline():
            sys.exit(0)
        self.images = self._step = 0

    def steps(self, sizes: Iterable[int]) -> None:
        """Counts steps that were made, by their numbers of images."""
        for size in sizes:
            self._step += 1
            if self._step == self.skip:
                self._began, self._processor = time.perf_counter(), time.process_time()
            elif self._step > self.skip:
                self.images += size

    def result(self) -> dict[str, float]:
        """What the turn measured, as of now."""
        return {
            "images": self.images,
            "seconds": time.perf_counter() - self._began,
            "processor_seconds": time.process_time() - self._processor,
        }


def report(**values: Any) -> None:
    """Sends something to the parent."""
    print("@" + json.dumps(values), flush=True)


def settle() -> None:
    """Waits until the threads have prepared as many batches as they may hold."""
    while True:
        before = time.process_time()
        time.sleep(0.1)
        if time.process_time() - before < 0.01:
            return


def read(config: Config, batches: Callable[[], Iterator[int]], **facts: Any) -> None:
    """Takes turns in reading batches; the iterator yields the size of each batch of an epoch."""
    clock = Clock(config["skip"])
    report(**facts)
    for _ in range(config["rounds"]):
        clock.wait_for_turn()
        for size in batches():
            clock.steps([size])
        result = clock.result()
        settle()
        report(**result)


def load(config: Config) -> tuple[Any, Any, Any]:
    """The recipe, its data and its training batches."""
    from zoo import recipe as recipes
    from zoo.datasets.load import load as load_data
    from zoo.training import components
    from zoo.training.preparing import prepare_keras

    recipe = recipes.load(config["recipe"], config["overrides"])
    prepare_keras(recipe)
    data = load_data(recipe)
    return recipe, data, components.training_batches(recipe, data)


def decode(config: Config) -> None:
    """Decodes the batches of the device loop, in its threads."""
    from zoo.datasets.threads import MadeAhead
    from zoo.training.loop.streamed import StreamedSplit

    _, data, batches = load(config)
    images = StreamedSplit(data.train)
    steps = batches.steps_per_epoch
    ahead = MadeAhead(
        lambda step: data.train.images(batches.indices(step)),
        steps * config["rounds"], 1, images.ahead, images.threads,
    )  # fmt: skip
    epochs = iter(range(config["rounds"]))

    def epoch() -> Iterator[int]:
        first = next(epochs) * steps
        return (len(ahead(step)) for step in range(first, first + steps))

    read(config, epoch)


def processes(config: Config) -> None:
    """Decodes the same batches in processes, a whole batch each."""
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    _, data, batches = load(config)
    workers, epochs = os.cpu_count() or 1, iter(range(config["rounds"]))
    with ProcessPoolExecutor(workers, get_context("forkserver"), _single_thread) as pool:

        def epoch() -> Iterator[int]:
            first = next(epochs) * batches.steps_per_epoch
            waiting: list[Any] = []
            for step in range(first, first + batches.steps_per_epoch):
                waiting.append(pool.submit(_images, data.train, batches.indices(step)))
                if len(waiting) > workers + 1:
                    yield len(waiting.pop(0).result())
            yield from (len(job.result()) for job in waiting)

        read(config, epoch, workers=workers)


def _single_thread() -> None:
    from zoo.datasets import splits

    splits.THREADS = 1


def _images(split: Any, indices: Any) -> Any:
    return split.images(indices)


def train(config: Config) -> None:
    """Trains as `zoo train` does, with a clock among the observers."""
    from zoo import backend
    from zoo.training import TrainingSettings, components
    from zoo.training import train as train_recipe
    from zoo.training.observers import Observer

    recipe, data, batches = load(config)
    del data
    clock = Clock(config["skip"])

    class Turns(Observer):
        result: dict[str, float] | None = None

        def next_stop(self, step: int) -> int | None:
            stop = step // batches.steps_per_epoch * batches.steps_per_epoch + clock.skip
            return stop if step < stop else None

        def on_epoch_begin(self, epoch: int) -> None:
            self.report()
            clock.wait_for_turn()

        def on_steps(self, first: int, last: int, losses: Any) -> None:
            clock.steps(batches.size(step) for step in range(first, last + 1))

        def on_validation_begin(self) -> None:
            self.result = clock.result()  # The last step was a stop: the device is waited for.

        def on_train_end(self) -> None:
            self.report()

        def report(self) -> None:
            settle()
            report(**(self.result or {"device": backend.device()}))

    choose = components.observers
    components.observers = lambda *arguments: [*choose(*arguments), Turns()]
    out = Path(config["scratch"]) / config["side"]
    run = train_recipe(recipe, out, TrainingSettings())
    assert run.info()["loop"] == config["side"]


def tfdata(config: Config) -> None:
    """Reads the files with tf.data."""
    import tensorflow as tf

    size, files = config["size"], sorted(map(str, Path(config["folder"]).rglob("*.jpg")))

    def make(file: Any) -> Any:
        image = tf.io.decode_jpeg(tf.io.read_file(file), channels=3)
        image = tf.image.resize(image, (size, size), antialias=True)
        return tf.cast(tf.round(image), tf.uint8)

    dataset = tf.data.Dataset.from_tensor_slices(files).shuffle(len(files))
    dataset = dataset.map(make, num_parallel_calls=tf.data.AUTOTUNE).batch(config["batch"])
    dataset = dataset.prefetch(2)
    read(config, lambda: (len(batch) for batch in dataset), tensorflow=tf.__version__)


def torch(config: Config) -> None:
    """Reads the files with PyTorch's DataLoader."""
    import numpy as np
    import torch as pytorch
    from PIL import Image

    size, files = config["size"], sorted(map(str, Path(config["folder"]).rglob("*.jpg")))

    class Files(pytorch.utils.data.Dataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(files)

        def __getitem__(self, number: int) -> Any:
            with Image.open(files[number]) as image:
                small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
            return pytorch.from_numpy(np.array(small))

    workers = os.cpu_count() or 1
    loader = pytorch.utils.data.DataLoader(
        Files(), config["batch"], shuffle=True, num_workers=workers, persistent_workers=True,
        prefetch_factor=2,
    )  # fmt: skip
    read(config, lambda: map(len, loader), torch=pytorch.__version__, workers=workers)


SIDES = {
    "decode": decode, "device": train, "host": train, "processes": processes, "tfdata": tfdata,
    "torch": torch,
}  # fmt: skip


def main() -> None:
    """Runs the side that the configuration names."""
    config: Config = json.loads(sys.argv[1])
    if config["side"] in ("device", "host"):
        config["overrides"] = [*config["overrides"], f"train.loop={config['side']}"]
    SIDES[config["side"]](config)


if __name__ == "__main__":
    main()
