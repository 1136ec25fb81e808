"""Which hyperparameters the scores of a stage depend on: permutation importance of a forest. Light.

Sources: Breiman 2001, "Random forests", section 10: the loss of accuracy on the trials that a tree
has not seen ("out of bag") when the values of one hyperparameter are shuffled among them. Kursa &
Rudnicki 2010, "Feature selection with the Boruta package": what a shuffled copy of a hyperparameter
reaches, which cannot matter, is the level of luck.

The forest predicts ranks, not scores: a rank knows no outliers, and a trial that diverged has one
too, the last. A stage is judged alone, since the ranges of the next one are others and its
trainings longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zoo.report.search.axis import is_number
from zoo.report.search.rows import Row, Stage, as_word, score_of, searched

if TYPE_CHECKING:
    import numpy as np

MIN_TRIALS = 20
TREES = 100
MAX_DRAWN = 300  # Trials that a tree is grown from.
MIN_R2 = 0.1  # A forest that explains less of the ranks says nothing of hyperparameters.


@dataclass(frozen=True)
class Importance:
    """The importance of one hyperparameter.

    Attributes:
        path: of the hyperparameter.
        value: how much of R^2 is lost when its values are shuffled.
        trials: number of trials that have it: a conditional one is shuffled among these.
        matters: whether the value is above what any shuffled copy reached, and the forest explains
            something.
    """

    path: str
    value: float
    trials: int
    matters: bool


@dataclass(frozen=True)
class Forest:
    """What a forest says of the trials of a stage.

    Attributes:
        stage: its name.
        trials: number of trials with a rank.
        r2: out-of-bag R^2: the share of the ranks' variance that the forest explains of trials that
            it has not seen; None without a forest.
        noise: the largest importance of a shuffled copy.
        importances: the largest first.
        reason: why they say nothing; empty where they say something.
    """

    stage: str
    trials: int
    r2: float | None = None
    noise: float | None = None
    importances: tuple[Importance, ...] = ()
    reason: str = ""


def importance(stage: Stage, rows: Sequence[Row], *, lower_is_better: bool = False) -> Forest:
    """Measure what the scores of a stage depend on.

    Trials that were pruned count with the score that they had then; trials that diverged share the
    last rank; trials that failed, or ran out of time without a score, are left out.

    Args:
        stage: the stage.
        rows: trials, also of other stages.
        lower_is_better: the score is a loss.
    """
    name = str(stage["name"])
    ranked = [row for row in rows if row["stage"] == name and _rankable(row)]
    paths = [
        path
        for path in searched(ranked)
        if len({as_word(row["values"][path]) for row in ranked if path in row["values"]}) > 1
    ]
    if len(ranked) < MIN_TRIALS:
        return Forest(name, len(ranked), reason=f"{len(ranked)} trials, and it takes {MIN_TRIALS}")
    scores = [score_of(row) for row in ranked]
    if not paths or len(set(scores)) < 2:
        alike = "scores" if paths else "values"
        return Forest(name, len(ranked), reason=f"all trials have equal {alike}")
    features = [_features(path, ranked) for path in paths]
    ranks = _ranks(scores, lower_is_better)
    r2, values = _out_of_bag(features, ranks, seed=0)
    _, with_copies = _out_of_bag([*features, *_copies(features)], ranks, seed=1)
    noise = max(with_copies[len(features) :])
    found = [
        Importance(path, value, int(has.sum()), value > noise and r2 >= MIN_R2)
        for path, value, (_, has) in zip(paths, values, features, strict=True)
    ]
    found.sort(key=lambda each: -each.value)
    reason = ""
    if r2 < MIN_R2:
        reason = (
            f"a forest explains {max(r2, 0.0):.0%} of the ranks of trials that it has not seen"
        ).replace("%", " %")
    return Forest(name, len(ranked), r2, noise, tuple(found), reason)


def _rankable(row: Row) -> bool:
    return row["status"] == "diverged" or score_of(row) is not None


def _ranks(scores: Sequence[float | None], lower_is_better: bool) -> np.ndarray:
    """Ranks from 0, the worst, to 1; equal scores share their mean rank, None is the worst."""
    import numpy as np
    from scipy.stats import rankdata  # type: ignore[import-untyped]

    sign = -1.0 if lower_is_better else 1.0
    filled = [-np.inf if score is None else sign * score for score in scores]
    return np.asarray((rankdata(filled) - 1) / (len(filled) - 1))


def _features(path: str, rows: Sequence[Row]) -> tuple[np.ndarray, np.ndarray]:
    """Columns of a hyperparameter (trials, columns), and which trials have it (trials,).

    Numbers are one column of ranks, which trees split alike on each scale; a trial without the
    hyperparameter lies below all others. Words are a column each.
    """
    import numpy as np
    from scipy.stats import rankdata

    has = np.array([path in row["values"] for row in rows])
    given = [row["values"][path] for row in rows if path in row["values"]]
    if all(map(is_number, given)):
        columns = np.full((len(rows), 1), -1.0)
        columns[has, 0] = rankdata(given, method="dense")
        return columns, has
    words = list(dict.fromkeys(map(as_word, given)))
    columns = np.zeros((len(rows), len(words)))
    columns[has] = np.array([[word == as_word(value) for word in words] for value in given])
    return columns, has


def _copies(features: Sequence[tuple[np.ndarray, np.ndarray]]) -> list[Any]:
    """The columns of each hyperparameter, shuffled among the trials that have it."""
    import numpy as np

    generator = np.random.default_rng(0)
    copies = []
    for columns, has in features:
        shuffled = columns.copy()
        shuffled[has] = generator.permutation(columns[has])
        copies.append((shuffled, has))
    return copies


def _out_of_bag(
    features: Sequence[tuple[np.ndarray, np.ndarray]], ranks: np.ndarray, seed: int
) -> tuple[float, list[float]]:
    """R^2 of trees on trials that they have not seen, and what it loses with each shuffling.

    scikit-learn's `permutation_importance` would shuffle all trials, those that a tree has seen and
    those that lack a conditional hyperparameter included.
    """
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor

    table = np.concatenate([columns for columns, _ in features], axis=1)
    ends = np.cumsum([columns.shape[1] for columns, _ in features])
    count = len(ranks)
    forest = RandomForestRegressor(
        TREES, random_state=seed, max_samples=MAX_DRAWN if count > MAX_DRAWN else None
    )
    forest.fit(table, ranks)
    generator = np.random.default_rng(seed)
    sums = np.zeros((len(features) + 1, count))
    votes = np.zeros(count)
    for tree, drawn in zip(forest.estimators_, forest.estimators_samples_, strict=True):
        unseen = np.setdiff1d(np.arange(count), drawn)
        if not len(unseen):
            continue
        versions = [table[unseen]]
        for end, (columns, has) in zip(ends, features, strict=True):
            version = table[unseen]
            part, own = slice(end - columns.shape[1], end), has[unseen]
            version[own, part] = generator.permutation(version[own, part])
            versions.append(version)
        predicted = tree.predict(np.concatenate(versions)).reshape(len(versions), -1)
        sums[:, unseen] += predicted
        votes[unseen] += 1
    judged = votes > 0
    errors = np.square(sums[:, judged] / votes[judged] - ranks[judged]).mean(axis=1)
    variance = np.square(ranks[judged] - ranks[judged].mean()).mean()
    losses = (errors[1:] - errors[0]) / variance
    return float(1 - errors[0] / variance), [float(loss) for loss in losses]
