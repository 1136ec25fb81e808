"""`zoo predict`: image files in, classes out, from a run or an export."""

from __future__ import annotations

import csv
import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from zoo import backend
from zoo.artifact.layout import find_export
from zoo.cli.export import require_writable, trained_run
from zoo.cli.output import Output
from zoo.data import layout
from zoo.errors import DataError, Problem, RunError, UsageError
from zoo.rundir import Run, written


def predict(out: Output, path: str, images: Sequence[str], top: int, csv_file: Path | None) -> None:
    """`zoo predict`: a line a file; a bad file is named and does not stop the rest."""
    _require_csv(out, csv_file)
    files, missing = image_files(images)
    if not files:
        raise DataError("there is no image to predict.", missing)
    classifier = _classifier(path)
    from zoo.predict import predict as predicted
    from zoo.progress import counting

    lines = _Lines(files, classifier.class_names)
    found = [problem_as_json(problem) for problem in missing]
    for entry in found:
        if not csv_file:
            out.text(lines.of(entry))
    with counting(out.console()) as report:
        for prediction in predicted(classifier, files, top, report):
            found.append(prediction.as_json())
            if not csv_file:
                out.text(lines.of(found[-1]))
    if csv_file:
        _write_csv(csv_file, found, min(top, len(classifier.class_names)))
        if str(csv_file) != "-":
            out.text(f"written   {csv_file}: {len(found):,} files")
    out.result({"predictions": found})
    failed = sum(entry["error"] is not None for entry in found)
    if failed:
        raise DataError(f"{failed} of {len(found)} files could not be read.")


def _require_csv(out: Output, file: Path | None) -> None:
    """Refuses a file that cannot be written, before anything is predicted."""
    if file is None:
        return
    if str(file) == "-":
        if out.as_json:
            raise UsageError("--csv - and --json both write to standard output; choose one.")
        return
    if file.is_dir():
        raise UsageError(f"--csv {file}: is a folder. Expected the name of a file.")
    require_writable(file.parent)


def problem_as_json(problem: Problem) -> dict[str, Any]:
    """What `--json` says of a path that is no file."""
    return {"path": problem.file, "classes": [], "probabilities": [], "error": problem.message}


class _Lines:
    """Predictions as the rows of a table whose widths are known before the first."""

    def __init__(self, files: Sequence[Path], classes: Sequence[str]) -> None:
        self.path = min(60, max(len(_printable(str(file))) for file in files))
        self.name = max(map(len, classes))

    def of(self, entry: dict[str, Any]) -> str:
        path = _printable(entry["path"]).ljust(self.path)
        if entry["error"]:
            return f"{path}  {entry['error']}"
        pairs = zip(entry["classes"], entry["probabilities"], strict=True)
        answer = "  ".join(f"{name.ljust(self.name)} {share:.4f}" for name, share in pairs)
        return f"{path}  {answer}"


def _printable(text: str) -> str:
    """A file's name on one line."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _write_csv(file: Path, rows: list[dict[str, Any]], top: int) -> None:
    """path, class_1, probability_1, ..., error: a row a file."""
    pairs = [word for i in range(1, top + 1) for word in (f"class_{i}", f"probability_{i}")]

    def write(to: IO[str]) -> None:
        writer = csv.writer(to, lineterminator="\n")
        writer.writerow(["path", *pairs, "error"])
        for row in rows:
            values: list[Any] = []
            for name, share in zip(row["classes"], row["probabilities"], strict=True):
                values += [name, f"{share:.6g}"]
            values += [""] * (len(pairs) - len(values))
            writer.writerow([row["path"], *values, row["error"] or ""])

    if str(file) == "-":
        write(sys.stdout)
        return
    with (
        written(file) as aside,
        aside.open("w", encoding="utf-8", errors="surrogateescape", newline="") as to,
    ):
        write(to)


def _classifier(path: str) -> Any:
    """A run or an export, told apart before a framework is loaded."""
    if not Run.is_one(path):
        made = find_export(path)
        if made:
            made.manifest()
            if made.format in ("saved_model", "keras"):
                backend.prepare()
            from zoo.predict import ExportedModel

            with backend.quiet():
                return ExportedModel(made)
    try:
        Run.open(path)
    except RunError:
        there = (
            "neither a run nor an export" if Path(path).expanduser().exists() else "does not exist"
        )
        raise RunError(
            f"{path}: {there}. Expected a folder of `zoo train`, or of `zoo export`: "
            "RUN/export/FORMAT/NAME/1."
        ) from None
    return trained_run(path)


def image_files(given: Sequence[str]) -> tuple[list[Path], list[Problem]]:
    """The image files meant: files as they are, folders with all images below, globs.

    Returns:
        The files, and what leads to none.
    """
    files: list[Path] = []
    problems: list[Problem] = []
    for text in given:
        path = Path(text).expanduser()
        reason = "does not exist. Expected image files, folders of them, or globs"
        if path.is_dir():
            found = _below(path)
            reason = "holds no image files"
        elif path.exists():
            found = [path]
        elif glob.has_magic(text):
            matched = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
            # Folders that a pattern meets are left alone where it meets files.
            found = [match for match in matched if match.is_file()]
            found = found or [file for match in matched for file in _below(match)]
            reason = "matches no image file"
        else:
            found = []
        files += found
        if not found:
            problems.append(Problem(file=text, message=reason))
    return files, problems


def _below(folder: Path) -> list[Path]:
    return sorted(
        child for child in folder.rglob("*") if layout.is_image(child.name) and child.is_file()
    )
