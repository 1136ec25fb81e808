"""Writes an export, compares it with its run, and keeps it only if they agree."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import keras
import numpy as np

from zoo.artifact.layout import Artifact, version_folders
from zoo.artifact.trained_run import TrainedRun
from zoo.artifact.variant import Variant
from zoo.datasets.load import load as load_data
from zoo.datasets.splits import Splits
from zoo.errors import (
    DataError,
    Diverged,
    EnvironmentFault,
    ParityError,
    RunError,
    StorageFault,
    UsageError,
    WrongModel,
    ZooError,
)
from zoo.export import card, warmup_writer
from zoo.export.formats import FORMATS, require_opset, write_labels
from zoo.export.parity import compare
from zoo.files.storage import fault_of, writing
from zoo.plugins import permission, recipe_parts
from zoo.rundir import write_json
from zoo.rundir.files import locked
from zoo.text.shortened import process_ending

UNFINISHED_PREFIX = ".new-"
UNLOCKED_SECONDS = 60  # Between the making of a folder and its lock, at most.


def export(
    trained: TrainedRun,
    format: str = "saved_model",
    out: Path | None = None,
    version: int | None = None,
    *,
    quantize: str | None = None,
    opset: int | None = None,
) -> dict[str, Any]:
    """Exports the best model of a run.

    Args:
        trained: the run.
        format: a key of `FORMATS`.
        out: the folder that receives NAME/VERSION; None: export/FORMAT of the run, or
            export/FORMAT-QUANTIZE.
        version: the version's number. None: in `out` the next free one; in the run 1, which
            replaces the run's older export once the new one has passed the comparison.
        quantize: of `litert`: `float16` or `int8`.
        opset: of `onnx`: version of ONNX's operators; None: 17.

    Returns:
        path, format, bytes (of the model) and parity, as `zoo export --json` prints them; of a
        quantized model also `quantization`, as in its manifest.

    Raises:
        ParityError: the export predicts something else than the run. parity.json says by how much;
            no model is left.
        Diverged: the run diverged.
        WrongModel: the run's model is not its own, or answers NaN.
        DamagedFile: a file of the run was cut, edited or is another run's.
        DataError: the images are missing or unusable.
        UsageError: an option of another format, or an opset that tf2onnx does not write.
        RunError: `out` has that version already; a version that may be served is never changed.
        EnvironmentFault: TensorFlow, or a package that the format needs, is not installed.
        StorageFault: the disk did not take the export; an older one stays as it is.
    """
    variant = Variant(format, quantize, opset)
    require_packages(variant)
    if trained.info.get("status") == "diverged":
        raise Diverged(
            f"{trained.run}: its training diverged, so that nothing is exported: what it holds is "
            "a model from before. Lower the learning rate and train again."
        )
    if keras.backend.backend() != "tensorflow":
        return _export_in_tensorflow_process(trained, variant, out, version)
    _ = trained.model  # A model that is not the run's is refused before anything is written.
    folder = out or trained.run.export_folder(variant.name)
    folder.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(folder)
    model_folder = folder / trained.info["name"]
    version = _free_version(model_folder, version) if out else version or 1
    final = model_folder / str(version)
    # On the same file system as `final`, so that one rename moves it there.
    with (
        writing(final),
        tempfile.TemporaryDirectory(prefix=UNFINISHED_PREFIX, dir=folder) as name,
    ):
        unfinished = Path(name)
        with locked(unfinished, os.getpid):
            artifact = Artifact(unfinished / str(version), format)
            parity = _write_and_compare(trained, artifact, variant, None if out else final)
            final.parent.mkdir(parents=True, exist_ok=True)
            if final.exists():  # The old export stays until the new one has passed.
                final.rename(unfinished / "old")
            artifact.folder.rename(final)
    artifact = Artifact(final, format)
    return {
        "path": str(final),
        "format": format,
        **({"quantization": artifact.manifest()["quantization"]} if quantize else {}),
        "bytes": artifact.size(),
        "parity": parity,
    }


def _write_and_compare(
    trained: TrainedRun, artifact: Artifact, variant: Variant, replaced: Path | None
) -> dict[str, Any]:
    """Writes the export, compares it, and stores the comparison in the run.

    Args:
        trained: the run.
        artifact: where to write.
        variant: what to write.
        replaced: the export of the run that this one replaces. It is deleted on failure too, since
            parity.json then no longer describes it. None: the export goes outside of the run, which
            may be read-only.

    Returns:
        The comparison.

    Raises:
        ParityError: the export predicts something else than the run, or cannot be written.
    """
    file = trained.run.parity_file(variant.name)
    parity: dict[str, Any] = {"passed": False}
    try:
        parity = _write(trained, artifact, variant)
        if not parity["passed"]:
            raise ParityError(_refusal(parity, variant, file))
    except ParityError as error:
        if replaced:
            shutil.rmtree(replaced, ignore_errors=True)
            with suppress(OSError):  # The folder stays if it holds other versions.
                replaced.parent.rmdir()
        _store(file, {**parity, "error": error.message}, may_fail=replaced is None)
        raise
    _store(file, parity, may_fail=replaced is None)
    return parity


def _write(trained: TrainedRun, artifact: Artifact, variant: Variant) -> dict[str, Any]:
    """Writes the model and the files beside it; returns the comparison."""
    artifact.folder.mkdir()
    data = load_data(trained.recipe)
    trained.require_same_classes(data)
    try:
        FORMATS[variant.format].write(trained, artifact.folder, **_options(variant, data))
    except ZooError:
        raise
    except Exception as error:
        if fault_of(error):
            raise
        # Each converter has its own errors for what it cannot write.
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        raise ParityError(
            f"the network cannot be written as {variant.name}: {reason[0]}. Nothing was exported."
        ) from error
    artifact.extra.mkdir(exist_ok=True)
    if artifact.format == "saved_model":
        (image,) = data.validation.images(np.array([0]))
        warmup_writer.write(artifact.warmup_file, trained.info["name"], image)
    else:
        write_labels(artifact.labels_file, trained.class_names)
    parity = compare(trained, artifact, data, artifact.folder.parent, variant.quantize)
    card.write(trained, artifact, variant, parity)
    return parity


def _options(variant: Variant, data: Splits) -> dict[str, Any]:
    """What the writer of a variant takes beside run and folder."""
    options: dict[str, Any] = {}
    if variant.quantize:
        options |= {"quantize": variant.quantize, "train": data.train}
    if variant.opset:
        options["opset"] = variant.opset
    return options


def _refusal(parity: dict[str, Any], variant: Variant, file: Path) -> str:
    if not parity["labels"]:
        return "the export names other classes than the run. Nothing was exported."
    advice = " Try --quantize float16." if variant.quantize == "int8" else ""
    return (
        f"the export predicts something else than the model: {'; '.join(parity['exceeded'])}. "
        f"Nothing was exported; see {file}.{advice}"
    )


def _store(file: Path, parity: dict[str, Any], may_fail: bool) -> None:
    try:
        write_json(file, parity)
    except StorageFault:
        if not may_fail:
            raise


def _remove_leftovers(folder: Path) -> None:
    """Deletes the folders of killed exports. An export at work holds the lock of its folder."""
    for leftover in folder.glob(f"{UNFINISHED_PREFIX}*"):
        try:
            if time.time() - leftover.stat().st_mtime > UNLOCKED_SECONDS:
                with locked(leftover, lambda: None):
                    shutil.rmtree(leftover, ignore_errors=True)
        except (RunError, OSError):
            continue


def _free_version(folder: Path, wanted: int | None) -> int:
    """The wanted version if it is free, else the next free one."""
    versions = version_folders(folder)
    free = max(versions, default=0) + 1
    if wanted is not None and wanted in versions:
        raise RunError(
            f"{folder / str(wanted)}: exists. Servers do not look at a version twice, so none is "
            f"changed: leave --model-version out, or choose a free one, such as {free}."
        )
    return wanted or free


def require_packages(variant: Variant) -> None:
    """Refuses what the installed packages cannot write.

    Raises:
        EnvironmentFault: a package is missing; names the command that installs it.
        UsageError: tf2onnx does not write the opset.
    """
    format = FORMATS[variant.format]
    missing = [name for name in format.needs if find_spec(name) is None]
    if missing:
        raise EnvironmentFault(
            f"--format {variant.format} needs {', '.join(missing)}: "
            f'pip install "zoo-keras[{format.extra}]"'
        )
    if variant.opset is not None:
        require_opset(variant.opset)


def _export_in_tensorflow_process(
    trained: TrainedRun, variant: Variant, out: Path | None, version: int | None
) -> dict[str, Any]:
    """Exports in another process: a process has one Keras backend."""
    command = [sys.executable, "-m", "zoo", "export", str(trained.run), "--json"]
    command += ["--format", variant.format]
    command += ["--quantize", variant.quantize] if variant.quantize else []
    command += ["--opset", str(variant.opset)] if variant.opset else []
    command += ["--model-version", str(version)] if version else []
    command += ["--out", str(out)] if out else []
    command += [word for change in trained.overrides for word in ("--set", change)]
    if trained.recipe.plugins:
        permission.require(recipe_parts.parts_of(trained.recipe))
        command.append(permission.FLAG)  # For what was allowed here: the run names its digests.
    environment = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    process = subprocess.run(command, env=environment, capture_output=True, text=True)
    try:
        result: dict[str, Any] = json.loads(process.stdout)
    except ValueError:
        how = process_ending(process.returncode, process.stderr)
        raise EnvironmentFault(f"the export through TensorFlow failed: {how}") from None
    if "error" in result:
        kinds = {
            "parity": ParityError,
            "diverged": Diverged,
            "data": DataError,
            "run": RunError,
            "model": WrongModel,
            "storage": StorageFault,
            "usage": UsageError,
        }
        raise kinds.get(result["error"]["kind"], EnvironmentFault)(result["error"]["message"])
    return result
