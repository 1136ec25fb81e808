"""`zoo evaluate`: metrics of a trained run."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import (
    AllowPluginsOption,
    DataSourceOption,
    DebugOption,
    JsonOption,
    QuietOption,
    RunArgument,
)
from zoo.cli.output import Output, columns
from zoo.errors import StorageFault, UsageError
from zoo.verbs.opening import open_trained_run

TTA = ("mirror", "mirror_translate")
SPLITS = ("test", "validation")
MAX_CLASSES_PRINTED = 20
FEW_CLASSES = 5  # The top-5 accuracy of so many classes is 1 whatever the model.


@app.command()
def evaluate(
    run: RunArgument,
    overrides: DataSourceOption = None,
    split: Annotated[
        str, typer.Option("--split", help="Split to evaluate: test or validation.")
    ] = "test",
    tta: Annotated[
        str | None,
        typer.Option("--tta", help="Also with test-time augmentation: mirror or mirror_translate."),
    ] = None,
    allow_plugins: AllowPluginsOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Measure a run: accuracy, per-class precision and recall, confusion matrix, calibration."""
    with Output(as_json, debug, quiet) as out:
        if tta not in (None, *TTA):
            raise UsageError(f"--tta {tta}: unknown. Expected one of: {', '.join(TTA)}.")
        if split not in SPLITS:
            raise UsageError(f"--split {split}: unknown. Expected one of: {', '.join(SPLITS)}.")
        trained = open_trained_run(run, overrides or (), out.note)
        from zoo.class_metrics import say_never_predicted
        from zoo.evaluate import evaluate as measure
        from zoo.progress import progress_bar

        try:
            with progress_bar(out.console()) as progress:
                result = measure(trained, split, progress, tta)
        except StorageFault as error:
            if error.facts:
                out.text("\n".join(lines(split, error.facts)))
            raise
        out.result(result)
        if result["never_predicted"]:
            sentence = say_never_predicted(result["never_predicted"], f"{split} image")
            advice = "See train.class_weight and train.monitor"
            if result.get("multi_label"):
                advice += "; zoo predict --threshold takes another probability than 0.5"
            out.note(f"warning: {sentence}. {advice}.")
        out.text("\n".join(lines(split, result)))


def lines(split: str, result: dict[str, Any]) -> list[str]:
    """Say an evaluation to people, in lines."""
    if result.get("multi_label"):
        return _multi_label_lines(split, result)
    per_class = [["class", "precision", "recall", "f1", "images"]]
    for entry in result["per_class"]:
        scores = [f"{entry[key]:.4f}" for key in ("precision", "recall", "f1")]
        per_class.append([entry["class"], *scores, str(entry["images"])])
    by_five = len(result["per_class"]) > FEW_CLASSES
    overall = [
        f"{split}: {result['images']:,} images",
        f"accuracy        {result['accuracy']:.4f}",
        *([f"top-5 accuracy  {result['top5_accuracy']:.4f}"] if by_five else []),
        f"balanced        accuracy {result['balanced_accuracy']:.4f}, each class counts the same",
        f"macro           F1 {result['f1']:.4f}, recall {result['recall']:.4f}, "
        f"AUC {_area(result)}",
        f"loss            {result['loss']:.4f}",
        f"calibration     ECE {result['ece']:.4f} (expected calibration error, 15 bins)",
        *(f"{word:<15} {value:.4f}" for word, value in (result.get("metrics") or {}).items()),
    ]
    if "tta" in result:
        tta = result["tta"]
        top_5 = f"top-5 {tta['top5_accuracy']:.4f}, " if by_five else ""
        overall.append(
            f"with {tta['kind']}  accuracy {tta['accuracy']:.4f}, "
            f"{top_5}loss {tta['loss']:.4f}, "
            f"ECE {tta['ece']:.4f}, balanced accuracy {tta['balanced_accuracy']:.4f}"
        )
    names = [entry["class"] for entry in result["per_class"]]
    confusions = _confusions(names, result["confusion_matrix"])
    return [*overall, "", columns(per_class, right=(1, 2, 3, 4)), "", *confusions]


def _multi_label_lines(split: str, result: dict[str, Any]) -> list[str]:
    """Say an evaluation of images with any number of classes."""
    keys = ("precision", "recall", "f1", "average_precision", "auc")
    per_class = [["class", "precision", "recall", "f1", "average precision", "AUC", "images"]]
    for entry in result["per_class"]:
        per_class.append(
            [entry["class"], *(_score(entry[key]) for key in keys), str(entry["images"])]
        )
    precision = result["mean_average_precision"]
    lines = [
        f"{split}: {result['images']:,} images, each with any number of classes",
        f"mean average precision  {_score(precision)}, each class counts the same",
        f"F1 at 0.5               {result['f1']:.4f} macro, {result['micro_f1']:.4f} micro",
        f"recall at 0.5           {result['recall']:.4f} macro",
        f"AUC                     {_score(result['auc'])} macro",
        f"all classes right       {result['accuracy']:.4f} of the images (accuracy)",
        f"wrong answers           {result['hamming_loss']:.4f} of all (Hamming loss)",
        f"loss                    {result['loss']:.4f}",
        f"calibration             ECE {result['ece']:.4f} (expected calibration error, 15 bins)",
    ]
    if "tta" in result:
        tta = result["tta"]
        lines.append(
            f"with {tta['kind']}  mean average precision {_score(tta['mean_average_precision'])}, "
            f"F1 {tta['f1']:.4f} macro, {tta['micro_f1']:.4f} micro, loss {tta['loss']:.4f}"
        )
    return [*lines, "", columns(per_class, right=range(1, 7))]


def _score(value: float | None) -> str:
    """A metric; of classes without images some are undefined."""
    return "undefined" if value is None else f"{value:.4f}"


def _area(result: dict[str, Any]) -> str:
    """The AUC; it is undefined where all images are of one class."""
    return "undefined" if result["auc"] is None else f"{result['auc']:.4f} (one class against all)"


def _confusions(names: list[str], matrix: list[list[int]]) -> list[str]:
    """Return the confusion matrix; with more classes than fit, the most frequent mistakes."""
    if len(names) <= MAX_CLASSES_PRINTED:
        rows = [["true \\ predicted", *names]]
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
    return [
        "most frequent mistakes (all of them: --json)",
        *(
            f"{count:6d}  {true} taken for {predicted}"
            for count, true, predicted in mistakes[:MAX_CLASSES_PRINTED]
        ),
    ]
