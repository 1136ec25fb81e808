"""Reads the layout of a data set in shards: its classes, and the images of each split. Light.

Images keep the order that they have in the shards, so that a pass in that order, and one within
windows, reads each shard from its start to its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from zoo.datasets.division.class_choice import ClassChoice
from zoo.datasets.division.draw_splits import SplitConfig, draw_splits
from zoo.datasets.division.grouping import group_of, unnamed
from zoo.datasets.file_list import FileList
from zoo.datasets.image_files import Files, Layout, require_images, shares_of
from zoo.datasets.shards.find import WORD, Found, find
from zoo.datasets.shards.index import Shard, read_shards
from zoo.datasets.shards.problems import CUT, ShardProblems
from zoo.datasets.shards.scan import Wanted
from zoo.datasets.shards.shard_labels import Classes, read_classes, read_names, require_classes
from zoo.datasets.shards.store import ShardStore
from zoo.errors import DataError
from zoo.progress import Progress, no_progress
from zoo.recipe.shards_source import Shards
from zoo.recipe.subset import Fold
from zoo.text.printable import quoted


def read_class_names(options: Shards, cache_dir: Path) -> tuple[str, ...]:
    """Reads the class names of a data set; decodes no image.

    Args:
        options: of the source.
        cache_dir: folder of the cache, where lists of what shards hold are kept.

    Raises:
        DataError: shards are missing or damaged, or labels are wrong.
    """
    found = find(options)
    names = read_names(options, found.root)
    if names is not None:
        return names
    train = replace(found, splits={"train": found.splits["train"]})
    shards, _ = _contents(train, options, cache_dir, no_progress, skip=True)
    return read_classes(shards, None, ShardProblems(found.root), choosing=True).names


def read(
    options: Shards,
    classes: Any = None,
    fold: Fold | None = None,
    *,
    cache_dir: Path,
    progress: Progress = no_progress,
    skip: bool = False,
) -> Layout:
    """Lists the images of shards, and splits images off for splits that have no shards.

    Args:
        options: of the source.
        classes: `data.classes` of the recipe.
        fold: `data.fold` of the recipe.
        cache_dir: folder of the cache, where lists of what shards hold are kept.
        progress: called with (shards done, shards in all, what is being done).
        skip: whether what is whole of damaged shards is read, with a note.

    Raises:
        DataError: shards are missing or damaged, members lack, or labels are wrong (names all).
        RecipeError: `classes` names one that the data set does not have.
    """
    found = find(options)
    names = read_names(options, found.root)
    shards, notes = _contents(found, options, cache_dir, progress, skip=skip)
    problems = ShardProblems(found.root)
    choosing = classes is not None
    known = read_classes(shards, names, problems, choosing=choosing)
    if problems:
        raise problems.error()
    require_classes(known, shards["train"], found.root, choosing=choosing)
    choice = _choice(classes, known)
    files = _files(shards, known, choice, options.group, quoted(found.root))
    shares = _shares(options, found)
    config = SplitConfig(
        choice=choice,
        shares=shares,
        seed=options.split_seed,
        fold=fold,
        where=quoted(found.root),
    )
    drawn = draw_splits(files, config)
    for split, of_split in drawn.splits.items():
        require_images(
            WORD, found.root, split, of_split,
            is_drawn=split in shares, grouped=options.group is not None,
        )  # fmt: skip
    splits, pool = drawn.splits, drawn.pool
    if shares or fold or choice.changes:
        splits, pool = _in_order(files, splits, pool)
    window = options.shuffle_window
    every = [shard for of_split in shards.values() for shard in of_split]
    return Layout(
        root=found.root,
        class_names=choice.names,
        train=splits["train"],
        validation=splits["validation"],
        test=splits.get("test"),
        notes=(*found.notes, *notes, *drawn.notes),
        pool=pool,
        shards=ShardStore(found.root, every, None if isinstance(window, str) else window),
    )


def _contents(
    found: Found, options: Shards, cache_dir: Path, progress: Progress, *, skip: bool
) -> tuple[dict[str, list[Shard]], list[str]]:
    """Lists what the shards hold; returns it with notes on what was left out.

    Raises:
        DataError: anything is wrong with a shard.
    """
    names = [name for of_split in found.splits.values() for name in of_split]
    wanted = Wanted(options.image, options.label_ending, options.label_key)
    by_name = {s.name: s for s in read_shards(found.root, names, wanted, cache_dir, progress)}
    problems, notes = ShardProblems(found.root), []
    for shard in by_name.values():
        told = shard.content.problems
        if skip:
            cuts = [message for kind, _, message in told if kind == CUT]
            notes += [f"read what is whole of {quoted(shard.name)}: {cut}" for cut in cuts]
            told = [problem for problem in told if problem[0] != CUT]
        problems.add_all(told, shard.name)
    if problems:
        raise problems.error()
    return {
        split: [by_name[n] for n in of_split] for split, of_split in found.splits.items()
    }, notes


def _choice(classes: Any, known: Classes) -> ClassChoice:
    """Reads `data.classes`; with it, train may lack classes that other splits have.

    Raises:
        RecipeError: it names a class that train does not have.
    """
    choice = ClassChoice.of(classes, known.names)
    return choice.extended(sorted(set(known.by_label.values()) - set(known.names)))


def _files(
    shards: Mapping[str, Sequence[Shard]],
    classes: Classes,
    choice: ClassChoice,
    group: str | None,
    where: str,
) -> dict[str, Files]:
    """The images of each split, in the order of the shards.

    Raises:
        DataError: images have no group; names them.
    """
    numbers = {name: number for number, name in enumerate(choice.source_names)}
    labels = {label: numbers[name] for label, name in classes.by_label.items()}
    without: list[str] = []

    def rows(of_split: Sequence[Shard]) -> Iterator[tuple[str, tuple[int], int, int, str | None]]:
        for shard in of_split:
            held = shard.content
            for member, label, size in zip(held.members, held.labels, held.sizes, strict=True):
                path, number = f"{shard.name}/{member}", labels[label]
                name = None if group is None else group_of(member, member, group)
                if group is not None and name is None and choice.labels[number] is not None:
                    without.append(path)
                yield path, (number,), size, shard.mtime_ns, name

    files = {split: FileList.of(rows(of_split)) for split, of_split in shards.items()}
    if without and group is not None:
        total = sum(map(len, files.values()))
        raise unnamed(without, total, group, where, f"{WORD}.group")
    return files


def _in_order(
    files: Mapping[str, Files], splits: Mapping[str, Files], pool: Files | None
) -> tuple[dict[str, Files], Files | None]:
    """Sorts the images of each split, and of the pool, as the shards hold them."""
    paths = chain.from_iterable(of_split.paths for of_split in files.values())
    place = {path: number for number, path in enumerate(paths)}

    def in_order(of_split: Files) -> Files:
        places = [place[path] for path in of_split.paths]
        return of_split.take(sorted(range(len(places)), key=places.__getitem__))

    return (
        {split: in_order(of_split) for split, of_split in splits.items()},
        None if pool is None else in_order(pool),
    )


def _shares(options: Shards, found: Found) -> dict[str, float]:
    """The fraction of train for each split that has no shards.

    Raises:
        DataError: a share is given for a split that has shards.
    """
    for name in ("validation", "test"):
        if getattr(options, f"{name}_split") is not None and name in found.splits:
            raise DataError(
                f"{WORD}.{name}_split is given, but {quoted(found.root)} has shards of {name}; "
                f"drop one of the two, or leave these shards out: {WORD}.{name}: none"
            )
    return shares_of(
        found.splits, options.validation_split, options.test_split, draw_test=not found.named
    )
