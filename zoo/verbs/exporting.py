"""Exports a trained run's best model in one format or several, and tells the result. Light."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.errors import EnvironmentFault, ParityError, Problem
from zoo.text.sizes import size_text
from zoo.verbs.teller import Teller

if TYPE_CHECKING:
    from zoo.artifact.trained_run import TrainedRun
    from zoo.artifact.variant import Variant
    from zoo.rundir import Run


def require_places(out: Teller, path: str, chosen: Sequence[Variant], folder: Path | None) -> Run:
    """Refuse a run without a model, and folders that cannot be written, before anything is read.

    Args:
        out: is told which of several runs was taken.
        path: the RUN argument.
        chosen: what is to be exported.
        folder: where to; None for the run folder.

    Returns:
        The run.

    Raises:
        RunError: the path names no run, or one without a model.
        EnvironmentFault: a folder cannot be written.
    """
    from zoo.rundir import Run, require_writable

    if folder:
        require_writable(folder)
    run = Run.open(path, out.note)
    run.require_model()
    if folder is None:
        for variant in chosen:
            require_writable(run.export_folder(variant.name))
    return run


def export(
    out: Teller,
    trained: TrainedRun,
    chosen: Sequence[Variant],
    folder: Path | None,
    version: int | None,
) -> None:
    """Export each variant; a failure does not stop the others."""
    from zoo.export import export as write
    from zoo.export.export import require_packages

    for variant in chosen:
        require_packages(variant)
    results: list[dict[str, Any]] = []
    failures: list[str] = []
    several = len(chosen) > 1
    for variant in chosen:
        out.note(f"exporting {variant.name}")
        # All formats use the path NAME/VERSION, so each needs a parent folder of its own.
        parent = folder / variant.name if folder and several else folder
        try:
            results.append(
                write(
                    trained,
                    variant.format,
                    parent,
                    version,
                    quantize=variant.quantize,
                    opset=variant.opset,
                )
            )
        except ParityError as error:
            failures.append(f"{variant.name}: {error.message}" if several else error.message)
            continue
        print_export(out, results[-1])
    only = results[0] if len(chosen) == len(results) == 1 else {}
    out.result({**only, "exports": results})
    if failures:
        raise ParityError("; ".join(failures))


def tensorflow_installed() -> bool:
    """Whether TensorFlow can be found, without importing it."""
    try:
        return find_spec("tensorflow") is not None
    except (ImportError, ValueError):
        return False


def require_tensorflow() -> None:
    """Require the package that writes every export.

    Raises:
        EnvironmentFault: it is not installed.
    """
    if not tensorflow_installed():
        raise EnvironmentFault("exporting needs TensorFlow: pip install tensorflow")


def print_export(out: Teller, result: dict[str, Any]) -> None:
    """Print where an export is, its size, and how far its predictions differ from the model's."""
    from zoo.export.limits import agreement, disagreement

    parity = result["parity"]
    line = f"{result['path']}: {size_text(result['bytes'])}; differs by "
    if "quantization" not in result:
        out.text(f"export    {line}{parity['max_abs_diff']:.1e} on {parity['images']} images")
        return
    accuracy = parity["accuracy"]
    out.text(
        f"export    {line}{parity['mean_diff']:.1e} on average, at most "
        f"{parity['max_abs_diff']:.1e}, on {parity['images']} images: {agreement(parity)}, "
        f"accuracy {accuracy['export']:.4f} (before: "
        f"{accuracy['run']:.4f})"
    )
    quantization = result["quantization"]
    if quantization.get("float_operators"):
        operators = ", ".join(quantization["float_operators"])
        out.note(f"note: in float32, since they have no form in integers: {operators}")
    if parity["doubtful"]:
        message = (
            f"{quantization['kind']}: {disagreement(parity)}; test the export before you use it, "
            "or take --quantize float16"
        )
        out.warn(Problem(file=result["path"], message=message))
