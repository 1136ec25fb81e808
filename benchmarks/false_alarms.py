"""Verdicts of `zoo check` on the shipped recipes, which are healthy: FAIL must not occur.

    python benchmarks/false_alarms.py --cifar10 PATH [--seeds 5] [--first 0] [--quick] [RECIPE...]
    python benchmarks/false_alarms.py --cifar10 PATH --missing      only runs not stored yet
    python benchmarks/false_alarms.py --kept                        a table of the stored runs

CIFAR-10 is a folder of images (train/CLASS, test/CLASS); scikit-learn's digits, enlarged, replace
MNIST and Fashion-MNIST. Prints one line per recipe and seed, then the share of each verdict. Whole
checks are stored in benchmarks/results/false_alarms.jsonl with digests of the judging code and of
the recipe: rows of other code or of another recipe do not count. Verdicts depend on how fast steps
are, so each row also names its device.
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
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import recipe as recipes  # noqa: E402
from zoo.catalogue import seedless_digest  # noqa: E402

if TYPE_CHECKING:
    from zoo.checks.run import CheckReport

DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
RESULTS = ROOT / "benchmarks" / "results" / "false_alarms.jsonl"
# Code that is likely to move a verdict when it changes.
JUDGES = (
    "zoo/checks/judge/*.py",
    "zoo/checks/measure/*.py",
    "zoo/checks/run.py",
    "zoo/optimize/*.py",
    "zoo/recipe/without_regularization.py",
    "zoo/training/batch_norm_statistics.py",
    "zoo/class_weights.py",
    "zoo/training/update_ratio.py",
    "zoo/batches.py",
    "zoo/losses.py",
    *(
        f"zoo/model/{name}.py"
        for name in ("builder", "fast_layers", "introspect", "layer_makers", "layers")
    ),
)
# (earlier code, later code): why the change between cannot move a verdict on a recipe that ships.
ALIKE = {
    ("640b9ce9022a", "466aacfb096b"): "AdamW without decay gets 0.0, which Keras takes, for None, "
    "which it refuses: no recipe that ships has AdamW. Relu.judged is parted, and untouched may be "
    "asked for more variables; both do the same for the checks.",
    ("466aacfb096b", "4281c9deeb30"): "Modules moved and were renamed, constants got names, short "
    "trainings are watched by observers. The judges gave equal verdicts, values and thresholds for "
    "132,000 random inputs, and `zoo check digits-tiny --json` is equal but for sentences. "
    "Batch norm, max pooling and cross-entropy of plain labels compute the same by other "
    "operations (tests/model/test_fast_layers.py, tests/test_losses.py): numbers differ by "
    "rounding, as between two processors. `zoo check digits-tiny` gives equal verdicts. On JAX, "
    "a max pool of windows that do not overlap has its own gradient, equal to the bit.",
    (
        "4281c9deeb30",
        "d20b545c0072",
    ): "Findings hold remedies. Accuracies are weighted where classes "
    "are, and no recipe that ships weighs classes. C03 also looks at the smallest class, and those "
    "of the data sets are nearly of one size. C14 looks at what momentum adds later, which is "
    "within two rates of its scan up to 0.95, the highest that ships. C26 is new, and passes up to "
    "0.99. The judges gave equal verdicts and values for 11,000 changes of healthy numbers, but "
    "for C03 on uneven classes. The optimizer MuonSGD, and weight decay and a linear fall by path, "
    "are new: no recipe that was judged has them. The mean class weight has one function, not "
    "two, of the same expression, and the advice of a finding another name. Schedules "
    "are new; those that ship give the same rates. A pass over the images is what an epoch was. "
    "Penalties may be l1, and images normalised by their own statistics; the loss may be focal. "
    "What makes layers moved to a module of its own. What follows a kernel is read from the "
    "layers' inputs; for each recipe that ships the answers are those of the order in a list."
    " Frozen layers, and variables that an optimizer trains from an epoch on, are in no recipe "
    "that ships. Branches, squeeze-and-excitation and stochastic depth are new."
    " Trained weights to start from silence checks of the start: no recipe that ships has them."
    " A backbone of keras.applications is in no recipe that ships."
    " Labels may be sets of classes, and the loss sigmoid; with one class an image the "
    "entropies, shares and losses are those of the same formulas, parted into functions."
    " Images are read through a store, the same ones in the same order. C27 compares a recipe with "
    "the one that it comes from; here there is none, and it is silent. With one device and one "
    "process batches are made whole, as before; cosine restarts also take a tensor of steps. "
    "Packages have other names; class weights stand in a module of their own. "
    "Remedies say which key they set; two sentences of C01 and two of C14 read "
    "otherwise; the advice of C14 precedes that of others. Verdicts and values are made as before. "
    "Layers, losses and the like may be a user's own: no recipe that ships has any. C16 fails no "
    "network whose accuracy is so uncertain that it may be 0.2 above guessing: of the smallest "
    "data set's 180 images, two standard errors are 0.075, and what guessing stays below is 0.067 "
    "above it. What a user's own parts return, and a loss of theirs without a gradient, "
    "is told. Datasets of TensorFlow hold their batches weakly, and give the same ones.",
}
Row = dict[str, Any]


def source_override(name: str, cifar10: str | None) -> str | None:
    """Return the `data.source` to check a recipe on here; None if its images are missing."""
    source = recipes.load(name).data.source
    if source.word == "digits" or source.options.name in ("mnist", "fashion_mnist"):
        return "digits"
    return f"{{folder: {cifar10}}}" if cifar10 and source.options.name == "cifar10" else None


@cache
def code() -> str:
    """Return a digest of the code that measures and judges, without comments and docstrings."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in JUDGES for path in ROOT.glob(pattern)):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None:
                node.body[0] = ast.Pass()
        digest.update(repr(without_empty_fields(tree)).encode())
    return digest.hexdigest()[:12]


