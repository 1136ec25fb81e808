"""Remedies of findings: what their advice says to change, and in which direction. Light."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LEARNING_RATE = "train.optimizer learning_rate"
EPOCHS = "train.epochs"
BATCH_SIZE = "train.batch_size"
REGULARISATION = "regularisation"
BATCH_NORM = "batch_norm"
HEAD_SCALE = "model.head scale"
KERNEL_SCALE = "kernel_initializer"
CLASS_WEIGHT = "train.class_weight"
MOMENTUM = "train.optimizer momentum"
RAISE, LOWER, USE, AVOID = "raise", "lower", "use", "avoid"
CONTRARY = {RAISE: LOWER, LOWER: RAISE, USE: AVOID, AVOID: USE}


@dataclass(frozen=True)
class Remedy:
    """One way to mend what a finding is about.

    Attributes:
        advice: as part of a sentence: "lower learning_rate in train.optimizer".
        changes: maps each setting to a direction: raise, lower, use or avoid. Empty if no other
            check could advise the contrary.
    """

    advice: str
    changes: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The remedy for JSON."""
        return {"advice": self.advice, "changes": dict(self.changes)}


def lower_rate(advice: str = "lower learning_rate in train.optimizer") -> Remedy:
    """A remedy that lowers the learning rate."""
    return Remedy(advice, {LEARNING_RATE: LOWER})


def raise_rate(advice: str = "raise learning_rate in train.optimizer") -> Remedy:
    """A remedy that raises the learning rate."""
    return Remedy(advice, {LEARNING_RATE: RAISE})


def lower_momentum(advice: str) -> Remedy:
    """A remedy that lowers the momentum."""
    return Remedy(advice, {MOMENTUM: LOWER})


def from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[Remedy, ...]:
    """The remedies whose `as_json` are given."""
    return tuple(Remedy(entry["advice"], dict(entry["changes"])) for entry in entries)


def advice_text(diagnosis: str, remedies: Sequence[Remedy], remark: str = "") -> str:
    """A finding's advice: the diagnosis, one remedy or another, and a remark."""
    texts = [remedy.advice for remedy in remedies]
    last = f", or {texts[-1]}" if len(texts) > 1 else "".join(texts)
    return f"{diagnosis}: {', '.join(texts[:-1])}{last}." + (f" {remark}" if remark else "")
