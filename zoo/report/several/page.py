"""The page of several runs. Light: reads files alone."""

from __future__ import annotations

from zoo.report.blocks import (
    Block,
    Cell,
    Column,
    Columns,
    Details,
    Line,
    Missing,
    Page,
    Section,
    Table,
    Text,
    Tone,
)
from zoo.report.several import figures
from zoo.report.several.pairs import Pair
from zoo.report.several.summary import SeveralSummary, p_text, signed
from zoo.text.commands import command
from zoo.text.counted import counted
from zoo.text.numbers import duration, interval_text, metric, short

MAX_SENTENCES = 10  # Pairs that are told in sentences; the table has all.
ROWS_SHOWN = 25
MIN_SEEDS = 3
PAIRS_LEAD = (
    "McNemar's test on the images that only one of two runs has right: exact below 25 of them, "
    "mid-p above (Fagerland, Lydersen & Laake 2013). It compares two trained models, not their "
    "recipes: another seed of the same recipe is another model."
)
SEEDS_LEAD = (
    "Runs whose recipes differ in the seed alone are one recipe. Welch's t test compares the means "
    "of two recipes with the spread of their seeds."
)


class SeveralReport(SeveralSummary):
    """The report of several runs; see `SeveralSummary`."""

    def page(self) -> Page:
        """The page."""
        names = list(dict.fromkeys(group.name for group in self.groups))
        title = " and ".join(names) if len(names) < 3 else f"{names[0]} and {len(names) - 1} more"
        return Page(
            title=title,
            subtitle=f"Report of {len(self.trainings)} runs",
            verdict=[_best(self), _sure(self), _next(self)],
            sections=[_runs(self), _curves(self), _seeds(self), _pairs(self), _recipes(self),
                      _places(self)],
            facts=_facts(self),
        )  # fmt: skip


def _best(summary: SeveralSummary) -> Line:
    ranked, groups = summary.ranked, summary.ranked_groups
    if not ranked:
        return Line("Best", "No run is done, so that there is nothing to compare yet.", "warn")
    if any(len(group.accuracies) > 1 for group in groups) and len(groups) > 1:
        group, spread = groups[0], groups[0].spread
        if spread is not None:
            sd = "" if spread.sd is None else f" ± {spread.sd:.4f}"
            count = counted(len(group.accuracies), "fold" if group.is_of_folds else "seed")
            mean = f"{metric(spread.mean)}{sd}"
            text = f"Recipe {group.number}, {group.name}: {summary.split} accuracy {mean} over"
            return Line("Best", f"{text} {count}.", "good")
    best = ranked[0]
    interval = best.interval(summary.split)
    within = f" (95 %: {interval_text(*interval)})" if interval else ""
    share = metric(best.accuracy(summary.split))
    return Line("Best", f"{best.letter}, {best.name}: {summary.split} accuracy {share}{within}.",
                "good")  # fmt: skip


def _sure(summary: SeveralSummary) -> Line:
    """The best against the second best: recipes where seeds tell, else two models."""
    groups = summary.ranked_groups
    pair = summary.group_pair_of(*groups[:2]) if len(groups) > 1 else None
    if pair is not None and pair.p is not None:
        tone: Tone = "good" if pair.is_more_than_luck else "warn"
        return Line("Sure?", summary.group_sentence(pair), tone)
    models = _rivals(summary)
    if models is None:
        return Line("Sure?", "It takes two runs that are done to compare.", "warn")
    if models.test is None:
        text = f"Unknown whether {models.first} and {models.second} differ. {models.reason}"
        return Line("Sure?", text, "warn")
    text = summary.sentence(models)
    if len(groups) > 1:
        text += " That is said of these two models, not of their recipes."
    return Line("Sure?", text, "good" if models.is_more_than_luck else "warn")


def _rivals(summary: SeveralSummary) -> Pair | None:
    """The pair of the best run and the best of another recipe, or the second best run."""
    ranked, groups = summary.ranked, summary.groups
    if len(ranked) < 2:
        return None
    number = {run.letter: group.number for group in groups for run in group.trainings}
    others = [run for run in ranked[1:] if number[run.letter] != number[ranked[0].letter]]
    return summary.pair_of(ranked[0], (others or ranked[1:])[0])


