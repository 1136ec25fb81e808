"""`zoo show FOLDER`: what a run, a cross-validation, a search or a check is. Light."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from zoo.errors import RunError
from zoo.files.user_paths import user_path
from zoo.inventory.group_summary import summary
from zoo.inventory.run_summary import read
from zoo.recipe.shipped import shipped
from zoo.rundir.kinds import NOUNS
from zoo.rundir.resolving import ALL, resolve
from zoo.text.columns import columns
from zoo.text.counted import counted
from zoo.text.numbers import duration
from zoo.text.printable import one_line, quoted
from zoo.text.sizes import size_text
from zoo.verbs.run_table import NOUNS as PARTS
from zoo.verbs.teller import Teller

WIDTH = 80
LABEL = 12  # Columns of the words at the left.
MOST_NAMES = 8
KEPT = "\0"  # Stands for a space at which no line ends; no text of a run holds it.


def folder_of(argument: str, say: Callable[[str], None]) -> Path | None:
    """The folder of zoo that an argument names; None if it names a recipe.

    Args:
        argument: a recipe, a folder of zoo, or runs/NAME for the newest in it.
        say: told in a line which folder of several was taken.

    Raises:
        UsageError: nothing can have such a path.
        RunError: a folder without results of zoo.
    """
    path = user_path(argument)
    if argument in shipped() or not path.is_dir():
        return None
    try:
        return resolve(argument, ALL, say).folder
    except RunError as error:
        raise RunError(
            f"{error.message} Or a recipe; `zoo new {argument}` writes one for a folder of images."
        ) from None


def show_folder(out: Teller, folder: Path) -> None:
    """Tell what a folder of zoo is.

    Args:
        out: takes the lines and the document.
        folder: of `folder_of`.

    Raises:
        DamagedFile: a file of it holds something else than zoo wrote.
    """
    facts = summary(read(folder))
    out.result(facts)
    out.text("\n".join(lines(facts)))


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a summary: at most 80 columns, but for paths and commands to copy."""
    name = f" of {one_line(facts['name'])}" if facts["name"] else ""
    yield f"{quoted(facts['path'])}"
    yield from _fact("what", _identity(facts, name))
    yield from _fact("status", _status(facts))
    yield from _fact("began", _times(facts))
    yield from _fact("device", _device(facts))
    yield from _fact("versions", _versions(facts))
    yield from _fact("data", _data(facts))
    yield from {"run": _run, "folds": _folds, "search": _search, "check": _run}[facts["kind"]](
        facts
    )
    yield from _files(facts)
    for note in facts["notes"]:
        yield from _fact("damaged", one_line(note))
    if facts["next"]:
        yield ""
        width = max(len(step["why"]) for step in facts["next"])
        yield from (f"{step['why']:{width}}  {step['command']}" for step in facts["next"])


