"""A process of benchmarks/device.py: prepares the data, or trains one side of one network.

    python benchmarks/device_side.py CONFIG

CONFIG is a JSON object; the result is a line `@{JSON}` on stdout. Not for use by hand.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from device_clock import CompileClock, EpochClock, Turns, compile_seconds, peak_bytes, report

Config = dict[str, Any]


def load_recipe(config: Config) -> Any:
    """The recipe, for as many epochs; a longer warm-up is cut to the training's length."""
    from zoo import recipe as recipes

    overrides = [*config["overrides"]]
    schedule = recipes.load(config["net"], overrides).train.schedule
    warmup = getattr(schedule.options, "warmup_epochs", 0)
    if config.get("epochs"):
        overrides.append(f"train.epochs={config['epochs']}")
        if warmup > config["epochs"]:
            overrides.append(f"train.schedule.{schedule.word}.warmup_epochs={config['epochs']}")
    return recipes.load(config["net"], overrides)


def start_keras(recipe: Any, deterministic: bool) -> CompileClock | None:
    """Imports Keras as zoo does; on JAX, begins to count the seconds of compiling."""
    from zoo import backend

    keras = backend.prepare(deterministic, recipe.seed)
    return CompileClock() if keras.backend.backend() == "jax" else None


def prepare(config: Config) -> None:
    """Fills zoo's cache, writes the arrays for PyTorch, and describes the networks."""
    from zoo import backend

    backend.prepare()
    nets, written = {}, set()
    for net in config["nets"]:
        recipe = load_recipe(net)
        data = _data(recipe)
        nets[net["net"]] = _describe(recipe, data)
        if net["arrays"] not in written:
            _write_arrays(Path(net["arrays"]), data, config["tests"])
            written.add(net["arrays"])
    dtype = "bfloat16" if config["dtype"] == "mixed_bfloat16" or not config["dtype"] else "float32"
    if not config["dtype"] and not backend.on_gpu():
        dtype = "float32"
    report(
        device=backend.device(),
        on_gpu=backend.on_gpu(),
        versions=backend.versions(),
        rate_dtype=dtype,
        rate=matrix_rate(dtype, 8192 if backend.on_gpu() else 2048),
        nets=nets,
    )


def _data(recipe: Any) -> Any:
    from zoo.datasets.load import load

    return load(recipe)


def _describe(recipe: Any, data: Any) -> dict[str, Any]:
    from zoo.plan import plan

    planned = plan(recipe, len(data.class_names))
    return {
        # 2 a multiply-add; forward, gradient of the inputs, gradient of the weights.
        "training_flops": 3 * sum(layer.flops for layer in planned.layers if layer.has_kernel),
        "parameters": planned.trainable,
        "epochs": recipe.train.epochs,
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
    }


def _write_arrays(file: Path, data: Any, tests: bool) -> None:
    """Writes what benchmarks/torch_peer.py reads; its validation is the test split for seeds."""
    import numpy as np

    splits = {"train": data.train, "val": data.test if tests else data.validation}
    arrays = {}
    for name, split in splits.items():
        arrays[f"x_{name}"] = split.images(np.arange(len(split)))
        arrays[f"y_{name}"] = np.asarray(split.labels)
    np.savez(file, **arrays)


def matrix_rate(dtype: str, size: int, repeats: int = 20) -> float:
    """FLOP/s of a product of two square matrices of random numbers, in a dtype."""
    import keras
    import numpy as np

    rng = np.random.default_rng(0)
    product = keras.ops.matmul
    if keras.backend.backend() == "jax":
        import jax

        product = jax.jit(product)
    left, right = (
        keras.ops.cast(rng.standard_normal((size, size), np.float32), dtype) for _ in range(2)
    )
    best = 0.0
    for _ in range(4):  # The first one warms up.
        begin = time.perf_counter()
        for _ in range(repeats):
            result = product(left, right)
        keras.ops.convert_to_numpy(result[0, 0])
        best = max(best, 2 * size**3 * repeats / (time.perf_counter() - begin))
    return best


