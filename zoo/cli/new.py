"""`zoo new`: writes a recipe for images. An image folder or table needs no framework."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output
from zoo.text.counted import counted
from zoo.text.printable import one_line, quoted

if TYPE_CHECKING:
    from zoo.new import NewRecipe

BAD_FILES_PRINTED = 10


@app.command()
def new(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A folder of images or of tar files, a CSV file, digits, or tfds:NAME.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            "-o", "--out", metavar="FILE", help="The recipe to write (default: NAME.yaml)."
        ),
    ] = None,
    overrides: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="data.source.WORD.KEY=VALUE",
            help="How to read the data: data.source.folder.test=none, or "
            "data.source.csv.label=species (repeatable).",
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it exists.")] = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Inspect images and write a commented recipe that is ready to train on them."""
    with Output(as_json, debug, quiet) as output:
        from zoo import new as maker
        from zoo.progress import progress_bar

        with progress_bar(output.console()) as progress:
            recipe = maker.new(data, out, force=force, progress=progress, overrides=overrides or ())
        output.result(recipe.as_json())
        output.text("\n".join(_summary(recipe)))


def _summary(recipe: NewRecipe) -> list[str]:
    """Return lines on the images, the recipe and what to do next."""
    from zoo.new import duration

    findings, choices = recipe.findings, recipe.choices
    height, width = choices.image_size
    lines = [
        f"images    {findings.images_line()}",
        f"sizes     {findings.sizes_line()} (height x width)",
        f"colours   {findings.colours_line()}",
        f"balance   {findings.balance_line()}",
        *(one_line(f"note      {note}") for note in findings.all_notes()),
        *(
            one_line(f"bad       {quoted(path)}: {reason}")
            for path, reason in findings.bad[:BAD_FILES_PRINTED]
        ),
    ]
    if len(findings.bad) > BAD_FILES_PRINTED:
        lines.append(
            f"bad       and {len(findings.bad) - BAD_FILES_PRINTED} more (all of them: --json)"
        )
    time = f", {duration(choices.seconds)} on two CPU cores" if findings.images else ""
    lines.append(
        f"recipe    {recipe.file}: {height} x {width} {'grey' if choices.grey else 'rgb'}, "
        f"{recipe.parameters:,} parameters, {counted(choices.epochs, 'epoch')}{time}"
    )
    if findings.bad:
        lines.append(
            "first     repair or remove the bad files; or, to leave them out, uncomment "
            "`# on_bad_image: skip` in the recipe"
        )
    lines.append(f"next      zoo train {shlex.quote(str(recipe.file))}")
    return lines
