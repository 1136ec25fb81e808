"""`zoo predict`: the classes of image files, from a run or an export."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from zoo.cli.app import app
from zoo.cli.options import AllowPluginsOption, DebugOption, JsonOption, QuietOption
from zoo.cli.output import Output
from zoo.errors import DataError, Problem, UsageError
from zoo.files.streams import reader_is_gone
from zoo.multi_label import THRESHOLD
from zoo.text.counted import counted
from zoo.text.printable import one_line, quoted
from zoo.verbs.image_arguments import image_files
from zoo.verbs.opening import open_classifier
from zoo.verbs.shown_classes import TOP, Shown

if TYPE_CHECKING:
    from zoo.datasets.content.odd_files import OddFiles
    from zoo.predict import Classifier

MAX_PATH_WIDTH = 60


@app.command()
def predict(
    model: Annotated[
        str, typer.Argument(metavar="RUN|EXPORT", help="A run folder, or an export of a run.")
    ],
    images: Annotated[
        list[str],
        typer.Argument(metavar="IMAGE...", help="Image files, folders of them, or globs."),
    ],
    top: Annotated[
        int | None,
        typer.Option("--top", min=1, help=f"Number of classes to print per image; without: {TOP}."),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            min=0.0,
            max=1.0,
            help="Print all classes of at least this probability; for images with any number of "
            f"classes it is {THRESHOLD:g} unless given.",
        ),
    ] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            "--csv", metavar="FILE", help="Write a CSV file, one row per image; - for stdout."
        ),
    ] = None,
    follow_links: Annotated[
        bool,
        typer.Option("--follow-links", help="Read links in a folder that lead out of it, too."),
    ] = False,
    allow_plugins: AllowPluginsOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Predict the classes of image files, with probabilities."""
    with Output(as_json, debug, quiet) as out:
        _require_csv(out, csv)
        found = image_files(images, follow_links=follow_links)
        if not found.files:
            raise DataError("there is no image to predict.", found.problems)
        classifier = open_classifier(model, out.note)
        from zoo.datasets.content.odd_files import OddFiles

        odd = OddFiles(classifier.image_ranges)
        shown = Shown.of(top, threshold, multi_label=classifier.multi_label)
        rows = _predict(
            out, classifier, found.files, found.problems, shown, odd, printing=csv is None
        )
        found.notes += odd.notes(len(rows))
        if csv is not None:
            _write_csv(csv, rows, shown.columns(rows, len(classifier.class_names)))
            if str(csv) != "-":
                out.text(f"written   {csv}: {counted(len(rows), 'file')}")
        for note in found.notes:
            out.remark(f"note: {note}")
        out.result(
            {
                "predictions": rows,
                "multi_label": classifier.multi_label,
                "threshold": shown.threshold,
                "notes": found.notes,
                "unlike_training": odd.unlike_as_json(),
            }
        )
        failed = sum(row["error"] is not None for row in rows)
        if failed:
            raise DataError(f"{failed} of {len(rows)} files could not be read.")


def _require_csv(out: Output, file: Path | None) -> None:
    """Refuse a file that cannot be written before anything is predicted."""
    from zoo.rundir import require_writable

    if file is None:
        return
    if str(file) == "-":
        if out.as_json:
            raise UsageError("--csv - and --json both write to standard output; choose one.")
        return
    if file.is_dir():
        raise UsageError(f"--csv {file}: is a folder. Expected the name of a file.")
    require_writable(file.parent)


def _predict(
    out: Output,
    classifier: Classifier,
    files: Sequence[Path],
    problems: Sequence[Problem],
    shown: Shown,
    odd: OddFiles,
    *,
    printing: bool,
) -> list[dict[str, Any]]:
    """Predict file by file and print each line at once; an unreadable file gets a row too."""
    from zoo.predict import predict as predict_files
    from zoo.progress import progress_bar

    path_width = min(MAX_PATH_WIDTH, max(len(quoted(file)) for file in files))
    name_width = max(len(quoted(name)) for name in classifier.class_names)
    rows: list[dict[str, Any]] = []

    def add(row: dict[str, Any]) -> None:
        rows.append(row)
        if printing:
            out.text(_line(row, path_width, name_width, shown.threshold or 0.0))
            if reader_is_gone():  # As in `zoo predict ... | head`.
                raise typer.Exit(0)

    for problem in problems:
        add({"path": problem.file, "classes": [], "probabilities": [], "error": problem.message})
    with progress_bar(out.console()) as progress:
        for prediction in predict_files(
            classifier, files, shown.top, progress, odd, shown.threshold or 0.0
        ):
            add(prediction.as_json())
    return rows


def _line(row: dict[str, Any], path_width: int, name_width: int, threshold: float) -> str:
    path = quoted(row["path"]).ljust(path_width)
    if row["error"]:
        return f"{path}  {one_line(row['error'])}"
    if not row["classes"]:
        return f"{path}  no class from {threshold:g} on"
    pairs = zip(map(quoted, row["classes"]), row["probabilities"], strict=True)
    return "  ".join([path, *(f"{name.ljust(name_width)} {value:.4f}" for name, value in pairs)])


def _write_csv(file: Path, rows: Sequence[dict[str, Any]], top: int) -> None:
    """Write one row per file: path, class_1, probability_1, ..., error.

    Args:
        file: the CSV file; - for stdout.
        rows: the predictions.
        top: number of columns of classes: the most that a row has.
    """
    import csv
    import sys

    from zoo.rundir import atomic_write

    pairs = [word for i in range(1, top + 1) for word in (f"class_{i}", f"probability_{i}")]

    def write(stream: IO[str]) -> None:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["path", *pairs, "error"])
        for row in rows:
            values: list[Any] = []
            for name, probability in zip(row["classes"], row["probabilities"], strict=True):
                values += [name, f"{probability:.6g}"]
            values += [""] * (len(pairs) - len(values))
            writer.writerow([row["path"], *values, row["error"] or ""])

    if str(file) == "-":
        write(sys.stdout)
        return
    with (
        atomic_write(file) as temporary,
        temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream,
    ):
        write(stream)
