"""Whether a training is a cross-validation. Light."""

from __future__ import annotations

from zoo.errors import UsageError
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
    from zoo.rundir import Folds

    if folds is not None and seeds is not None:
        raise UsageError("--seeds and --folds exclude each other. Expected one of them.")
    if job.resume is not None:
        if folds is not None:
            raise UsageError(
                "--folds cross-validates a recipe anew. Leave it out: --resume FOLDER goes on with "
                "the folds that the folder holds."
            )
        if not Folds.is_folds(job.resume) or seeds is not None:
            return False
        train_folds.resume(out, job)
        return True
    if folds is None:
        return False
    train_folds.begin(out, job, folds)
    return True
