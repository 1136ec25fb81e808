"""Looks at every image of a folder, table or shards: decodes it, keeps its size, mode and hash."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.backend.cache_folder import cache_folder
from zoo.datasets.content.content_report import frames_notes
from zoo.datasets.decoding import images
from zoo.datasets.decoding.image_content import Content
from zoo.datasets.decoding.images import BadImage, ImageSpec
from zoo.datasets.file_list import ImageFile
from zoo.datasets.folders import layout
from zoo.datasets.folders.propose import propose
from zoo.datasets.image_files import Layout
from zoo.datasets.shards.find import ENDING
from zoo.datasets.shards.layout import read as read_shards
from zoo.datasets.stores import ImageStore
from zoo.datasets.tables import table_layout
from zoo.datasets.threads import as_results_arrive
from zoo.errors import DataError, Problem
from zoo.files.user_paths import user_path
from zoo.new.findings import Findings, Size
from zoo.new.look import PixelFacts, look, summary
from zoo.new.propose_shards import find_shards, place_of
from zoo.new.propose_table import find_table, missing_images
from zoo.new.recipe_name import recipe_name
from zoo.progress import Progress
from zoo.recipe.csv_source import Csv
from zoo.recipe.shards_source import Shards
from zoo.recipe.source import Folder
from zoo.text.counted import counted
from zoo.text.printable import quoted

FOLDER, CSV, SHARDS = "folder", "csv", "shards"  # Words of sources.
CHUNK = 64  # Files a thread looks at at once.
EXAMPLES = 5  # Examples in a note.


@dataclass(frozen=True)
class FileFacts:
    """What was found out about one file.

    Args:
        split: split that it belongs to.
        file: the file.
        sha256: hash of its content.
        size: (height, width), upright.
        mode: colour mode, as Pillow names it.
        frames: number of its frames or pages.
        pixels: what was found out about its pixels.
        reason: why it cannot be used, in which case nothing else is known; None if it can.
    """

    split: str
    file: ImageFile
    sha256: str = ""
    size: Size = (0, 0)
    mode: str = ""
    frames: int = 1
    pixels: PixelFacts | None = None
    reason: str | None = None


def inspect_folder(
    path: str, progress: Progress, given: Mapping[str, Any] | None = None, word: str = FOLDER
) -> Findings:
    """Looks at the images of a folder, of a table, or of shards.

    Args:
        path: the folder, the table, or a shard.
        progress: called with (images done, images in all, what is being done).
        given: options of the source that the user gives, such as {"test": "eval"}.
        word: of the source that these are options of: `folder`, `csv` or `shards`.

    Raises:
        DataError: the folder is not laid out as expected, no image can be used, or the path is not
            UTF-8.
    """
    root = Path(os.path.abspath(user_path(path)))
    try:
        str(root).encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{quoted(root)}: the path is not UTF-8, so no recipe can name it; rename the folder"
        ) from None
    folder, source, reasons = _read(root, given or {}, word, progress)
    facts = _inspect_files(folder, progress)
    good = [fact for fact in facts if fact.reason is None]
    bad = tuple((fact.file.path, fact.reason) for fact in facts if fact.reason is not None)
    if not good:
        raise DataError(
            f"{root}: none of {len(bad)} images can be used; repair them",
            [Problem(file=str(folder.root / path), message=reason) for path, reason in bad],
        )
    names = folder.class_names
    per_class = {split: dict.fromkeys(names, 0) for split in folder.splits}
    for fact in good:
        for label in fact.file.labels:
            per_class[fact.split][names[label]] += 1
    return Findings(
        source=source,
        place=str(root),
        name=recipe_name(root.stem if root.is_file() else root.name),
        class_names=names,
        images=dict(Counter(fact.split for fact in good)),
        per_class=per_class,
        sizes=Counter(fact.size for fact in good),
        modes=Counter(fact.mode for fact in good),
        grey=all(fact.pixels.grey for fact in good if fact.pixels),
        pixels=summary((fact.split == "train", fact.pixels) for fact in good if fact.pixels),
        bad=bad,
        notes=(
            *reasons,
            *folder.notes,
            *frames_notes([(fact.file.path, fact.frames) for fact in good if fact.frames > 1]),
            *_copies_across_splits(good),
            *_copies_across_classes(good),
        ),
        multi_label=folder.multi_label,
    )


def _read(
    root: Path, given: Mapping[str, Any], word: str, progress: Progress
) -> tuple[Layout, dict[str, Any], list[str]]:
    """Reads class folders, or else shards, or a table beside the images.

    Returns:
        The files, the source as a recipe gives it, and sentences on what was proposed.

    Raises:
        DataError: none of them can be read.
    """
    if word == SHARDS or (root.is_file() and root.suffix.lower() == ENDING):
        return _read_shards(root, given, progress)
    if word == CSV or root.is_file():
        return _read_table(root, given)
    try:
        options, reasons = _options(root, given)
        folder = layout.read(options)
    except DataError:
        if given:
            raise
        if find_shards(root) is not None:
            return _read_shards(root, {}, progress)
        if find_table(root) is None:
            raise
        return _read_table(root, {})
    found = None if given else find_table(root)
    if found is not None and options.labels_from == "filename":
        return _read_table(root, {})
    if found is not None:
        reasons.append(
            f"{quoted(Path(found[0]['file']).name)} names images and labels, too; the folders are "
            "taken for the classes. To read the table instead: zoo new "
            f"{quoted(found[0]['file'])}"
        )
    return folder, {FOLDER: _as_given(options)}, reasons


def _read_shards(
    root: Path, given: Mapping[str, Any], progress: Progress
) -> tuple[Layout, dict[str, Any], list[str]]:
    """Reads shards; what is not given is proposed.

    Raises:
        DataError: shards are missing or damaged, or labels are wrong.
    """
    proposed, reasons = find_shards(root) or (place_of(root), [])
    values = {**proposed, **given}
    folder = read_shards(
        Shards.model_validate(values), cache_dir=cache_folder(None), progress=progress
    )
    return folder, {SHARDS: values if len(values) > 1 else values["path"]}, reasons


def _read_table(root: Path, given: Mapping[str, Any]) -> tuple[Layout, dict[str, Any], list[str]]:
    """Reads a table; what is not given is proposed.

    Raises:
        DataError: no table names images and labels, or rows of it are wrong.
    """
    images = given.get("root")
    found = find_table(root, images)
    proposed, reasons = found or ({"file": str(root)}, [])
    values = {**proposed, **given}
    if not {"image", "label"} <= set(values):
        missing = missing_images(root, images) if root.is_file() else None
        if missing:
            raise DataError(
                f"{quoted(root)}: {missing}. Expected them below the table's folder; say from "
                "where its paths begin: --set data.source.csv.root=FOLDER"
            )
        raise DataError(
            f"{quoted(root)}: no table in which one column names image files and another one their "
            "classes. Expected a CSV, TSV or Parquet file with a line for each image; name the "
            "columns: --set data.source.csv.image=COLUMN --set data.source.csv.label=COLUMN"
        )
    options = Csv.model_validate(values)
    return table_layout.read(options), {CSV: values}, reasons


def _options(root: Path, given: Mapping[str, Any]) -> tuple[Folder, list[str]]:
    """The options that fit a folder, and sentences on those that the user did not give."""
    options = Folder.model_validate({"path": str(root), **given})
    proposed, reasons = propose(layout.open_tree(options), options)
    return options.model_copy(update=proposed), reasons


def _as_given(options: Folder) -> Any:
    """The options as a recipe gives them: a path, or a map with what is not the default."""
    values = options.model_dump(include=set(options.model_fields_set))
    return options.path if len(values) == 1 else values


def _inspect_files(folder: Layout, progress: Progress) -> list[FileFacts]:
    """Looks at every file of every split, in threads; returns facts in the layout's order."""
    total = sum(map(len, folder.splits.values()))
    done = 0

    def inspect_chunk(split: str, start: int) -> list[FileFacts]:
        files = folder.splits[split][start : start + CHUNK]
        return [_inspect_file(folder.store, split, file) for file in files]

    jobs = [
        (split, start)
        for split, files in folder.splits.items()
        for start in range(0, len(files), CHUNK)
    ]
    facts: dict[tuple[str, str], FileFacts] = {}
    with closing(as_results_arrive(inspect_chunk, jobs, "zoo-new")) as results:
        for chunk in results:
            facts |= {(fact.split, fact.file.path): fact for fact in chunk}
            done += len(chunk)
            progress(done, total, "looking at images")
    return [facts[split, file.path] for split, files in folder.splits.items() for file in files]


