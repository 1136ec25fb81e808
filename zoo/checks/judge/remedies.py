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
# Paths that a remedy sets; `*` stands for the recipe's optimizer.
RATE_PATH = "train.optimizer.*.learning_rate"
DEFAULT_NORM_PATH = "model.defaults.batch_norm"
DEFAULT_KERNEL_PATH = "model.defaults.kernel_initializer"
DEFAULT_ACTIVATION_PATH = "model.defaults.activation"
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
        sets: path in a recipe -> value, where the remedy is one key with a value, which
            `zoo check --fix` can write; `*` in the path stands for the recipe's optimizer.
    """

    advice: str
    changes: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The remedy for JSON."""
        return {"advice": self.advice, "changes": dict(self.changes), "sets": dict(self.sets)}


def lower_rate(
    advice: str = "lower learning_rate in train.optimizer", rate: float | None = None
) -> Remedy:
    """A remedy that lowers the learning rate, to a rate if one is known."""
    return Remedy(advice, {LEARNING_RATE: LOWER}, _rounded(rate))


def raise_rate(
    advice: str = "raise learning_rate in train.optimizer", rate: float | None = None
) -> Remedy:
    """A remedy that raises the learning rate, to a rate if one is known."""
    return Remedy(advice, {LEARNING_RATE: RAISE}, _rounded(rate))


def _rounded(rate: float | None) -> dict[str, float]:
    """The rate as the advice has it: two digits."""
    return {} if rate is None else {RATE_PATH: float(f"{rate:.2g}")}


def lower_momentum(advice: str, option: str) -> Remedy:
    """A remedy that lowers the momentum to 0.9, an option of the optimizer."""
    return Remedy(advice, {MOMENTUM: LOWER}, {f"train.optimizer.*.{option}": 0.9})


def use_batch_norm(advice: str = "use batch_norm") -> Remedy:
    """A remedy that gives all stages a batch norm."""
    return Remedy(advice, {BATCH_NORM: USE}, {DEFAULT_NORM_PATH: {}})


def use_initializer(advice: str, initializer: str = "auto") -> Remedy:
    """A remedy that draws the kernels of all stages by an initializer."""
    return Remedy(advice, {KERNEL_SCALE: USE}, {DEFAULT_KERNEL_PATH: initializer})


def use_leaky_relu() -> Remedy:
    """A remedy that lets gradients through units that would be dead."""
    advice = f"set {DEFAULT_ACTIVATION_PATH}: {{leaky_relu: 0.01}}"
    return Remedy(advice, sets={DEFAULT_ACTIVATION_PATH: {"leaky_relu": 0.01}})


def balance_classes() -> Remedy:
    """A remedy that weighs the images of small classes more."""
    return Remedy(f"set {CLASS_WEIGHT}: balanced", {CLASS_WEIGHT: USE}, {CLASS_WEIGHT: "balanced"})


def from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[Remedy, ...]:
    """The remedies whose `as_json` are given."""
    return tuple(
        Remedy(entry["advice"], dict(entry["changes"]), dict(entry.get("sets", {})))
        for entry in entries
    )


def advice_text(diagnosis: str, remedies: Sequence[Remedy], remark: str = "") -> str:
    """A finding's advice: the diagnosis, one remedy or another, and a remark."""
    texts = [remedy.advice for remedy in remedies]
    last = f", or {texts[-1]}" if len(texts) > 1 else "".join(texts)
    return f"{diagnosis}: {', '.join(texts[:-1])}{last}." + (f" {remark}" if remark else "")
