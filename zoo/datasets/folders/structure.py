"""Finds out which folders of a data set are splits and which are classes. Light.

A folder is taken for what its name says (`zoo.datasets.names.split_name`), and a note says which
was taken for what. What can be read in two ways is refused, with the words of the recipe that
decide it: `data.source.folder.train`, `validation`, `test`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.datasets.folders.tree import Tree, in_words
from zoo.datasets.names import SplitName, guessed_split, labels_in_names, split_name
from zoo.errors import DataError
from zoo.recipe.source import Folder
from zoo.recipe.source_fields import AUTO, HERE
from zoo.text.printable import quoted

SPLITS = ("train", "validation", "test")
WORD = "data.source.folder"
EXPECTED = (
    "Expected train/CLASS/*.jpg (with validation/ and test/ beside train/ where they exist), "
    "or CLASS/*.jpg"
)
MAX_WRAPPERS = 10


@dataclass(frozen=True)
class Structure:
    """The folders of the splits.

    Args:
        folders: {split: its folder}; `train` always.
        flat: whether class folders stand alone, which are all train.
        explicit: whether the recipe names the folder of train, so that no name in it is doubted.
        train: the folder of train as the recipe would name it.
        apart: names of folders in that of train which are other splits.
    """

    folders: dict[str, Path]
    flat: bool
    explicit: bool
    train: str = HERE
    apart: frozenset[str] = frozenset()


def find_splits(tree: Tree, options: Folder) -> Structure:
    """Finds the folders of the splits.

    Args:
        tree: the data set; gets notes on what was taken for what.
        options: of the recipe.

    Raises:
        DataError: no folder is there, or folders can be read in several ways.
    """
    if options.train != AUTO:
        return _explicit(tree, options)
    base = _step_in(tree, tree.root, by_name=options.labels_from == "filename")
    names = tree.folders(base)
    chosen, left_out = _chosen(tree, base, options)
    apart = _apart(chosen.values(), left_out)
    others = [name for name in names if name not in apart]
    splits = {**_by_name(tree, base, others, options, chosen), **chosen}
    if "train" not in splits:
        if options.labels_from == "filename":
            read = {name: split for name in others if (split := split_alone(name)) in SPLITS[1:]}
            chosen |= {str(read[name]): name for name in read if read[name] not in chosen}
        else:
            _require_classes_alone(tree, base, others)
        return _flat(tree, base, chosen, left_out, explicit=False)
    _note_splits(tree, base, splits, left_out, names)
    folders = {split: base / splits[split] for split in SPLITS if split in splits}
    tree.ignore_files_in(base)
    return Structure(folders, False, False, splits["train"])


def step_into_classes(tree: Tree, folder: Path, split: str, known: Sequence[str] = ()) -> Path:
    """Steps through folders that wrap class folders: `train/images/CLASS`.

    Args:
        tree: gets a note.
        folder: of a split.
        split: its name.
        known: names of classes, through which nothing steps.
    """
    return _step_in(tree, folder, split=split, known=known)


def _step_in(
    tree: Tree,
    folder: Path,
    *,
    by_name: bool = False,
    split: str = "",
    known: Sequence[str] = (),
) -> Path:
    """Steps into a folder as long as it holds one folder, which holds folders, and no image."""
    inner = folder
    for _ in range(MAX_WRAPPERS):
        names = tree.folders(inner)
        if len(names) != 1 or names[0] in known or split_alone(names[0]) not in (None, split):
            break
        if not (by_name or tree.folders(inner / names[0])) or images_in(tree, inner):
            break
        tree.ignore_files_in(inner)
        inner = inner / names[0]
    if inner != folder:
        tree.notes.append(
            f"stepped into {quoted(tree.relative(inner))}/, the only folder in "
            f"{quoted(folder.name)}/"
        )
    return inner


def images_in(tree: Tree, folder: Path) -> list[str]:
    """Returns the names of the images that lie directly in a folder."""
    return [
        entry.name for entry in tree.entries(folder) if not entry.is_folder and tree.is_image(entry)
    ]


def labels_hint(names: Sequence[str]) -> str:
    """Advice for images that lie in no class folder; "" if there are none.

    Args:
        names: of the images.
    """
    labels = labels_in_names(names)
    if labels:
        return (
            f"; or, as their names begin with {in_words(sorted(labels))}, read the labels from "
            f"the names: {WORD}.labels_from: filename"
        )
    if not names:
        return ""
    return (
        f"; or, if their names hold the classes, say how to read them: {WORD}.labels_from: "
        f"filename, with a {WORD}.label_pattern"
    )


def split_alone(name: str) -> str | None:
    """The split that a name says, if it says nothing else."""
    found = split_name(name)
    return found.split if found is not None and not found.rest else None


def _explicit(tree: Tree, options: Folder) -> Structure:
    """The folders that the recipe names; those left to `auto` are found by their names."""
    train = str(options.train)
    base = tree.root
    if train == HERE or not (base / train).is_dir():
        base = _step_in(tree, base)
    chosen, left_out = _chosen(tree, base, options)
    if train == HERE:
        return _flat(tree, base, chosen, left_out, explicit=True)
    _require_folder(tree, base, "train", train)
    apart = _apart([train, *chosen.values()], left_out)
    others = [name for name in tree.folders(base) if name not in apart]
    splits = {"train": train, **chosen}
    for name in others:
        split = split_alone(name)
        if split in ("validation", "test") and getattr(options, split) == AUTO:
            if split in splits:
                raise _same_split(base, split, [splits[split], name])
            splits[split] = name
    _note_splits(tree, base, splits, left_out, tree.folders(base))
    tree.ignore_files_in(base)
    folders = {name: base / splits[name] for name in SPLITS if name in splits}
    return Structure(folders, False, True, train)


def _flat(
    tree: Tree, base: Path, chosen: dict[str, str], left_out: Sequence[str], *, explicit: bool
) -> Structure:
    """Class folders that stand alone, beside the folders of splits that the recipe names."""
    tree.notes += [_left_out(name) for name in left_out]
    folders = {"train": base, **{split: base / name for split, name in chosen.items()}}
    return Structure(folders, True, explicit, apart=_apart(chosen.values(), left_out))


def _apart(names: Iterable[str], left_out: Sequence[str]) -> frozenset[str]:
    """The folders directly in a data set that are, or hold, those of the names."""
    return frozenset({Path(name).parts[0] for name in names} | set(left_out))


def _left_out(name: str) -> str:
    return f"left out the folder {quoted(name)}/, as the recipe says"


def _chosen(tree: Tree, base: Path, options: Folder) -> tuple[dict[str, str], list[str]]:
    """The folders that the recipe names, by split, and those that it leaves out."""
    chosen: dict[str, str] = {}
    left_out: list[str] = []
    for split in ("validation", "test"):
        value = getattr(options, split)
        if value is None:
            left_out += [
                name
                for name in tree.folders(base)
                if (found := split_name(name)) is not None and found.split == split
            ]
        elif value != AUTO:
            _require_folder(tree, base, split, value)
            chosen[split] = value
    named = {Path(name).parts[0] for name in chosen.values()}
    return chosen, [name for name in left_out if name not in named]


def _require_folder(tree: Tree, base: Path, split: str, name: str) -> None:
    # Listed, not only asked for: the listing holds the rules for links.
    folder = base
    for part in Path(name).parts:
        names = tree.folders(folder)
        if part not in names:
            tree.check()
            raise DataError(
                f"{WORD}.{split}: {quoted(base)} has no folder {quoted(name)}. Expected one of: "
                f"{in_words(names) or 'none is there'}"
            )
        folder = folder / part


def _by_name(
    tree: Tree, base: Path, names: Sequence[str], options: Folder, chosen: Mapping[str, str]
) -> dict[str, str]:
    """Reads splits from the names of folders; {} if they are none.

    Raises:
        DataError: two folders name one split, or `train` may be a split or a class.
    """
    found = {name: read for name in names if (read := split_name(name)) is not None}
    by_split: dict[str, list[str]] = {}
    for name, read in _plain(found).items():
        by_split.setdefault(str(read.split), []).append(name)
    if "train" not in by_split:
        return {}
    for split, same in by_split.items():
        if len(same) > 1 and getattr(options, split) == AUTO:
            raise _same_split(base, split, same)
    splits = {split: same[0] for split, same in by_split.items()}
    train = splits["train"]
    strangers = [name for name in names if name not in splits.values()]
    alone = len(splits) == 1 and not chosen
    if alone and strangers and not tree.folders(base / train):
        return {}  # A class beside others: trains among vehicles.
    if alone and (rivals := [s for s in strangers if images_in(tree, base / s)]):
        raise DataError(
            f"{quoted(base)}: {quoted(train)}/ may be the split, or a class beside "
            f"{in_words(rivals)}. Say which: {WORD}.train: {train} if it holds the classes, "
            f"{WORD}.train: {HERE} if it is a class"
        )
    doubtful = [
        name for name in strangers if name in found and found[name].split not in {*splits, *chosen}
    ]
    if doubtful:
        split = found[doubtful[0]].split or "test"
        raise DataError(
            f"{quoted(base)}: {in_words([f'{name}/' for name in doubtful])} beside "
            f"{quoted(train)}/ may be a split. Say what it is, such as {WORD}.{split}: "
            f"{quoted(doubtful[0])}, or leave it out: {WORD}.{split}: none"
        )
    return splits


def _same_split(base: Path, split: str, names: Sequence[str]) -> DataError:
    other = {"test": "validation", "validation": "test"}.get(split)
    hint = f", and the other with {WORD}.{other} if it is that split" if other else ""
    return DataError(
        f"{quoted(base)} has {in_words([f'{name}/' for name in names])}, which are names of one "
        f"split, {split}. Expected one; say which with {WORD}.{split}: {quoted(names[-1])}{hint}, "
        "or merge them"
    )


def _plain(found: dict[str, SplitName]) -> dict[str, SplitName]:
    """The names that say a split alone, else those with equal further words: `seg_train`."""
    plain = {name: read for name, read in found.items() if read.split and not read.rest}
    if any(read.split == "train" for read in plain.values()):
        return plain
    for rest in {read.rest for read in found.values()}:
        group = {name: read for name, read in found.items() if read.split and read.rest == rest}
        splits = {read.split for read in group.values()}
        if "train" in splits and len(splits) > 1:
            return group
    return plain


def _require_classes_alone(tree: Tree, base: Path, names: Sequence[str]) -> None:
    """Requires that no folder beside those of classes has the name of a split.

    Raises:
        DataError: otherwise.
    """
    splits = [name for name in names if split_alone(name) in ("validation", "test")]
    if not splits:
        return
    split = split_alone(splits[0])
    inside = tree.folders(base / splits[0])
    alike = [
        name
        for name in names
        if name not in splits and inside and set(inside) <= set(tree.folders(base / name))
    ]
    alike.sort(key=lambda name: guessed_split(name) != "train")
    move = "move the class folders into train/"
    if alike:
        move = f"if {quoted(alike[0])}/ is train, say so: {WORD}.train: {quoted(alike[0])}"
    raise DataError(
        f"{quoted(base)} has {quoted(splits[0])}/ but no train/ with class folders. {EXPECTED}; "
        f"{move}; or say {WORD}.train: {HERE} if all "
        f"folders are classes, with {WORD}.{split}: {quoted(splits[0])} if that one is a split"
        + labels_hint(images_in(tree, base))
    )


def _note_splits(
    tree: Tree, base: Path, splits: dict[str, str], left_out: Sequence[str], names: Sequence[str]
) -> None:
    """Notes which folder was taken for what, unless all names say so, and what is left out."""
    if any(splits[split] != split for split in splits):
        taken = ", ".join(f"{quoted(splits[s])}/ as {s}" for s in SPLITS if s in splits)
        cut = "" if "validation" in splits else "; validation is taken from train"
        tree.notes.append(f"read {taken}{cut}")
    used = {Path(name).parts[0] for name in splits.values()}
    for name in names:
        if name in left_out:
            tree.notes.append(_left_out(name))
        elif name not in used:
            tree.notes.append(
                f"ignored the folder {quoted(name)}/ beside {quoted(splits['train'])}/: not a split"
            )
