"""`zoo predict`: image files in, classes out, from a run or an export."""

from __future__ import annotations

import csv
import glob
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from zoo import artefact, backend
from zoo.cli.exporting import require_writable, trained_run
from zoo.cli.output import Output
from zoo.data import layout
from zoo.errors import DataError, RunError, UsageError
from zoo.run import written


def predict(out: Output, path: str, images: Sequence[str], top: int, csv_file: Path | None) -> None:
    """`zoo predict`: a line a file; a bad file is named and does not stop the rest."""
    if csv_file and str(csv_file) == "-" and out.as_json:
        raise UsageError("--csv - and --json both write to standard output; choose one.")
    files = image_files(images)
    if csv_file and str(csv_file) != "-":
        require_writable(csv_file.parent)
    classifier = _classifier(path)
    from zoo.predict import predict as predicted
    from zoo.progress import counting

    found = []
    with counting(out.console()) as report:
        for prediction in predicted(classifier, files, top, report):
            found.append(prediction)
            if csv_file:
                continue
            if prediction.error:
                out.text(f"{prediction.path}: {prediction.error}")
            else:
                pairs = zip(prediction.classes, prediction.probabilities, strict=True)
                answer = "  ".join(f"{name} {share:.4f}" for name, share in pairs)
                out.text(f"{prediction.path}: {answer}")
    if csv_file:
        _write_csv(csv_file, [each.as_json() for each in found], min(top, _classes(found)))
        if str(csv_file) != "-":
            out.text(f"written   {csv_file}: {len(found):,} files")
    out.result({"predictions": [each.as_json() for each in found]})
    failed = sum(each.error is not None for each in found)
    if failed:
        raise DataError(f"{failed} of {len(found)} files could not be read.")


def _classes(found: Sequence[Any]) -> int:
    return max((len(each.classes) for each in found), default=0)


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
    with written(file) as aside, aside.open("w", encoding="utf-8", newline="") as to:
        write(to)


def _classifier(path: str) -> Any:
    """A run or an export, told apart before a framework is loaded."""
    if not (Path(path).expanduser() / "run.json").is_file():
        made = artefact.find(path)
        if made:
            made.manifest()
            if made.form in ("saved_model", "keras"):
                backend.prepare()
            from zoo.predict import Exported

            with backend.quiet():
                return Exported(made)
    try:
        return trained_run(path)
    except RunError as error:
        if Path(path).expanduser().exists() and "is not a run folder" in error.message:
            raise RunError(
                f"{path}: neither a run nor an export. Expected a folder of `zoo train`, or of "
                "`zoo export`: RUN/export/FORMAT/NAME/1."
            ) from None
        raise


def image_files(given: Sequence[str]) -> list[Path]:
    """The image files meant: files as they are, folders with all images below, globs."""
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
        elif glob.has_magic(text):
            matched = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
            # Folders that a pattern meets are left alone where it meets files.
            wanted = [match for match in matched if match.is_file()]
            if not wanted and matched:
                wanted = image_files([str(match) for match in matched])
            if not wanted:
                raise DataError(f"{text}: matches no file.")
            files += wanted
        else:
            raise DataError(f"{text}: does not exist. Expected image files or folders of them.")
    return files