def without_empty_fields(node: Any) -> Any:
    """Return a syntax tree as tuples without empty fields, which differ by version of Python."""
    if isinstance(node, list):
        return [without_empty_fields(entry) for entry in node]
    if not isinstance(node, ast.AST):
        return node
    fields = [
        (key, without_empty_fields(value))
        for key, value in ast.iter_fields(node)
        if value not in (None, [])
    ]
    return type(node).__name__, fields


def equivalent_codes() -> set[str]:
    """Return the digests whose rows count: today's code, and code known to judge alike."""
    codes = {code()}
    while older := {old for old, new in ALIKE if new in codes} - codes:
        codes |= older
    return codes


def platform_of(row: Row) -> str:
    """Return the kind of device and the backend of a row."""
    return f"{row['device'].partition(':')[0]}, {row['backend']}"


def stored_rows() -> list[Row]:
    """Return the stored rows that count."""
    rows = []
    for line in RESULTS.read_text(encoding="utf-8").splitlines() if RESULTS.exists() else ():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue  # Cut off while it was written.
        recipe = recipes.shipped().get(row["recipe"])
        if (
            recipe
            and row["code"] in equivalent_codes()
            and row["recipe_hash"] == seedless_digest(recipe)
        ):
            rows.append(row)
    return rows


def this_device() -> Row:
    """Return the columns of a row that name this device and backend."""
    from zoo import backend

    return {"device": backend.device(), "backend": os.environ["KERAS_BACKEND"]}