def _fact(label: str, text: str | None) -> Iterator[str]:
    """A label with its text, wrapped between words; nothing without a text."""
    if not text:
        return
    wrapped = textwrap.wrap(
        text, WIDTH, initial_indent=f"{label:<{LABEL}}", subsequent_indent=" " * LABEL,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    yield from (line.replace(KEPT, " ") for line in wrapped)


def _kept(*words: str) -> str:
    """Words that stay in one line."""
    return " ".join(words).replace(" ", KEPT)


def _identity(facts: Mapping[str, Any], name: str) -> str:
    parts = [f"{NOUNS[facts['kind']]}{name}"]
    if facts.get("seed") is not None:
        parts.append(f"seed {facts['seed']}")
    if facts.get("parameters"):
        parts.append(f"{facts['parameters']:,} parameters")
    if facts.get("warm_start"):
        parts.append(f"began with weights of {facts['warm_start']['from']}")
    return ", ".join(parts)


def _status(facts: Mapping[str, Any]) -> str:
    word = str(facts["status"])
    if word == "killed":
        word = "killed: its process ended without a word"
    reason = facts["reason"] if facts["kind"] != "check" else None
    return word + (f": {one_line(str(reason))}" if reason else "")


def _times(facts: Mapping[str, Any]) -> str:
    parts = [str(facts["started"] or "at an unknown time")[:16].replace("T", " ")]
    if facts.get("seconds") is not None:
        parts.append(f"took {duration(facts['seconds'])}")
    if facts.get("images_per_second"):
        parts.append(f"{facts['images_per_second']:,.0f} images/s")
    return ", ".join(parts)


def _device(facts: Mapping[str, Any]) -> str | None:
    if not facts.get("device"):
        return None
    parts = [one_line(str(facts["device"]))]
    if (facts.get("devices") or 1) > 1:
        parts[0] += f", {facts['devices']} of them"
    if (facts.get("processes") or 1) > 1:
        parts.append(f"{facts['processes']} processes")
    if facts.get("workers"):
        parts.append(counted(facts["workers"], "worker"))
    parts.append(f"{facts['backend']}{f', {loop} loop' if (loop := facts.get('loop')) else ''}")
    return "; ".join(parts) + (f"; on {facts['host']}" if facts["host"] else "")


def _versions(facts: Mapping[str, Any]) -> str | None:
    versions = {"zoo": facts.get("zoo"), **(facts.get("versions") or {})}
    text = ", ".join(_kept(name, number) for name, number in versions.items() if number)
    commit = facts.get("git_commit")
    return text + (f"; commit {commit[:10]}" if commit else "")


def _data(facts: Mapping[str, Any]) -> str | None:
    data = facts.get("data")
    if not data:
        return None
    names = (("train", "training"), ("validation", "validation"), ("test", "test"))
    parts = [f"{data[key]:,} {word}" for key, word in names if data.get(key) is not None]
    classes = facts.get("classes")
    return (
        f"{', '.join(parts)} images"
        + (f"; {classes:,} classes" if classes else "")
        + ("; streamed" if data.get("streamed") else "")
        + f"; fingerprint {data['fingerprint'][:12]}"
    )


def _run(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _fact("epochs", _epochs(facts))
    yield from _fact("validation", _accuracy(facts, "val_accuracy", facts["val_accuracy"]))
    test = facts.get("test")
    if test:
        yield from _fact(test["split"], _measured(test))
    if facts.get("never_predicted"):
        names = facts["never_predicted"]
        more = len(names) - MOST_NAMES
        shown = ", ".join(map(quoted, names[:MOST_NAMES])) + (f" and {more} more" * (more > 0))
        yield from _fact("never told", f"no validation image was taken for {shown}")
    yield from _checks(facts.get("checks"))
    for export in facts.get("exports") or ():
        yield from _fact("export", _export(export))


def _epochs(facts: Mapping[str, Any]) -> str | None:
    if facts["done"] is None:
        return None
    text = f"{facts['done']:,}"
    if facts["planned"] is not None:
        text += f" of {facts['planned']:,}"
    if facts.get("stopped_early"):
        text += ", stopped early"
    return text + (f", best {facts['best_epoch']}" if facts.get("best_epoch") else "")


def _accuracy(facts: Mapping[str, Any], key: str, value: float | None) -> str | None:
    if value is None:
        return None
    text = f"accuracy {value:.4f}{_interval(facts.get(f'{key}_95'))}"
    monitor = facts.get("monitor")
    if monitor and monitor != key and facts.get(monitor) is not None:
        text += f"; {monitor} {facts[monitor]:.4f}"
    return text


def _interval(bounds: Sequence[float] | None) -> str:
    return " " + _kept(f"(95 %: {bounds[0]:.4f} to {bounds[1]:.4f})") if bounds else ""


def _measured(test: Mapping[str, Any]) -> str:
    text = f"accuracy {test['accuracy']:.4f}{_interval(test['accuracy_95'])}"
    if test.get("mean_average_precision") is not None:
        text += f"; mean average precision {test['mean_average_precision']:.4f}"
    times = test["test_evaluations"]
    often = f", measured {times} times" if times > 1 else ""
    return f"{text} on {counted(test['images'], 'image')}{often}"


def _checks(report: Mapping[str, Any] | None) -> Iterator[str]:
    if report is None:
        return
    counts = ", ".join(f"{number} {verdict}" for verdict, number in report["counts"].items())
    yield from _fact("checks", f"{report['verdict']}: {counts}" if counts else report["verdict"])
    for finding in report["findings"]:
        text = f"{finding['verdict']} {finding['id']} {finding['name']}: {finding['advice']}"
        yield from _fact("", one_line(text))


def _export(export: Mapping[str, Any]) -> str:
    size = f", {size_text(export['bytes'])}" if export["bytes"] is not None else ""
    parity = export["parity"]
    if not parity or parity.get("max_abs_diff") is None:
        return f"{export['format']}{size}, not compared with the run"
    verdict = "equals the run" if parity["passed"] else "differs from the run"
    return (
        f"{export['format']}{size}: {verdict} up to {parity['max_abs_diff']:.1e} on "
        f"{counted(parity['images'], 'image')}"
    )


def _folds(facts: Mapping[str, Any]) -> Iterator[str]:
    yield from _fact("folds", f"{facts['done']} of {facts['planned']} are done")
    for key, mean in (facts["mean"] or {}).items():
        yield from _fact(
            f"{key.removeprefix('val_')}", f"{key} {mean:.4f} ± {facts['sd'][key]:.4f}"
        )
    yield from _children(facts)


def _children(facts: Mapping[str, Any]) -> Iterator[str]:
    rows = [[PARTS[facts["kind"]], "status", "epochs", "validation", "test", "size"]]
    for child in facts["children"]:
        numbers = [
            "" if child[key] is None else f"{child[key]:.4f}"
            for key in ("val_accuracy", "test_accuracy")
        ]
        rows.append(
            [Path(child["path"]).name, child["status"], _epochs(child) or "", *numbers,
             size_text(child["bytes"])]
        )  # fmt: skip
    if len(rows) > 1:
        yield ""
        yield columns(rows, right=(5,))
        yield ""


def _search(facts: Mapping[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{number} {status}" for status, number in facts["trials"].items())
    yield from _fact("trials", f"{facts['done']:,}" + (f": {counts}" if counts else ""))
    for stage in facts["stages"]:
        text = (
            f"{stage['name']}: {stage['finished'] or 0} of {counted(stage['trials'], 'trial')} of "
            f"{counted(stage['epochs'], 'epoch')}, {stage['oracle']}, pruning {stage['prune']}"
        )
        yield from _fact("stage", text)
    best = facts["best"]
    if best:
        deviation = "" if best.get("score_sd") is None else f" ± {best['score_sd']:.4f}"
        seeds = f" over {best['seeds']} seeds" if best["seeds"] > 1 else ""
        objective = facts["objective"] or "score"
        yield from _fact(
            "best", f"trial {best['trial']}, {objective} {best['score']:.4f}{deviation}{seeds}"
        )
        for path, value in best["values"].items():
            yield from _fact("", f"{path}: {_short(value)}")
    for verdict in facts["edge_verdicts"] or ():
        yield from _fact("range", one_line(verdict))
    yield from _children(facts)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else one_line(str(value))


def _files(facts: Mapping[str, Any]) -> Iterator[str]:
    parts = [_kept(quoted(file["name"]), size_text(file["bytes"])) for file in facts["files"]]
    yield from _fact("files", f"{_kept(size_text(facts['bytes']))}: {', '.join(parts)}")
