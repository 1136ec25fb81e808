"""What run.json and its neighbours hold, and the types that all schemas of files share.

`search_schema.py` has the files of a search folder, `state_schema.py` the state of a training.
Heavier than the rest of the package: imports pydantic.

Files of older versions lack keys that newer ones have, so most keys may be missing; a key that is
there has the type given here. Keys that are not named here are kept.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from zoo.recipe.monitors import Monitor

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Versions = dict[str, str | None]
Pair = Annotated[list[float], Field(min_length=2, max_length=2)]


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
    manifest: dict[str, Any] | None = None


class NormalisationInfo(Stored):
    """`normalisation` of run.json."""

    kind: str
    scale: Any
    offset: Any


class ImageRangesInfo(Stored):
    """`image_ranges` of run.json and of manifests: `datasets.content.image_ranges.ImageRanges`."""

    images: Annotated[int, Field(ge=1)]
    mean: Pair
    std: Pair
    red_minus_blue: Pair | None = None


class Extension(Stored):
    """An entry of `extended` in run.json: epochs that were added to a run."""

    at: str
    from_epochs: Count
    to_epochs: Count
    after_step: Count
    recipe_hash_before: str


class DevicesChange(Stored):
    """An entry of `devices_changed` in run.json: a resume with another number of devices."""

    at: str
    from_devices: Annotated[int, Field(ge=1)]
    to_devices: Annotated[int, Field(ge=1)]
    after_step: Count


class WarmStartInfo(Stored):
    """`warm_start` of run.json: the trained weights that the run began with."""

    origin: str = Field(alias="from")
    sha256: str
    class_names: list[str] = []
    loaded: list[str]
    new: list[str]


class Flags(Stored):
    """`flags` of run.json: what `zoo train` was told to do at the end."""

    evaluate: bool = True
    export: bool = True
    tensorboard: bool = False
    report: bool = False  # Runs of older versions had none.


def names_digest(names: Sequence[str]) -> str:
    """SHA-256 of class names in the order of the logits: `class_names_sha256` in run.json."""
    return hashlib.sha256(json.dumps(list(names)).encode()).hexdigest()


class EnergyInfo(Stored):
    """`energy` of run.json: what the devices counted, other programs on them included."""

    joules: Annotated[float, Field(ge=0)]
    seconds: Seconds
    source: str


class TrackerInfo(Stored):
    """An entry of trackers.json: what one tracker has of a run, a search or a cross-validation."""

    run_id: str | None = None
    uri: str | None = None
    url: str | None = None
    epochs: Count = 0  # Rows up to this epoch are sent.
    trials: Count = 0  # Of a search: so many of trials.jsonl are sent.
    ended: str | None = None  # The status that the end was sent with.


class TrackersInfo(Stored):
    """trackers.json."""

    mlflow: TrackerInfo | None = None
    wandb: TrackerInfo | None = None


class PluginInfo(Stored):
    """An entry of `plugins` in run.json: a part of the user's own that the run was trained with."""

    word: str
    kind: str
    reference: str
    file: str
    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RunInfo(Stored):
    """run.json, complete or not."""

    status: Literal["running", "done", "diverged", "interrupted", "failed"]
    name: Name | None = None
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    recipe_hash: str | None = None
    model_sha256: str | None = None
    backend: Literal["tensorflow", "jax", "torch"] | None = None
    loop: Literal["device", "host"] | None = None
    streams: bool | None = None
    device: str | None = None
    devices: Annotated[int, Field(ge=1)] = 1  # Runs of older versions had one.
    processes: Annotated[int, Field(ge=1)] = 1
    devices_changed: list[DevicesChange] | None = None
    versions: Versions | None = None
    started: str | None = None
    zoo: str | None = None
    git_commit: str | None = None
    host: str | None = None
    pid: int | None = None
    reason: str | None = None
    data: DataInfo | None = None
    class_names: Annotated[list[str], Field(min_length=1)] | None = None
    class_names_sha256: str | None = None  # Runs of older versions lack it.
    multi_label: bool = False  # Runs of older versions have one class an image.
    normalisation: NormalisationInfo | None = None
    value_range: Pair | None = None
    image_ranges: ImageRangesInfo | None = None
    warm_start: WarmStartInfo | None = None
    flags: Flags | None = None
    log: list[str] = []  # Words of `--log`.
    group: str | None = None  # Of trainings with one seed after the other.
    plugins: list[PluginInfo] | None = None
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
    val_mean_average_precision: Fraction | None = None
    val_micro_f1: Fraction | None = None
    never_predicted: list[str] | None = None
    parameters: Count | None = None
    seconds: Seconds | None = None
    compile_seconds: Seconds | None = None
    first_step_seconds: Seconds | None = None
    images_per_second: Seconds | None = None
    energy: EnergyInfo | None = None
    stopped_early: bool | None = None
    test_evaluations: Count | None = None

    @model_validator(mode="after")
    def _fits(self) -> RunInfo:
        names = self.class_names or []
        twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
        if twice is not None:
            raise ValueError(f"class_names: Expected different names, and {twice!r} is there twice")
        if self.class_names_sha256 not in (None, names_digest(names)):
            raise ValueError(
                "class_names: Expected the names, in the order, that the training began with. "
                "Received others: their SHA-256 is not class_names_sha256"
            )
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
    val_mean_average_precision: float | None = None
    val_micro_f1: float | None = None
    learning_rate: float | None = None
    seconds: Seconds | None = None


class Evaluation(Stored):
    """evaluation.json, as far as a model card reads it."""

    split: str
    images: Count
    accuracy: Fraction
    top5_accuracy: Fraction | None
    loss: float | None
    ece: Fraction
    test_evaluations: Count
    model_sha256: str | None = None


class FindingInfo(Stored):
    """An entry of `findings` in checks.json."""

    id: str
    name: str
    verdict: Literal["PASS", "INFO", "WARN", "FAIL"]
    value: float | None = None
    threshold: str = ""
    advice: str = ""
    details: dict[str, Any] = {}


class Checks(Stored):
    """checks.json, of a training or of `zoo check`."""

    verdict: Literal["PASS", "INFO", "WARN", "FAIL"]
    findings: list[FindingInfo]
    recipe: str | None = None
    silent: list[str] = []
    notes: dict[str, str] = {}
    seconds: dict[str, Seconds] = {}
    suggestion: dict[str, Any] | None = None
    measured: dict[str, Any] | None = None


class Results(Stored):
    """recipes/results/NAME.json, as far as `zoo list` shows it."""

    recipe_hash: str
    accuracy: Fraction
    accuracy_sd: Annotated[float, Field(ge=0)]
    seeds: Count
    epochs: Any = None
    seconds: Seconds
    jobs: Count = 1
    device: str | None = None
