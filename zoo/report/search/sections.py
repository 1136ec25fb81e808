"""The sections of the page of a search. Light."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from zoo.report.blocks import (
    Block,
    Cell,
    Code,
    Column,
    Columns,
    Details,
    Facts,
    Finding,
    Missing,
    Section,
    Table,
    Text,
)
from zoo.report.search import course_figures, value_figures
from zoo.report.search.axis import Axis, is_number
from zoo.report.search.importance import MIN_R2, MIN_TRIALS
from zoo.report.search.outcome import SearchFiles
from zoo.report.search.rows import Row, as_word, score_of
from zoo.report.search.summary import SearchSummary
from zoo.text.numbers import duration, short

MAX_ROWS = 300  # Of the table of trials.
ROWS_SHOWN = 25
MAX_FIGURES = 24  # Hyperparameters that have a figure of their own.


def all_of(report: SearchSummary) -> list[Section]:
    """Return the sections, in their order."""
    return [
        _best(report),
        _confirmation(report),
        _values(report),
        _importance(report),
        _ranges(report),
        _pruning(report),
        _budget(report),
        _trials(report),
        _machine(report.files),
    ]


def _best(report: SearchSummary) -> Section:
    best, files = report.best, report.files
    if best is None:
        return Section("The best recipe", [Missing("No trial came to its end.")])
    rows = [[path, as_word(value)] for path, value in best.values.items()]
    blocks: list[Block] = [
        Table(f"Values of trial {best.trial}", ["hyperparameter", "value"], rows, sortable=False)
    ]
    if files.best_recipe is None:
        blocks.append(Missing("best.yaml is written at the end of the search."))
        return Section("The best recipe", blocks)
    blocks.append(Text("This command trains it:"))
    blocks.append(Code([(report.command, False)], "the command that trains the best recipe"))
    found = {path.rpartition(".")[2] for path in best.values}
    lines = [
        (line, any(line.strip().startswith(f"{name}:") for name in found))
        for line in files.best_recipe.splitlines()
    ]
    blocks.append(Details("best.yaml, searched keys marked", [Code(lines, "best.yaml")]))
    return Section("The best recipe", blocks)


def _confirmation(report: SearchSummary) -> Section:
    files, confirmed = report.files, report.confirmed
    if not confirmed:
        reason = "No trial was trained again with fresh seeds."
        return Section("Fresh seeds", [Missing(reason)])
    rows: list[list[Cell | str]] = []
    for each in confirmed:
        spread = each.spread
        interval = "–"
        if spread and spread.low is not None and spread.high is not None:
            interval = f"{spread.low:.4f} to {_capped(files, spread.high):.4f}"
        p = each.p_value
        rows.append([
            each.trial,
            _score(spread.mean if spread else None),
            _score(spread.sd if spread else None),
            Cell(interval, spread.low if spread else None),
            Cell(str(len(each.scores)), len(each.scores)),
            Cell(str(each.diverged), each.diverged),
            _score(each.search_score),
            Cell(short(p, 3), p),
        ])  # fmt: skip
    heads: list[Column | str] = [
        "trial", Column("mean", True), Column("sd", True),
        Column("95 % interval", True, help="of the mean, by Student's t distribution."),
        Column("seeds", True), Column("without score", True), Column("in the search", True),
        Column("p", True, help="Welch's t test against the first trial: how often seeds alone "
               "would make such a difference. Below 0.05 counts as more than luck."),
    ]  # fmt: skip
    return Section(
        "Fresh seeds",
        [course_figures.confirmed(files, confirmed), Table("Over fresh seeds", heads, rows)],
        "The best trials, trained again for all epochs of the recipe.",
    )


def _capped(files: SearchFiles, value: float) -> float:
    """Shares end at 1, and so does the interval of their mean."""
    return value if files.lower_is_better else min(value, 1.0)


def _values(report: SearchSummary) -> Section:
    files, title = report.files, "Scores and values"
    axes = [Axis(path, files.rows, files.stages, report.names[path]) for path in report.paths]
    if not axes:
        return Section(title, [Missing("No trial has ended yet, so there is nothing to draw.")])
    blocks: list[Block] = []
    lines = value_figures.parallel(files, axes)
    if lines is not None:
        blocks.append(lines)
    blocks.append(Columns([value_figures.scores(files, axis) for axis in axes[:MAX_FIGURES]]))
    if len(axes) > MAX_FIGURES:
        blocks.append(Text(f"The first {MAX_FIGURES} of {len(axes)} hyperparameters.", soft=True))
    return Section(title, blocks)


def _importance(report: SearchSummary) -> Section:
    blocks: list[Block] = []
    for forest in report.forests:
        if not forest.importances:
            text = f"Stage {forest.stage}: not computed, {forest.reason}."
            blocks.append(Missing(text))
            continue
        blocks.append(course_figures.importances(forest))
        sentence = (
            f"{forest.trials} trials. Out of bag, the forest's R² is {forest.r2:.2f}: of the "
            "variance of ranks it explains that much in trials that it has not seen."
        )
        if forest.reason:
            sentence += (
                f" That is below {MIN_R2}, so read nothing into the bars: the scores follow these "
                "hyperparameters too little, or there are too few trials."
            )
        blocks.append(Text(sentence))
    lead = (
        "Permutation importance of a random forest on the ranks of trials (Breiman 2001), for "
        f"stages of {MIN_TRIALS} trials or more. It tells what scores followed in the ranges of "
        "that stage; in others that may be something else."
    )
    return Section("Importance", blocks or [Missing("There are no stages yet.")], lead)


def _ranges(report: SearchSummary) -> Section:
    files = report.files
    paths = list(dict.fromkeys(path for stage in files.stages for path in stage["space"]))
    rows = [[path, *(_range(stage["space"].get(path)) for stage in files.stages)] for path in paths]
    heads: list[Column | str] = ["hyperparameter", *(stage["name"] for stage in files.stages)]
    blocks: list[Block] = [Table("Ranges of each stage", heads, rows, sortable=False)]
    stages_of: dict[str, list[str]] = {}
    for stage, words in report.verdicts:
        stages_of.setdefault(words, []).append(stage)
    last = files.stages[-1]["name"] if files.stages else ""
    for words, stages in stages_of.items():
        # What an earlier stage found, the ranges of the next one took up.
        verdict = "WARN" if last in stages else "INFO"
        blocks.append(Finding(verdict, f"stage {', '.join(stages)}", advice=f"{words}."))
    if not report.verdicts and files.state == "done":
        blocks.append(Finding("PASS", "edges", advice="No best value lies at the edge of a range."))
    return Section("Ranges and their edges", blocks)


def _range(space: Any) -> str:
    if not isinstance(space, dict):
        return "–"
    if "values" in space:
        text = ", ".join(as_word(value) for value in space["values"])
    else:
        text = f"{short(space.get('min_value'), 3)} to {short(space.get('max_value'), 3)}"
        text += " log" if space.get("sampling") == "log" else ""
    when = space.get("when")
    if isinstance(when, dict):
        text += "; when " + ", ".join(f"{path} is {word}" for path, word in when.items())
    return text


def _pruning(report: SearchSummary) -> Section:
    blocks: list[Block] = []
    for stage in report.prunings:
        if not stage.fractions:
            blocks.append(Missing(f"Stage {stage.stage}: no trial has reached a rung and its end."))
            continue
        blocks.append(course_figures.rungs(report.files, stage))
        blocks.append(
            Text(
                f"Rule {stage.rule}: {sum(stage.pruned)} trials were stopped early, which saved "
                f"about {duration(stage.saved_seconds)} of training."
            )
        )
    return Section("Pruning", blocks or [Missing("No stage stops trials early.")])


def _budget(report: SearchSummary) -> Section:
    if not report.budget:
        return Section("Budget", [Missing("No trial has ended yet.")])
    rows: list[list[Cell | str]] = [
        [each.stage, each.status, Cell(f"{each.trials:,}", each.trials),
         Cell(duration(each.seconds), each.seconds),
         Cell(duration(each.setup_seconds), each.setup_seconds),
         Cell(f"{each.epochs:,}", each.epochs)]
        for each in report.budget
    ]  # fmt: skip
    heads: list[Column | str] = [
        "stage", "status", Column("trials", True), Column("training", True),
        Column("set-up", True, help="time to build and trace networks that could not be shared."),
        Column("epochs", True),
    ]  # fmt: skip
    blocks: list[Block] = [
        Columns([course_figures.spent(report.budget, key) for key in ("trials", "seconds")]),
        Table("What trials took", heads, rows),
    ]
    course = course_figures.best_so_far(report.files)
    if course is not None:
        blocks.append(course)
    return Section("Budget", blocks)


def _trials(report: SearchSummary) -> Section:
    files, rows = report.files, report.files.searched_rows
    if not rows:
        return Section("Trials", [Missing("No trial has ended yet.")])
    shown = _listed(rows, files)
    table: list[list[Cell | str]] = [
        [
            row["trial"], _score(score_of(row)),
            Cell(row["status"], tone="bad" if row["status"] in ("diverged", "failed") else None),
            *(_value_cell(row, path) for path in report.paths),
            Cell(str(row["epochs"]), row["epochs"]),
            Cell(duration(row.get("seconds")), row.get("seconds")),
            row.get("reason") or "",
        ]
        for row in shown
    ]  # fmt: skip
    heads: list[Column | str] = [
        "trial", Column(files.objective, True), "status",
        *(Column(report.names[path], True) for path in report.paths), Column("epochs", True),
        Column("seconds", True), "why it ended early",
    ]  # fmt: skip
    caption = f"{len(shown):,} trials"
    if len(shown) < len(rows):
        caption = (
            f"The best {len(shown):,} of {len(rows):,} trials; the file trials.csv has all of them"
        )
    return Section("Trials", [Table(caption, heads, table, rows_shown=ROWS_SHOWN)])


def _score(value: float | None) -> Cell:
    """A score with as many digits as `zoo tune` prints."""
    return Cell("–" if value is None else f"{value:.4f}", value)


def _listed(rows: Sequence[Row], files: SearchFiles) -> list[Row]:
    """The trials of the table, best first; those without a score last."""
    sign = 1.0 if files.lower_is_better else -1.0

    def place(row: Row) -> tuple[bool, float]:
        score = score_of(row)
        return score is None, 0.0 if score is None else sign * score

    return sorted(rows, key=place)[:MAX_ROWS]


def _value_cell(row: Row, path: str) -> Cell:
    if path not in row["values"]:
        return Cell("–")
    value = row["values"][path]
    return Cell(as_word(value), value if is_number(value) else None)


def _machine(files: SearchFiles) -> Section:
    info = files.info
    data = info.get("data") or {}
    pairs = [
        ("folder", str(files.folder)),
        ("seed", str(info["seed"])),
        ("training images", f"{data['train']:,}" if "train" in data else "–"),
        ("validation images", f"{data['validation']:,}" if "validation" in data else "–"),
        ("data fingerprint", str(data.get("fingerprint", "–"))[:12]),
        ("backend", str(info.get("backend") or "–")),
        ("device", str(info.get("device") or "–")),
        ("host", str(info.get("host") or "–")),
        ("zoo", str(info.get("zoo") or "–")),
        *((name, str(version or "–")) for name, version in (info.get("versions") or {}).items()),
    ]
    return Section("Where it ran", [Facts(pairs)])
