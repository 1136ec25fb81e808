"""`zoo train`: trains or resumes, then evaluates and exports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from zoo.backend.device_request import Asked, parse
from zoo.cli import train_processes
from zoo.cli.app import app
from zoo.cli.options import (
    AllowPluginsOption,
    CoordinatorOption,
    DebugOption,
    DevicesOption,
    DistributedOption,
    HeartbeatOption,
    JsonOption,
    LogOption,
    NewOutOption,
    NumProcessesOption,
    OptionalRecipeArgument,
    OtherDevicesOption,
    ProcessIdOption,
    QuietOption,
    SetOption,
)
from zoo.cli.output import Output
from zoo.cli.train_options import (
    EvaluateOption,
    ExportOption,
    FoldsOption,
    OpenOption,
    ReportOption,
    ResumeOption,
    SeedsOption,
    TensorboardOption,
)
from zoo.cli.train_processes import LaunchFlags
from zoo.errors import UsageError
from zoo.verbs import fold_choice, train_seeds
from zoo.verbs.finish_training import finish, report_training
from zoo.verbs.reporting import open_in_browser
from zoo.verbs.teller import Teller
from zoo.verbs.training import TrainJob
from zoo.verbs.training import train as train_or_resume


@app.command()
def train(
    recipe: OptionalRecipeArgument = None,
    overrides: SetOption = None,
    resume: ResumeOption = None,
    seeds: SeedsOption = None,
    folds: FoldsOption = None,
    devices: DevicesOption = None,
    allow_other_devices: OtherDevicesOption = False,
    distributed: DistributedOption = None,
    coordinator: CoordinatorOption = None,
    num_processes: NumProcessesOption = None,
    process_id: ProcessIdOption = None,
    heartbeat: HeartbeatOption = None,
    out: NewOutOption = None,
    log: LogOption = None,
    tensorboard: TensorboardOption = None,
    evaluate: EvaluateOption = None,
    export: ExportOption = None,
    report: ReportOption = None,
    show: OpenOption = False,
    allow_plugins: AllowPluginsOption = False,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Train a recipe, measure its test accuracy and export it; or resume a run."""
    from zoo.rundir.folder import stamped
    from zoo.trackers.session import Tracking

    with Output(as_json, debug, quiet) as output:
        if (recipe is None) == (resume is None):
            raise UsageError("Expected either a RECIPE or --resume RUN, and not both.")

        alone = [name for name, value in (("--seeds", seeds), ("--folds", folds)) if value]
        train_processes.settle(
            LaunchFlags(distributed, coordinator, num_processes, process_id, heartbeat),
            devices,
            alone,
        )
        if allow_other_devices and resume is None:
            raise UsageError("--allow-other-devices belongs to --resume. Leave it out.")
        if show and (alone or report is False):
            raise UsageError(
                "--open shows the report of one training. Leave it out with "
                f"{alone[0] if alone else '--no-report'}; later: zoo report FOLDER... --open"
            )
        job = TrainJob(
            recipe=recipe,
            overrides=overrides or (),
            resume=resume,
            folder=out,
            given={
                "evaluate": evaluate,
                "export": export,
                "tensorboard": tensorboard,
                "report": True if show else report,
            },
            log=log,
            asked=Asked(parse(devices), allow_other_devices),
        )
        group = None if seeds is None else stamped("seeds-")
        with Tracking(output.note, group) as tracking:
            job = replace(job, tracking=tracking)
            if not fold_choice.cross_validate_if_asked(output, job, seeds, folds):
                _train(output, job, seeds)
        if show:
            file = (output.document or {}).get("report")
            if file is None:  # Of folds that were resumed, each has its own.
                output.note("note: --open shows no report of folds; zoo report FOLDER... --open")
            else:
                open_in_browser(output, Path(file))


def _train(output: Output, job: TrainJob, seeds: int | None) -> None:
    """Train once, or with one seed after the other."""
    if seeds is None:
        _once(output, output, job)
        return
    if job.resume is not None:
        raise UsageError("--seeds trains a recipe anew. Leave it out to resume one of its runs.")

    def one(part: Teller, changes: Sequence[str]) -> None:
        # `train_seeds` tells what holds for all of them.
        _once(output, part, replace(job, overrides=changes, warned=True))

    train_seeds.train(output, job.source, job.overrides, seeds, one, job.asked.request)


def _once(output: Output, part: Teller, job: TrainJob) -> None:
    """Train, measure and export.

    Args:
        output: of the verb.
        part: is told how this training goes; `output`, unless it is one of several.
        job: what to train.
    """
    run, flags = train_or_resume(part, job, partial(train_processes.meet, output))
    train_processes.part(output)
    report_training(part, run)
    finish(part, run, job, flags)
    part.text(f"run       {run}")
    if job.tracking is not None:
        job.tracking.end()
