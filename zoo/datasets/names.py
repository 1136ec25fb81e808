"""What the names of files and folders say: a split, junk, a label, a class that can be exported.

Light.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from zoo.errors import DataError, Problem
from zoo.text.printable import quoted

SPLIT_WORDS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(
        (
            "validation", "validations", "val", "vals", "valid", "validate", "validating", "dev",
            "devel", "development",
        ),
        "validation",
    ),
    **dict.fromkeys(
        (
            "test", "tests", "testing", "tst", "eval", "evals", "evaluation", "evaluate", "holdout",
        ),
        "test",
    ),
}  # fmt: skip
# What is added to the name of a split without a change of its meaning: `training_set`, `TestData`.
_DECORATIONS = (
    "set", "sets", "data", "dataset", "datasets", "image", "images", "img", "imgs", "pic", "pics",
    "picture", "pictures", "photo", "photos", "split", "folder", "folders", "dir", "sample",
    "samples", "example", "examples", "file", "files", "subset", "part",
)  # fmt: skip
_JOINED = re.compile(f"({'|'.join(sorted(SPLIT_WORDS, key=len, reverse=True))})"
                     f"({'|'.join(sorted(_DECORATIONS, key=len, reverse=True))})")  # fmt: skip
_TOKEN = re.compile(r"[^\W\d_]+")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")

# How names of splits begin in other languages. A guess, which serves advice alone.
_BEGINNINGS = {
    "train": (
        "train", "trein", "entren", "entra", "appren", "addestr", "allen", "uczen", "обуч", "трен",
        "训练", "訓練", "学習", "훈련", "eğit", "egit",
    ),
    "validation": ("val", "wal", "вал", "验证", "驗證", "検証", "검증", "doğrula"),
    "test": ("test", "prueb", "essai", "prova", "prüf", "тест", "测试", "測試", "テスト", "테스트"),
}  # fmt: skip

# Made by systems, archivers and tools, in any case; never part of a data set.
JUNK = frozenset((
    "__macosx", "@eadir", "@tmp", "@recycle", "#recycle", "#snapshot", ".snapshot", ".snapshots",
    "$recycle.bin", "recycler", "system volume information", "lost+found", ".ipynb_checkpoints",
    ".git", ".gitignore", ".gitattributes", ".gitkeep", ".keep", ".hg", ".svn", ".dvc", ".cache",
    ".datalad", ".idea", ".vscode", "__pycache__", ".ds_store", ".appledouble", ".lsoverride",
    ".trash", ".trashes", ".fseventsd", ".spotlight-v100", ".temporaryitems", ".apdisk",
    ".documentrevisions-v100", ".directory", ".nomedia", ".picasa.ini", "picasa.ini", "thumbs.db",
    "ehthumbs.db", "desktop.ini", "icon\r", ".thumbnails", ".localized",
))  # fmt: skip
_JUNK_STARTS = ("._", ".trash-", ".nfs", ".fuse_hidden", ".syncthing", "~$")

# Folders in which tools that train keep their results.
RESULTS = frozenset((
    "runs", "lightning_logs", "wandb", "mlruns", "tb_logs", "tensorboard", "checkpoints",
))  # fmt: skip

# `cat.0.jpg`, `american_bulldog_12.png`, `cat (3).jpg`: the class, then a number.
_NUMBERED = re.compile(r"(.*?)[\s._-]*\(?\d+\)?")


_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".7z", ".rar", ".zst")
_LABELS = re.compile("label|annot|class|target|truth")

FEW = 3  # Images a label, in the mean, that names of files must give to be taken for labels.
MANY_LABELS = 1000


@dataclass(frozen=True)
class SplitName:
    """The name of a folder that names a split.

    Args:
        split: `train`, `validation` or `test`; None where the name has words of several.
        rest: its further words, without decorations and digits: ("seg",) of `seg_train`.
    """

    split: str | None
    rest: tuple[str, ...]


def split_name(name: str) -> SplitName | None:
    """Reads the name of a split from that of a folder: `Training`, `val_images`, `testset2`.

    Returns:
        None for a name without a word for a split.
    """
    words: list[str] = []
    for token in _TOKEN.findall(_CAMEL.sub(" ", unicodedata.normalize("NFKC", name))):
        lower = token.lower()
        joined = _JOINED.fullmatch(lower)
        words += joined.groups() if joined else (lower,)
    splits = {SPLIT_WORDS[word] for word in words if word in SPLIT_WORDS}
    if not splits:
        return None
    rest = tuple(word for word in words if word not in SPLIT_WORDS and word not in _DECORATIONS)
    return SplitName(splits.pop() if len(splits) == 1 else None, rest)


def guessed_split(name: str) -> str | None:
    """Guesses which split a name means in some language: `Trainingsdaten`, `prueba`; else None."""
    lower = unicodedata.normalize("NFKC", name).lower().lstrip("0123456789._- ")
    for split, beginnings in _BEGINNINGS.items():
        if lower.startswith(beginnings):
            return split
    return None


def is_junk(name: str) -> bool:
    """Whether a system or tool made a file or folder of this name beside the data."""
    lower = name.lower()
    return lower in JUNK or lower.startswith(_JUNK_STARTS)


def is_archive(name: str) -> bool:
    """Whether a file's name is that of an archive, which is to be unpacked."""
    return name.lower().endswith(_ARCHIVES)