def store(identity: Row, report: CheckReport, seconds: float) -> None:
    """Append a row to the results."""
    row = {
        **identity,
        "verdict": report.verdict.value,
        "not_passed": {f.id: f.verdict.value for f in report.findings if f.verdict != "PASS"},
        "passed": sum(f.verdict == "PASS" for f in report.findings),
        "seconds": round(seconds),
        "cores": len(os.sched_getaffinity(0)),
        **this_device(),
        "date": date.today().isoformat(),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def print_table(names: Sequence[str]) -> None:
    """Print, for each kind of device, one line per recipe and the share of each verdict."""
    stored = [row for row in stored_rows() if row["recipe"] in names]
    for platform in sorted({platform_of(row) for row in stored}):
        rows = [row for row in stored if platform_of(row) == platform]
        devices = Counter(f"{row['device']} ({row['cores']} used)" for row in rows)
        print(f"{platform}: " + "; ".join(f"{n} on {device}" for device, n in devices.items()))
        for name in names:
            of_recipe = [row for row in rows if row["recipe"] == name]
            bad = Counter(" ".join(item) for row in of_recipe for item in row["not_passed"].items())
            verdicts = ", ".join(f"{word} {n}x" for word, n in sorted(bad.items())) or "PASS"
            seeds = len({row["seed"] for row in of_recipe})
            print(f"  {name:22} {seeds} seeds: {verdicts}" if seeds else f"  {name:22} not run")
        counts = Counter(word for row in rows for word in row["not_passed"].values())
        counts["PASS"] = sum(row["passed"] for row in rows)
        print_shares(counts, "  checks: ")
        print_shares(Counter(row["verdict"] for row in rows), "  runs: ")


def print_shares(counts: Counter[str], prefix: str = "") -> None:
    """Print the share of each verdict."""
    total = max(sum(counts.values()), 1)
    shares = (f"{word} {count} ({count / total:.1%})" for word, count in counts.items())
    print(prefix + ", ".join(shares))


def check_recipe(name: str, seed: int, images: str, quick: bool) -> CheckReport:
    """Check a recipe, print a line, and store a row if the check is whole."""
    from zoo.checks.measure import Subject
    from zoo.checks.run import check
    from zoo.datasets.load import load as load_data

    digest = seedless_digest(recipes.shipped()[name])
    identity = {"recipe": name, "seed": seed, "recipe_hash": digest, "code": code()}
    recipe = recipes.load(name, [f"data.source={images}", f"seed={seed}"])
    start = time.perf_counter()
    report = check(Subject(recipe, load_data(recipe)), quick=quick)
    seconds = time.perf_counter() - start
    bad = [f for f in report.findings if f.verdict.value in ("WARN", "FAIL")]
    details = "; ".join(f"{f.id} {f.verdict.value} {f.value} {f.advice}" for f in bad)
    slowest = sorted(report.seconds.items(), key=lambda item: -item[1])[:5]
    times = ", ".join(f"{key} {value:.0f}" for key, value in slowest)
    print(f"{name} {seed} {report.verdict.value} {seconds:.0f} s ({times}) {details}", flush=True)
    if not quick:
        store(identity, report, seconds)
    return report


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--cifar10", metavar="PATH")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--quick", action="store_true", help="only checks that do not train")
    parser.add_argument("--missing", action="store_true", help="only runs not stored yet")
    parser.add_argument("--kept", action="store_true", help="print the stored runs, run nothing")
    options = parser.parse_args()
    if options.kept:
        print_table(options.recipes or list(recipes.shipped()))
        return
    code()  # Digest the code that runs, before anyone edits it.
    from zoo import backend

    backend.prepare()
    counts: Counter[str] = Counter()
    platform = platform_of(this_device())
    done = {(row["recipe"], row["seed"]) for row in stored_rows() if platform_of(row) == platform}
    for name in options.recipes or recipes.shipped():
        images = source_override(name, options.cifar10)
        if images is None:
            print(f"{name}: no images here", flush=True)
            continue
        for seed in range(options.first, options.first + options.seeds):
            if options.missing and (name, seed) in done:
                continue
            report = check_recipe(name, seed, images, options.quick)
            counts.update(finding.verdict.value for finding in report.findings)
    print_shares(counts)


if __name__ == "__main__":
    main()
