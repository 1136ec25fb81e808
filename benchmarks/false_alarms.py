"""What `zoo check` says of the recipes that ship, which are healthy: FAIL must not occur.

    python benchmarks/false_alarms.py --cifar10 PATH [--seeds 5] [--first 0] [--quick] [RECIPE...]

CIFAR-10 is a folder of images (train/CLASS, test/CLASS); scikit-learn's digits, enlarged, stand in
for MNIST and Fashion-MNIST. Prints a line a recipe and seed, then the rate of each verdict.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import backend  # noqa: E402
from zoo import recipe as recipes  # noqa: E402


def source(name: str, cifar10: str | None) -> str | None:
    """The change of data.source that this machine can do; None: it has no such images."""
    chosen = recipes.load(name).data.source
    if chosen.word == "digits" or chosen.options.name in ("mnist", "fashion_mnist"):
        return "digits"
    return f"{{folder: {cifar10}}}" if cifar10 else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE")
    parser.add_argument("--cifar10", metavar="PATH")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--quick", action="store_true", help="the checks that do not train")
    words = parser.parse_args()
    backend.prepare()
    from zoo.check import check
    from zoo.data.load import load as load_data
    from zoo.measure import Subject

    counts: Counter[str] = Counter()
    for name in words.recipes or recipes.shipped():
        images = source(name, words.cifar10)
        if images is None:
            print(f"{name}: no images here", flush=True)
            continue
        for seed in range(words.first, words.first + words.seeds):
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
    total = sum(counts.values())
    print(", ".join(f"{word} {count} ({count / total:.1%})" for word, count in counts.items()))


if __name__ == "__main__":
    main()
