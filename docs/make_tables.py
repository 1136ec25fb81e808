"""Write what follows from the recipes and the schema: `python docs/make_tables.py` (`make docs`).

That is recipes/catalogue.json, recipes/recipe.schema.json, which editors read, and the README's
table of the zoo, which also follows from recipes/results.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # The checkout's zoo, installed or not.

from zoo.catalogue import describe, shipped_recipes  # noqa: E402
from zoo.recipe import json_schema  # noqa: E402
from zoo.recipe.shipped import shipped  # noqa: E402

CATALOGUE = ROOT / "recipes" / "catalogue.json"
SCHEMA = ROOT / "recipes" / "recipe.schema.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- the zoo: made by docs/make_tables.py -->", "<!-- the zoo ends -->"
DATA_NAMES = {
    "cifar10": "CIFAR-10",
    "mnist": "MNIST",
    "fashion_mnist": "Fashion-MNIST",
    "imagenette/320px-v2": "Imagenette",
}


def catalogue() -> str:
    """Return the text of recipes/catalogue.json."""
    return json.dumps({name: describe(file) for name, file in shipped().items()}, indent=1) + "\n"


def table() -> str:
    """Return the table of recipes in Markdown."""
    heads = ("recipe", "data", "parameters", "test accuracy", "epochs", "time", "on")
    rows = [f"| {' | '.join(heads)} |", "|---|---|--:|---|--:|--:|---|"]
    for entry in shipped_recipes():
        name = f"[`{entry['name']}`](recipes/{entry['name']}.yaml)"
        data = DATA_NAMES.get(entry["data"], entry["data"])
        rows.append(f"| {name} | {data} | {entry['parameters']:,} | {measured(entry)} |")
    return "\n".join(rows)


def measured(entry: dict[str, Any]) -> str:
    """Return the last four cells of a recipe's row."""
    if entry["accuracy"] is None:
        return "not measured | | | "
    accuracy = f"{entry['accuracy']:.4f} ± {entry['accuracy_sd']:.4f} (n={entry['seeds']})"
    if entry["tta"]:
        accuracy += f"; {entry['tta']['accuracy']:.4f} with {entry['tta']['kind']}"
    time = duration(entry["seconds"])
    if (entry["jobs"] or 1) > 1:
        time += f" ({entry['jobs']} at a time)"
    return f"{accuracy} | {entry['epochs']} | {time} | {entry['device']}"


def duration(seconds: float) -> str:
    """Format a time in seconds or minutes."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def readme() -> str:
    """Return the README with the current table."""
    text = README.read_text(encoding="utf-8")
    before, remainder = text.split(BEGIN)
    _, after = remainder.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    CATALOGUE.write_text(catalogue(), encoding="utf-8")
    SCHEMA.write_text(json_schema.text(), encoding="utf-8")
    README.write_text(readme(), encoding="utf-8")
    print("wrote catalogue.json, recipe.schema.json and the README's table")
