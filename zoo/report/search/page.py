"""The page of a search. Light: reads files alone; scikit-learn is imported for the importances."""

from __future__ import annotations

from zoo.report.blocks import Line, Page
from zoo.report.search import sections
from zoo.report.search.rows import as_word
from zoo.report.search.summary import SearchSummary
from zoo.significance import LEVEL
from zoo.text.commands import command
from zoo.text.numbers import duration, short


class SearchReport(SearchSummary):
    """The report of a search.

    Args:
        files: the files of the search.
    """

    def page(self) -> Page:
        """The page."""
        files = self.files
        return Page(
            title=str(files.info.get("name") or files.folder.parent.name),
            subtitle=f"Report of a search: {files.folder}",
            verdict=_verdict(self),
            sections=sections.all_of(self),
            facts=_facts(self),
        )


def _verdict(report: SearchSummary) -> list[Line]:
    files, best, names = report.files, report.best, report.names
    if best is None:
        text = f"No trial came to its end, of {len(files.rows)} that ended."
        lines = [Line("Best", text, "bad" if files.state != "running" else "info")]
    else:
        sd = "" if best.sd is None else f" ± {best.sd:.4f}"
        over = f" over {best.seeds} seeds" if best.seeds > 1 else " in one training"
        values = ", ".join(
            f"{names.get(path, path)} {_brief(value)}" for path, value in best.values.items()
        )
        text = f"{files.objective} {best.score:.4f}{sd}{over}: trial {best.trial} with {values}."
        lines = [Line("Best" if best.is_final else "Best so far", text, "good")]
    lines.append(_luck(report))
    lines.append(_next(report))
    return lines


def _brief(value: object) -> str:
    return short(value) if isinstance(value, float) else as_word(value)


def _luck(report: SearchSummary) -> Line:
    """Whether the best trial is better than the others by more than luck."""
    confirmed, files = report.confirmed, report.files
    if (
        not confirmed
        and files.state != "done"
        and (files.info["recipe"].get("tune") or {}).get("confirm", True)
    ):
        return Line(
            "Sure?",
            "Not yet: the best of many trainings is also the luckiest. The best ones are trained "
            "again with fresh seeds at the end.",
        )
    if not confirmed:
        return Line(
            "Sure?",
            "No: the best of many trainings is also the luckiest, and none was repeated with fresh "
            "seeds. tune.confirm does that.",
            "warn",
        )
    first, *others = confirmed
    alike = [each.trial for each in others if each.p_value is None or each.p_value >= LEVEL]
    spread = first.spread
    mean = f"{spread.mean:.4f}" if spread else "no score"
    before = f"{mean} over fresh seeds"
    if first.search_score is not None:
        before = f"{first.search_score:.4f} in the search became {before}"
    if alike:
        also = ", ".join(alike)
        text = f"{before}. Not to be told apart from {also}: the difference may be luck."
        return Line("Sure?", text, "warn")
    reason = f"better than the {len(others)} others by more than luck" if others else "alone tried"
    return Line("Sure?", f"{before}; {reason}.", "good")


def _next(report: SearchSummary) -> Line:
    files = report.files
    resume = command("zoo", "tune", "--resume", files.folder)
    if files.state == "running":
        wanted = sum(stage["trials"] for stage in files.stages)
        return Line(
            "Next", f"The search is running: {len(files.rows)} trials ended, {wanted} in the plan "
            "so far. Make the report again later.", "info",
        )  # fmt: skip
    if files.state != "done":
        reason = f" ({files.info['reason']})" if files.info.get("reason") else ""
        return Line("Next", f"The search was {files.state}{reason}. Resume it: {resume}", "warn")
    last = files.stages[-1]["name"] if files.stages else ""
    edges = [words for stage, words in report.verdicts if stage == last]
    if edges:
        return Line(
            "Next", f"The optimum may lie outside of what was searched: {edges[0]}.", "warn"
        )
    if report.best is None:
        return Line("Next", "Look at the recipe itself: zoo check RECIPE.", "warn")
    return Line("Next", f"Train it, and measure the test split once: {report.command}", "info")


def _facts(report: SearchSummary) -> list[tuple[str, str]]:
    files = report.files
    facts = [
        ("status", files.state),
        ("objective", files.objective),
        ("trials", f"{len(files.rows):,}"),
        ("duration", duration(files.info["seconds"])),
        ("workers", str(files.info["workers"])),
    ]
    if files.unfinished:
        facts.append(("begun, not ended", f"{len(files.unfinished):,}"))
    if files.lost:
        facts.append(("lost and begun again", f"{files.lost:,}"))
    if files.info.get("device"):
        facts.append(("device", str(files.info["device"])))
    return facts
