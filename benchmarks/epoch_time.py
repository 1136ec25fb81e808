"""Compare zoo's training with the same network in plain Keras, epoch by epoch in turns.

    python benchmarks/epoch_time.py PATH [--peer default|tuned] [--epochs 4] [--json FILE]

PATH is a folder with train/CLASS/*.jpg (and test/CLASS/*.jpg, which zoo verifies). Each side is a
process of its own. Only one of them works at a time, and they take turns at going first, so that
other load on the machine affects both alike. Nothing is asserted: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
SIDES = ("zoo", "plain")
MEDIANS = {
    "processor": "processor",
    "training": "training",
    "validation": "validation",
    "step_callbacks": "callbacks of steps",
    "ending": "after validation",
}


class Child:
    """The process of one side, which works only in its turns."""

    def __init__(self, config: dict[str, Any], environment: dict[str, str]) -> None:
        self.side = config["side"]
        config = {**config, "started": time.time()}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "child.py"), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def receive(self, event: str) -> dict[str, Any]:
        """Wait for the child's next report, which must be of this kind."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("@"):
                message: dict[str, Any] = json.loads(line[1:])
                if message.pop("event") != event:
                    raise SystemExit(f"{self.side}: expected {event}, received {line}")
                return message
        raise SystemExit(f"{self.side}: ended with exit code {self.process.wait()}")

    def turn(self, event: str) -> dict[str, Any]:
        """Give the child its turn and return its report."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        return self.receive(event)

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()


@dataclass
class Measurements:
    """The measurements of both sides."""

    parameters: int
    epochs: dict[str, list[dict[str, float]]] = field(
        default_factory=lambda: {side: [] for side in SIDES}
    )
    whole: dict[str, dict[str, float]] = field(default_factory=dict)
    parts: dict[str, float] = field(default_factory=dict)

    def ratios(self, key: str) -> dict[str, float]:
        """Return median, min and max of zoo / plain, paired by epoch from the second on."""
        pairs = zip(*(self.epochs[side][1:] for side in SIDES), strict=True)
        ratios = [zoo[key] / plain[key] for zoo, plain in pairs]
        return {
            "median": median(ratios),
            "min": min(ratios),
            "max": max(ratios),
        }

    def median(self, side: str, key: str) -> float:
        """Return the median over the epochs from the second on."""
        return median(epoch[key] for epoch in self.epochs[side][1:])

    def end_to_end(self) -> dict[str, float]:
        """Return seconds from process start to trained model, for zoo without and with cache."""
        zoo = self.whole["zoo"]
        # The child loads the data twice, `zoo train` once: subtract the other load.
        return {
            "zoo, first run": zoo["seconds"] - zoo["cache_second"],
            "zoo, later runs": zoo["seconds"] - zoo["cache_first"],
            "plain": self.whole["plain"]["seconds"],
        }


def measure(args: argparse.Namespace) -> Measurements:
    """Run both sides in turns."""
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as folder:
        paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            "ZOO_CACHE": str(Path(folder) / "cache"),
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        _warm_up(args.path, environment)
        children: dict[str, Child] = {}
        try:
            for side in SIDES:
                children[side] = Child(_config(args, side, folder), environment)
                parameters = children[side].receive("ready")["parameters"]
                if side == "zoo":
                    result = Measurements(parameters)
                elif parameters != result.parameters:
                    raise SystemExit(
                        f"not the same network: zoo's has {result.parameters:,} parameters, "
                        f"plain_keras.py's {parameters:,}; it holds that of cifar10-quick alone"
                    )
            _take_turns(result, children, args.epochs)
            result.parts = children["zoo"].turn("parts")
        finally:
            for child in children.values():
                child.stop()
    return result


def _warm_up(path: Path, environment: dict[str, str]) -> None:
    """Read all files once, so that the side that starts first does not wait for the disk."""
    code = "import keras, tensorflow, zoo.recipe, zoo.datasets.load"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    for file in path.rglob("*.*"):
        file.read_bytes()


def _config(args: argparse.Namespace, side: str, folder: str) -> dict[str, Any]:
    """Return what a child is to do."""
    from zoo import recipe

    source = f"data.source={json.dumps({'folder': str(args.path.resolve())})}"
    overrides = [source, f"train.epochs={args.epochs}", *args.set]
    return {
        "side": side,
        "path": str(args.path.resolve()),
        "recipe": args.recipe,
        "sets": overrides,
        "epochs": args.epochs,
        "batch_size": recipe.load(args.recipe, overrides).train.batch_size,
        "tuned": args.peer == "tuned",
        "out": folder,
    }


def _take_turns(result: Measurements, children: dict[str, Child], epochs: int) -> None:
    for epoch in range(epochs):
        for side in SIDES if epoch % 2 == 0 else SIDES[::-1]:
            result.epochs[side].append(children[side].turn("epoch"))
            if epoch == epochs - 1:
                result.whole[side] = children[side].receive("done")
        pair = "  ".join(f"{side} {result.epochs[side][-1]['seconds']:.1f} s" for side in SIDES)
        print(f"epoch {epoch + 1}/{epochs}  {pair}", file=sys.stderr, flush=True)


def table(result: Measurements) -> str:
    """Format the results."""
    ends = result.end_to_end()
    lines = [f"{'seconds':<30}{'zoo':>9}{'plain':>9}{'ratio':>9}"]
    for number, pair in enumerate(zip(*result.epochs.values(), strict=True), 1):
        zoo, plain = (epoch["seconds"] for epoch in pair)
        name = f"epoch {number}" + (" (left out below)" if number == 1 else "")
        lines.append(f"{_row(name, zoo, plain)}{zoo / plain:9.3f}")
    lines += [
        "",
        "medians of an epoch:",
        *(
            _row(f"  {name}", result.median("zoo", key), result.median("plain", key))
            for key, name in MEDIANS.items()
        ),
        "",
        _row("end to end, zoo's first run", ends["zoo, first run"], ends["plain"]),
        _row("end to end, zoo's later runs", ends["zoo, later runs"], ends["plain"]),
        f"{'peak memory, MB':<30}"
        + "".join(f"{result.whole[side]['peak_bytes'] / 1e6:9.0f}" for side in SIDES),
        "",
        f"zoo/plain, median of {len(result.epochs['zoo']) - 1} pairs, from the second epoch on:",
        _ratio("seconds", result.ratios("seconds")),
        _ratio("processor seconds", result.ratios("processor")),
        f"zoo's cache of decoded images: {result.whole['zoo']['cache_first']:.1f} s to make, "
        f"{result.whole['zoo']['cache_second']:.2f} s to find again",
        "",
        "parts of zoo's epoch, each by itself, seconds an epoch:",
        *(f"  {name:<28}{seconds:9.2f}" for name, seconds in result.parts.items()),
    ]
    return "\n".join(lines)


def _row(name: str, zoo: float, plain: float) -> str:
    return f"{name:<30}{zoo:9.2f}{plain:9.2f}"


def _ratio(name: str, ratio: dict[str, float]) -> str:
    return f"  {name:<28}{ratio['median']:9.3f} ({ratio['min']:.3f} to {ratio['max']:.3f})"


def as_json(result: Measurements, args: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    from zoo import backend

    return {
        "date": date.today().isoformat(),
        "versions": backend.versions(),
        "recipe": args.recipe,
        "sets": args.set,
        "peer": args.peer,
        "parameters": result.parameters,
        "epochs": result.epochs,
        "ratios": {key: result.ratios(key) for key in ("seconds", "processor")},
        "end_to_end": result.end_to_end(),
        "whole": result.whole,
        "parts": result.parts,
    }


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", type=Path, help="folder with train/CLASS/*.jpg")
    parser.add_argument("--recipe", default="cifar10-quick")
    parser.add_argument("--epochs", type=int, default=4, help="at least 2")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--peer", choices=("default", "tuned"), default="default")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.epochs < 2:
        parser.error("--epochs: the first epoch is left out; expected at least 2")
    sys.path.insert(0, str(HERE.parent))
    result = measure(args)
    print(table(result))
    if args.json:
        args.json.write_text(json.dumps(as_json(result, args), indent=1) + "\n")


if __name__ == "__main__":
    main()
