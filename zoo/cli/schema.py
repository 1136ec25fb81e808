"""`zoo schema`."""

from __future__ import annotations

from zoo.cli.app import app
from zoo.files.json_files import dumps


@app.command()
def schema() -> None:
    """Print the JSON Schema of recipes, for editors."""
    from zoo.recipe import Recipe

    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    print(dumps({**dialect, **Recipe.model_json_schema()}, indent=1))
