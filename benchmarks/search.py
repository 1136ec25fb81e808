"""Compare `zoo tune` with KerasTuner and Optuna: same space, data, network, budget, machine.

    python benchmarks/search.py [--trials 32] [--epochs 5]                      on digits-tiny
    python benchmarks/search.py --data PATH --images 4000 [--epochs 2]          on cifar10-quick

PATH is a folder with train/CLASS/*.jpg and test/CLASS/*.jpg. Each side is a process of its own.
They run one after the other, in an order that reverses from seed to seed. The target of a seed is
the best validation accuracy of KerasTuner's RandomSearch at the end of its budget. Nothing is
asserted: see docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

from search_results import BASE, Search, table, text

HERE = Path(__file__).resolve().parent
IMPORTS = {BASE: "keras_tuner", "kt-hyperband": "keras_tuner", "optuna": "optuna"}
SIDES = ("zoo", *IMPORTS)
SPACE = {"learning_rate": (1e-6, 1e1), "weight_decay": (1e-6, 1e-1)}  # Both drawn in log space.


def measure(args: argparse.Namespace, overrides: list[str], scratch: Path) -> list[Search]:
    """Run all sides with all seeds."""
    results = []
    for seed in range(args.seeds):
        job = {
            "recipe": args.recipe,
            "sets": [*overrides, f"seed={seed}"],
            "space": SPACE,
            "trials": args.trials,
            "seed": seed,
        }
        pace = _pace(job, args.sides, _make(scratch / f"{seed}-pace"))
        searches = []
        for side in args.sides if seed % 2 == 0 else args.sides[::-1]:
            searches.append(_search(side, job, pace, _make(scratch / f"{seed}-{side}")))
            last = searches[-1]
            line = f"seed {seed}  {side:<13}{len(last.trials):4} trials  {last.seconds:.1f} s"
            line = f"{line}  best {text('best', last.best)}  {last.note}".rstrip()
            print(line, file=sys.stderr, flush=True)
        target = next((search.best for search in searches if search.side == BASE), None)
        for search in searches:
            search.target = target
        results += sorted(searches, key=lambda search: args.sides.index(search.side))
    return results


def _make(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _pace(job: dict[str, Any], sides: list[str], folder: Path) -> dict[str, float]:
    imports = sorted({IMPORTS[side] for side in sides if side in IMPORTS})
    config = {**job, "side": "pace", "folder": str(folder), "imports": imports}
    command = [sys.executable, str(HERE / "peers.py"), json.dumps(config)]
    done = subprocess.run(command, env=_environment(folder.parent), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"the pace of a step: exit code {done.returncode}\n{done.stderr[-2000:]}")
    pace: dict[str, float] = json.loads((folder / "pace.json").read_text())
    return pace


def _environment(scratch: Path) -> dict[str, str]:
    paths = [str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "PYTHONWARNINGS": "ignore",
        "ZOO_CACHE": str(scratch / "cache"),
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


def _search(side: str, job: dict[str, Any], pace: dict[str, float], folder: Path) -> Search:
    """Run one side, sample its memory, and read its trials."""
    if side == "zoo":
        command = zoo_command(job, folder)
    else:
        config = {**job, "side": side, "folder": str(folder)}
        command = [sys.executable, str(HERE / "peers.py"), json.dumps(config)]
    memory: list[tuple[float, int]] = []
    outputs = [folder / "stdout", folder / "stderr"]
    with outputs[0].open("w") as stdout, outputs[1].open("w") as stderr:
        started = time.time()
        process = subprocess.Popen(
            command, stdout=stdout, stderr=stderr, env=_environment(folder.parent)
        )
        try:
            while process.poll() is None:
                if size := tree_bytes(process.pid):  # A process that is ending has none.
                    memory.append((time.time() - started, size))
                try:
                    process.wait(timeout=1.0)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            process.terminate()
            process.wait()
    seconds = time.time() - started
    note = f"exit code {process.returncode}" if process.returncode else ""
    if note:
        print(f"{side}: {note}\n{outputs[1].read_text()[-2000:]}", file=sys.stderr)
    trials = rows(rows_file(side, folder), started)
    limit = pace["diverged_above"]
    diverged = [row["trial"] for row in trials if _diverged(row, side, limit)]
    return Search(
        side, job["seed"], seconds, trials, memory, pace["step_seconds"], note, diverged=diverged
    )


def zoo_command(job: dict[str, Any], folder: Path) -> list[str]:
    """Write the recipe with its `tune:` block; return the command to search it."""
    from zoo import recipe

    loaded = recipe.load(job["recipe"], job["sets"])
    tune = {
        "objective": "val_accuracy",
        "space": {
            f"train.optimizer.Adam.{name}": {
                "min_value": low,
                "max_value": high,
                "sampling": "log",
            }
            for name, (low, high) in job["space"].items()
        },
        "stages": [
            {
                "name": "coarse",
                "trials": job["trials"],
                "epochs": loaded.train.epochs,
                "prune": "median",  # The default of a first stage of several.
            }
        ],
        "confirm": "none",
        "extend": 0,
    }
    loaded = recipe.load(job["recipe"], [*job["sets"], f"tune={json.dumps(tune)}"])
    file = folder / "tuned.yaml"
    file.write_text(recipe.dump(loaded))
    out = str(folder / "out")
    return [sys.executable, "-m", "zoo", "tune", str(file), "--out", out, "--json", "-q"]


def rows_file(side: str, folder: Path) -> Path | None:
    """Return the file of a side's rows; None if it wrote none."""
    if side != "zoo":
        files = [folder / "trials.jsonl"]
    else:
        try:
            answer = json.loads((folder / "stdout").read_text())
            files = [Path(answer["folder"]) / "trials.jsonl"]
        except (json.JSONDecodeError, KeyError, TypeError):
            files = sorted((folder / "out").rglob("trials.jsonl"))  # It ended early.
    return files[0] if files and files[0].is_file() else None


