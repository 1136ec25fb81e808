"""Write the gallery of the shipped recipes, docs/recipes/: `python docs/make_gallery.py`.

A card and a page for each recipe, with pictures of its layers. All follow from the recipes, their
plans and recipes/results (or `make docs`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # The checkout's zoo, installed or not.
sys.path.insert(0, str(ROOT / "docs"))

from gallery_sources import SOURCES  # noqa: E402
from make_tables import DATA_NAMES, duration  # noqa: E402

from zoo.catalogue import read_results, shipped_recipes  # noqa: E402
from zoo.loading import load  # noqa: E402
from zoo.plan import Plan, num_classes, plan  # noqa: E402
from zoo.recipe import Recipe  # noqa: E402
from zoo.recipe.shipped import shipped  # noqa: E402
from zoo.report.layer_picture import picture  # noqa: E402
from zoo.report.layer_silhouette import silhouette  # noqa: E402
from zoo.text.counted import amount  # noqa: E402

FOLDER = ROOT / "docs" / "recipes"
MADE = "<!-- Made by docs/make_gallery.py from recipes/: edit those. -->"
DATA_ORDER = ("digits", "mnist", "fashion_mnist", "cifar10")  # Then the others, by name.
IMAGES = {
    ("digits", "digits"): "those of scikit-learn",
    ("mnist", "folder"): "a folder of PNG files",
    ("cifar10", "folder"): "a folder of JPEG files, which costs a little accuracy compared with "
    "the original pixels",
}
NO_BREAK = "\N{NO-BREAK SPACE}"
HEADINGS = {"digits": "Digits", "tf_flowers": "Flowers"}
EDITOR = "# yaml-language-server:"


def files() -> dict[str, str]:
    """Return the text of each file of docs/recipes/, by its path there."""
    entries = sorted(shipped_recipes(), key=_order)
    made = {"index.md": index(entries)}
    for entry in entries:
        name = entry["name"]
        recipe = load(str(shipped()[name]))
        network = plan(recipe, num_classes(recipe))
        made[f"{name}.md"] = page(entry, recipe, network)
        made[f"pictures/{name}.svg"] = picture(network, name)
        made[f"pictures/{name}-glance.svg"] = silhouette(network, name)
    return made


def _order(entry: dict[str, Any]) -> tuple[int, str, int, str]:
    known = entry["data"] in DATA_ORDER
    place = DATA_ORDER.index(entry["data"]) if known else len(DATA_ORDER)
    return place, entry["data"], entry["parameters"] or 0, entry["name"]


def index(entries: list[dict[str, Any]]) -> str:
    """Return the page of all cards."""
    parts = [
        "# Recipes",
        MADE,
        f"{len(entries)} recipes come with zoo: `zoo list` lists them too, and `zoo train NAME` "
        "trains one. Accuracies are ours, measured on test images, mean ± standard deviation "
        "over seeds; a recipe's page says on what they were measured. In a picture, bars are "
        "stages from the image (grey, left) to the classes (right): the higher, the larger the "
        "feature map; the wider, the more channels. Green are convolutions, yellow pools, violet "
        "fully connected layers. Arcs are shortcuts.",
    ]
    heading = None
    for entry in entries:
        name = HEADINGS.get(entry["data"]) or DATA_NAMES[entry["data"]]
        if name != heading:
            if heading is not None:
                parts.append("</div>")
            parts += [f"## {name}", '<div class="grid cards" markdown>']
            heading = name
        parts.append(card(entry))
    parts.append("</div>")
    return "\n\n".join(parts) + "\n"


def card(entry: dict[str, Any]) -> str:
    """Return the card of a recipe: an item of a list."""
    name = entry["name"]
    return (
        f"-   [![Bars of the stages of {name}](pictures/{name}-glance.svg)]({name}.md)\n\n"
        f"    **[{name}]({name}.md)**: {SOURCES[name][0]}\n\n"
        f"    {entry['parameters']:,} parameters; {short_accuracy(entry)}"
    )


def short_accuracy(entry: dict[str, Any]) -> str:
    """Return the accuracy of a recipe for its card."""
    if entry["accuracy"] is None:
        return "not measured"
    figures = f"{entry['accuracy']:.4f} ± {entry['accuracy_sd']:.4f}"
    return f"accuracy {figures.replace(' ', NO_BREAK)}"


def page(entry: dict[str, Any], recipe: Recipe, network: Plan) -> str:
    """Return the page of a recipe."""
    name = entry["name"]
    text = shipped()[name].read_text(encoding="utf-8")
    what, source, address = SOURCES[name]
    header, body = parted(text)
    base = next((line.split(": ")[1] for line in body.splitlines() if "extends: " in line), None)
    extended = f" It extends [{base}]({base}.md)." if base else ""
    return (
        "\n\n".join(
            [
                f"# {name}",
                MADE,
                f"{what}.{extended}",
                *([" ".join(header)] if header else []),
                facts(entry, recipe, network, f"[{source}]({address})" if source else "our own"),
                "## Accuracy",
                *accuracy(entry),
                "## Use",
                commands(name, recipe),
                "## The recipe",
                f"[recipes/{name}.yaml](../../recipes/{name}.yaml)",
                f"```yaml\n{body.rstrip()}\n```",
                "## Layers",
                "From the image to the classes: the wider a box, the larger the feature map; the "
                "higher, the more channels. On the right stands the shape of the output. "
                f"`zoo show {name}` prints every layer with its parameters.",
                f"![Layers of {name}, as the recipe above says them](pictures/{name}.svg)",
            ]
        )
        + "\n"
    )


def parted(text: str) -> tuple[list[str], str]:
    """Return what a recipe's head says beside command and measured claim, and the recipe itself."""
    lines = [line for line in text.splitlines() if not line.startswith(EDITOR)]
    count = next(i for i, line in enumerate(lines) if not line.startswith("#"))
    head = [line.removeprefix("#").strip() for line in lines[1:count]]
    start = 1
    while start < len(head) and head[start][:1].islower():
        start += 1  # The claim goes on.
    return head[start:], "\n".join(lines[count:])


