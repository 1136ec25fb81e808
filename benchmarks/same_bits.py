"""Compares two checkouts of zoo bit for bit: the same trainings, search and check by both.

    python benchmarks/same_bits.py OLD_CHECKOUT NEW_CHECKOUT [--cifar10 PATH]
    python benchmarks/same_bits.py OLD_CHECKOUT NEW_CHECKOUT --only search check

PATH is a folder with train/CLASS/*.jpg and test/CLASS/*.jpg. Both checkouts run one after the other
on this machine, each command in a process of its own: digits-tiny; cifar10-quick for three epochs
(with --cifar10); a search of 16 trials over digits-tiny; `zoo check digits-tiny`. Prints one line
for each thing compared: `equal`, or `differs` and where. Wall-clock times, process ids, dates and
folder names are left out of the comparison. Exits with 1 if anything differs.
"""

from __future__ import annotations

import io
import json
import re
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from checkouts import (
    SEARCHED,
    Checkout,
    pair,
    parser,
    read_rows,
    search_overrides,
    source_overrides,
)

PARTS = ("digits-tiny", "cifar10-quick", "search", "check")
# Keys, at any depth, of values that are another in each process.
VOLATILE = {
    "seconds", "setup_seconds", "images_per_second", "started", "ended", "host", "pid", "memory",
    "git_commit", "best_recipe", "folder", "run",
}  # fmt: skip
NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?")
MOST = 8  # Differences that are shown of one thing.

Differences = list[str]


def differences(old: Any, new: Any, path: str = "") -> Differences:
    """Where two JSON values differ, a line each; floats are compared exactly.

    A text that differs in its words is told from one that differs in its numbers alone.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        found: Differences = []
        for key in {**old, **new}:
            where = f"{path}.{key}" if path else str(key)
            if key in VOLATILE:
                continue
            if key not in new or key not in old:
                found.append(f"{where}: only in the {'old' if key in old else 'new'} one")
            else:
                found += differences(old[key], new[key], where)
        return found
    if isinstance(old, list) and isinstance(new, list):
        if len(old) != len(new):
            return [f"{path}: {len(old)} entries, then {len(new)}"]
        pairs = enumerate(zip(old, new, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{path}[{i}]")]
    if type(old) is type(new) and (old == new or old != old and new != new):
        return []
    if isinstance(old, str) and isinstance(new, str):
        same_words = NUMBER.sub("0", old) == NUMBER.sub("0", new)
        kind = "numbers in the text" if same_words else "words"
        return [f"{path}: {kind}\n      old: {old}\n      new: {new}"]
    return [f"{path}: {old!r}, then {new!r}"]


def array_differences(old: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> Differences:
    """Where two sets of named arrays differ in names, shapes, types or bits."""
    found = [
        f"{name}: only in the {'old' if name in old else 'new'} one"
        for name in sorted(old.keys() ^ new.keys())
    ]
    for name in (name for name in old if name in new):
        a, b = old[name], new[name]
        if (a.shape, a.dtype) != (b.shape, b.dtype):
            found.append(f"{name}: {a.dtype}{a.shape}, then {b.dtype}{b.shape}")
        elif a.tobytes() != b.tobytes():
            largest = np.max(np.abs(a.astype(np.float64) - b.astype(np.float64)))
            found.append(f"{name}: largest difference {largest:.3g}")
    return found


def keras_weights(file: Path) -> dict[str, np.ndarray]:
    """The arrays of a .keras file by their paths in it."""
    import h5py

    arrays: dict[str, np.ndarray] = {}

    def visit(name: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = item[()]

    with (
        zipfile.ZipFile(file) as archive,
        h5py.File(io.BytesIO(archive.read("model.weights.h5")), "r") as weights,
    ):
        weights.visititems(visit)
    return arrays


def keras_config(file: Path) -> Any:
    """The network of a .keras file: classes, names and options of its layers."""
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("config.json"))


def read_state(run: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The variables of a run's newest state file, and what its callbacks know.

    Variables are named by their number and path; Keras numbers random seeds per process, so that
    the path of a seed is left out. What callbacks know is joined to one object: another class may
    know the same.
    """
    file = max((run / "state").glob("step-*.npz"))
    with np.load(file, allow_pickle=False) as stored:
        notes = json.loads(str(stored["notes"]))
        paths = [path for path, _, _ in notes.pop("variables")]
        arrays = {
            f"v{i}" if "seed" in path else f"v{i} {path}": stored[f"v{i}"]
            for i, path in enumerate(paths)
        }
    known = notes.pop("callbacks")
    return arrays, {**notes, **{key: value for _, values in known for key, value in values.items()}}


