"""What is told of a finished training, and what is done with the model. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from zoo.errors import DataError, StorageFault
from zoo.text.counted import counted
from zoo.verbs.teller import Teller

if TYPE_CHECKING:
    from zoo.artifact.trained_run import TrainedRun
    from zoo.rundir import Run
    from zoo.verbs.training import TrainJob


def report_training(out: Teller, run: Run) -> None:
    """Tell what a training reached."""
    info = run.started_info()
    monitor = info.get("monitor") or "val_accuracy"  # Older versions did not store it.
    keys = ("status", "epochs", "best_epoch", "seconds", "images_per_second", "val_accuracy")
    result = {key: info.get(key) for key in (*keys, "monitor", monitor, "never_predicted")}
    out.result({"run": str(run), **result})
    selected_by = "" if monitor == "val_accuracy" else f", {monitor} {info[monitor]:.4f}"
    out.text(
        f"trained   {counted(info['epochs'], 'epoch')} in {info['seconds']:.1f} s, best epoch "
        f"{info['best_epoch']}: validation accuracy {info['val_accuracy']:.4f}{selected_by}"
    )


def finish(out: Teller, run: Run, job: TrainJob, flags: Mapping[str, bool]) -> None:
    """Measure the model of a job's run on the test split and export it, as the flags say.

    Raises:
        StorageFault: the disk failed; the message says that the training is kept.
    """
    from zoo.artifact.trained_run import TrainedRun
    from zoo.recipe.moved import moved

    finish_trained(out, TrainedRun(run, moved(job.overrides) if job.resume else ()), flags)


def finish_trained(out: Teller, trained: TrainedRun, flags: Mapping[str, bool]) -> None:
    """Measure the model on the test split, export it and write its report, as the flags say.

    Raises:
        StorageFault: the disk failed; the message says that the training is kept.
    """
    with _training_kept(trained.run, "evaluate"):
        if flags["evaluate"] and trained.info["data"].get("test") is not None:
            _evaluate(out, trained)
        else:
            _keep_for_report(out, trained, validation=flags["evaluate"])
    if flags["export"]:
        with _training_kept(trained.run, "export"):
            _export(out, trained)
    if flags.get("report"):
        from zoo.verbs.reporting import write_report

        with _training_kept(trained.run, "report"):
            made = write_report(out, [str(trained.run)])
        out.result({key: made[key] for key in ("report", "bytes")})


@contextmanager
def _training_kept(run: Run, verb: str) -> Iterator[None]:
    """Add to a disk's failure after the training that the training itself is done and kept."""
    try:
        yield
    except StorageFault as error:
        error.facts = {}  # Keys of the training are told already.
        raise error.adding(f"The training is done and kept. Then: zoo {verb} {run}") from error


def _evaluate(out: Teller, trained: TrainedRun) -> None:
    from zoo.evaluate import evaluate
    from zoo.recipe.monitors import weighs_classes_alike

    result = evaluate(trained)
    if result.get("multi_label"):
        _print_multi_label(out, result)
        return
    out.result({key: result[key] for key in ("accuracy", "balanced_accuracy")})
    out.result({"test_loss": result["loss"]})
    with_tta = ""
    if "tta" in result:
        out.result({"tta": result["tta"]})
        with_tta = f" ({result['tta']['accuracy']:.4f} with tta: {result['tta']['kind']})"
    balanced = result["balanced_accuracy"]
    by_class = weighs_classes_alike(trained.recipe.train.monitor)
    with_balanced = f", balanced accuracy {balanced:.4f}" if by_class else ""
    out.text(
        f"test      accuracy {result['accuracy']:.4f}{with_tta}{with_balanced} on "
        f"{result['images']:,} images"
    )


def _keep_for_report(out: Teller, trained: TrainedRun, *, validation: bool) -> None:
    """Keep what a report shows of a run that is not measured on a test split.

    Args:
        out: is told why nothing was kept.
        trained: the run.
        validation: whether the model is asked about the validation split.
    """
    from zoo import report_record
    from zoo.datasets.load import load

    try:
        data = load(trained.recipe)
        if validation:
            logits = trained.logits(data.validation)
            report_record.record(trained, data, "validation", data.validation, logits)
        else:
            report_record.record_training(trained, data)
    except DataError as error:
        out.note(f"note: nothing was kept for a report: {error.message}")


def _print_multi_label(out: Teller, result: dict[str, Any]) -> None:
    """Print the test metrics of images with any number of classes."""
    keys = ("accuracy", "mean_average_precision", "f1", "micro_f1")
    out.result({**{key: result[key] for key in keys}, "test_loss": result["loss"]})
    if "tta" in result:
        out.result({"tta": result["tta"]})
    precision = result["mean_average_precision"]
    shown = "undefined" if precision is None else f"{precision:.4f}"
    out.text(
        f"test      mean average precision {shown}, F1 {result['f1']:.4f} (macro) and "
        f"{result['micro_f1']:.4f} (micro), all classes right for {result['accuracy']:.4f} of "
        f"{result['images']:,} images"
    )


def _export(out: Teller, trained: TrainedRun) -> None:
    from zoo.verbs.exporting import print_export, tensorflow_installed

    if not tensorflow_installed():
        out.note("not exported: TensorFlow, which writes SavedModels, is not installed")
        return
    from zoo.export import export

    out.note("exporting saved_model")  # It takes half a minute.
    result = export(trained)
    out.result({"export": result})
    print_export(out, result)