def facts(entry: dict[str, Any], recipe: Recipe, network: Plan, source: str) -> str:
    """Return the table of a recipe's facts."""
    height, width, channels = recipe.image_shape
    rows = {
        "source": source,
        "data": f"{DATA_NAMES.get(entry['data'], entry['data'])}, images of "
        f"{height} x {width} x {channels}, {network.num_classes} classes",
        "parameters": f"{network.parameters:,} ({network.trainable:,} trained)",
        "FLOPs": f"{amount(network.flops)} for the prediction of an image; a multiply-add counts "
        "as 2",
        "activations": f"{amount(network.activation_bytes, 'B')} for each image of a batch in "
        "training",
        "training": f"{recipe.train.epochs} epochs in batches of {recipe.train.batch_size}, "
        f"{recipe.train.optimizer.word}",
    }
    return "\n".join(["| | |", "|---|---|", *(f"| {key} | {row} |" for key, row in rows.items())])


def accuracy(entry: dict[str, Any]) -> list[str]:
    """Return the paragraphs on what was measured, and how."""
    name = entry["name"]
    results = read_results(shipped()[name])
    if entry["accuracy"] is None or results is None:
        return [
            "We have not measured this recipe yet. "
            f"`python benchmarks/measure.py {name}` measures it."
        ]
    versions = results["versions"]
    framework = "jax" if results["backend"] == "jax" else "tensorflow"
    seeds = ", ".join(f"{value:.4f}" for value in results["accuracies"])
    overrides = " ".join(f"`--set {change}`" for change in results.get("overrides") or [])
    tta = entry["tta"]
    augmented = {}
    if tta:
        augmented[f"with `{tta['kind']}`"] = f"{tta['accuracy']:.4f} ± {tta['accuracy_sd']:.4f}"
    rows = {
        "accuracy on the test images": f"**{entry['accuracy']:.4f} ± {entry['accuracy_sd']:.4f}** "
        f"(mean ± standard deviation of {entry['seeds']} seeds)",
        "of each seed": seeds,
        **augmented,
        "epochs": f"{entry['epochs']}; the one that was best on validation images is measured",
        "time of a training": f"{duration(entry['seconds'])} on {entry['device']}",
        "images": IMAGES[entry["data"], results["data"]["source"]],
        "versions": f"Keras {versions['keras']} on {framework} {versions[framework]}, "
        f"Python {versions['python']}",
        **({"changed": overrides} if overrides else {}),
        "date": results["date"],
    }
    return ["\n".join(["| | |", "|---|---|", *(f"| {key} | {row} |" for key, row in rows.items())])]


def commands(name: str, recipe: Recipe) -> str:
    """Return the block of commands of a recipe."""
    lines = [f"zoo show {name}", f"zoo train {name}"]
    if recipe.data.source.word != "digits":
        lines.append(
            f'zoo train {name} --set "data.source={{folder: ~/pictures}}"   # your own images'
        )
    lines.append(f"zoo train {name} --seeds 3")
    mark = "<!-- not run: minutes to days of training -->"
    return f"{mark}\n\n```sh\n" + "\n".join(lines) + "\n```"


def write() -> None:
    """Write docs/recipes/ anew, and remove what belongs to no recipe."""
    made = files()
    for old in [*FOLDER.glob("*.md"), *FOLDER.glob("pictures/*.svg")]:
        if old.relative_to(FOLDER).as_posix() not in made:
            old.unlink()
    (FOLDER / "pictures").mkdir(parents=True, exist_ok=True)
    for path, text in made.items():
        (FOLDER / path).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
    print(f"wrote {FOLDER.relative_to(ROOT)}")
