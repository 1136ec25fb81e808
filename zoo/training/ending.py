"""How a training ended before its end: what run.json says, and what the user is told."""

from __future__ import annotations

from contextlib import suppress

from zoo import backend
from zoo.backend import processes
from zoo.errors import (
    Diverged,
    EnvironmentFault,
    Interrupted,
    PeerLost,
    PluginError,
    StorageFault,
    ZooError,
)  # fmt: skip
from zoo.files.storage import fault_of
from zoo.plan import Plan, capacity
from zoo.plugins import faults as plugin_faults
from zoo.recipe import Recipe
from zoo.rundir import Run
from zoo.training import disk


def record_failure(
    run: Run,
    recipe: Recipe,
    planned: Plan,
    error: BaseException,
    in_batches: Exception | None = None,
) -> BaseException:
    """Write into run.json how a run ended.

    Args:
        run: run folder.
        recipe: what was trained.
        planned: its plan.
        error: what ended the training.
        in_batches: the last error while a batch was made: Keras and tf.data wrap it.

    Returns:
        The error that tells the user.
    """
    status, raised = "failed", error
    own = plugin_faults.fault_of(error)
    lost = error if isinstance(error, PeerLost) else processes.as_lost(error)
    fault = (fault_of(in_batches) if in_batches else None) or fault_of(error)
    if isinstance(in_batches, ZooError):
        raised = in_batches
    elif isinstance(error, Diverged):
        status, raised = "diverged", Diverged(f"{run}: {error}")
    elif isinstance(error, Interrupted):
        status = "interrupted"
    elif isinstance(error, KeyboardInterrupt):
        status = "interrupted"
        raised = Interrupted(
            "stopped at once; the last saved state is kept. Resume with: "
            f"{processes.resume_command(run)}"
        )
    elif lost is not None:
        status, raised = "interrupted", lost
    elif fault is not None:
        raised = disk.with_kept(fault, run)
    elif own is not None:
        raised = own
    elif backend.out_of_memory(error):
        raised = EnvironmentFault(f"{run}: {capacity.relief(recipe, planned)}")
    reason = str(error) if isinstance(raised, ZooError) else f"{type(error).__name__}: {error}"
    # Not the words of the system, of JAX, or of Keras around an own part's.
    if isinstance(raised, StorageFault | PeerLost | PluginError):
        reason = raised.message
    with suppress(StorageFault):  # Such as on a full disk: the run is resumed as if it was killed.
        run.update(status=status, reason=reason or str(raised))
    if isinstance(raised, ZooError):
        raised.facts = {"run": str(run), "status": status}
    return raised
