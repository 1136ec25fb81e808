"""Measure the test accuracy of a recipe that ships, and write recipes/results/NAME.json.

    python benchmarks/measure.py digits-tiny [--seeds 5]
    python benchmarks/measure.py cifar10-quick --set "data.source={folder: PATH}" --data-is cifar10
    python benchmarks/measure.py --missing                  all recipes not measured yet
    python benchmarks/measure.py digits-tiny --header       the claim for the recipe's first lines

Each seed is trained by a `zoo train` of its own, --jobs of them at a time: a small network leaves
most of a GPU to the others if NVIDIA's multi-process service runs. Only the data source may be
overridden: otherwise the number would not be the recipe's. --data-is says which data set that
source holds. Recipes of other data sets are refused, and --missing leaves them out.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import repeat
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zoo import recipe as recipes  # noqa: E402
from zoo.catalogue import describe, read_results, seedless_digest, shipped_recipes  # noqa: E402
from zoo.errors import ZooError  # noqa: E402
from zoo.plan import plan  # noqa: E402
from zoo.recipe import Recipe  # noqa: E402
from zoo.rundir import Run, write_json  # noqa: E402


def load(name: str, overrides: Sequence[str], data_is: str | None = None) -> tuple[Recipe, str]:
    """Load a recipe, with its source overridden; also return the digest of the one that ships."""
    if name not in recipes.shipped():
        raise SystemExit(f"{name}: not shipped. Expected one of: {', '.join(recipes.shipped())}.")
    others = [text for text in overrides if not text.replace(" ", "").startswith("data.source")]
    changed = recipes.load(name, overrides)
    if others:
        raise SystemExit(
            f"--set {', '.join(others)}: the number would not be the recipe's. "
            "Expected changes of data.source alone."
        )
    own = describe(recipes.shipped()[name])["data"]
    if overrides and data_is != own:
        raise SystemExit(f"{name}: is measured on {own}. Received --data-is {data_is}.")
    return changed, seedless_digest(recipes.shipped()[name])


def train(name: str, overrides: Sequence[str], seed: int, out: Path) -> dict[str, Any]:
    """Train one seed in a fresh process; return its JSON document and run.json."""
    changes = [word for text in (*overrides, f"seed={seed}") for word in ("--set", text)]
    command = [sys.executable, "-m", "zoo", "train", name, "-q", "--json", "--no-export"]
    paths = filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))
    done = subprocess.run(
        [*command, "--out", str(out), *changes],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    if done.returncode:
        raise SystemExit(f"seed {seed}: zoo ended with exit code {done.returncode}\n{done.stdout}")
    answer = json.loads(done.stdout)
    if answer.get("accuracy") is None:
        raise SystemExit(f"{name}: its source has no test split, so there is nothing to report.")
    return {**answer, "info": Run(Path(answer["run"])).info()}


def measure(
    name: str, overrides: Sequence[str], seeds: int, jobs: int, data_is: str | None
) -> dict[str, Any]:
    """Train all seeds, `jobs` at a time; return the content of recipes/results/NAME.json."""
    recipe, digest = load(name, overrides, data_is)
    answers = []
    with (
        tempfile.TemporaryDirectory(prefix="zoo-measure-") as out,
        ThreadPoolExecutor(jobs) as pool,
    ):
        folders = [Path(out, str(seed)) for seed in range(seeds)]
        answered = pool.map(train, repeat(name), repeat(overrides), range(seeds), folders)
        for seed, answer in enumerate(answered):
            answers.append(answer)
            seconds = f"{answer['seconds']:.1f} s"
            print(f"{name}, seed {seed}: {answer['accuracy']:.4f}, {seconds}", file=sys.stderr)
    accuracies = [answer["accuracy"] for answer in answers]
    info = answers[0]["info"]
    return {
        "name": name,
        "recipe_hash": digest,
        **tta_results(answers),
        "accuracy": mean(accuracies),
        "accuracy_sd": stdev(accuracies),
        "accuracies": accuracies,
        "seeds": seeds,
        "epochs": recipe.train.epochs,
        "seconds": median(answer["seconds"] for answer in answers),
        "jobs": min(jobs, seeds),
        "device": info["device"],
        "versions": {"zoo": info["zoo"], **info["versions"]},
        "backend": info["backend"],
        "data": {
            "source": recipe.data.source.word,
            "fingerprint": info["data"]["fingerprint"],
        },
        "date": date.today().isoformat(),
    }


def tta_results(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the accuracy with test-time augmentation, if the recipe has any."""
    if "tta" not in answers[0]:
        return {}
    accuracies = [answer["tta"]["accuracy"] for answer in answers]
    kind = answers[0]["tta"]["kind"]
    return {"tta": {"kind": kind, "accuracy": mean(accuracies), "accuracy_sd": stdev(accuracies)}}


def header(results: dict[str, Any]) -> str:
    """Return the comment line with the claim, the third line of the recipe."""
    seconds = results["seconds"]
    duration = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    if results.get("jobs", 1) > 1:
        duration += f" ({results['jobs']} at a time)"
    tta = ""
    if "tta" in results:
        tta = f"; {results['tta']['accuracy']:.4f} with {results['tta']['kind']}"
    return (
        f"# {results['accuracy']:.4f} ± {results['accuracy_sd']:.4f} test accuracy "
        f"(n={results['seeds']}), {duration} on {results['device']}{tta}"
    )


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="names of `zoo list`")
    parser.add_argument("--missing", action="store_true", help="all recipes not measured yet")
    parser.add_argument(
        "--seeds", type=int, default=5, help="number of seeds, from 0 on; at least 2"
    )
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings at a time")
    parser.add_argument("--set", action="append", default=[], metavar="data.source=VALUE")
    parser.add_argument(
        "--data-is", metavar="NAME", help="the data set that the source of --set holds"
    )
    parser.add_argument(
        "--header", action="store_true", help="only print the claim of results that exist"
    )
    args = parser.parse_args()
    names = args.recipes
    if args.missing:
        missing = [entry for entry in shipped_recipes() if entry["accuracy"] is None]
        names = [entry["name"] for entry in missing if args.data_is in (None, entry["data"])]
        names.sort(key=cost)
    if not names:
        parser.error("which? Expected names of `zoo list`, or --missing")
    if args.seeds < 2:
        parser.error("--seeds: a standard deviation needs at least 2")
    failed = [name for name in names if not measure_one(name, args)]
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


def measure_one(name: str, args: argparse.Namespace) -> bool:
    """Measure a recipe, or print its claim; return whether that succeeded."""
    try:
        if args.header:
            results = read_results(recipes.find(name))
            if results is None or results["recipe_hash"] != load(name, ())[1]:
                raise SystemExit(f"{name}: not measured as it stands.")
            print(header(results))
            return True
        results = measure(name, args.set, args.seeds, args.jobs, args.data_is)
    except (ZooError, SystemExit) as error:
        print(error, file=sys.stderr)
        return False
    write_json(recipes.find(name).parent / "results" / f"{name}.json", results)
    print(f"{name}: {results['accuracy']:.4f} ± {results['accuracy_sd']:.4f} (n={args.seeds})")
    return True


def cost(name: str) -> float:
    """Return the FLOPs of an image in all epochs, by which recipes are sorted."""
    recipe = recipes.load(name)
    return plan(recipe, 10).flops * recipe.train.epochs


if __name__ == "__main__":
    main()
