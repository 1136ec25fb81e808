"""The words of `--log`, and the packages behind them. Light."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

from zoo.errors import EnvironmentFault, UsageError

if TYPE_CHECKING:
    from zoo.trackers.contract import Tracker

VARIABLE = "ZOO_LOG"  # The user's default of `--log`.
NONE = "none"


@dataclass(frozen=True)
class Kind:
    """A tracker that `--log` names.

    Attributes:
        title: its name in sentences.
        place: module and class of the code.
        package: that it needs; None: nothing that zoo does not require.
        local: whether it only writes files, so that the training's process does it.
    """

    title: str
    place: str
    package: str | None = None
    local: bool = False


KINDS = {
    "mlflow": Kind("MLflow", "zoo.trackers.mlflow_tracker:MlflowTracker", "mlflow"),
    "tensorboard": Kind(
        "TensorBoard", "zoo.trackers.tensorboard_tracker:TensorBoardTracker", local=True
    ),
    "wandb": Kind("Weights & Biases", "zoo.trackers.wandb_tracker:WandbTracker", "wandb"),
    "csv": Kind("metrics.csv", "zoo.trackers.csv_tracker:CsvTracker", local=True),
}


def parse(texts: Iterable[str], flag: str = "--log") -> tuple[str, ...]:
    """The trackers that words separated by commas name, each once; `none` names none.

    Args:
        texts: values of a flag that may be repeated.
        flag: its name, for the message.

    Raises:
        UsageError: a word names no tracker, `none` stands beside others, or a flag has no word.
    """
    texts = list(texts)
    words = [word.strip().lower() for text in texts for word in text.split(",") if word.strip()]
    names = tuple(dict.fromkeys(words))
    if texts and not names and flag != VARIABLE:  # A script's variable that is not set, say.
        raise UsageError(
            f"{flag}: names no tracker. Expected one or more of {', '.join(KINDS)}, or {NONE}."
        )
    for name in names:
        if name not in KINDS and name != NONE:
            from zoo.recipe.near import near

            raise UsageError(
                f"{flag} {name}: Expected one or more of {', '.join(KINDS)}, with commas between "
                f"them, or {NONE}. No tracker is called {name}{near(name, [*KINDS, NONE])}"
            )
    if NONE in names and len(names) > 1:
        raise UsageError(f"{flag}: {NONE} excludes all others. Received {', '.join(names)}.")
    return () if names == (NONE,) else names


@dataclass(frozen=True)
class ChosenTrackers:
    """The trackers of a run.

    Attributes:
        names: keys of `KINDS`.
        required: whether the command line or the environment names them, so that one that cannot be
            used stops the verb. A resumed run goes on without.
    """

    names: tuple[str, ...] = ()
    required: bool = True


def choose(
    given: Sequence[str] | None,
    tensorboard: bool | None = None,
    begun_with: Sequence[str] | None = None,
    environment: Mapping[str, str] = os.environ,
) -> ChosenTrackers:
    """The trackers of a training or a search: `--log`, else those that it was begun with.

    Args:
        given: values of `--log`; None where it is left out.
        tensorboard: `--tensorboard`, the short form of `--log tensorboard`, or `--no-tensorboard`.
        begun_with: names in run.json or tune.json; None for what begins now, whose default is the
            variable ZOO_LOG.
        environment: variables.

    Raises:
        UsageError: a word names no tracker.
    """
    required = given is not None or begun_with is None
    if given is not None:
        names = parse(given)
    elif begun_with is None:
        names = parse([environment.get(VARIABLE, "")], VARIABLE)
    else:
        names = tuple(name for name in begun_with if name in KINDS)
    if tensorboard is False:
        names = tuple(name for name in names if name != "tensorboard")
    elif tensorboard and "tensorboard" not in names:
        names = (*names, "tensorboard")
    return ChosenTrackers(names, required)


def missing(name: str) -> EnvironmentFault | None:
    """The error of a tracker whose package is not installed; None if it is."""
    kind = KINDS[name]
    if kind.package is None or _is_installed(kind.package):
        return None
    return EnvironmentFault(
        f"--log {name}: the package {kind.package} is not installed: "
        f'pip install "zoo-keras[{name}]"'
    )


def _is_installed(package: str) -> bool:
    """Whether a package can be imported. A folder of that name, as W&B makes one, is none."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None


def make(name: str) -> Tracker:
    """The tracker of a name.

    Raises:
        EnvironmentFault: its package is not installed.
    """
    error = missing(name)
    if error is not None:
        raise error
    module, _, class_name = KINDS[name].place.partition(":")
    tracker: Tracker = getattr(import_module(module), class_name)()
    return tracker