def train_zoo(config: Config, turns: Turns) -> None:
    """Trains with `zoo.training.train`, on the loop that the side names."""
    recipe = load_recipe(config)
    compiling = start_keras(recipe, recipe.train.deterministic)
    import device_zoo

    clock = EpochClock(turns)
    row, info = device_zoo.train(recipe, Path(config["scratch"]), clock)
    seconds = turns.seconds
    report(
        **clock.result(device_zoo.images_per_epoch(recipe, _data(recipe))),
        seconds=seconds,
        compile_seconds=compile_seconds(compiling, clock),
        loss=row["loss"],
        val_accuracy=row["val_accuracy"],
        loop=info["loop"],
        deterministic=recipe.train.deterministic,
        **peak_bytes(),
    )


def train_keras(config: Config, turns: Turns) -> None:
    """Trains with a plain script's `fit`."""
    recipe = load_recipe(config)
    compiling = start_keras(recipe, deterministic=False)
    import device_keras

    clock = EpochClock(turns)
    logs, images = device_keras.train(recipe, _data(recipe), clock)
    report(
        **clock.result(images),
        seconds=turns.seconds,
        compile_seconds=compile_seconds(compiling, clock),
        loss=logs["loss"],
        val_accuracy=logs["val_accuracy"],
        deterministic=False,
        **peak_bytes(),
    )


def train_seeds(config: Config, turns: Turns) -> None:
    """Trains with many seeds; reports after each, so that a killed process leaves results."""
    recipe = load_recipe(config)
    compiling = start_keras(recipe, recipe.train.deterministic)
    import device_seeds

    device_seeds.run(recipe, config["seeds"], turns, compiling)


def train_torch(config: Config, turns: Turns) -> None:
    """Trains with benchmarks/torch_peer.py, which compiles everything before its first step."""
    import torch_peer

    ready: list[float] = []
    train = torch_peer._train

    def alone(*arguments: Any) -> Any:
        ready.append(turns.seconds)
        turns.alone()
        return train(*arguments)

    torch_peer._train = alone
    dtype = "bfloat16" if config["dtype"] == "mixed_bfloat16" else "float32"
    sys.argv = ["torch_peer.py", "--net", config["net"], "--data", config["arrays"]]
    sys.argv += ["--dtype", dtype, "--seeds", str(config.get("seeds", 1)), *config["options"]]
    if config.get("epochs"):
        sys.argv += ["--epochs", str(config["epochs"])]
    result = torch_peer.run(torch_peer._arguments())
    clock = EpochClock(turns)
    clock.first_step = ready[0]
    clock.epochs = result["epoch_seconds"]
    on_card = result["cuda"] is not None
    report(
        **clock.result(result["images_per_epoch"]),
        seconds=turns.seconds,
        compile_seconds=result["compile_seconds"],
        loss=result["loss"],
        val_accuracy=result["val_accuracy"],
        # Tensors of CUDA graphs count as reserved alone.
        peak_bytes=result[f"peak_{'reserved_' * result['graph']}bytes"] if on_card else None,
        peak_host_bytes=result["peak_host_bytes"],
        compiled=result["compile"],
        graph=result["graph"],
        torch=result["torch"],
        multiply_adds=result["multiply_adds"],
        notes=result["notes"],
        trainings=result["trainings"],
    )


def main() -> None:
    """Does what the configuration says."""
    config: Config = json.loads(sys.argv[1])
    if config["side"] == "prepare":
        prepare(config)
        return
    turns = Turns(Path(config["scratch"]), config["started"])
    turns.share()
    if config["side"] == "torch":
        train_torch(config, turns)
    elif config["side"] == "seeds":
        train_seeds(config, turns)
    else:
        (train_keras if config["side"] == "keras" else train_zoo)(config, turns)
    sys.stdout.flush()
    os._exit(0)  # Threads that draw or load batches need not end in peace.


if __name__ == "__main__":
    main()
