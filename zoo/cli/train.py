"""The verbs that need a framework. Each checks what is cheap before Keras is imported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import backend
from zoo import recipe as recipes
from zoo.cli.export import can_export, exported, require_writable, trained_run
from zoo.cli.output import Output, columns
from zoo.errors import UsageError
from zoo.rundir import Run

TTA = ("mirror", "mirror_translate")
SPLITS = ("test", "validation")


def train(
    out: Output,
    recipe: str | None,
    overrides: Sequence[str],
    resume: str | None,
    folder: Path,
    tensorboard: bool,
    evaluating: bool,
    exporting: bool,
) -> None:
    """`zoo train`: trains or resumes, then evaluates and exports."""
    if (recipe is None) == (resume is None):
        raise UsageError("Expected either a RECIPE or --resume RUN, and not both.")
    loaded = recipes.load(str(recipe), overrides, out.warn) if resume is None else None
    if loaded:
        require_writable(folder)
    deterministic = loaded.train.deterministic if loaded else True
    if resume:
        deterministic = recipes.load(str(Run.open(resume).recipe_file)).train.deterministic
    backend.prepare(deterministic=deterministic)
    from zoo.train import Settings
    from zoo.train import resume as go_on
    from zoo.train import train as begin

    settings = Settings(console=out.console(), tensorboard=tensorboard)
    run = begin(loaded, folder, settings) if loaded else go_on(str(resume), settings, overrides)
    info = run.info()
    keys = ("status", "epochs", "best_epoch", "seconds", "images_per_second", "val_accuracy")
    out.result({"run": str(run), **{key: info.get(key) for key in keys}})
    out.text(
        f"trained   {info['epochs']} epochs in {info['seconds']:.1f} s, best epoch "
        f"{info['best_epoch']}: validation accuracy {info['val_accuracy']:.4f}"
    )
    _after(
        out,
        run,
        evaluating and info["data"]["test"] is not None,
        exporting,
        overrides if resume else (),
    )
    out.text(f"run       {run}")


def _after(
    out: Output, run: Run, evaluating: bool, exporting: bool, overrides: Sequence[str]
) -> None:
    from zoo.artifact.trained_run import TrainedRun
    from zoo.evaluate import evaluate as measure

    trained = TrainedRun(run, overrides)
    if evaluating:
        result = measure(trained)
        out.result({"accuracy": result["accuracy"], "test_loss": result["loss"]})
        more = ""
        if "tta" in result:
            out.result({"tta": result["tta"]})
            more = f" ({result['tta']['accuracy']:.4f} with tta: {result['tta']['kind']})"
        out.text(
            f"test      accuracy {result['accuracy']:.4f}{more} on {result['images']:,} images"
        )
    if exporting and not can_export():
        out.note("not exported: TensorFlow, which writes SavedModels, is not installed")
    elif exporting:
        from zoo.export import export as write

        made = write(trained)
        out.result({"export": made})
        out.text(exported(made))


def evaluate(out: Output, run: str, split: str, overrides: Sequence[str], tta: str | None) -> None:
    """`zoo evaluate`."""
    if tta not in (None, *TTA):
        raise UsageError(f"--tta {tta}: unknown. Expected one of: {', '.join(TTA)}.")
    if split not in SPLITS:
        raise UsageError(f"--split {split}: unknown. Expected one of: {', '.join(SPLITS)}.")
    trained = trained_run(run, overrides)
    from zoo.evaluate import evaluate as measure
    from zoo.progress import counting

    with counting(out.console()) as report:
        result = measure(trained, split, report, tta)
    out.result(result)
    rows = [["class", "precision", "recall", "f1", "images"]]
    for entry in result["per_class"]:
        shares = [f"{entry[key]:.4f}" for key in ("precision", "recall", "f1")]
        rows.append([entry["class"], *shares, str(entry["images"])])
    names = [entry["class"] for entry in result["per_class"]]
    out.text(
        "\n".join(
            [
                f"{split}: {result['images']:,} images",
                f"accuracy        {result['accuracy']:.4f}",
                f"top-5 accuracy  {result['top5_accuracy']:.4f}",
                f"loss            {result['loss']:.4f}",
                f"calibration     {result['ece']:.4f} expected error, 15 bins",
                *_with_tta(result),
                "",
                columns(rows, right=(1, 2, 3, 4)),
                "",
                *_confusions(names, result["confusion_matrix"]),
            ]
        )
    )


def _with_tta(result: dict[str, Any]) -> list[str]:
    if "tta" not in result:
        return []
    tta = result["tta"]
    figures = (
        f"accuracy {tta['accuracy']:.4f}, top-5 {tta['top5_accuracy']:.4f}, loss {tta['loss']:.4f}"
    )
    return [f"with {tta['kind']}  {figures}, calibration {tta['ece']:.4f}"]


def _confusions(names: list[str], matrix: list[list[int]], most: int = 20) -> list[str]:
    """The confusion matrix, or of many classes the most frequent mistakes."""
    if len(names) <= most:
        rows = [["true \\ said", *names]]
        rows += [[name, *map(str, row)] for name, row in zip(names, matrix, strict=True)]
        return [columns(rows, right=range(1, len(names) + 1))]
    mistakes = sorted(
        (
            (count, names[i], names[j])
            for i, row in enumerate(matrix)
            for j, count in enumerate(row)
            if i != j and count
        ),
        reverse=True,
    )
    lines = [f"{count:6d}  {true} taken for {said}" for count, true, said in mistakes[:most]]
    return ["most frequent mistakes (all of them: --json)", *lines]
