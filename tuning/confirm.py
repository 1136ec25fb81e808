"""Compares the best trials over fresh seeds. Light.

The best of many trials is also the luckiest (the winner's curse): the best of 50 equally good
trials with a standard error of 0.4 points scores about 0.9 points above its true value.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from tuning.refine.edges import ScoredTrial
from tuning.trial_source import confirmation_name
from tuning.trials import TrialRecord, sign
from zoo.significance import LEVEL, welch


@dataclass(frozen=True)
class Confirmed:
    """A trial's scores over fresh seeds.

    Attributes:
        values: by path.
        scores: one per seed, higher is better; not finite if that training diverged.
        trial: its name.

    Raises:
        ValueError: there is no score.
    """

    values: Mapping[str, Any]
    scores: tuple[float, ...]
    trial: str = ""

    def __post_init__(self) -> None:
        if not self.scores:
            raise ValueError(f"`scores` must hold one per seed, but trial {self.trial!r} has none.")

    @property
    def diverged(self) -> int:
        """Number of seeds without a finite score."""
        return sum(not math.isfinite(score) for score in self.scores)

    @property
    def mean(self) -> float:
        """Mean score; -inf if a seed diverged, which ranks such a trial last."""
        return -math.inf if self.diverged else fmean(self.scores)

    @property
    def sd(self) -> float | None:
        """Sample standard deviation of the scores; None with one seed or if one diverged."""
        return None if self.diverged or len(self.scores) < 2 else stdev(self.scores)


def over_fresh_seeds(
    best: Sequence[TrialRecord], records: Iterable[TrialRecord], seeds: int, objective: str
) -> list[Confirmed]:
    """The scores of trials over fresh seeds; of the trials with the most seeds, if some lack.

    Args:
        best: the trials that are confirmed.
        records: of their trainings with fresh seeds, each named by `confirmation_name`.
        seeds: number of seeds of each.
        objective: metric that they are compared by.
    """
    factor = sign(objective)
    scores = {
        record.trial: -math.inf if record.score is None else factor * record.score
        for record in records
    }
    confirmed = []
    for record in best:
        names = [confirmation_name(record.trial, number) for number in range(seeds)]
        finished = tuple(scores[name] for name in names if name in scores)
        if finished:
            confirmed.append(Confirmed(record.values, finished, record.trial))
    most = max((len(trial.scores) for trial in confirmed), default=0)
    return [trial for trial in confirmed if len(trial.scores) == most]


def ranked(confirmed: Sequence[Confirmed]) -> list[Confirmed]:
    """The trials, best mean first; ties in their order."""
    return sorted(confirmed, key=lambda trial: -trial.mean)


def differ(first: Confirmed, second: Confirmed) -> bool:
    """Whether the means of two trials differ: Welch's t test, two-sided, 5 %.

    - With one seed there is no spread: the trials do not differ.
    - If all seeds of each trial give the same score, the trials differ if their means do.
    - A trial with a diverged seed differs from one without.
    """
    if first.diverged or second.diverged:
        return bool(first.diverged) is not bool(second.diverged)
    p_value = welch(first.scores, second.scores)
    return p_value is not None and p_value < LEVEL


def messages(
    confirmed: Sequence[Confirmed],
    search_best: ScoredTrial | None = None,
    draws: int = 0,
    show: Callable[[float], str] = "{:.4f}".format,
) -> list[str]:
    """Describes the scores over fresh seeds.

    Args:
        confirmed: the trials, in any order.
        search_best: the best trial of the search, with its score there.
        draws: number of trials of the search that have a score.
        show: formats a score.

    Returns:
        A line per trial, best first; the trials that cannot be told apart from the winner; and how
        much of the search's best score was luck.
    """
    order = ranked(confirmed)
    lines = [f"trial {trial.trial}: {_score(trial, show)}" for trial in order]
    lines += [
        f"these two cannot be told apart: {order[0].trial} and {other.trial}"
        for other in order[1:]
        if not differ(order[0], other)
    ]
    for trial in order:
        if search_best is None or trial.trial != search_best.trial:
            continue
        before, after = show(search_best.score), show(trial.mean)
        if -math.inf < trial.mean < search_best.score and before != after:
            lines.append(
                f"{before} in the search was the luckiest of {draws} draws; "
                f"over fresh seeds it is {after}"
            )
    return lines


def _score(trial: Confirmed, show: Callable[[float], str]) -> str:
    """Mean and standard deviation over the seeds."""
    seeds = len(trial.scores)
    if trial.diverged:
        return f"diverged with {trial.diverged} of {seeds} seeds"
    if trial.sd is None:
        return f"{show(trial.mean)} with one seed"
    return f"{show(trial.mean)} ± {trial.sd:.4f} over {seeds} seeds"