def in_place(names: Sequence[str]) -> str:
    """Advice on tar files that may be read as they are; "" if none of the archives is one.

    Args:
        names: of archives.
    """
    if not any(name.lower().endswith(".tar") for name in names):
        return ""
    return (
        "; or, if tar files hold images with their labels beside them (0001.jpg, 0001.cls), as "
        "WebDataset writes them, read them in place: data.source: {shards: FOLDER}"
    )


def is_label_table(name: str) -> bool:
    """Whether a file's name is that of a table of labels: `labels.csv`, `annotations.json`."""
    stem, _, ending = name.lower().rpartition(".")
    if ending in ("csv", "tsv", "xlsx", "xls", "parquet"):
        return True
    return ending in ("txt", "json", "jsonl", "xml") and bool(_LABELS.search(stem))


def label_of(file: str, pattern: str | None) -> str | None:
    """Reads a label from the name of a file, or from its path.

    Args:
        file: the path, or the name alone.
        pattern: a regular expression, searched in the name, or in all of the path if it holds a
            slash; its first group, or the whole match if it has none, is the label. None: what
            stands before the number at the end of the name.

    Returns:
        None if the name holds no label.
    """
    name = file.rpartition("/")[2]
    if pattern is None:
        match = _NUMBERED.fullmatch(name.rpartition(".")[0] or name)
    else:
        match = re.search(pattern, file if "/" in pattern else name)
    if match is None:
        return None
    return (match[1] if match.re.groups else match[0]) or None


def labels_in_names(files: Sequence[str], pattern: str | None = None) -> dict[str, int] | None:
    """Counts the images of each label that names of files hold, if they look like labels.

    Args:
        files: names.
        pattern: as in `label_of`.

    Returns:
        {label: number of files}; None if a name holds none, or there are too few images a label.
    """
    counts: dict[str, int] = {}
    for file in files:
        label = label_of(file, pattern)
        if label is None:
            return None
        counts[label] = counts.get(label, 0) + 1
    if 2 <= len(counts) <= min(MANY_LABELS, len(files) // FEW):
        return counts
    return None


def same_name(name: str) -> str:
    """Returns what two names share that people and label files cannot tell apart."""
    return unicodedata.normalize("NFC", name).strip()


def differ_in_case(names: Iterable[str]) -> list[str]:
    """Returns the names that are equal to another one but for upper and lower case."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.casefold(), []).append(name)
    return [name for group in groups.values() if len(group) > 1 for name in group]


def require_usable(names: Iterable[str], where: str) -> None:
    """Requires that names of classes can be exported, served and written to a file of labels.

    Args:
        names: of the classes.
        where: the folder or data set.

    Raises:
        DataError: a name is empty, not UTF-8, or has a line break or another control character, or
            two names look the same.
    """
    problems: list[str] = []
    seen: dict[str, str] = {}
    for name in names:
        fault = _fault(name)
        if fault:
            problems.append(f"the class {quoted(name)} {fault}")
        other = seen.setdefault(same_name(name), name)
        if other != name:
            problems.append(
                f"the classes {ascii(other)} and {ascii(name)} look the same (their letters are "
                "composed differently, or spaces surround one)"
            )
    if problems:
        raise DataError(
            f"{quoted(where)}: {len(problems)} class name{'s' * (len(problems) > 1)} that no "
            "export, server or file of labels can hold. Expected names in UTF-8, in one line, that "
            "differ; rename them",
            [Problem(message=problem) for problem in problems],
        )


def _fault(name: str) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is not UTF-8"
    if not name.strip():
        return "has an empty name"
    # U+2028 and U+2029 break lines as control characters do.
    if any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in name):
        return "has a line break or another control character"
    return None
