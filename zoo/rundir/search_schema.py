"""What tune.json and the journals of a search folder hold; see `schema.py`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from zoo.recipe.monitors import Monitor
from zoo.rundir.schema import Count, PluginInfo, Seconds, Stored, Versions

TrialName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,199}$")]
StageName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,79}$")]


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
    never_predicted: list[str] | None = None


class SearchData(Stored):
    """`data` of tune.json."""

    fingerprint: str
    train: Count
    validation: Count
    balanced_images: Annotated[float, Field(ge=1)] | None = None
    multi_label: bool = False


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
    log: list[str] = []  # Words of `--log`.
    plugins: list[PluginInfo] | None = None

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
    never_predicted: list[str] = []
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