def _next(summary: SeveralSummary) -> Line:
    running = [each.letter for each in summary.trainings if each.status == "running"]
    if running:
        return Line("Next", f"Not done yet: {', '.join(running)}. Make the report again later.")
    failed = [each for each in summary.trainings if not each.is_done]
    if failed:
        words = ", ".join(f"{each.letter} {each.status}" for each in failed)
        return Line("Next", f"Left out of all tests, since they are not done: {words}.", "warn")
    few = [
        group for group in summary.ranked_groups[:2]
        if not group.is_of_folds and len(group.accuracies) < MIN_SEEDS
    ]  # fmt: skip
    if few and len(summary.groups) > 1:
        first = min(few, key=lambda group: len(group.accuracies))
        recipe = first.trainings[0].run.recipe_file
        taken = [int(run.info.get("seed") or 0) for run in first.trainings]
        train = command("zoo", "train", recipe, "--set", f"seed={max(taken) + 1}")
        lacking = MIN_SEEDS - len(first.accuracies)
        seeds = f" --seeds {lacking}" if lacking > 1 else ""
        return Line(
            "Next",
            f"Train recipe {first.number} with more seeds, so that recipes are compared and not "
            f"single models: {train}{seeds}",
        )
    sure = summary.group_pairs and any(pair.is_more_than_luck for pair in summary.group_pairs)
    if sure or len(summary.groups) == 1:
        return Line("Next", "See below what differs between the runs.")
    return Line("Next", "More seeds or more test images would show smaller differences.")


def _facts(summary: SeveralSummary) -> list[tuple[str, str]]:
    images = {training.images(summary.split) for training in summary.trainings} - {None}
    facts = [
        ("runs", str(len(summary.trainings))),
        ("recipes", str(len(summary.groups))),
        ("compared on", f"{summary.split} images"),
    ]
    if len(images) == 1:
        facts.append(("images", f"{images.pop():,}"))
    device = _device_of_all(summary)
    if device:
        facts.append(("device", device))
    return facts


def _device_of_all(summary: SeveralSummary) -> str | None:
    """The device of all runs; None where they differ or do not say: a column tells it then."""
    devices = {training.info.get("device") for training in summary.trainings}
    device = devices.pop() if len(devices) == 1 else None
    return str(device) if device else None


def _runs(summary: SeveralSummary) -> Section:
    numbers = {run.letter: group.number for group in summary.groups for run in group.trainings}
    device = _device_of_all(summary)
    rows: list[list[Cell | str]] = []
    for training in summary.trainings:
        info, status = training.info, training.status
        share, interval = training.accuracy(summary.split), training.interval(summary.split)
        rows.append([
            Cell(f"{training.letter}  {training.name}", training.letter), numbers[training.letter],
            Cell(status, tone=None if status == "done" else "bad"),
            Cell(metric(share), share, share, interval),
            Cell(interval_text(*interval) if interval else "–", interval and interval[0]),
            _number(training.loss(summary.split)), _number(info.get("epochs")),
            Cell(duration(info.get("seconds")), info.get("seconds")),
            _number(info.get("parameters")),
            *([] if device else [str(info.get("device") or "–")]),
        ])  # fmt: skip
    heads: list[Column | str] = [
        "run", "recipe", "status", Column(f"{summary.split} accuracy", True),
        Column("95 % interval", True), Column(f"{summary.split} loss", True),
        Column("epochs", True), Column("time", True), Column("parameters", True),
        *([] if device else ["device"]),
    ]  # fmt: skip
    folders: list[list[Cell | str]] = [
        [Cell(f"{training.letter}  {training.name}", training.letter), str(training.run)]
        for training in summary.trainings
    ]
    blocks: list[Block] = [
        Table("The runs", heads, rows, rows_shown=ROWS_SHOWN),
        Details("Their folders", [Table("Folders", ["run", "folder"], folders)]),
    ]
    if summary.ranked:
        blocks.append(figures.accuracies(summary))
    if summary.split == "validation":
        blocks.append(
            Text(
                "Not all runs have measured the test images, so the validation images of the epoch "
                "that was kept are compared, which is a little too good for each of them. zoo "
                "evaluate RUN measures the test.",
                soft=True,
            )
        )
    blocks += [Missing(note) for training in summary.trainings for note in training.notes]
    return Section("The runs", blocks)


def _number(value: float | None) -> Cell:
    return Cell(short(value), value)


def _curves(summary: SeveralSummary) -> Section:
    curves = figures.curves(summary)
    if not curves:
        return Section("Curves", [Missing("No run has finished an epoch.")])
    return Section("Curves", [Columns(curves)])


