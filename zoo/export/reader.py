"""Run alone, as a script: what a server would see. Reads a SavedModel without Keras or zoo.

usage: reader.py SAVED_MODEL IMAGES.npy OUT
"""

import sys


def main() -> None:
    import os

    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # A blocked import shows that the export needs neither package.
    sys.modules["zoo"] = None  # type: ignore[assignment]
    sys.modules["keras"] = None  # type: ignore[assignment]
    import numpy as np
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)
    folder, images_file, out = sys.argv[1:]
    images = np.load(images_file)
    loaded = tf.saved_model.load(folder)
    found = {}
    for name, dtype in (("serving_default", tf.float32), ("serve_uint8", tf.uint8)):
        call = loaded.signatures[name]
        # Two unlike batch sizes: the export must not depend on how images are batched.
        once = _batched(np, call, tf.cast(images, dtype), 64)
        again = _batched(np, call, tf.cast(images, dtype), 50)
        for key, value in once.items():
            found[f"{name}/{key}"] = (
                np.char.decode(value.astype("S"), "utf-8") if (value.dtype == object) else value
            )
        found[f"{name}/logits/again"] = again["logits"]
    np.savez(out, **found)  # type: ignore[arg-type]


def _batched(np, call, images, size):  # type: ignore[no-untyped-def]
    parts = [call(images=images[i : i + size]) for i in range(0, len(images), size)]
    return {key: np.concatenate([part[key].numpy() for part in parts]) for key in parts[0]}


if __name__ == "__main__":
    main()
