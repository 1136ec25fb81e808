"""`zoo show`: the layers of a recipe, or what a run is, without loading TensorFlow."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import AllowPluginsOption, DebugOption, JsonOption, SetOption
from zoo.cli.output import Output, columns
from zoo.errors import Problem, UsageError, ZooError
from zoo.files.storage import writing
from zoo.text.counted import amount, counted
from zoo.text.printable import quoted

if TYPE_CHECKING:
    from zoo.artifact.warm_start import WarmStart
    from zoo.plan import Plan
    from zoo.recipe import Recipe


@app.command()
def show(
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|RUN",
            help="A YAML file, the name of a shipped recipe, or the folder of a run, a search, a "
            "cross-validation or a check; runs/NAME for its newest.",
        ),
    ],
    overrides: SetOption = None,
    yaml: Annotated[
        bool, typer.Option("--yaml", help="Print the recipe with every default written out.")
    ] = False,
    write_manifest: Annotated[
        Path | None,
        typer.Option(
            "--write-manifest",
            metavar="FILE",
            help="Verify the recipe's images, and write their names, sizes and hashes to FILE. "
            "Other hosts name it in data.source.folder.manifest (or csv) and verify nothing.",
        ),
    ] = None,
    allow_plugins: AllowPluginsOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the layers of a recipe, their shapes, parameters and FLOPs; or what a run is."""
    with Output(as_json, debug) as out:
        if _is_shown_folder(recipe, out, yaml=yaml, changes=bool(overrides or write_manifest)):
            return
        from zoo import recipe as recipes
        from zoo.plan import num_classes, plan
        from zoo.plan.capacity import shortage

        loaded = recipes.load(recipe, overrides or (), out.warn, out.remark)
        out.locate = recipes.locator(recipe, overrides or ())
        if write_manifest is not None:
            _require_file(write_manifest)
            _write_manifest(loaded, write_manifest, out)
            return
        if yaml:
            out.result({"recipe": loaded.model_dump(mode="json")})
            out.text(recipes.dump(loaded).rstrip(), as_is=True)
            return
        _run_parts(loaded, out)
        planned = plan(loaded, num_classes(loaded))
        lacking = shortage(loaded, planned)
        if lacking:
            out.warn(Problem(message=lacking, path="model"))
        _warn_of_missing_weights(loaded, out)
        warm = _warm_start(loaded, planned, out)
        out.result(_plan_json(loaded, planned, warm))
        out.text(_layer_table(loaded, planned, warm))


def _is_shown_folder(given: str, out: Output, *, yaml: bool, changes: bool) -> bool:
    """Show the folder of a run or a search, if that is what was named; return whether it was.

    Raises:
        UsageError: flags of recipes.
    """
    from zoo.rundir import Run
    from zoo.verbs.showing_folder import folder_of, show_folder

    folder = folder_of(given, out.note)
    if folder is None:
        return False
    if yaml or changes:
        raise UsageError(
            f"{given}: is the folder of a run or a search, which has no such flags. Expected none, "
            f"or its recipe: zoo show {Run(folder).recipe_file}"
        )
    show_folder(out, folder)
    return True


def _run_parts(recipe: Recipe, out: Output) -> None:
    """Run the code of the recipe's own parts, if it has any: it says what they make of shapes."""
    if recipe.plugins:
        from zoo import backend
        from zoo.plugins import recipe_parts

        recipe_parts.require(recipe)
        backend.prepare(say=out.remark)
        recipe_parts.start(recipe, out.remark)


