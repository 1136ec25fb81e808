"""What the files of run folders and search folders hold. Heavier than the rest: imports pydantic.

Files of older versions lack keys that newer ones have, so most keys may be missing; a key that is
there has the type given here. Keys that are not named here are kept.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from zoo.recipe.monitors import Monitor

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
TrialName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$")]
StageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Versions = dict[str, str | None]


class Stored(BaseModel):
    """Base of all schemas: no conversion of types, no NaN, other keys allowed."""

    model_config = ConfigDict(
        strict=True, extra="allow", allow_inf_nan=False, protected_namespaces=()
    )


class DataInfo(Stored):
    """`data` of run.json: what the run was trained on."""

    fingerprint: str
    train: Count
    validation: Count
    test: Count | None = None
    streamed: bool = False
    notes: list[str] = []


class NormalisationInfo(Stored):
    """`normalisation` of run.json."""

    kind: str
    scale: Any
    offset: Any


class Extension(Stored):
    """An entry of `extended` in run.json: epochs that were added to a run."""

    at: str
    from_epochs: Count
    to_epochs: Count
    after_step: Count
    recipe_hash_before: str


class Flags(Stored):
    """`flags` of run.json: what `zoo train` was told to do at the end."""

    evaluate: bool = True
    export: bool = True
    tensorboard: bool = False


class RunInfo(Stored):
    """run.json, complete or not."""

    status: Literal["running", "done", "diverged", "interrupted", "failed"]
    name: Name | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    recipe_hash: str | None = None
    model_sha256: str | None = None
    backend: Literal["tensorflow", "jax", "torch"] | None = None
    loop: Literal["device", "host"] | None = None
    device: str | None = None
    versions: Versions | None = None
    started: str | None = None
    zoo: str | None = None
    git_commit: str | None = None
    host: str | None = None
    pid: int | None = None
    reason: str | None = None
    data: DataInfo | None = None
    class_names: Annotated[list[str], Field(min_length=1)] | None = None
    normalisation: NormalisationInfo | None = None
    value_range: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    flags: Flags | None = None
    extended: list[Extension] | None = None
    epochs: Count | None = None
    steps: Count | None = None
    best_epoch: Annotated[int, Field(ge=1)] | None = None
    monitor: Monitor | None = None
    val_accuracy: float | None = None
    val_loss: float | None = None
    val_balanced_accuracy: Fraction | None = None
    val_f1: Fraction | None = None
    val_recall: Fraction | None = None
    val_auc: Fraction | None = None
    never_predicted: list[str] | None = None
    parameters: Count | None = None
    seconds: Seconds | None = None
    compile_seconds: Seconds | None = None
    first_step_seconds: Seconds | None = None
    images_per_second: Seconds | None = None
    stopped_early: bool | None = None
    test_evaluations: Count | None = None

    @model_validator(mode="after")
    def _fits(self) -> RunInfo:
        names = self.class_names or []
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise ValueError(f"class_names: Expected different names, and {twice!r} is there twice")
        return self


class StartedRunInfo(RunInfo):
    """run.json of a training: with what a resume, a prediction or an export needs."""

    name: Name
    recipe_hash: str
    backend: Literal["tensorflow", "jax", "torch"]
    versions: Versions
    data: DataInfo
    class_names: Annotated[list[str], Field(min_length=1)]


class FinishedRunInfo(StartedRunInfo):
    """run.json of a training that is done."""

    status: Literal["done"]
    epochs: Annotated[int, Field(ge=1)]
    steps: Annotated[int, Field(ge=1)]
    best_epoch: Annotated[int, Field(ge=1)]
    val_accuracy: float
    val_loss: float
    seconds: Seconds


class EpochRow(Stored):
    """A row of metrics.jsonl; a metric that was not finite is null."""

    epoch: Annotated[int, Field(ge=1)]
    step: Count | None = None
    loss: float | None = None
    accuracy: float | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    val_balanced_accuracy: float | None = None
    val_f1: float | None = None
    val_recall: float | None = None
    val_auc: float | None = None
    learning_rate: float | None = None
    seconds: Seconds | None = None


class Evaluation(Stored):
    """evaluation.json, as far as a model card reads it."""

    split: str
    images: Count
    accuracy: Fraction
    top5_accuracy: Fraction
    loss: float | None
    ece: Fraction
    test_evaluations: Count
    model_sha256: str | None = None


class StateNotes(Stored):
    """The notes in a state file."""

    format: int
    step: Count
    # JSON has lists where tuples are meant.
    variables: list[Annotated[tuple[str, list[Count], str], Strict(False)]]
    callbacks: list[Annotated[tuple[str, dict[str, Any]], Strict(False)]]
    seconds: Seconds
    stopped: bool = False


class EdgeInfo(Stored):
    """An entry of `edges` of a stage."""

    words: str


class StageInfo(Stored):
    """An entry of `stages` in tune.json."""

    name: StageName
    trials: Count
    epochs: Count
    oracle: str
    prune: str
    space: dict[str, Any]
    redrawn: Count = 0
    exhausted: bool = False
    finished: Count = 0
    kept: Count = 0
    words: list[str] = []
    moved: bool = False
    edges: list[EdgeInfo] = []


class BestInfo(Stored):
    """`best` of tune.json."""

    trial: TrialName
    values: dict[str, Any]
    score: float
    score_sd: float | None = None
    seeds: Count


class SearchData(Stored):
    """`data` of tune.json."""

    fingerprint: str
    train: Count
    validation: Count
    balanced_images: Annotated[float, Field(ge=1)] | None = None


class AddedTrials(Stored):
    """An entry of `added` in tune.json: trials that were added to a stage."""

    stage: StageName
    trials: Annotated[int, Field(ge=1)]
    at: str


class SearchInfo(Stored):
    """tune.json."""

    status: Literal["running", "done", "interrupted", "failed"]
    seed: Count
    workers: Annotated[int, Field(ge=1, le=4096)]
    lag: Annotated[int, Field(ge=1)]
    recipe: dict[str, Any]
    seconds: Seconds
    stages: list[StageInfo]
    name: str | None = None
    data: SearchData | None = None
    backend: str | None = None
    device: str | None = None
    versions: Versions | None = None
    pid: int | None = None
    host: str | None = None
    reason: str | None = None
    out_of_time: bool = False
    added: list[AddedTrials] = []
    objective: Monitor | None = None
    best: BestInfo | None = None
    edge_verdicts: list[str] | None = None
    words: list[str] | None = None
    trials: Count | None = None

    @model_validator(mode="after")
    def _fits(self) -> SearchInfo:
        if self.lag != 2 * self.workers - 1:
            raise ValueError(
                f"lag: Expected 2 * workers - 1, that is {2 * self.workers - 1}, got {self.lag}"
            )
        ended = {"best", "edge_verdicts", "words", "trials"}
        missing = [key for key in sorted(ended) if getattr(self, key) is None]
        if self.status == "done" and missing:
            raise ValueError(f"status is done, and yet the file lacks {', '.join(missing)}")
        machine = ("backend", "device", "versions")
        if self.data is not None and any(getattr(self, key) is None for key in machine):
            raise ValueError("has data of a worker, and lacks its backend, device or versions")
        return self


class TrialRow(Stored):
    """A row of trials.jsonl."""

    trial: TrialName
    stage: StageName
    index: Count
    values: dict[str, Any]
    status: Literal["done", "pruned", "diverged", "timeout", "failed"]
    score: float | None
    epochs: Count
    seed: Count
    rungs: dict[Annotated[str, Field(pattern=r"^[0-9]{1,15}$")], float]
    se: float | None = None
    reason: str | None = None
    wanted_epochs: Count | None = None
    best_epoch: Count | None = None
    steps: Count = 0
    seconds: Seconds = 0
    setup_seconds: Seconds = 0
    attempts: Count = 1
    started: float = 0
    ended: float = 0
    curve: list[dict[str, Any]] = []

    @model_validator(mode="after")
    def _fits(self) -> TrialRow:
        if self.status == "done" and self.score is None:
            raise ValueError("score: Expected a number, since the trial is done")
        return self


class AttemptRow(Stored):
    """A row of attempts.jsonl."""

    trial: TrialName
    at: float = 0


class Results(Stored):
    """recipes/results/NAME.json, as far as `zoo list` shows it."""

    recipe_hash: str
    accuracy: Fraction
    accuracy_sd: Annotated[float, Field(ge=0)]
    seeds: Count
    epochs: Any = None
    seconds: Seconds
    device: str | None = None


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
