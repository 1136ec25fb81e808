"""Starts the trackers of a training (`zoo.trackers`). Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from zoo.trackers.names import ChosenTrackers, choose
from zoo.trackers.session import Tracking

if TYPE_CHECKING:
    from zoo.rundir.folder import Folder


def start_tracking(
    tracking: Tracking | None,
    log: Sequence[str] | None,
    tensorboard: bool | None,
    flags: dict[str, bool],
    begun_with: Sequence[str] | None = None,
    resumed: Folder | None = None,
) -> Tracking:
    """Start the trackers of a training; their servers answer while Keras is imported.

    Args:
        tracking: takes the trackers; None: only TensorBoard can be one of them.
        log: values of `--log`; None where it is left out.
        tensorboard: `--tensorboard` or `--no-tensorboard`; None where it is left out.
        flags: those that hold; `tensorboard` is set to whether TensorBoard is one of the trackers.
        begun_with: the trackers that a resumed folder was begun with; None for a new one.
        resumed: the folder.

    Raises:
        UsageError: no tracker has such a name.
        EnvironmentFault: the package of one is not installed.
    """
    if tracking is None:
        local = Tracking(lambda line: None)
        local.start(ChosenTrackers(("tensorboard",) if flags["tensorboard"] else ()))
        return local
    if tensorboard is None and log is None:
        tensorboard = flags["tensorboard"] or None
    tracking.start(choose(log, tensorboard, begun_with), resumed)
    flags["tensorboard"] = "tensorboard" in tracking.names
    return tracking
