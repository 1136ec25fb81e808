"""The image files that a user names: files, folders and patterns. Light."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from zoo.datasets.folders.tree import in_words
from zoo.errors import Problem
from zoo.files.user_paths import user_path
from zoo.text.printable import quoted


@dataclass
class FoundImages:
    """What the arguments name.

    Attributes:
        files: the image files.
        problems: of arguments that name none, and of what cannot be reached.
        notes: sentences on what was left out.
    """

    files: list[Path] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def image_files(arguments: Sequence[str], *, follow_links: bool = False) -> FoundImages:
    """Find the image files that arguments name: files, folders (all images below), globs.

    Args:
        arguments: of the user.
        follow_links: whether links in a folder may lead out of it.
    """
    import glob

    found = FoundImages()
    for argument in arguments:
        path = user_path(argument)
        reason = "does not exist. Expected image files, folders of them, or globs"
        before = len(found.files) + len(found.problems)
        if path.is_dir():
            _add_images_below(found, path, follow_links)
            reason = "holds no image files"
        elif os.path.lexists(path):
            found.files.append(path)
        elif glob.has_magic(argument):
            matches = [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
            # Folders that a pattern matches count only where it matches no file.
            folders = [match for match in matches if match.is_dir()]
            files = [match for match in matches if match not in set(folders)]
            found.files += files
            if not files:
                for folder in folders:
                    _add_images_below(found, folder, follow_links)
            elif folders and "**" not in argument:
                names = in_words([str(folder) for folder in folders])
                found.notes.append(
                    f"{quoted(argument)} matches files, so folders that it matches are left "
                    f"out: {names}"
                )
            reason = "matches no image file"
        if len(found.files) + len(found.problems) == before:
            found.problems.append(Problem(file=argument, message=reason))
    return found


def _add_images_below(found: FoundImages, folder: Path, follow_links: bool) -> None:
    from zoo.datasets.folders.listing import Walker
    from zoo.datasets.folders.tree import Tree

    tree = Tree(folder, follow_links, word="--follow-links")
    found.files += [folder / path for path in Walker(tree).images(folder).paths]
    found.problems += tree.unreachable
    found.problems += [
        replace(link, message=f"{link.message}, out of the folder; --follow-links reads it")
        for link in tree.outside
    ]
    found.notes += [f"{quoted(folder)}: {note}" for note in tree.all_notes()]
