"""Opens a trained run or an export; what is neither is refused before Keras is imported. Light."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from zoo.errors import RunError

if TYPE_CHECKING:
    from zoo.artifact.trained_run import TrainedRun
    from zoo.predict import Classifier


def open_trained_run(
    path: str, overrides: Sequence[str] = (), say: Callable[[str], None] | None = None
) -> TrainedRun:
    """Open the trained run that a RUN argument names.

    The folder is checked before the framework is imported, so that a wrong path is reported at
    once.

    Args:
        path: the RUN argument.
        overrides: changes of `data.source`.
        say: told in a line which backend was taken, and which of several runs, if that is news to
            the user.

    Raises:
        RunError: the path is not a run folder, or the run holds no trained model.
        EnvironmentFault: the Keras backend cannot be used.
        PluginRefused: the user has not allowed parts of their own that the run needs.
    """
    from zoo import backend
    from zoo.plugins import recipe_parts
    from zoo.rundir import Run

    run = Run.open(path, say)
    run.require_model()
    recipe_parts.require_of_run(run, overrides)
    backend.prepare(deterministic=False, say=say)
    from zoo.artifact.trained_run import TrainedRun

    return TrainedRun(run, overrides)


def open_classifier(path: str, say: Callable[[str], None]) -> Classifier:
    """Open a run or an export, after deciding which it is without loading a framework."""
    from zoo import backend
    from zoo.artifact import layout
    from zoo.rundir import Run

    if not Run.is_run(path):
        artifact = layout.find_export(path)
        if artifact:
            artifact.manifest()  # Refuses a damaged export at once.
            if artifact.format == "saved_model":
                backend.prepare(preferred="tensorflow")  # It alone reads SavedModels.
            elif artifact.format == "keras":
                backend.prepare(say=say)
            from zoo.predict import ExportedModel

            with backend.quiet():
                return ExportedModel(artifact)
    try:
        Run.open(path)
    except RunError as error:
        raise RunError(
            f"{error.message} Or an export, made by `zoo export`: RUN/export/FORMAT/NAME/1."
        ) from None
    return open_trained_run(path, say=say)
