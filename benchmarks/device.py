"""Trains networks in zoo, in plain Keras and in PyTorch on one device, side by side.

    python benchmarks/device.py --cifar10 FOLDER                     all networks, all sides
    python benchmarks/device.py --nets digits-tiny --sides device host keras
    python benchmarks/device.py --cifar10 FOLDER --seeds 20 --nets airbench94
    python benchmarks/device.py --show benchmarks/results/device-SLUG.json --markdown

FOLDER holds train/CLASS/*.jpg and test/CLASS/*.jpg. The sides:

    device      `zoo.training.train`, train.loop: device
    host        `zoo.training.train`, train.loop: host
    keras       benchmarks/device_keras.py: a plain script with `keras.Model.fit`
    torch       benchmarks/torch_peer.py
    device-nondeterministic    as device, with train.deterministic: false

Each side is a process of its own, in turns network by network. Up to --jobs processes start and
compile at a time, beside each other; from the second epoch on a process works alone. Results are
written after every side. With --seeds a network is compiled once and trained so many times.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from device_tables import seeds_table, table
from torch_recipes import RECIPES

HERE = Path(__file__).resolve().parent
NETS = ("resnet20", "resnet9", "vgg16-bn", "airbench94", "cifar10-quick", "digits-tiny")
MORE_NETS = ("airbench94-muon", "airbench96")  # Not trained unless named.
SIDES = ("device", "host", "keras", "torch")
MORE_SIDES = ("device-nondeterministic",)
EPOCHS = {"digits-tiny": 30, "cifar10-quick": 5, "airbench94": 8}  # Short ones; others 4.
# Share of the training images; others 0.1, as the recipes have.
VALIDATION = {"airbench94": 0.02, "airbench94-muon": 0.02, "airbench96": 0.02}

Row = dict[str, Any]


class Bench:
    """One run of the benchmark: its child processes and its rows.

    Args:
        options: the command line.
        scratch: a folder for the run.
    """

    def __init__(self, options: argparse.Namespace, scratch: Path) -> None:
        self.options, self.scratch = options, scratch
        self.began = time.monotonic()
        self.rows: list[Row] = []
        self.facts: dict[str, Any] = {}
        self.out: Path | None = None
        self._lock = threading.Lock()
        self._children: dict[int, subprocess.Popen[str]] = {}
        self._given_up = False

    def prepare(self) -> None:
        """Decodes the images, measures the device's rate, and describes the networks."""
        nets = [self._net(net) for net in self.options.nets]
        config = {"side": "prepare", "nets": nets, "dtype": self.options.dtype}
        self.facts = self._child(sys.executable, {**config, "tests": bool(self.options.seeds)})
        if "error" in self.facts:
            raise SystemExit(f"the data cannot be prepared:\n{self.facts['error']}")
        if self.options.jobs is None:
            self.options.jobs = max(1, (os.cpu_count() or 1) // 2) if self.facts["on_gpu"] else 1
        kind = "seeds" if self.options.seeds else "device"
        name = re.sub(r"[^a-z0-9]+", "-", self.facts["device"].split(": ", 1)[1].lower())
        self.out = self.options.out or HERE / "results" / f"{kind}-{name.strip('-')}.json"
        say(
            f"{self.facts['device']}; {self.dtype}; matrix product "
            f"{self.facts['rate'] / 1e12:.2f} TFLOP/s; {self.options.jobs} jobs"
        )

    @property
    def dtype(self) -> str:
        """The recipes' dtype policy on this device, of all sides alike."""
        return self.options.dtype or ("mixed_bfloat16" if self.facts["on_gpu"] else "float32")

    def _net(self, net: str) -> dict[str, Any]:
        """What every side of a network needs to know."""
        share = VALIDATION.get(net, 0.1)
        overrides, source = [], "digits"
        if net != "digits-tiny":
            folder = {"path": str(self.options.cifar10.resolve()), "validation_split": share}
            overrides.append(f"data.source={json.dumps({'folder': folder})}")
            source = f"cifar10-{share}"
        epochs = self.options.epochs or (None if self.options.seeds else EPOCHS.get(net, 4))
        arrays = str(self.scratch / f"{source}.npz")
        return {"net": net, "overrides": overrides, "epochs": epochs, "arrays": arrays}

    def run(self) -> None:
        """Runs all sides; gives up at the limit."""
        if self.options.limit:
            seconds = max(0.0, self.options.limit - (time.monotonic() - self.began))
            timer = threading.Timer(seconds, self.give_up)
            timer.daemon = True
            timer.start()
        with ThreadPoolExecutor(self.options.jobs) as pool:
            for repeat in range(self.options.repeats):
                for number, net in enumerate(self.options.nets):
                    turn = (repeat + number) % 2
                    for side in self.options.sides[:: -1 if turn else 1]:
                        if f"{net}/{side}" not in self.options.skip:
                            pool.submit(self._side, net, side, repeat)

    def give_up(self) -> None:
        """Ends all processes; their sides have no result."""
        say(f"gives up after {self.options.limit} seconds")
        with self._lock:
            self._given_up = True
            children = list(self._children.values())
        for child in children:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)

    def _side(self, net: str, side: str, repeat: int) -> None:
        if self._given_up:
            return
        try:
            row = self._measured(net, side, repeat)
        except Exception as error:  # A thread's error would be lost.
            row = {"net": net, "side": side, "error": f"{type(error).__name__}: {error}"}
        if self._given_up and "error" in row:
            row["error"] = f"not done within {self.options.limit} seconds"
        with self._lock:
            self.rows.append(row)
            self.write()
        say(f"{time.monotonic() - self.began:6.1f} s  {_line(row)}")

    def _measured(self, net: str, side: str, repeat: int) -> Row:
        config, epochs = self._net(net), self.facts["nets"][net]["epochs"]
        row: Row = {"net": net, "side": side, "repeat": repeat, "epochs": epochs}
        config |= {"side": side, "epochs": epochs, "dtype": self.dtype, "options": []}
        config |= {"scratch": str(self.scratch), "seeds": self.options.seeds or 1}
        if side == "torch":
            if net not in RECIPES:
                return {**row, "error": "benchmarks/torch_recipes.py does not have it yet"}
            on_card = ["--compile", "default", "--graph"]
            config["options"] = self.options.torch_options.split() or (
                on_card if self.facts["on_gpu"] else ["--compile", "default"]
            )
            return row | self._with_rate(net, self._child(self.options.torch, config))
        config["overrides"] += [f"train.dtype_policy={self.dtype}", *self.options.set]
        if self.options.seeds:
            config["side"] = "seeds"
        elif side != "keras":
            config["overrides"].append(f"train.loop={side.partition('-')[0]}")
        if side == "device-nondeterministic":
            config["overrides"].append("train.deterministic=false")
        return row | self._with_rate(net, self._child(sys.executable, config))

    def _with_rate(self, net: str, result: Row) -> Row:
        """Adds the arithmetic of a side: FLOP/s, and the share of the matrix product's."""
        if "images_per_second" not in result:
            return result
        flops = result["images_per_second"] * self.facts["nets"][net]["training_flops"]
        return {**result, "flops": flops, "share_of_rate": flops / self.facts["rate"]}

    def _child(self, python: str, config: dict[str, Any]) -> Row:
        """Runs benchmarks/device_side.py; its result, or `error`, the end of what it printed."""
        config = {**config, "started": time.time()}
        environment = {
            "KERAS_BACKEND": self.options.backend,
            "TF_CPP_MIN_LOG_LEVEL": "3",
            # zoo would find what another process compiled: every side compiles for itself.
            "JAX_ENABLE_COMPILATION_CACHE": "false",
            # The processes share the card's memory.
            "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
            "TF_FORCE_GPU_ALLOW_GROWTH": "true",
            **os.environ,
            "PYTHONPATH": os.pathsep.join(
                filter(None, [str(HERE.parent), os.environ.get("PYTHONPATH")])
            ),
        }
        with self._lock:
            if self._given_up:
                return {"error": "not begun"}
            child = subprocess.Popen(
                [python, str(HERE / "device_side.py"), json.dumps(config)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=environment,
                start_new_session=True,  # Its own workers end with it.
            )
            self._children[child.pid] = child
        output, errors = child.communicate()
        with self._lock:
            del self._children[child.pid]
        lines = [line for line in output.splitlines() if line.startswith("@")]
        result: Row = json.loads(lines[-1][1:]) if lines else {}
        if child.returncode or not lines:
            result["error"] = f"exit code {child.returncode}: {errors.strip()[-1500:]}"
        return result

    def document(self) -> dict[str, Any]:
        """All that the run found."""
        order = {name: place for place, name in enumerate((*NETS, *MORE_NETS, *SIDES, *MORE_SIDES))}
        rows = sorted(self.rows, key=lambda row: (order[row["net"]], order[row["side"]]))
        return {
            "date": date.today().isoformat(),
            "command": sys.argv,
            "seconds": round(time.monotonic() - self.began, 1),
            "backend": self.options.backend,
            "dtype": self.dtype,
            "jobs": self.options.jobs,
            "seeds": self.options.seeds,
            **self.facts,
            "rows": rows,
        }

    def write(self) -> None:
        """Writes the results, whole or not at all."""
        assert self.out is not None
        self.out.parent.mkdir(parents=True, exist_ok=True)
        aside = self.out.with_suffix(".part")
        aside.write_text(json.dumps(self.document(), indent=1) + "\n", encoding="utf-8")
        aside.replace(self.out)


def say(text: str) -> None:
    """Prints a line of progress."""
    print(text, file=sys.stderr, flush=True)


def _line(row: Row) -> str:
    """One line of progress about a side."""
    name = f"{row['net']:<14} {row['side']:<8}"
    if "error" in row:
        return f"{name} {row['error'].splitlines()[-1][:150]}"
    if row.get("trainings") and "images_per_second" not in row:
        return f"{name} {len(row['trainings'])} trainings, {row['seconds']:.1f} s"
    return f"{name} {row['images_per_second']:10,.0f} images/s, {row['seconds']:.1f} s"


NETS_HELP = f"default: {', '.join(NETS)}; also {', '.join(MORE_NETS)}"


def arguments() -> argparse.Namespace:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--nets",
        nargs="+",
        choices=(*NETS, *MORE_NETS),
        default=list(NETS),
        metavar="NET",
        help=NETS_HELP,
    )
    sides = (*SIDES, *MORE_SIDES)
    parser.add_argument("--sides", nargs="+", choices=sides, metavar="SIDE", help=", ".join(sides))
    parser.add_argument("--skip", nargs="+", default=[], metavar="NET/SIDE", help="left out")
    parser.add_argument("--cifar10", type=Path, metavar="FOLDER")
    parser.add_argument("--epochs", type=int, metavar="N", help="of every network; at least 2")
    parser.add_argument("--repeats", type=int, default=1, metavar="N", help="of every side")
    parser.add_argument("--seeds", type=int, metavar="N", help="train so often; test each time")
    parser.add_argument("--dtype", choices=("float32", "mixed_bfloat16"))
    parser.add_argument("--backend", default=os.environ.get("KERAS_BACKEND", "jax"))
    parser.add_argument("--torch", default=sys.executable, metavar="PYTHON")
    parser.add_argument("--torch-options", default="", metavar="TEXT", help="of torch_peer.py")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=VALUE")
    parser.add_argument("--jobs", type=int, metavar="N")
    parser.add_argument("--limit", type=float, metavar="SECONDS")
    parser.add_argument("--out", type=Path, metavar="FILE")
    parser.add_argument("--markdown", action="store_true", help="print tables as Markdown")
    parser.add_argument("--show", type=Path, metavar="FILE", help="print results measured before")
    options = parser.parse_args()
    if options.sides is None:
        options.sides = ["device", "torch"] if options.seeds else list(SIDES)
    if options.epochs is not None and options.epochs < 2 and not options.seeds:
        parser.error("--epochs: the first epoch compiles. Expected at least 2")
    needs_images = set(options.nets) != {"digits-tiny"} and not options.show
    if needs_images and options.cifar10 is None:
        parser.error("--cifar10: expected a folder with train/CLASS/*.jpg and test/CLASS/*.jpg")
    if options.seeds and set(options.sides) - {"device", "torch"}:
        parser.error("--seeds: expected --sides device torch, or one of them")
    return options


def main() -> None:
    """Runs the benchmark, or shows results."""
    options = arguments()
    if options.show:
        document = json.loads(options.show.read_text(encoding="utf-8"))
    else:
        with tempfile.TemporaryDirectory(prefix="zoo-device-") as folder:
            bench = Bench(options, Path(folder))
            bench.prepare()
            try:
                bench.run()
            finally:
                bench.write()
            document = bench.document()
        say(f"written to {bench.out}")
    show = seeds_table if document["seeds"] else table
    print(show(document, options.markdown))


if __name__ == "__main__":
    main()
