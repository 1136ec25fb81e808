"""The result of a search: its best trial, its scores over fresh seeds, and best.yaml. Light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

from tuning import confirm
from tuning.confirm import Confirmed
from tuning.journal import TrialJournal
from tuning.state import SearchState
from tuning.trial_source import confirmation_name
from tuning.trials import TrialRecord, sign
from zoo.errors import Diverged, StorageFault
from zoo.recipe import Recipe, Template
from zoo.recipe.monitors import weighs_classes_alike
from zoo.recipe.tune import Tune
from zoo.rundir import Search, write_text
from zoo.text.counted import counted


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """The result of a search.

    Attributes:
        folder: the search's folder.
        best: the winner: its `trial`, `values`, `score`, `score_sd` (None with one seed), `seeds`,
            and `never_predicted`, the classes that it took no image for with one of the seeds.
        edge_verdicts: a sentence for each range whose best values lie at its edge.
        words: sentences on the scores over fresh seeds, and on classes that are never named.
        trials: number of finished trials, those of the confirmation included.
        seconds: total duration of the search.
    """

    folder: Search
    best: dict[str, Any]
    edge_verdicts: list[str]
    words: list[str]
    trials: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """What `zoo tune --json` prints."""
        return {
            "folder": str(self.folder),
            "status": "done",
            "trials": self.trials,
            "best": self.best,
            "edge_verdicts": self.edge_verdicts,
            "words": self.words,
            "best_recipe": str(self.folder.best_file),
            "seconds": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class Winner:
    """The best trial of a search.

    Attributes:
        info: see `SearchResult.best`.
        headline: text with its score, for the first line of best.yaml.
        messages: see `SearchResult.words`.
    """

    info: dict[str, Any]
    headline: str
    messages: list[str]


def unconfirmed_winner(best: TrialRecord, tune: Tune) -> Winner:
    """The best trial of a search whose confirmation was not wanted, or had no time."""
    out_of_time = "out of time before the best could be trained again: one trial may be luck"
    info = {
        "trial": best.trial, "values": best.values, "score": best.score, "score_sd": None,
        "seeds": 1,
    }  # fmt: skip
    headline = f"{best.score:.4f} {tune.objective} in one trial, not confirmed"
    return Winner(info, headline, [] if tune.confirm is None else [out_of_time])


def confirmed_winner(
    confirmed: Sequence[Confirmed],
    best: TrialRecord,
    records: Sequence[TrialRecord],
    objective: str,
    folder: Search,
) -> Winner:
    """The trial with the best mean over fresh seeds.

    Args:
        confirmed: the trials that were trained again.
        best: the best trial before that.
        records: all finished trials.
        objective: metric that trials are compared by.
        folder: for the error message.

    Raises:
        Diverged: every trial diverged with at least one seed.
    """
    show = shown(objective)
    draws = sum(record.status == "done" and record.stage != "confirm" for record in records)
    winner = confirm.ranked(confirmed)[0]
    if winner.diverged:
        raise Diverged(f"{folder}: every confirmed trial diverged with at least one seed.")
    info = {
        "trial": winner.trial, "values": dict(winner.values),
        "score": sign(objective) * winner.mean, "score_sd": winner.sd, "seeds": len(winner.scores),
    }  # fmt: skip
    spread = "" if winner.sd is None else f" ± {winner.sd:.4f}"
    headline = f"{show(winner.mean)}{spread} {objective} (n={len(winner.scores)})"
    messages = confirm.messages(confirmed, best.scored(objective), draws, show)
    return Winner(info, headline, messages)


def naming_all(
    winner: Winner,
    records: Sequence[TrialRecord],
    recipe: Recipe,
    objective: str,
    data: Mapping[str, Any] | None = None,
) -> Winner:
    """Adds to a winner the classes that it takes no validation image for, with a warning.

    Args:
        winner: of the search, with the number of its seeds.
        records: all finished trials.
        recipe: that was searched.
        objective: metric that trials are compared by.
        data: what tune.json says of the data.
    """
    trial = winner.info["trial"]
    confirming = {confirmation_name(trial, number) for number in range(len(records))}
    trainings = [record for record in records if record.trial in confirming]
    if not trainings:
        trainings = [record for record in records if record.trial == trial]
    lacking = [training for training in trainings if training.never_predicted]
    names = sorted({name for training in lacking for name in training.never_predicted})
    info = {**winner.info, "never_predicted": names}
    if not names:
        return replace(winner, info=info)
    from zoo.class_metrics import say_never_predicted  # NumPy takes a while to import.

    remedies = []
    if recipe.train.class_weight is None:
        remedies.append("train.class_weight: balanced")
    if not weighs_classes_alike(objective):
        multi_label = (data or {}).get("multi_label")
        better = "mean_average_precision" if multi_label else "balanced_accuracy"
        remedies.append(f"tune.objective: val_{better}")
    remedies.append("more epochs")
    seeds = f" with {len(lacking)} of {len(trainings)} seeds" if len(trainings) > 1 else ""
    warning = (
        f"warning: trial {trial}{seeds}: {say_never_predicted(names, 'validation image')}. Search "
        f"again with {' or '.join(remedies)}"
    )
    return replace(winner, info=info, messages=[*winner.messages, warning])


def shown(objective: str) -> Callable[[float], str]:
    """Formatter that turns a higher-is-better score back into the measured metric."""
    return lambda score: f"{sign(objective) * score:.4f}"


def write_best(folder: Search, template: Template, tune: Tune, winner: Winner, trials: int) -> None:
    """Writes best.yaml: the recipe with the winner's values.

    Args:
        folder: the search's folder.
        template: its recipe.
        tune: its settings.
        winner: the best trial.
        trials: number of finished trials.
    """
    values = deepcopy(dict(winner.info["values"]))  # One path may lie inside another one's value.
    lines = "\n".join(f"#   {path}: {value}" for path, value in values.items())
    monitor, given = template.recipe.train.monitor, template.recipe.tune
    left_to_data = monitor == "auto" and given is not None and given.objective == "auto"
    if tune.objective != ("val_accuracy" if left_to_data else monitor):
        values["train.monitor"] = tune.objective
    write_text(
        folder.best_file,
        f"# zoo tune: {winner.headline}, of {trials} trainings.\n# Found:\n{lines}\n"
        f"{template.dump(values)}",
    )


def no_result(folder: Search, records: Sequence[TrialRecord]) -> str:
    """Says why no trial came to its end, and what to do."""
    if not records:
        return f"{folder}: no trial was run: give it more time, tune.max_minutes."
    (status, count), *_ = Counter(record.status for record in records).most_common(1)
    last = next(record for record in reversed(records) if record.status == status)
    advice = {
        "diverged": "Lower min_value of the learning rate in tune.space",
        "timeout": "Give trials more time, tune.trial_minutes, or fewer epochs",
        "failed": "Search smaller networks or batches",
    }.get(status, "Set prune: none")
    return (
        f"{folder}: no trial came to its end. {count} of {len(records)} are {status}, the "
        f"last one: {last.reason}. {advice}, or look at the recipe itself: zoo check RECIPE"
    )


def kept_by_fault(fault: StorageFault, state: SearchState, journal: TrialJournal) -> StorageFault:
    """Notes in tune.json that a disk's failure ended the search, if the disk takes it.

    A search without a trial is removed.

    Returns:
        The failure, with what is kept and how to resume the search.
    """
    if journal.is_empty:
        state.folder.remove()
        return fault.adding("No trial was begun; nothing is kept.")
    with suppress(StorageFault):
        state.update(status="failed", reason=fault.message)
    fault = fault.adding(
        f"Kept: {counted(len(journal.records), 'finished trial')}. Then resume with: "
        f"zoo tune --resume {state.folder}"
    )
    fault.facts = {"folder": str(state.folder)}
    return fault
