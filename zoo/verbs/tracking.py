"""Starts the trackers of a training (`zoo.trackers`). Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.trackers.names import Choice, choose
from zoo.trackers.session import Tracking

if TYPE_CHECKING:
    from zoo.rundir.folder import Folder
    from zoo.verbs.training import TrainJob


def started_tracking(
    job: TrainJob | None,
    flags: dict[str, bool],
    begun_with: Sequence[str] | None,
    resumed: Folder | None,
) -> Tracking:
    """Start the trackers of a job; their servers answer while Keras is imported.

    Args:
        job: with the values of `--log`, and what takes the trackers. Without the latter only
            TensorBoard can be one of them.
        flags: those that hold; `tensorboard` is set to whether TensorBoard is one of the trackers.
        begun_with: the trackers that a resumed folder was begun with; None for a new one.
        resumed: the folder.

    Raises:
        UsageError: no tracker has such a name.
        EnvironmentFault: the package of one is not installed.
    """
    if job is None or job.tracking is None:
        local = Tracking(lambda line: None)
        local.start(Choice(("tensorboard",) if flags["tensorboard"] else ()))
        return local
    tensorboard = job.given.get("tensorboard")
    if tensorboard is None and job.log is None:
        tensorboard = flags["tensorboard"] or None
    job.tracking.start(choose(job.log, tensorboard, begun_with), resumed)
    flags["tensorboard"] = "tensorboard" in job.tracking.names
    return job.tracking