def _require_file(file: Path) -> None:
    """Requires that a manifest can be written, before all images are verified.

    Raises:
        UsageError: its name is that of a folder.
        StorageFault: its folder is not writable.
    """
    if file.is_dir():
        raise UsageError(f"--write-manifest {file}: is a folder. Expected the name of a file.")
    nearest = next(parent for parent in file.absolute().parents if parent.exists())
    with writing(file):
        if not nearest.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not file.exists() and not os.access(nearest, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _write_manifest(recipe: Recipe, file: Path, out: Output) -> None:
    """Verifies the images of a recipe and writes their manifest."""
    from zoo.datasets.write_manifest import write_manifest
    from zoo.progress import progress_bar

    with progress_bar(out.console()) as progress:
        written = write_manifest(recipe, file, progress=progress)
    out.result(
        {
            "manifest": str(written.file),
            "files": written.files,
            "unusable": written.unusable,
            "fingerprint": written.fingerprint,
        }
    )
    unusable = f", {written.unusable:,} of them unusable" if written.unusable else ""
    out.text(
        f"{written.file}: {counted(written.files, 'file')}{unusable}\nfingerprint "
        f"{written.fingerprint}\nuse it with --set data.source.{recipe.data.source.word}.manifest="
        f"{quoted(written.file)}"
    )


def _warn_of_missing_weights(recipe: Recipe, out: Output) -> None:
    """Warns of a backbone whose file of weights is not there; a training would refuse it."""
    from zoo.recipe.backbone import WEIGHTS_PATH, backbone_of, missing_weights

    stage = backbone_of(recipe.model)
    fault = None if stage is None else missing_weights(stage)
    if fault:
        out.warn(Problem(path=WEIGHTS_PATH, message=fault))


def _warm_start(recipe: Recipe, planned: Plan, out: Output) -> WarmStart | None:
    """What the recipe takes over of trained weights; where they do not fit, warnings say so."""
    if recipe.model.weights is None:
        return None
    from zoo.artifact.warm_start import warm_start
    from zoo.plan import class_names

    try:
        warm = warm_start(recipe, planned)
    except ZooError as error:
        for problem in error.problems or [Problem(path="model.weights", message=error.message)]:
            out.warn(problem)
        return None
    if warm is not None:
        for note in warm.notes(class_names(recipe), recipe.image_shape):
            out.remark(f"note: {note}")
    return warm


def _layer_table(recipe: Recipe, planned: Plan, warm: WarmStart | None) -> str:
    sources, starts = _sources(planned), _starts(planned, warm)
    heads = ["layer", "kind", *["follows"] * any(sources), *["weights"] * any(starts)]
    heads += ["output", "parameters", "FLOPs"]
    rows = [[*heads, "activations"]]
    for layer, source, start in zip(planned.layers, sources, starts, strict=True):
        rows.append(
            [
                layer.name,
                layer.kind,
                *[source] * any(sources),
                *[start] * any(starts),
                " x ".join(map(str, layer.output_shape)),
                f"{layer.parameters:,}",
                f"{layer.flops:,}" if layer.flops_known else "unknown",
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
            *_start_lines(planned, warm),
            *_backbone_line(recipe),
            f"FLOPs       {_at_least(planned)}{amount(planned.flops)} per image in a forward pass "
            "(a multiply-add counts as 2); about three times that in training",
            f"memory      {amount(memory, 'B')} of activations per image, "
            f"{amount(memory * batch, 'B')} per batch of {batch}",
        ]
    )


def _at_least(planned: Plan) -> str:
    """What stands before the operations of a network if those of some layers are unknown."""
    if not planned.uncounted:
        return ""
    return f"without {counted(planned.uncounted, 'layer')} of your own, "


def _starts(planned: Plan, warm: WarmStart | None) -> list[str]:
    """Of each layer, whether its weights are loaded and frozen; empty: new ones that are trained.

    All are empty, and no column is shown, for a network without trained weights.
    """
    starts = []
    for layer in planned.layers:
        words = ["loaded"] * bool(warm and layer.name in warm.loaded)
        starts.append(", ".join([*words, *["frozen"] * layer.frozen]))
    return starts


def _start_lines(planned: Plan, warm: WarmStart | None) -> list[str]:
    if warm is None and not any(layer.frozen for layer in planned.layers):
        return []
    from zoo.artifact.warm_start import frozen_lines

    lines = warm.lines() if warm else frozen_lines(planned)
    return [f"{word:<12}{rest}" for word, _, rest in (_parted(line) for line in lines)]


def _parted(line: str) -> tuple[str, str, str]:
    """A line as its first word, what stands between, and the rest."""
    return line.replace("weights: ", "weights ", 1).partition(" ")


def _backbone_line(recipe: Recipe) -> list[str]:
    """Says which network the backbone is, where its weights come from and what of it trains."""
    from zoo.recipe.backbone import backbone_of

    stage = backbone_of(recipe.model)
    if stage is None:
        return []
    trained = "all layers train" if stage.trainable else "frozen"
    if stage.first_layer is not None:
        trained = f"the layers from {stage.first_layer} on train"
    if stage.trainable and stage.freeze_batch_norm:
        trained += ", all but batch norm"
    if stage.unfreeze_at_epoch is not None:
        trained += f", from epoch {stage.unfreeze_at_epoch} on"
    weights = "random weights" if stage.weights is None else f"weights of {stage.weights}"
    return [f"backbone    {stage.name}, {weights}; {trained}"]


def _sources(planned: Plan) -> list[str]:
    """The names of the layers that each layer follows; empty: the one above it."""
    above = [(), *((layer.name,) for layer in planned.layers)]
    return [
        "" if layer.inputs == before else ", ".join(layer.inputs)
        for layer, before in zip(planned.layers, above, strict=False)
    ]


def _plan_json(recipe: Recipe, planned: Plan, warm: WarmStart | None) -> dict[str, Any]:
    return {
        "name": recipe.name,
        "parameters": planned.parameters,
        "trainable_parameters": planned.trainable,
        "warm_start": warm and warm.as_json(),
        "flops": planned.flops,
        "uncounted_layers": planned.uncounted,
        "activation_bytes": planned.activation_bytes,
        "layers": [
            {
                "name": layer.name,
                "kind": layer.kind,
                "inputs": list(layer.inputs),
                "output_shape": list(layer.output_shape),
                "parameters": layer.parameters,
                "trainable": layer.trainable,
                "frozen": layer.frozen,
                "unfreeze_at_epoch": layer.unfreeze_at_epoch,
                "flops": layer.flops if layer.flops_known else None,
            }
            for layer in planned.layers
        ],
    }
