"""`zoo show`: the layers of a recipe, without loading TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import DebugOption, JsonOption, RecipeArgument, SetOption
from zoo.cli.output import Output, columns
from zoo.errors import Problem

if TYPE_CHECKING:
    from zoo.plan import Plan
    from zoo.recipe import Recipe


@app.command()
def show(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the recipe with every default written out.")
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the layers of a recipe: names, shapes, parameters, FLOPs, activation memory."""
    with Output(as_json, debug) as out:
        from zoo import recipe as recipes
        from zoo.plan import num_classes, plan
        from zoo.plan.capacity import shortage

        loaded = recipes.load(recipe, overrides or (), out.warn, out.remark)
        if yaml:
            out.result({"recipe": loaded.model_dump(mode="json")})
            out.text(recipes.dump(loaded).rstrip())
            return
        planned = plan(loaded, num_classes(loaded))
        lacking = shortage(loaded, planned)
        if lacking:
            out.warn(Problem(message=lacking, path="model"))
        out.result(_plan_json(loaded, planned))
        out.text(_layer_table(loaded, planned))


def _layer_table(recipe: Recipe, planned: Plan) -> str:
    sources = _sources(planned)
    heads = ["layer", "kind", *["follows"] * any(sources), "output", "parameters", "FLOPs"]
    rows = [[*heads, "activations"]]
    for layer, source in zip(planned.layers, sources, strict=True):
        rows.append(
            [
                layer.name,
                layer.kind,
                *[source] * any(sources),
                " x ".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}",
                f"{layer.flops:,}",
                f"{layer.values:,}",
            ]
        )
    batch = recipe.train.batch_size
    memory = planned.activation_bytes
    return "\n".join(
        [
            f"{recipe.name}: {planned.layers[-1].output_shape[0]} classes, "
            f"images {' x '.join(map(str, recipe.image_shape))}",
            "",
            columns(rows, right=tuple(range(len(heads) - 2, len(heads) + 1))),
            "",
            f"parameters  {planned.parameters:,} ({planned.trainable:,} trained, "
            f"{planned.fixed:,} not)",
            f"FLOPs       {_amount(planned.flops)} per image in a forward pass (a multiply-add "
            "counts as 2); about three times that in training",
            f"memory      {_amount(memory, 'B')} of activations per image, "
            f"{_amount(memory * batch, 'B')} per batch of {batch}",
        ]
    )


def _sources(planned: Plan) -> list[str]:
    """The names of the layers that each layer follows; empty: the one above it."""
    above = [(), *((layer.name,) for layer in planned.layers)]
    return [
        "" if layer.inputs == before else ", ".join(layer.inputs)
        for layer, before in zip(planned.layers, above, strict=False)
    ]


def _amount(number: float, unit: str = "") -> str:
    """Format 1234567 as `1.23 M`."""
    units = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))
    for factor, prefix in units:
        if number >= 0.9995 * factor:  # Less would be rounded to less than 1.
            return f"{number / factor:.3g} {prefix}{unit}"
    return f"{number:g} {unit}".rstrip()


def _plan_json(recipe: Recipe, planned: Plan) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "parameters": planned.parameters,
        "trainable_parameters": planned.trainable,
        "flops": planned.flops,
        "activation_bytes": planned.activation_bytes,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "inputs": list(layer.inputs),
                "output_shape": list(layer.output_shape),
                "parameters": layer.parameters,
                "trainable": layer.trainable,
                "flops": layer.flops,
            }
            for layer in planned.layers
        ],
    }
