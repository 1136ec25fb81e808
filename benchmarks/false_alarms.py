"""What `zoo check` says of the recipes that ship, which are healthy: FAIL must not occur.

    python benchmarks/false_alarms.py --cifar10 PATH [--seeds 5] [--first 0] [--quick] [RECIPE...]
    python benchmarks/false_alarms.py --cifar10 PATH --missing      those not kept for this device
    python benchmarks/false_alarms.py --kept                        what is kept, as a table

CIFAR-10 is a folder of images (train/CLASS, test/CLASS); scikit-learn's digits, enlarged, stand in
for MNIST and Fashion-MNIST. Prints a line a recipe and seed, then the rate of each verdict. Whole
checks are kept in benchmarks/results/false_alarms.jsonl, with a digest of the code that judged and
of the recipe: a row of other code or of another recipe does not count. What is judged depends on
how fast steps are, so a row says on what it was made, too.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import recipe as recipes  # noqa: E402
from zoo.catalogue import seedless_digest  # noqa: E402

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
KEPT = ROOT / "benchmarks" / "results" / "false_alarms.jsonl"
# What verdicts hang on, as far as its own changes are likely to move them.
JUDGES = (
    "zoo/check/judge/*.py",
    "zoo/check/measure/*.py",
    "zoo/optimize/*.py",
    "zoo/recipe/without_regularization.py",
    "zoo/train/batch_norm_statistics.py",
    "zoo/train/class_weights.py",
    *(f"zoo/{name}.py" for name in ("batches", "check", "layers", "losses", "model", "probe")),
)
# (earlier code, later code): why the change between cannot move a verdict on a recipe that ships.
ALIKE = {
    ("640b9ce9022a", "466aacfb096b"): "AdamW without decay gets 0.0, which Keras takes, for None, "
    "which it refuses: no recipe that ships has AdamW. Relu.judged is parted, and untouched may be "
    "asked for more variables; both do the same for the checks.",
}
Row = dict[str, Any]


def source(name: str, cifar10: str | None) -> str | None:
    """The change of data.source that this machine can do; None: it has no such images."""
    chosen = recipes.load(name).data.source
    if chosen.word == "digits" or chosen.options.name in ("mnist", "fashion_mnist"):
        return "digits"
    return f"{{folder: {cifar10}}}" if cifar10 else None


@cache
def code() -> str:
    """A digest of what measures and judges; comments, docstrings and layout left out."""
    found = hashlib.sha256()
    for path in sorted(path for pattern in JUDGES for path in ROOT.glob(pattern)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                node.body[0] = ast.Pass()
        found.update(repr(bare(tree)).encode())
    return found.hexdigest()[:12]


def bare(node: Any) -> Any:
    """A syntax tree without its empty fields, of which each version of Python has others."""
    if isinstance(node, list):
        return [bare(one) for one in node]
    if not isinstance(node, ast.AST):
        return node
    fields = [(key, bare(value)) for key, value in ast.iter_fields(node) if value not in (None, [])]
    return type(node).__name__, fields


def alike() -> set[str]:
    """Digests of code whose rows count: today's, and what is known to judge as it does."""
    found = {code()}
    while more := {old for old, new in ALIKE if new in found} - found:
        found |= more
    return found


def where(row: Row) -> str:
    """What a row was made on: the kind of the device, and the backend."""
    return f"{row['device'].partition(':')[0]}, {row['backend']}"


def kept() -> list[Row]:
    """The rows that count."""
    found = []
    for line in KEPT.read_text(encoding="utf-8").splitlines() if KEPT.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # Cut off as it was written.
        own = recipes.shipped().get(row["recipe"])
        if own and row["code"] in alike() and row["recipe_hash"] == seedless_digest(own):
            found.append(row)
    return found


def here() -> Row:
    """What this process makes rows on."""
    from zoo import backend

    return {"device": backend.device(), "backend": os.environ["KERAS_BACKEND"]}