def _inspect_file(store: ImageStore, split: str, file: ImageFile) -> FileFacts:
    found: list[images.Decoded] = []

    def decode(spec: ImageSpec) -> tuple[Any, Content | None]:
        found.append(images.decode(content, spec, measure=True))
        return found[-1].pixels, found[-1].content

    try:
        content = store.read(file.path, ImageSpec(1, 1, 3).max_megapixels)
        pixels = look(decode)
    except BadImage as error:
        return FileFacts(split, file, reason=str(error))
    return FileFacts(
        split,
        file,
        sha256=hashlib.sha256(content).hexdigest(),
        size=found[0].size,
        mode=found[0].mode,
        frames=found[0].frames,
        pixels=pixels,
    )


def _copies_across_splits(facts: Sequence[FileFacts]) -> list[str]:
    """Notes files that are in two splits: training images must not be tested on."""
    paths: dict[str, dict[str, str]] = {}
    for fact in facts:
        paths.setdefault(fact.split, {})[fact.sha256] = fact.file.path
    notes = []
    for split, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
        in_other = paths.get(other, {})
        copies = [fact for fact in facts if fact.split == split and fact.sha256 in in_other]
        if copies:
            example = copies[0]
            notes.append(
                f"{len(copies)} of {split} byte for byte in {other} too, such as "
                f"{quoted(example.file.path)} and {quoted(in_other[example.sha256])}: remove the "
                "copies, or measured accuracy flatters"
            )
    return notes


def _copies_across_classes(facts: Sequence[FileFacts]) -> list[str]:
    """Notes files that are in two classes: one label must be wrong."""
    files_of: dict[str, list[ImageFile]] = {}
    for fact in facts:
        files_of.setdefault(fact.sha256, []).append(fact.file)
    copies = [files for files in files_of.values() if len({file.labels for file in files}) > 1]
    if not copies:
        return []
    examples = "; ".join(
        " = ".join(quoted(file.path) for file in files[:3]) for files in copies[:EXAMPLES]
    )
    return [
        f"{counted(len(copies), 'image')} in more than one class, the same byte for byte: "
        f"{examples}"
    ]