def _seeds(summary: SeveralSummary) -> Section:
    rows: list[list[Cell | str]] = []
    for group in summary.groups:
        spread = group.spread
        interval = "–"
        if spread and spread.low is not None and spread.high is not None and not group.is_of_folds:
            interval = interval_text(max(spread.low, 0.0), min(spread.high, 1.0))
        sd = spread.sd if spread else None
        rows.append([
            group.number, group.name, group.letters,
            Cell(str(len(group.accuracies)), len(group.accuracies)),
            Cell(metric(spread.mean) if spread else "–", spread.mean if spread else None),
            Cell(f"{sd:.4f}" if sd is not None else "–", sd), Cell(interval),
        ])  # fmt: skip
    heads: list[Column | str] = [
        "recipe", "name", "runs", Column("done", True), Column("mean", True), Column("sd", True),
        Column("95 % interval of the mean", True, help="by Student's t distribution."),
    ]  # fmt: skip
    blocks: list[Block] = [Table(f"{summary.split} accuracy of each recipe", heads, rows)]
    for group in summary.groups:
        prints = {(run.info.get("data") or {}).get("fingerprint") for run in group.trainings}
        if len(prints) > 1 and not group.is_of_folds:
            blocks.append(
                Text(
                    f"The runs of recipe {group.number} had different data: splits that zoo draws "
                    "depend on the seed, or the files changed. Their spread holds that, too.",
                    soft=True,
                )
            )
    if not summary.group_pairs:
        blocks.append(Text("There is one recipe, so that there is nothing to compare it with."))
    sentences = [summary.group_sentence(pair) for pair in summary.group_pairs]
    blocks += [Text(sentence) for sentence in sentences[:MAX_SENTENCES]]
    if len(sentences) > MAX_SENTENCES:
        more = [Text(sentence) for sentence in sentences[MAX_SENTENCES:]]
        blocks.append(Details(f"{len(more)} more pairs", more))
    return Section("Recipes: more than luck?", blocks, SEEDS_LEAD)


def _pairs(summary: SeveralSummary) -> Section:
    title = "Models on the same images: more than luck?"
    if not summary.pairs:
        return Section(title, [Missing("It takes two runs that are done.")], PAIRS_LEAD)
    rows: list[list[Cell | str]] = []
    for pair in summary.pairs:
        test, shares = pair.test, pair.accuracies
        if test is None or shares is None or pair.corrected is None:
            continue
        verdict = "more than luck" if pair.is_more_than_luck else "not more than luck"
        rows.append([
            f"{pair.first} and {pair.second}", _count(test.only_first), _count(test.only_second),
            Cell(signed(test.difference), test.difference),
            f"{signed(test.low)} to {signed(test.high)}", Cell(p_text(test.p), test.p),
            Cell(p_text(pair.corrected), pair.corrected),
            Cell(verdict, tone="good" if pair.is_more_than_luck else None),
        ])  # fmt: skip
    heads: list[Column | str] = [
        "runs", Column("only the first right", True), Column("only the second right", True),
        Column("difference", True, help="accuracy of the second less that of the first."),
        Column("95 % interval", True, help="of the difference (Bonett & Price 2012)."),
        Column("p", True),
        Column("p, corrected", True, help="by Holm's method for the number of pairs; below 0.05 "
               "counts as more than luck."),
        "verdict",
    ]  # fmt: skip
    told = sorted(summary.pairs, key=lambda pair: (pair.corrected is None, pair.corrected or 0.0))
    blocks: list[Block] = [Text(summary.sentence(pair)) for pair in told[:MAX_SENTENCES]]
    if rows:
        blocks.append(Table("Each two runs", heads, rows, rows_shown=ROWS_SHOWN))
    if len(told) > MAX_SENTENCES:
        more = [Text(summary.sentence(pair)) for pair in told[MAX_SENTENCES:]]
        blocks.append(Details(f"{len(more)} more pairs in sentences", more))
    return Section(title, blocks, PAIRS_LEAD)


def _count(value: int) -> Cell:
    return Cell(f"{value:,}", value)


def _recipes(summary: SeveralSummary) -> Section:
    blocks: list[Block] = []
    first = summary.groups[0]
    for group, changes in summary.changes():
        if changes is None:
            blocks.append(Missing(f"The recipes of {first.number} and {group.number} cannot be "
                                  "compared: one cannot be read."))  # fmt: skip
            continue
        rows = [[change.path, change.first, change.second] for change in changes]
        if not rows:
            continue
        caption = f"Recipe {first.number} ({first.name}) and recipe {group.number} ({group.name})"
        heads = ["where", f"recipe {first.number}", f"recipe {group.number}"]
        blocks.append(Table(caption, heads, rows, sortable=False, rows_shown=ROWS_SHOWN))
    if not blocks:
        blocks.append(Text("All runs have one recipe, but for the seed."))
    return Section("Recipes: what differs", blocks, "Every default written out, as zoo diff does.")


def _places(summary: SeveralSummary) -> Section:
    title = "Data and machines: what differs"
    if not summary.circumstances:
        return Section(title, [Text("Data, device, versions and code are the same in all runs.")])
    heads = ["fact", *(training.letter for training in summary.trainings)]
    rows = [[fact, *values] for fact, values in summary.circumstances]
    return Section(title, [Table("What is not the same", heads, rows, sortable=False)])
