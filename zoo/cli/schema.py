"""`zoo schema`: the JSON Schema of recipes, for editors."""

from __future__ import annotations

from typing import Annotated

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption
from zoo.cli.output import Output
from zoo.errors import UsageError


@app.command()
def schema(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATH]...",
            help="A recipe, whose own parts (plugins) the schema then describes, too. With "
            "--write: recipes, folders of recipes, or a file .json; default: the folder that you "
            "are in.",
        ),
    ] = None,
    write: Annotated[
        bool,
        typer.Option(
            "--write",
            help="Write the schema to .zoo/recipe.schema.json beside PATH; a recipe names it in "
            "its first line, which editors read.",
        ),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Print the JSON Schema of recipes, or write it where editors find it."""
    with Output(as_json, debug) as out:
        from zoo.loading import own_parts_of

        if not write:
            if len(paths or ()) > 1:
                raise UsageError("Expected one RECIPE, or --write with several.")
            from zoo.recipe import json_schema

            parts = own_parts_of(paths[0]) if paths else ()
            print(json_schema.text(parts), end="")
            return
        from zoo.editor.schema_file import write_all

        written = write_all(paths or ["."])
        out.result({
            "written": [
                {"schema": str(each.schema), "recipe": each.recipe and str(each.recipe)}
                for each in written
            ]
        })  # fmt: skip
        for each in written:
            out.text(f"schema    {each.schema}")
            if each.recipe:
                out.text(f"recipe    {each.recipe}{each.note and ': '}{each.note}")
        if not any(each.recipe for each in written):
            _tell_line(out, str(written[-1].schema))


def _tell_line(out: Output, schema: str) -> None:
    """Print the line that a recipe needs."""
    from zoo.editor.modeline import ADDRESS, modeline

    address = ADDRESS if schema.endswith(ADDRESS) else schema
    out.text("A recipe beside it names it in its first line (a path is relative to the recipe):")
    out.text(modeline(address))
