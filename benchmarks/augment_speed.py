"""Measures how many images each augmentation changes in a second, on the host and on the device.

    KERAS_BACKEND=jax python benchmarks/augment_speed.py [--batch 128 1024] [--size 32]

Prints thousands of images per second: `draw` draws the random numbers on the host, `host` applies
them there with numpy on one core, `device` applies them in one compiled function that repeats the
augmentation, as a training loop on the device does. Each number is the median of five measurements.
Needs no TensorFlow with KERAS_BACKEND=jax.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import keras
import numpy as np

from zoo.augment import AUGMENTATIONS, AugmentRng, draw_augmentations, mixing
from zoo.augment.device import apply_on_device
from zoo.recipe.data_block import Augmentation
from zoo.recipe.words import MIXING

STEPS: list[Any] = [
    "random_flip",
    "alternating_flip",
    {"random_crop": {"padding": 4}},
    {"random_crop": {"padding": 4, "fill": "reflect"}},
    "random_resized_crop",
    {"random_rotation": 0.1},
    {"random_translation": {"height_factor": 0.1, "width_factor": 0.1}},
    {"random_zoom": 0.1},
    {"random_shear": {"x_factor": 0.2, "y_factor": 0.2}},
    {"cutout": 8},
    "random_erasing",
    {
        "random_color_jitter": {
            "brightness_factor": 0.2,
            "contrast_factor": 0.2,
            "saturation_factor": 0.2,
            "hue_factor": 0.1,
        }
    },
    {"random_brightness": 0.2},
    {"random_contrast": 0.2},
    "gaussian_blur",
    {"gaussian_blur": 9},
    "rand_augment",
    "trivial_augment",
    "mixup",
    "cutmix",
]
CLASSES = 10
RUNS = 5
LEAST_SECONDS = 0.05  # Duration of a measurement.


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compiles a function of tensors for the backend's device."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    import tensorflow as tf

    return tf.function(function)


def device_name() -> str:
    """Names the backend and its device."""
    if keras.backend.backend() == "jax":
        import jax

        return f"JAX {jax.__version__} on {jax.devices()[0].device_kind}"
    import tensorflow as tf

    devices = tf.config.list_physical_devices("GPU") or tf.config.list_physical_devices("CPU")
    details = tf.config.experimental.get_device_details(devices[0])
    return f"TensorFlow {tf.__version__} on {details.get('device_name', devices[0].device_type)}"


def seconds(run: Callable[[int], Any]) -> float:
    """Measures the seconds of one repetition of `run(repetitions)`."""
    run(1)  # Compiles.
    repetitions = 1
    while True:
        start = time.perf_counter()
        run(repetitions)
        took = time.perf_counter() - start
        if took > LEAST_SECONDS:
            break
        repetitions *= 4
    times = [took]
    for _ in range(RUNS - 1):
        start = time.perf_counter()
        run(repetitions)
        times.append(time.perf_counter() - start)
    return median(times) / repetitions


def measured(step: Any, shape: tuple[int, int, int, int]) -> tuple[float, float, float]:
    """Returns the seconds of a batch: to draw, to apply on the host, to apply on the device."""
    count = shape[0]
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, shape).astype(np.uint8)
    labels = np.eye(CLASSES, dtype=np.float32)[generator.integers(0, CLASSES, count)]
    augmentation = Augmentation.model_validate(step)
    word, options = augmentation.word, augmentation.options
    rng = AugmentRng(generator, 0, 0, np.arange(count))

    def draw(repetitions: int) -> None:
        for _ in range(repetitions):
            draw_augmentations([augmentation], rng, shape)

    (draws,) = draw_augmentations([augmentation], rng, shape)

    def apply(repetitions: int) -> None:
        for _ in range(repetitions):
            AUGMENTATIONS[word].apply(images, options, draws)
            if word in MIXING:
                mixing.mix_labels(labels, draws)

    @compiled
    def repeat(repetitions: Any, images: Any, labels: Any, draws: Any) -> Any:
        def body(_: Any, values: Any) -> Any:
            return apply_on_device(*values, [augmentation], [draws])

        return keras.ops.fori_loop(0, repetitions, body, (images, labels))

    tensor = keras.ops.convert_to_tensor
    inputs = tensor(images), tensor(labels), {name: tensor(draws[name]) for name in draws}

    def apply_repeatedly(repetitions: int) -> None:
        np.asarray(repeat(tensor(repetitions), *inputs)[0])  # Waits for the device.

    return seconds(draw), seconds(apply), seconds(apply_repeatedly)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[128, 1024])
    parser.add_argument("--size", type=int, default=32, help="height and width in pixels")
    arguments = parser.parse_args()
    print(f"{device_name()}; {arguments.size} x {arguments.size} x 3; 1,000 images per second")
    print(f"{'':32}{'batch':>8}{'draw':>10}{'host':>10}{'device':>10}")
    for step in STEPS:
        word = step if isinstance(step, str) else next(iter(step))
        name = f"{word} reflect" if "reflect" in str(step) else word
        name = f"{word} of 9 x 9 pixels" if step == {"gaussian_blur": 9} else name
        for count in arguments.batch:
            shape = (count, arguments.size, arguments.size, 3)
            speeds = "".join(f"{count / took / 1000:10,.0f}" for took in measured(step, shape))
            print(f"{name:32}{count:8}{speeds}", flush=True)


if __name__ == "__main__":
    main()
