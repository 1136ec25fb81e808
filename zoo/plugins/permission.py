"""Whether the code of a part may run. Light.

It may if the user says so: with `--allow-plugins`, or in the file of `config.py`. A script of the
user's own says it with `allow`. A process that works for another one, such as a trial's, gets the
texts that the other one's user allowed, and runs these alone. Nothing in a recipe, in the working
directory or in a run folder gives permission, and no file in a run folder is ever run.
"""

from __future__ import annotations

import os
import shlex
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

from zoo.errors import PluginError, PluginRefused, Problem, UsageError
from zoo.plugins import config, flag, source
from zoo.plugins.flag import FLAG as FLAG
from zoo.plugins.part import Part
from zoo.text.printable import quoted

# File -> digest and text, of the parts that were allowed in this process; of each file the newest.
_approved: dict[Path, tuple[str, bytes]] = {}


def allow(yes: bool = True) -> None:
    """Allows the parts that recipes name, for this process and those that work for it.

    Args:
        yes: whether; False takes it back.
    """
    flag.give(yes)


def texts() -> dict[str, str]:
    """File -> text of all parts that were allowed so far, for `source.hand_over` elsewhere."""
    return {
        str(file): content.decode("utf-8", "surrogateescape")
        for file, (_, content) in _approved.items()
    }


def require(parts: Iterable[Part]) -> None:
    """Refuses to run parts that the user has not allowed.

    Raises:
        PluginRefused: names each part, its file and line, and how to allow it.
        PluginError: a file was changed since the recipe was read.
        UsageError: the user's configuration is broken.
    """
    wanted = list(parts)
    for part in wanted:
        _require_outside_of_runs(part)
    refused = wanted and [part for part in wanted if not _is_allowed(part)]
    if refused:
        raise _refusal(refused)
    for part in wanted:
        file, digest = part.origin.file, part.origin.sha256
        if file not in _approved or _approved[file][0] != digest:
            _approved[file] = (digest, text_of(part).content)


def text_of(part: Part) -> source.Source:
    """The text of a part's file, which is the one that the recipe was read with.

    Raises:
        PluginError: it is not.
    """
    text = source.read(part.origin.file, installed=part.origin.module is not None)
    if text.sha256 != part.origin.sha256:
        raise PluginError(
            f"{part.origin.shown_file} was changed since the recipe was read. Start again, with "
            "one version of it."
        )
    return text


def are_allowed(parts: Iterable[Part]) -> bool:
    """Whether the user has allowed parts; false, too, where the user's configuration is broken."""
    try:
        return all(map(_is_allowed, parts))
    except UsageError:
        return False


def _is_allowed(part: Part) -> bool:
    if flag.is_given() or _is_handed_over(part):
        return True
    entries = config.allowed()
    if isinstance(entries, bool):
        return entries
    return any(_covers(entry, part) for entry in entries)


def _is_handed_over(part: Part) -> bool:
    """Whether the process that this one works for may run a part's text."""
    if part.origin.module is None:
        return source.is_handed_over(part.origin.file)
    return source.is_handed_over_text(part.origin.sha256)


def _covers(entry: str, part: Part) -> bool:
    """Whether an entry of the configuration is a part's file, a folder of it, or its package."""
    if not os.path.isabs(entry):
        return part.origin.module is not None and part.origin.module.partition(".")[0] == entry
    allowed, file = os.path.realpath(entry), os.path.realpath(part.origin.file)
    return file == allowed or file.startswith(allowed.rstrip("/") + "/")


def _require_outside_of_runs(part: Part) -> None:
    from zoo.rundir import Folds, Run, Search

    names = (Run.INFO_NAME, Search.INFO_NAME, Folds.INFO_NAME)
    file = part.origin.file
    for parent in {*file.parents, *Path(os.path.realpath(file)).parents}:
        if any((parent / name).is_file() for name in names):
            raise PluginRefused(
                f"{part.word} is in {quoted(file)}, which is in the run folder {quoted(parent)}: "
                "no code in a run folder is run, since runs come from elsewhere, too. Read the "
                "file; if you trust it, copy it to a folder of your own, and name it there."
            )


def _refusal(parts: Sequence[Part]) -> PluginRefused:
    if source.works_for_another():
        part = parts[0]
        advice = "" if part.origin.module is None else " Install the same package on every host."
        return PluginRefused(
            f"{part.origin.reference} was not allowed with the text of {part.origin.file} on "
            f"{socket.gethostname()} (sha256 {part.origin.sha256[:12]}) where the work was "
            f"begun.{advice}"
        )
    files = list(dict.fromkeys(str(part.origin.file) for part in parts))
    problems = [
        Problem(
            file=part.origin.shown_file,
            line=part.origin.line,
            path=part.word,
            message=f"{part.kind} of your recipe's plugins ({part.origin.reference}), "
            f"sha256 {part.origin.sha256[:12]}",
        )
        for part in parts
    ]
    # In a list of YAML.
    entries = ", ".join(map(shlex.quote, files))
    return PluginRefused(
        f"this recipe runs code that does not belong to zoo, and you have not allowed it. Read it; "
        f"if you trust it, add {FLAG}, or write into {config.config_file()}: "
        f"{config.KEY}: [{entries}]",
        problems,
    )
