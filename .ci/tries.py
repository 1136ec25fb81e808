"""Try every verb of an installed zoo on digits-tiny; print the losses as a line of JSON.

usage: python tries.py FOLDER [--quick]     (the python of the environment to try; an empty folder)

With --quick it trains, exports, and predicts by exports that load fast. `.ci/lowest` runs
it in fresh environments.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ZOO = [sys.executable, "-P", "-m", "zoo"]
FORMATS = ("saved_model", "keras", "onnx", "litert")


def zoo(folder: Path, *arguments: str, backend: str = "tensorflow") -> dict[str, Any]:
    """Run a verb with --json; return its document. Ends this process if the verb fails."""
    began = time.monotonic()
    done = subprocess.run(
        [*ZOO, *arguments, "--json"],
        cwd=folder,
        env={**os.environ, "KERAS_BACKEND": backend},
        capture_output=True,
        text=True,
    )
    if done.returncode or "Traceback" in done.stderr:
        sys.exit(f"zoo {' '.join(arguments)}: exit code {done.returncode}\n{done.stdout[-2000:]}\n"
                 f"{done.stderr[-4000:]}")  # fmt: skip
    print(f"  {time.monotonic() - began:5.1f} s  zoo {' '.join(arguments)}", file=sys.stderr)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def digit(folder: Path) -> Path:
    """Write the first of scikit-learn's digits, a 0, as an image file."""
    from PIL import Image
    from sklearn.datasets import load_digits

    file = folder / "zero.png"
    Image.fromarray((load_digits().images[0] * 15.9375).astype("uint8")).save(file)
    return file


def main() -> None:
    """Try the verbs; the first failure ends this process with what the verb said."""
    folder, quick = Path(sys.argv[1]), "--quick" in sys.argv
    short = ("--no-export", "--set", "train.epochs=4")
    trained = zoo(folder, "train", "digits-tiny", *short)
    run = trained["run"]
    exports = zoo(folder, "export", run, "--format", ",".join(FORMATS))["exports"]
    assert [each["format"] for each in exports] == list(FORMATS)  # noqa: S101
    quickly = [each["path"] for each in exports if each["format"] in ("onnx", "litert")]
    for source in quickly if quick else [run, *(each["path"] for each in exports)]:
        (answer,) = zoo(folder, "predict", source, str(digit(folder)))["predictions"]
        assert answer["classes"][0] == "0", answer  # noqa: S101
    if not quick:
        zoo(folder, "evaluate", run)
        zoo(folder, "check", "digits-tiny", "--quick")
        if importlib.util.find_spec("plotly"):
            zoo(folder, "report", run)
        if importlib.util.find_spec("jax"):
            zoo(folder, "train", "digits-tiny", *short, backend="jax")
    print(json.dumps({key: trained[key] for key in ("val_accuracy", "accuracy", "test_loss")}))


if __name__ == "__main__":
    main()
