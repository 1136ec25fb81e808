"""Whether a training is a cross-validation. Light."""

from __future__ import annotations

from dataclasses import replace

from zoo.backend import processes
from zoo.errors import UsageError
from zoo.rundir.resolving import TRAININGS, resolve
from zoo.verbs import train_folds
from zoo.verbs.teller import Teller
from zoo.verbs.training import TrainJob


def cross_validate_if_asked(
    out: Teller, job: TrainJob, seeds: int | None, folds: int | None
) -> bool:
    """Cross-validate if a job asks for that; return whether it does.

    Args:
        out: where to print.
        job: a recipe to train in folds, or their folder to resume.
        seeds: number of seeds; None where not given.
        folds: number of folds; None where not given.

    Raises:
        UsageError: arguments that exclude each other.
        ZooError: as `begin` and `resume` of `zoo.verbs.train_folds`.
    """
    if folds is not None and seeds is not None:
        raise UsageError("--seeds and --folds exclude each other. Expected one of them.")
    if job.resume is not None:
        if folds is not None:
            raise UsageError(
                "--folds cross-validates a recipe anew. Leave it out: --resume FOLDER goes on with "
                "the folds that the folder holds."
            )
        # Of several processes all but the first may lack the folder; they make one training.
        if seeds is not None or processes.count() > 1:
            return False
        found = resolve(job.resume, TRAININGS)
        if found.kind == "run":
            return False
        if found.line:
            out.note(found.line)
        train_folds.resume(out, replace(job, resume=str(found.folder)))
        return True
    if folds is None:
        return False
    train_folds.begin(out, job, folds)
    return True