def keep(identity: Row, report: Any, seconds: float) -> None:
    """Appends a row."""
    row = {
        **identity,
        "verdict": report.verdict.value,
        "not_passed": {f.id: f.verdict.value for f in report.findings if f.verdict != "PASS"},
        "passed": sum(f.verdict == "PASS" for f in report.findings),
        "seconds": round(seconds),
        "cores": len(os.sched_getaffinity(0)),
        **here(),
        "date": date.today().isoformat(),
    }
    KEPT.parent.mkdir(exist_ok=True)
    with KEPT.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def table(names: Sequence[str]) -> None:
    """What is kept, for each kind of device: a line a recipe, then the rates of the verdicts."""
    found = [row for row in kept() if row["recipe"] in names]
    for place in sorted({where(row) for row in found}):
        rows = [row for row in found if where(row) == place]
        devices = Counter(f"{row['device']} ({row['cores']} used)" for row in rows)
        print(f"{place}: " + "; ".join(f"{count} on {name}" for name, count in devices.items()))
        for name in names:
            mine = [row for row in rows if row["recipe"] == name]
            told = Counter(" ".join(item) for row in mine for item in row["not_passed"].items())
            words = ", ".join(f"{word} {count}x" for word, count in sorted(told.items())) or "PASS"
            seeds = len({row["seed"] for row in mine})
            print(f"  {name:22} {seeds} seeds: {words}" if mine else f"  {name:22} not run")
        counts = Counter(word for row in rows for word in row["not_passed"].values())
        counts["PASS"] = sum(row["passed"] for row in rows)
        rates(counts, "  checks: ")
        rates(Counter(row["verdict"] for row in rows), "  runs: ")


def rates(counts: Counter[str], of: str = "") -> None:
    """Prints the share of each verdict."""
    total = max(sum(counts.values()), 1)
    print(of + ", ".join(f"{word} {count} ({count / total:.1%})" for word, count in counts.items()))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--cifar10", metavar="PATH")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--quick", action="store_true", help="the checks that do not train")
    parser.add_argument("--missing", action="store_true", help="those that are not kept yet")
    parser.add_argument("--kept", action="store_true", help="run nothing: what is kept")
    words = parser.parse_args()
    if words.kept:
        table(words.recipes or list(recipes.shipped()))
        return
    code()  # Of what runs, not of what is written meanwhile.
    from zoo import backend

    backend.prepare()
    from zoo.check.measure import Subject
    from zoo.check.run import check
    from zoo.data.load import load as load_data

    counts: Counter[str] = Counter()
    done = {(row["recipe"], row["seed"]) for row in kept() if where(row) == where(here())}
    for name in words.recipes or recipes.shipped():
        images = source(name, words.cifar10)
        if images is None:
            print(f"{name}: no images here", flush=True)
            continue
        for seed in range(words.first, words.first + words.seeds):
            if words.missing and (name, seed) in done:
                continue
            known = seedless_digest(recipes.shipped()[name])
            identity = {"recipe": name, "seed": seed, "recipe_hash": known, "code": code()}
            loaded = recipes.load(name, [f"data.source={images}", f"seed={seed}"])
            start = time.perf_counter()
            report = check(Subject(loaded, load_data(loaded)), quick=words.quick)
            counts.update(finding.verdict.value for finding in report.findings)
            bad = [f for f in report.findings if f.verdict.value in ("WARN", "FAIL")]
            told = "; ".join(f"{f.id} {f.verdict.value} {f.value} {f.advice}" for f in bad)
            seconds = time.perf_counter() - start
            took = sorted(report.seconds.items(), key=lambda item: -item[1])[:5]
            slowest = ", ".join(f"{key} {value:.0f}" for key, value in took)
            verdict = report.verdict.value
            print(f"{name} {seed} {verdict} {seconds:.0f} s ({slowest}) {told}", flush=True)
            if not words.quick:
                keep(identity, report, seconds)
    rates(counts)


if __name__ == "__main__":
    main()
