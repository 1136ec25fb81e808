"""The verbs that begin from a recipe or from images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from zoo import __version__
from zoo.cli.app import app
from zoo.cli.options import (
    DebugOption,
    JsonOption,
    QuietOption,
    RecipeArgument,
    SetOption,
)
from zoo.cli.output import Output, columns


def _version(wanted: bool) -> None:
    if wanted:
        print(f"zoo {__version__}")
        raise typer.Exit


@app.callback()
def _zoo(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="The version, and exit."),
    ] = False,
) -> None:
    pass


@app.command("list")
def list_(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """The recipes that ship, with what was measured of each."""
    with Output(as_json, debug) as out:
        from zoo.catalogue import shipped_recipes

        found = shipped_recipes()
        out.result({"recipes": found})
        rows = [["recipe", "data", "parameters", "test accuracy", "measured on"]]
        for entry in found:
            accuracy = "not measured"
            if entry["accuracy"] is not None:
                accuracy = f"{entry['accuracy']:.4f} ± {entry['accuracy_sd']:.4f}"
                accuracy += f" (n={entry['seeds']}, {entry['seconds']:.0f} s)"
            rows.append(
                [
                    entry["name"],
                    entry["data"],
                    "" if entry["parameters"] is None else f"{entry['parameters']:,}",
                    accuracy,
                    entry["device"] or "",
                ]
            )
        out.text(columns(rows, right=(2,)))


@app.command()
def show(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="The recipe, every default written.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """The layers of a recipe: names, shapes, parameters, FLOPs, activation memory."""
    with Output(as_json, debug) as out:
        from zoo import recipe as recipes
        from zoo.cli.output import layer_table, plan_json
        from zoo.plan import num_classes, plan

        loaded = recipes.load(recipe, overrides or (), out.warn)
        if yaml:
            out.result({"recipe": loaded.model_dump(mode="json")})
            out.text(recipes.dump(loaded).rstrip())
            return
        planned = plan(loaded, num_classes(loaded))
        out.result(plan_json(loaded, planned))
        out.text(layer_table(loaded, planned))


@app.command()
def schema() -> None:
    """The JSON Schema of recipes, for editors."""
    import json

    from zoo.recipe import Recipe

    document: dict[str, Any] = Recipe.model_json_schema()
    document = {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}
    print(json.dumps(document, indent=1))


@app.command()
def new(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA", help="A folder of images, digits, or tfds:NAME."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The recipe to write; NAME.yaml."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE where it exists.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Look at images and write a commented recipe for them that trains as it stands."""
    with Output(as_json, debug, quiet) as output:
        from zoo.cli import new as make

        make.new(output, data, out, force)


@app.command()
def check(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="A YAML file, or a recipe of `zoo list`."),
    ] = None,
    overrides: SetOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Only the checks that need no training: seconds.")
    ] = False,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID", help="Only this check: C12 (repeatable, or C05,C12)."),
    ] = None,
    skip: Annotated[
        list[str] | None, typer.Option("--skip", metavar="ID", help="Leave this check out.")
    ] = None,
    plots: Annotated[
        bool, typer.Option("--plots", help="Also draw what was measured, as PNG files.")
    ] = False,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write", metavar="FILE", help="A copy of the recipe with the suggested learning rate."
        ),
    ] = None,
    listing: Annotated[
        bool, typer.Option("--list", help="What each check asks and costs, and exit.")
    ] = False,
    out: Annotated[Path, typer.Option("--out", help="Where the folder goes.")] = Path("runs"),
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check a recipe before hours are spent on it: data, loss, signals, learning rate."""
    with Output(as_json, debug, quiet) as output:
        from zoo.cli import check as babysit
        from zoo.errors import UsageError

        if listing:
            babysit.listing(output)
            return
        if recipe is None:
            raise UsageError("Expected a RECIPE, or --list.")
        wanted, left_out = babysit.ids(only), babysit.ids(skip)
        babysit.check(output, recipe, overrides or (), wanted, left_out, quick, plots, write, out)


@app.command()
def train(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="A YAML file, or a recipe of `zoo list`."),
    ] = None,
    overrides: SetOption = None,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with this run instead.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where run folders go.")] = Path("runs"),
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write logs for TensorBoard.")
    ] = False,
    evaluate: Annotated[
        bool, typer.Option(help="Measure the best model on the test split at the end.")
    ] = True,
    export: Annotated[
        bool, typer.Option(help="Export the best model as a SavedModel at the end.")
    ] = True,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a recipe, measure its test accuracy, export it; or go on with a run."""
    with Output(as_json, debug, quiet) as output:
        from zoo.cli import train as verbs

        verbs.train(output, recipe, overrides or (), resume, out, tensorboard, evaluate, export)


@app.command()
def tune(
    recipe: Annotated[
        str | None,
        typer.Argument(metavar="[RECIPE]", help="A YAML file, or a recipe of `zoo list`."),
    ] = None,
    overrides: SetOption = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="FOLDER", help="Go on with this search."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Processes at once; one a GPU, or one."),
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="Where the folder goes.")] = Path("runs"),
    plots: Annotated[
        bool, typer.Option("--plots", help="Also draw the trials, as PNG files.")
    ] = False,
    tensorboard: Annotated[
        bool, typer.Option("--tensorboard", help="Also write the trials for TensorBoard HParams.")
    ] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Search a recipe's values at random in log space, coarse to fine; writes best.yaml."""
    with Output(as_json, debug, quiet) as output:
        from tuning import cli

        cli.tune(output, recipe, overrides or (), resume, out, workers, plots, tensorboard)