def read_json(file: Path) -> Any:
    """The value that a JSON file holds; None if there is no such file."""
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else None


def read_lines(file: Path) -> list[str]:
    """The lines of a text file."""
    return file.read_text(encoding="utf-8").splitlines()


def compare_trainings(
    sides: tuple[Checkout, Checkout], recipe: str, overrides: list[str]
) -> Iterator[tuple[str, Differences]]:
    """Trains a recipe with both checkouts; yields what was compared and where it differs."""
    old, new = (side.run("train", recipe, overrides, "--no-export")[0] for side in sides)
    models = old / "best.keras", new / "best.keras"
    yield "best.keras, weights", array_differences(*map(keras_weights, models))
    yield "best.keras, network", differences(*map(keras_config, models))
    (old_variables, old_notes), (new_variables, new_notes) = read_state(old), read_state(new)
    yield "state, variables", array_differences(old_variables, new_variables)
    yield "state, callbacks", differences(old_notes, new_notes)
    yield "metrics.jsonl", differences(*(read_rows(run / "metrics.jsonl") for run in (old, new)))
    for name in ("evaluation.json", "checks.json", "run.json"):
        yield name, differences(read_json(old / name), read_json(new / name))
    yield "recipe.yaml", differences(*(read_lines(run / "recipe.yaml") for run in (old, new)))


def compare_searches(
    sides: tuple[Checkout, Checkout], trials: int
) -> Iterator[tuple[str, Differences]]:
    """Searches with both checkouts; yields what was compared and where it differs."""
    folders = [side.run("tune", SEARCHED, search_overrides(trials))[0] for side in sides]
    journals = [
        {row["trial"]: row for row in read_rows(folder / "trials.jsonl")} for folder in folders
    ]
    yield f"trials.jsonl, {len(journals[0])} trials", differences(journals[0], journals[1])
    yield "best.yaml", differences(*(read_lines(folder / "best.yaml") for folder in folders))
    yield "tune.json", differences(*(read_json(folder / "tune.json") for folder in folders))
    kept = [
        {file.parent.name: file for file in folder.glob("trials/*/best.keras")}
        for folder in folders
    ]
    yield "kept trials", differences(*(sorted(models) for models in kept))
    for name in sorted(kept[0].keys() & kept[1].keys()):
        old, new = (keras_weights(models[name]) for models in kept)
        yield f"{name}, weights", array_differences(old, new)


def compare_checks(sides: tuple[Checkout, Checkout]) -> Iterator[tuple[str, Differences]]:
    """Checks digits-tiny with both checkouts; sentences and numbers are compared apart."""
    documents = [side.check("digits-tiny")[0] for side in sides]
    found = differences(documents[0], documents[1])
    sentences = [line for line in found if ": words\n" in line]
    yield "check --json, numbers", [line for line in found if line not in sentences]
    yield "check --json, sentences", sentences


def main() -> None:
    """Parses the command line, compares, and prints."""
    arguments = parser(__doc__.splitlines()[0])
    arguments.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    arguments.add_argument("--trials", type=int, default=16, help="of the search; at least 3")
    arguments.add_argument("--epochs", type=int, default=3, help="of cifar10-quick")
    options = arguments.parse_args()
    differing = 0
    with pair(options) as sides:
        parts: dict[str, Iterator[tuple[str, Differences]]] = {
            "digits-tiny": compare_trainings(sides, "digits-tiny", []),
            "search": compare_searches(sides, options.trials),
            "check": compare_checks(sides),
        }
        if options.cifar10:
            overrides = [*source_overrides(options.cifar10), f"train.epochs={options.epochs}"]
            parts["cifar10-quick"] = compare_trainings(sides, "cifar10-quick", overrides)
        for part in PARTS:
            if part not in options.only:
                continue
            if part not in parts:
                print(f"{part}: left out; give --cifar10 PATH")
                continue
            for name, found in parts[part]:
                print(f"{part}: {name}: {'differs' if found else 'equal'}", flush=True)
                for line in found[:MOST]:
                    print(f"    {line}")
                if len(found) > MOST:
                    print(f"    and {len(found) - MOST} more")
                differing += bool(found)
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
