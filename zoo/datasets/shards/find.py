"""Finds the shards of each split, by patterns or by their names. Light."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.files import unreachable
from zoo.datasets.folders.structure import SPLITS
from zoo.datasets.folders.tree import in_words
from zoo.datasets.names import is_junk, split_name
from zoo.datasets.shards.problems import NO_SHARD, ShardProblems
from zoo.errors import DataError
from zoo.recipe.brace_patterns import expand
from zoo.recipe.shards_source import Shards
from zoo.recipe.source_fields import AUTO
from zoo.text.counted import counted
from zoo.text.printable import quoted

WORD = "data.source.shards"
EXPECTED = "Expected a folder of tar files, such as train-000000.tar and validation-000000.tar"
ENDING = ".tar"
_PACKED = re.compile(r".*\.(?:tar\.(?:gz|bz2|xz|zst)|tgz|tbz2|txz)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_WILD = re.compile(r"[*?\[]")


@dataclass(frozen=True)
class Found:
    """The shards of a data set.

    Args:
        root: its folder.
        splits: {split: shards, relative to the root, in their order}; `train` always.
        named: whether names or the recipe say which shards are which split.
        notes: sentences that the user should see.
    """

    root: Path
    splits: dict[str, tuple[str, ...]]
    named: bool
    notes: tuple[str, ...]


def find(options: Shards) -> Found:
    """Finds the shards of a data set.

    Args:
        options: of the source.

    Raises:
        DataError: the folder or shards are missing, or a shard is named for two splits.
    """
    root = Path(os.path.abspath(os.path.expanduser(options.path)))
    _require_folder(root)
    problems = ShardProblems(root)
    given = {split: getattr(options, split) for split in SPLITS}
    splits: dict[str, tuple[str, ...]] = {}
    for split, patterns in given.items():
        if patterns not in (AUTO, None):
            texts = patterns if isinstance(patterns, tuple) else (patterns,)
            splits[split] = _of_patterns(root, split, texts, problems)
    if problems:
        raise problems.error()
    named = bool(splits)
    if options.train == AUTO:
        by_name = _by_name(root, {name for names in splits.values() for name in names})
        named = named or any(map(_split_of, by_name.get("train", ()))) or set(by_name) != {"train"}
        splits |= {split: of for split, of in by_name.items() if given[split] == AUTO}
    _require_apart(root, splits)
    notes = [note for split, names in splits.items() for note in _gaps(split, names)]
    if not splits.get("train"):
        raise DataError(
            f"{quoted(root)}: no shard of the training images. {EXPECTED}; name them: "
            f"{WORD}.train, such as 'train-*.tar'"
        )
    return Found(root, {s: splits[s] for s in SPLITS if s in splits}, named, tuple(notes))


def _require_folder(root: Path) -> None:
    """Requires that the folder of the shards exists.

    Raises:
        DataError: it does not.
    """
    try:
        is_folder = root.is_dir()
        os.stat(root)
    except (OSError, ValueError) as error:
        missing = isinstance(error, FileNotFoundError) and not root.is_symlink()
        reason = "does not exist" if missing else unreachable(root, error)
        pattern = _WILD.search(root.name) or "{" in root.name
        advice = f"path is their folder, and {WORD}.train the pattern" if pattern else "check it"
        raise DataError(
            f"the folder of the shards {quoted(root)} {reason}; {advice} ({WORD}.path)"
        ) from None
    if not is_folder:
        raise DataError(
            f"{quoted(root)} is a file. Expected the folder of the shards in {WORD}.path, and in "
            f"{WORD}.train their names, such as {quoted(root.name)}"
        )


def _of_patterns(
    root: Path, split: str, patterns: Sequence[str], problems: ShardProblems
) -> tuple[str, ...]:
    """The shards that patterns name, in their order; what is missing becomes a problem."""
    names: dict[str, None] = {}
    for pattern in patterns:
        for name in expand(pattern):
            where = f"({WORD}.{split}: {quoted(pattern)})"
            if _WILD.search(name):
                matched = glob.glob(name, root_dir=root, recursive=True)
                matched = sorted(m for m in matched if (root / m).is_file())
                if not matched:
                    problems.add(NO_SHARD, name, f"no file has such a name {where}")
                names |= dict.fromkeys(matched)
            elif os.path.lexists(root / name):
                names[os.path.normpath(name)] = None
            else:
                problems.add(NO_SHARD, name, f"does not exist {where}")
    return tuple(names)


def _require_apart(root: Path, splits: dict[str, tuple[str, ...]]) -> None:
    """Requires that no shard is named for two splits, nor twice for one by way of a link.

    Raises:
        DataError: one is.
    """
    owners: dict[str, tuple[str, str]] = {}
    for split, names in splits.items():
        for name in names:
            other, first = owners.setdefault(os.path.realpath(root / name), (split, name))
            if other != split:
                raise DataError(
                    f"{quoted(root / name)} is named for {other} and for {split}. Expected shards "
                    f"of its own for each split; change {WORD}.{other} or {WORD}.{split}"
                )
            if first != name:
                raise DataError(
                    f"{quoted(root / name)} is the same file as {quoted(first)}. Expected each "
                    f"shard once; change {WORD}.{split}"
                )


def _by_name(root: Path, taken: set[str]) -> dict[str, tuple[str, ...]]:
    """The shards in a folder and in the folders in it, by the splits that their names say.

    Raises:
        DataError: there is none, or names of some say a split and those of others none.
    """
    names = [name for name in _listed(root) if name not in taken]
    shards = [name for name in names if name.lower().endswith(ENDING)]
    if not shards:
        packed = [name for name in names if _PACKED.fullmatch(name)]
        if packed:
            raise DataError(
                f"{quoted(root)}: compressed tar files, {in_words(packed)}. {EXPECTED}, not "
                "compressed, so that single images can be read: gunzip or unzstd them"
            )
        raise DataError(f"{quoted(root)}: no file that ends in {ENDING}. {EXPECTED}")
    splits: dict[str | None, list[str]] = {}
    for name in shards:
        splits.setdefault(_split_of(name), []).append(name)
    unknown = splits.pop(None, [])
    if splits and unknown:
        raise DataError(
            f"{quoted(root)}: which split are {in_words(unknown)}? The names of other shards say "
            f"theirs. Name the shards of each split: {WORD}.train, {WORD}.validation, {WORD}.test"
        )
    if unknown:
        return {"train": tuple(unknown)}
    return {split: tuple(of) for split, of in splits.items() if split is not None}


def _listed(root: Path) -> list[str]:
    """Files in a folder and in the folders in it, sorted, with forward slashes."""
    names: list[str] = []
    try:
        for entry in os.scandir(root):
            if is_junk(entry.name):
                continue
            if _is_folder(entry):
                inner = [e for e in os.scandir(entry.path) if _is_listed(e) and not is_junk(e.name)]
                names += [f"{entry.name}/{e.name}" for e in inner]
            elif _is_listed(entry):
                names.append(entry.name)
    except OSError as error:
        path = Path(error.filename or root)
        raise DataError(f"the folder {quoted(path)} {unreachable(path, error)}") from None
    return sorted(names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link that leads nowhere, or in a circle, is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _is_listed(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a file, or has the name of a shard: a broken link must be told."""
    try:
        return entry.is_file() or (entry.name.lower().endswith(ENDING) and not entry.is_dir())
    except OSError:
        return entry.name.lower().endswith(ENDING)


def _split_of(name: str) -> str | None:
    """The split that the name of a shard says: `cifar10-train-000012.tar`, `val/0003.tar`."""
    folder, _, file = name.rpartition("/")
    for text in (file.removesuffix(ENDING), folder):
        found = split_name(text)
        if found is not None and found.split is not None:
            return found.split
    return None


def _gaps(split: str, names: Sequence[str]) -> list[str]:
    """Notes the numbers that are missing between those in the names of shards."""
    series: dict[tuple[str, str], list[int]] = {}
    for name in names:
        numbers = list(_NUMBER.finditer(os.path.basename(name)))
        if numbers:
            start = len(name) - len(os.path.basename(name))
            last = numbers[-1]
            stem = (name[: start + last.start()], name[start + last.end() :])
            series.setdefault(stem, []).append(int(last[0]))
    missing = []
    for (before, after), found in series.items():
        first, count = min(found), max(found) - min(found) + 1
        if len(found) < count <= 2 * len(found):
            between = set(range(first, first + count))
            missing += [f"{before}{n}{after}" for n in sorted(between - set(found))]
    if not missing:
        return []
    return [
        f"{split} has {counted(len(names), 'shard')}, and their numbers have gaps; shards may be "
        f"missing: {in_words(missing)}"
    ]
