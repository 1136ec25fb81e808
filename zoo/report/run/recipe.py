"""The recipe of a run, in short and in full, with what differs from the defaults marked. Light."""

from __future__ import annotations

from typing import Any

from zoo.errors import ZooError
from zoo.report.blocks import Block, Code, Details, Section, Text
from zoo.report.run.source import RunSource

UNMARKED = ("name",)  # Every recipe gives it; that says nothing.


def section(source: RunSource) -> Section:
    """Return the section of the recipe."""
    recipe = source.recipe
    if recipe is None:
        return Section("Recipe", [source.missing("The recipe is missing", "recipe")])
    from zoo.comparison.brief import Brief
    from zoo.recipe.network import complete
    from zoo.recipe.writing import dump, dump_data

    complete()
    data = recipe.model_dump(mode="json")
    brief = Brief(recipe)(data, ())
    short = dump_data(brief)
    full = dump(recipe)
    short_lines = [(line, False) for line in short.rstrip().splitlines()]
    blocks: list[Block] = [
        Code(_marked(full, brief), "Recipe with all defaults"),
        Details(
            "The recipe without its defaults",
            [
                Text("This much, as a recipe, trains the same network.", soft=True),
                Code(short_lines, "Recipe without defaults"),
            ],
        ),
    ]
    lead = (
        "As the run keeps it, every default written out. Marked lines differ from the defaults, or "
        "are what auto became for these data."
    )
    return Section("Recipe", blocks, lead)


def _marked(text: str, brief: Any) -> list[tuple[str, bool]]:
    """The lines of a complete recipe, and whether each holds a value of the brief one."""
    from zoo.recipe import yaml_reader

    lines = text.rstrip().splitlines()
    try:
        places = yaml_reader.read_text(text).lines
    except ZooError:
        return [(line, False) for line in lines]
    marked = set()
    for path in _leaves(brief, ()):
        while path and path not in places:
            path = path[:-1]
        if path and path[0] not in UNMARKED:
            marked.add(places[path])
    return [(line, number in marked) for number, line in enumerate(lines, 1)]


def _leaves(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """The paths of the values of plain data that hold no others."""
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in _leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for i, item in enumerate(value) for leaf in _leaves(item, (*path, i))]
    return [path]
