"""What a state file holds beside its arrays: the notes, and the states of observers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, Strict, model_validator

from zoo.rundir.schema import Count, Seconds, Stored


class StateNotes(Stored):
    """The notes in a state file."""

    format: int
    step: Count
    # JSON has lists where tuples are meant.
    variables: list[Annotated[tuple[str, list[Count], str], Strict(False)]]
    callbacks: list[Annotated[tuple[str, dict[str, Any]], Strict(False)]]
    seconds: Seconds
    stopped: bool = False


class ObserverState(Stored):
    """Base of the states of observers in a state file, which may hold infinity."""

    model_config = ConfigDict(allow_inf_nan=True)


class BestEpochState(ObserverState):
    """State of `BestEpoch`."""

    score: list[float] | None
    epoch: Count | None
    values: dict[str, float | None]
    unnamed: list[Count] = []

    @model_validator(mode="after")
    def _fits(self) -> BestEpochState:
        if (self.score is None) is not (self.epoch is None):
            raise ValueError("Expected score and epoch, or neither")
        return self


class DivergenceGuardState(ObserverState):
    """State of `DivergenceGuard`."""

    first_loss: float | None
    recent: list[float]


class StepLossesState(ObserverState):
    """State of `StepLosses`."""

    sum: float
    seen: Annotated[float, Field(ge=0)]


class RemedyState(ObserverState):
    """A remedy of a finding in the state of `LiveChecks`."""

    advice: str
    changes: dict[str, Literal["raise", "lower", "use", "avoid"]]
    sets: dict[str, Any] = {}


class FindingState(ObserverState):
    """A finding in the state of `LiveChecks`."""

    id: str
    name: str
    verdict: Literal["PASS", "INFO", "WARN", "FAIL"]
    value: float | None
    threshold: str
    advice: str
    details: dict[str, Any] = {}
    diagnosis: str = ""
    remedies: list[RemedyState] = []
    remark: str = ""


class LiveChecksState(ObserverState):
    """State of `LiveChecks`."""

    warned: list[str]
    losses: list[float]
    stride: Annotated[int, Field(ge=1)]
    ratios: dict[str, float]
    rate: float
    findings: list[FindingState]
    val_losses: list[float | None]


class EarlyStoppingState(ObserverState):
    """State of Keras's `EarlyStopping`."""

    best: float | None = None
    wait: Count = 0
    stopped_epoch: Count = 0
    best_epoch: Count = 0


# Class of an observer or callback -> what its state holds.
OBSERVER_STATES: dict[str, type[ObserverState]] = {
    "BestEpoch": BestEpochState,
    "DivergenceGuard": DivergenceGuardState,
    "StepLosses": StepLossesState,
    "LiveChecks": LiveChecksState,
    "EarlyStopping": EarlyStoppingState,
}
