"""Stops a training whose loss diverges."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from zoo import backend, optimize
from zoo.errors import Diverged
from zoo.training.observers import Observer

# One batch may spike. The loss has diverged after so many losses in a row above the limit, or two
# in a row above ten times the limit.
LOSSES_ABOVE_LIMIT = 5
FAR_ABOVE = 10.0
LOSSES_FAR_ABOVE = 2


class LossDiverged(Diverged):
    """The loss diverged at a step of this training.

    Attributes:
        step: its number, from 0.
    """

    def __init__(self, message: str, step: int) -> None:
        super().__init__(message)
        self.step = step


class DivergenceGuard(Observer):
    """Stops training when the loss is not finite or stays above `limit` times its first value.

    Source: CS231n, lecture 6: "if the cost is ever > 3 * original cost, break out early". If the
    first loss is below that of uniform predictions, the latter counts instead, so that a lucky
    start sets no unfair limit.

    Args:
        limit: times the first loss; None: only a loss that is not finite stops training.
        floor: the loss of uniform predictions.
        relative_weight: of a step, see `Batches.relative_weight`. Losses are compared after
            division by it: with class weights, a few images of a rare class make a batch's loss
            many times as large as another's.
    """

    def __init__(
        self,
        limit: float | None,
        floor: float,
        relative_weight: Callable[[int], float] = lambda step: 1.0,
    ) -> None:
        self.limit = limit
        self.floor = floor
        self.relative_weight = relative_weight
        self.first_loss: float | None = None
        self.recent: deque[float] = deque(maxlen=LOSSES_ABOVE_LIMIT)

    def on_steps(self, first: int, last: int, losses: Sequence[float]) -> None:
        """Looks at each loss.

        Raises:
            LossDiverged: the loss is not finite, or stayed above the limit.
        """
        for step, loss in enumerate(losses, first):
            if not math.isfinite(loss):
                raise self._diverged(step, f"the loss is {loss}")
            loss /= self.relative_weight(step)
            if self.first_loss is None:
                self.first_loss = loss
            self.recent.append(loss)
            reason = self._above_limit(self.first_loss)
            if reason:
                raise self._diverged(step, reason)

    def _above_limit(self, first_loss: float) -> str | None:
        if self.limit is None:
            return None
        for times, count in ((1.0, LOSSES_ABOVE_LIMIT), (FAR_ABOVE, LOSSES_FAR_ABOVE)):
            factor = times * self.limit
            bar = factor * max(first_loss, self.floor)
            if len(self.recent) >= count and min(list(self.recent)[-count:]) > bar:
                return (
                    f"the last {count} losses are above {bar:.4g}, "
                    f"{factor:g} times the first ({first_loss:.4g}; train.abort_above: "
                    f"{self.limit:g})"
                )
        return None

    def _diverged(self, step: int, reason: str) -> LossDiverged:
        backend.sync(self.model)
        later_steps = self.counter.step - (step + 1)
        rate = optimize.current_learning_rate(self.model.optimizer, later_steps)
        return LossDiverged(
            f"diverged at step {step} (epoch {step // self.counter.steps_per_epoch + 1}, "
            f"learning rate {rate:.3g}): {reason}. Lower train.optimizer's learning_rate (try a "
            "third), or warm it up with a schedule.",
            step,
        )

    def get_state(self) -> dict[str, Any]:
        """The first loss and the recent ones."""
        return {"first_loss": self.first_loss, "recent": list(self.recent)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restores the state returned by `get_state`."""
        self.first_loss = state["first_loss"]
        self.recent.extend(state["recent"])
