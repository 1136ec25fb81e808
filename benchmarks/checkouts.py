"""Runs the command line of a checkout of zoo, for same_bits.py and paired_times.py."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

SEARCHED = "digits-tiny"
RATE = "train.optimizer.Adam.learning_rate"


def search_overrides(trials: int) -> list[str]:
    """Overrides that give digits-tiny a small search of `trials` trials in two stages.

    Learning rate and filters are searched. Nothing is confirmed and no stage is repeated, so that
    the number of trials is exact.
    """
    fine = trials * 3 // 8
    tune = {
        "space": {
            RATE: {"min_value": 1e-5, "max_value": 1.0, "sampling": "log"},
            "model.stack[0].conv.filters": {"values": [8, 16]},
        },
        "stages": [
            {"name": "coarse", "trials": trials - fine, "epochs": 2},
            {"name": "fine", "trials": fine, "epochs": 3},
        ],
        "confirm": "none",
        "extend": 0,
    }
    return ["train.schedule=cosine", f"tune={json.dumps(tune)}"]


def source_overrides(images: Path) -> list[str]:
    """Overrides that read CIFAR-10 from a folder with train/CLASS/*.jpg and test/CLASS/*.jpg."""
    return [f"data.source={json.dumps({'folder': str(images.resolve())})}"]


@dataclass(frozen=True)
class Checkout:
    """One of the two checkouts that are compared.

    Attributes:
        side: "old" or "new".
        root: the checkout, with the packages zoo and tuning in it.
        scratch: an existing folder for its runs and its cache of decoded images.
    """

    side: str
    root: Path
    scratch: Path

    def zoo(self, *arguments: str) -> tuple[str, float]:
        """Runs `zoo ARGUMENTS` in a process of its own.

        Returns:
            What it wrote to stdout, and its wall-clock seconds.

        Raises:
            SystemExit: it failed.
        """
        began = time.perf_counter()
        # Exit code 4 of `zoo check`, a finding that fails, is a result.
        process = subprocess.run(
            [sys.executable, "-m", "zoo", *arguments],
            cwd=self.root,
            env={
                **os.environ,
                "PYTHONPATH": str(self.root),
                "ZOO_CACHE": str(self.scratch / "cache"),
                "TF_CPP_MIN_LOG_LEVEL": "3",
            },
            capture_output=True,
            text=True,
        )
        seconds = time.perf_counter() - began
        if process.returncode and not (arguments[0] == "check" and process.stdout):
            raise SystemExit(
                f"{self.side}: zoo {' '.join(arguments)}: exit code {process.returncode}\n"
                f"{process.stderr[-2000:]}"
            )
        return process.stdout, seconds

    def run(self, verb: str, recipe: str, overrides: list[str], *flags: str) -> tuple[Path, float]:
        """Runs `zoo train` or `zoo tune` on a shipped recipe.

        Returns:
            The run folder or search folder that it made, and its wall-clock seconds.
        """
        sets = [word for text in overrides for word in ("--set", text)]
        text, seconds = self.zoo(verb, recipe, *sets, *self._out, "-q", "--json", *flags)
        return Path(json.loads(text)["folder" if verb == "tune" else "run"]), seconds

    def check(self, recipe: str) -> tuple[dict[str, Any], float]:
        """Runs `zoo check`; its JSON document, and its wall-clock seconds."""
        text, seconds = self.zoo("check", recipe, *self._out, "--json")
        document: dict[str, Any] = json.loads(text)
        return document, seconds

    @property
    def _out(self) -> tuple[str, str]:
        return "--out", str(self.scratch / "runs")


def read_rows(file: Path) -> list[dict[str, Any]]:
    """The JSON objects of a .jsonl file, one per line."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@contextmanager
def pair(options: argparse.Namespace) -> Iterator[tuple[Checkout, Checkout]]:
    """The old and the new checkout, with scratch folders that are removed at the end.

    Args:
        options: `old` and `new`, the roots; `keep`, a folder to use as scratch and to keep, or
            None.
    """
    with TemporaryDirectory(prefix="zoo-checkouts-") as temporary:
        sides = []
        for side in ("old", "new"):
            root = getattr(options, side).resolve()
            if not (root / "zoo" / "__main__.py").is_file():
                raise SystemExit(f"{root}: not a checkout of zoo: it has no zoo/__main__.py.")
            scratch = (options.keep or Path(temporary)).resolve() / side
            scratch.mkdir(parents=True, exist_ok=True)
            sides.append(Checkout(side, root, scratch))
        yield sides[0], sides[1]


def parser(description: str) -> argparse.ArgumentParser:
    """An argument parser with the arguments that both scripts share."""
    arguments = argparse.ArgumentParser(description=description)
    arguments.add_argument("old", type=Path, metavar="OLD_CHECKOUT")
    arguments.add_argument("new", type=Path, metavar="NEW_CHECKOUT")
    arguments.add_argument(
        "--cifar10", type=Path, metavar="PATH", help="folder with train/CLASS/*.jpg and test/"
    )
    arguments.add_argument("--keep", type=Path, metavar="FOLDER", help="keep the runs there")
    return arguments