def rows(file: Path | None, started: float) -> list[dict[str, Any]]:
    """Read the finished trials by time of their end, with times in seconds since `started`."""
    trials = []
    for line in file.read_text(encoding="utf-8").splitlines() if file else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # The last line of a killed process.
        if "trial" not in row or row.get("ended") is None:
            continue
        score = row.get("score")
        row["score"] = score if score is not None and math.isfinite(score) else None
        row["started"] -= started
        row["ended"] -= started
        trials.append(row)
    return sorted(trials, key=lambda row: row["ended"])


def _diverged(row: dict[str, Any], side: str, limit: float) -> bool:
    """Whether a trial diverged: zoo's by its status, a peer's by the mean losses of its epochs."""
    if side == "zoo":
        return bool(row["status"] == "diverged")
    return any(loss is None or loss > limit for loss in row["losses"])


def tree_bytes(root: int) -> int:
    """Return the resident memory of a process and its children; shared pages count for each."""
    children: dict[int, list[int]] = {}
    sizes: dict[int, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            text = (folder / "status").read_text()
        except OSError:
            continue  # It has just ended.
        lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        children.setdefault(int(lines["PPid"]), []).append(int(folder.name))
        sizes[int(folder.name)] = int(lines.get("VmRSS", "0").split()[0]) * 1024

    def tree(number: int) -> Iterator[int]:
        yield sizes.get(number, 0)
        for child in children.get(number, ()):
            yield from tree(child)

    return sum(tree(root))


def links(source: Path, images: int, folder: Path) -> Path:
    """Link some images into a folder: the same share of each class and split."""
    classes = sorted(path.name for path in (source / "train").iterdir() if path.is_dir())
    share = images / sum(len(list((source / "train" / name).iterdir())) for name in classes)
    for split in (path for path in source.iterdir() if path.is_dir()):
        for name in classes:
            files = sorted((split / name).iterdir())
            chosen = random.Random(0).sample(files, min(round(len(files) * share), len(files)))
            (folder / split.name / name).mkdir(parents=True)
            for file in chosen:
                (folder / split.name / name / file.name).symlink_to(file.resolve())
    return folder


def as_json(
    results: list[Search], args: argparse.Namespace, overrides: list[str]
) -> dict[str, Any]:
    """Return all figures."""
    from zoo import backend

    backend.prepare()
    by_seed = {s.seed: s.to_target for s in results if s.side == BASE}
    return {
        "date": date.today().isoformat(),
        "versions": {**backend.versions(), **_peer_versions()},
        "device": backend.device(),
        "recipe": args.recipe,
        "sets": overrides,
        "space": SPACE,
        "trials": args.trials,
        "epochs": args.epochs,
        "images": args.images,
        "searches": [
            {**asdict(search), "curve": search.curve, **search.figures(by_seed.get(search.seed))}
            for search in results
        ],
    }


def _peer_versions() -> dict[str, str]:
    versions = {}
    for package in ("keras-tuner", "optuna"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="digits", help="digits, or a folder of images")
    parser.add_argument("--images", type=int, help="use only so many of the training images")
    parser.add_argument("--trials", type=int, default=32)
    parser.add_argument("--epochs", type=int, help="of a trial; 5 on digits, else 2")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES))
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    digits = args.data == "digits"
    if digits and args.images:
        parser.error("--images: digits are used whole; expected --data PATH with it")
    missing = {IMPORTS[side] for side in args.sides if side in IMPORTS}
    missing = {name for name in missing if importlib.util.find_spec(name) is None}
    if missing:
        parser.error(f"not installed: {', '.join(missing)}. pip install '.[bench]'")
    args.recipe = "digits-tiny" if digits else "cifar10-quick"
    args.epochs = args.epochs or (5 if digits else 2)
    sys.path.insert(0, str(HERE.parent))
    with tempfile.TemporaryDirectory(prefix="zoo-bench-") as name:
        scratch = Path(name)
        overrides = [f"train.epochs={args.epochs}"]
        if not digits:
            source = Path(args.data).resolve()
            folder = links(source, args.images, scratch / "images") if args.images else source
            overrides.append(f"data.source={json.dumps({'folder': str(folder)})}")
        results = measure(args, overrides, scratch)
    print(table(results))
    if args.json:
        args.json.write_text(json.dumps(as_json(results, args, overrides), indent=1) + "\n")


if __name__ == "__main__":
    main()
