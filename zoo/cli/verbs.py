"""The verbs that need a framework. Each checks what is cheap before Keras is imported."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zoo import backend
from zoo import recipe as recipes
from zoo.cli.output import Output, columns
from zoo.data import layout
from zoo.errors import DataError, EnvironmentFault, UsageError
from zoo.run import Run

TTA = ("mirror", "mirror_translate")
SPLITS = ("test", "validation")


def train(
    out: Output,
    recipe: str | None,
    sets: Sequence[str],
    resume: str | None,
    folder: Path,
    tensorboard: bool,
    evaluating: bool,
    exporting: bool,
) -> None:
    """`zoo train`: trains or resumes, then evaluates and exports."""
    if (recipe is None) == (resume is None):
        raise UsageError("Expected either a RECIPE or --resume RUN, and not both.")
    loaded = recipes.load(str(recipe), sets, out.warn) if resume is None else None
    if loaded:
        _require_writable(folder)
    deterministic = loaded.train.deterministic if loaded else True
    if resume:
        deterministic = recipes.load(str(Run.open(resume).recipe_file)).train.deterministic
    backend.prepare(deterministic=deterministic)
    from zoo.train import Settings
    from zoo.train import resume as go_on
    from zoo.train import train as begin

    settings = Settings(console=out.console(), tensorboard=tensorboard)
    run = begin(loaded, folder, settings) if loaded else go_on(str(resume), settings, sets)
    info = run.info()
    keys = ("status", "epochs", "best_epoch", "seconds", "images_per_second", "val_accuracy")
    out.result({"run": str(run), **{key: info.get(key) for key in keys}})
    out.text(
        f"trained   {info['epochs']} epochs in {info['seconds']:.1f} s, best epoch "
        f"{info['best_epoch']}: validation accuracy {info['val_accuracy']:.4f}"
    )
    _after(
        out, run, evaluating and info["data"]["test"] is not None, exporting, sets if resume else ()
    )
    out.text(f"run       {run}")


def _require_writable(folder: Path) -> None:
    """Says so before the data are read, not after."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise EnvironmentFault(f"{folder}: cannot be written to; choose another place with --out.")


def _after(out: Output, run: Run, evaluating: bool, exporting: bool, sets: Sequence[str]) -> None:
    from zoo.evaluate import evaluate as measure
    from zoo.trained import Trained

    trained = Trained(run, sets)
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
    if exporting and not _can_export():
        out.note("not exported: TensorFlow, which writes SavedModels, is not installed")
    elif exporting:
        from zoo.export import export as write

        made = write(trained)
        out.result({"export": made})
        out.text(_exported(made))


def _can_export() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("tensorflow") is not None
    except (ImportError, ValueError):
        return False


def _exported(made: dict[str, Any]) -> str:
    parity = made["parity"]
    return (
        f"export    {made['path']}: differs by {parity['max_abs_diff']:.1e} on "
        f"{parity['images']} images"
    )


def evaluate(out: Output, run: str, split: str, sets: Sequence[str], tta: str | None) -> None:
    """`zoo evaluate`."""
    if tta not in (None, *TTA):
        raise UsageError(f"--tta {tta}: unknown. Expected one of: {', '.join(TTA)}.")
    if split not in SPLITS:
        raise UsageError(f"--split {split}: unknown. Expected one of: {', '.join(SPLITS)}.")
    trained = _trained(run, sets)
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


def predict(out: Output, run: str, images: Sequence[str], top: int) -> None:
    """`zoo predict`."""
    files = _image_files(images)
    trained = _trained(run)
    found = []
    for prediction in trained.predict(files, top):
        found.append(prediction.as_json())
        if prediction.error:
            out.text(f"{prediction.path}: {prediction.error}")
        else:
            pairs = zip(prediction.classes, prediction.probabilities, strict=True)
            answer = "  ".join(f"{name} {share:.4f}" for name, share in pairs)
            out.text(f"{prediction.path}: {answer}")
    out.result({"predictions": found})
    failed = sum(entry["error"] is not None for entry in found)
    if failed:
        raise DataError(f"{failed} of {len(found)} files could not be read.")


def export(out: Output, run: str, form: str, sets: Sequence[str]) -> None:
    """`zoo export`."""
    if form != "saved_model":
        raise UsageError(f"--format {form}: unknown. Expected: saved_model.")
    Run.open(run).require_model()
    # Export goes through TensorFlow whatever backend trained.
    os.environ["KERAS_BACKEND"] = "tensorflow"
    if not _can_export():
        raise EnvironmentFault("exporting needs TensorFlow: pip install tensorflow")
    trained = _trained(run, sets)
    from zoo.export import export as write

    made = write(trained)
    out.result(made)
    out.text(_exported(made))


def _image_files(given: Sequence[str]) -> list[Path]:
    """The image files meant by paths: files as they are, folders with all images below them."""
    files: list[Path] = []
    for text in given:
        path = Path(text).expanduser()
        if path.is_dir():
            found = sorted(
                child
                for child in path.rglob("*")
                if layout.is_image(child.name) and child.is_file()
            )
            if not found:
                raise DataError(f"{text}: holds no image files.")
            files += found
        elif path.exists():
            files.append(path)
        else:
            raise DataError(f"{text}: does not exist. Expected image files or folders of them.")
    return files


def _trained(path: str, sets: Sequence[str] = ()) -> Any:
    """Opens a run before the framework is loaded, so that a wrong path answers at once."""
    run = Run.open(path)
    run.require_model()
    backend.prepare(deterministic=False)
    from zoo.trained import Trained

    return Trained(run, sets)
