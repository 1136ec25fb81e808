"""Measures the test accuracy of a recipe that ships, and writes recipes/results/NAME.json.

    python benchmarks/measure.py digits-tiny [--seeds 5]
    python benchmarks/measure.py cifar10-quick --set "data.source={folder: PATH}" --data-is cifar10
    python benchmarks/measure.py --missing                  all that are not measured as they stand
    python benchmarks/measure.py digits-tiny --header       the line for the recipe's head

Each seed is trained by a `zoo train` of its own. Nothing but the source may be changed, for the
number would not be the recipe's; where it is, --data-is says which data set it holds, and recipes
of other data sets are refused, or left out by --missing.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import date
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
    """The recipe as it is trained, and the hash of the one that ships; refuses other changes."""
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
    """Trains one seed in a fresh process; its answer, with what run.json says."""
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


def measure(name: str, overrides: Sequence[str], seeds: int, data_is: str | None) -> dict[str, Any]:
    """Trains all seeds; returns what recipes/results/NAME.json holds."""
    recipe, identity = load(name, overrides, data_is)
    answers = []
    with tempfile.TemporaryDirectory(prefix="zoo-measure-") as out:
        for seed in range(seeds):
            answers.append(train(name, overrides, seed, Path(out)))
            last = answers[-1]
            print(f"seed {seed}: {last['accuracy']:.4f}, {last['seconds']:.1f} s", file=sys.stderr)
    accuracies = [answer["accuracy"] for answer in answers]
    info = answers[0]["info"]
    return {
        "name": name,
        "recipe_hash": identity,
        **with_tta(answers),
        "accuracy": mean(accuracies),
        "accuracy_sd": stdev(accuracies),
        "accuracies": accuracies,
        "seeds": seeds,
        "epochs": recipe.train.epochs,
        "seconds": median(answer["seconds"] for answer in answers),
        "device": info["device"],
        "versions": {"zoo": info["zoo"], **info["versions"]},
        "backend": info["backend"],
        "data": {
            "source": recipe.data.source.word,
            "fingerprint": info["data"]["fingerprint"],
        },
        "date": date.today().isoformat(),
    }


def with_tta(answers: list[dict[str, Any]]) -> dict[str, Any]:
    """What the recipe's test-time augmentation gave, if it has one."""
    if "tta" not in answers[0]:
        return {}
    accuracies = [answer["tta"]["accuracy"] for answer in answers]
    found = {"accuracy": mean(accuracies), "accuracy_sd": stdev(accuracies)}
    return {"tta": {"kind": answers[0]["tta"]["kind"], **found}}


def header(results: dict[str, Any]) -> str:
    """The comment line with which the recipe opens."""
    seconds = results["seconds"]
    took = f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    more = ""
    if "tta" in results:
        more = f"; {results['tta']['accuracy']:.4f} with {results['tta']['kind']}"
    return (
        f"# {results['accuracy']:.4f} ± {results['accuracy_sd']:.4f} test accuracy "
        f"(n={results['seeds']}), {took} on {results['device']}{more}"
    )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="*", metavar="RECIPE", help="names of `zoo list`")
    parser.add_argument("--missing", action="store_true", help="those that are not measured")
    parser.add_argument("--seeds", type=int, default=5, help="how many, from 0 on; at least 2")
    parser.add_argument("--set", action="append", default=[], metavar="data.source=VALUE")
    parser.add_argument("--data-is", metavar="NAME", help="the data set that --set gives")
    parser.add_argument("--header", action="store_true", help="measure nothing: the header line")
    words = parser.parse_args()
    wanted = words.recipes
    if words.missing:
        missing = [entry for entry in shipped_recipes() if entry["accuracy"] is None]
        wanted = [entry["name"] for entry in missing if words.data_is in (None, entry["data"])]
        wanted.sort(key=cost)
    if not wanted:
        parser.error("which? Expected names of `zoo list`, or --missing")
    if words.seeds < 2:
        parser.error("--seeds: a standard deviation needs at least 2")
    failed = [name for name in wanted if not one(name, words)]
    if failed:
        raise SystemExit(f"not measured: {', '.join(failed)}")


def one(name: str, words: argparse.Namespace) -> bool:
    """Measures a recipe, or prints its header; whether it could be done."""
    try:
        if words.header:
            found = read_results(recipes.find(name))
            if found is None or found["recipe_hash"] != load(name, ())[1]:
                raise SystemExit(f"{name}: not measured as it stands.")
            print(header(found))
            return True
        results = measure(name, words.set, words.seeds, words.data_is)
    except (ZooError, SystemExit) as error:
        print(error, file=sys.stderr)
        return False
    write_json(recipes.find(name).parent / "results" / f"{name}.json", results)
    print(f"{name}: {results['accuracy']:.4f} ± {results['accuracy_sd']:.4f} (n={words.seeds})")
    return True


def cost(name: str) -> float:
    """Operations of its training on as many images as CIFAR-10 has: the cheapest come first."""
    recipe = recipes.load(name)
    return plan(recipe, 10).flops * recipe.train.epochs


if __name__ == "__main__":
    main()
