"""Compares networks, and of runs their results, their data and where they were made. Light."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.comparison.sides import Side
from zoo.errors import DataError
from zoo.plan import own_layers, plan

RESULTS = (
    "status", "reason", "epochs", "steps", "stopped_early", "best_epoch", "monitor", "val_accuracy",
    "val_loss", "val_balanced_accuracy", "val_f1", "val_recall", "val_auc",
    "val_mean_average_precision", "val_micro_f1", "never_predicted",
)  # fmt: skip
TEST = (
    "accuracy", "top5_accuracy", "loss", "balanced_accuracy", "mean_average_precision", "f1",
    "micro_f1", "recall", "auc", "hamming_loss", "ece",
)  # fmt: skip
DATA = ("fingerprint", "train", "validation", "test", "streamed")
PLACE = ("device", "backend", "loop", "streams", "zoo", "git_commit")
TIMES = ("seconds", "compile_seconds", "first_step_seconds", "images_per_second")


@dataclass(frozen=True)
class Fact:
    """A fact of both sides.

    Attributes:
        section: heading under which it is shown.
        key: its name; of run.json, evaluation.json (`test.`) or `zoo show --json`.
        a: of the first side; None where it is not known.
        b: of the second side.
    """

    section: str
    key: str
    a: Any
    b: Any

    @property
    def is_time(self) -> bool:
        """Whether it says how long something took, which no two runs agree in."""
        return self.key in TIMES

    def as_json(self) -> dict[str, Any]:
        """The entry of `network` or `run` in `zoo diff --json`."""
        return {"key": self.key, "a": self.a, "b": self.b}


@dataclass(frozen=True)
class Curves:
    """How far the epochs of two runs agree.

    Attributes:
        epochs: number of epochs of each.
        equal_until: number of epochs at the start in which all metrics are equal, to the bit.
    """

    epochs: tuple[int, int]
    equal_until: int

    @property
    def are_equal(self) -> bool:
        """Whether both have the same epochs with the same metrics."""
        return self.epochs == (self.equal_until, self.equal_until)

    def as_json(self) -> dict[str, Any]:
        """The entry `curves` of `zoo diff --json`."""
        return {"epochs": list(self.epochs), "equal_until": self.equal_until}


def network(a: Side, b: Side) -> tuple[list[Fact], list[str]]:
    """Compares the networks, as `zoo show` counts them.

    Returns:
        The facts, differing or not, and a note for each side whose number of classes is not known;
        then there are no facts.
    """
    counts: list[dict[str, int]] = []
    notes = []
    for side in (a, b):
        try:
            counts.append(_counts(side))
        except DataError as error:
            notes.append(f"networks are not compared: {side.given}: {error.message}")
    if notes:
        return [], notes
    return [Fact("network", key, counts[0][key], counts[1][key]) for key in counts[0]], []


def _counts(side: Side) -> dict[str, int]:
    if not own_layers.can_plan(side.recipe):
        raise DataError("it has layers of your own, whose code is not run for a comparison.")
    planned = plan(side.recipe, side.classes())
    return {
        "layers": len(planned.layers),
        "parameters": planned.parameters,
        "trainable_parameters": planned.trainable,
        "flops": planned.flops,
        "activation_bytes": planned.activation_bytes,
        "classes": planned.num_classes,
    }


def run_facts(a: Side, b: Side) -> Iterator[Fact]:
    """The facts of two runs that differ.

    Raises:
        DamagedFile: a file of a run holds something else than zoo wrote.
    """
    tests = [side.run.evaluation() or {} for side in (a, b) if side.run is not None]
    infos = [a.info, b.info]
    data = [info.get("data") or {} for info in infos]
    versions = [info.get("versions") or {} for info in infos]
    tables: list[tuple[str, str, Any, list[dict[str, Any]]]] = [
        ("results", "", RESULTS, infos),
        ("results", "test.", TEST, tests),
        ("results", "", TIMES, infos),
        ("data", "", ("class_names",), infos),
        ("data", "data.", DATA, data),
        ("made with", "", PLACE, infos),
        ("made with", "versions.", {**versions[0], **versions[1]}, versions),
    ]
    for section, prefix, keys, (ours, theirs) in tables:
        for key in keys:
            if ours.get(key) != theirs.get(key):
                yield Fact(section, f"{prefix}{key}", ours.get(key), theirs.get(key))


def curves(a: Side, b: Side) -> Curves:
    """Compares the rows of metrics.jsonl; times are left out.

    Raises:
        DamagedFile: a row holds something else than zoo wrote.
        ValueError: one of them is no run.
    """
    if a.run is None or b.run is None:
        raise ValueError("only runs have curves")
    rows = [[_metrics(row) for row in side.rows()] for side in (a.run, b.run)]
    equal = 0
    for ours, theirs in zip(*rows, strict=False):
        if ours != theirs:
            break
        equal += 1
    return Curves((len(rows[0]), len(rows[1])), equal)


def _metrics(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in TIMES}
