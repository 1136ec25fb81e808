"""Finds the image files that a table names: paths inside of a root, in any system's spelling.

Light.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from zoo.datasets.files import unreachable
from zoo.datasets.folders.tree import contains, looks_like_image
from zoo.text.printable import quoted

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_PLAIN = re.compile(r"[^./\\:\0~][^/\\:\0]*(/[^./\\:\0][^/\\:\0]*)*")
SUFFIXES = (".jpg", ".png", ".jpeg", ".JPG", ".JPEG", ".PNG", ".tif", ".webp", ".bmp", ".gif")
TRIED = 5  # Missing files that advice is tried on.
MAX_FOLDERS = 200  # Folders in the root that advice looks into.

# What two names of one file have in common -> in what they differ.
_SPELLINGS: tuple[tuple[Callable[[str], str], str], ...] = (
    (str.casefold, "upper and lower case differ"),
    (lambda name: unicodedata.normalize("NFC", name), "an accent is a character of its own in one"),
    (lambda name: os.path.splitext(name)[0], "the endings differ"),
    (lambda name: name.replace(".", ""), "a dot is missing"),
)

MISSING, OUTSIDE, UNREADABLE = "missing file{s}", "path{s} outside of root", "unreadable file{s}"
NO_PATH = "unusable path{s}"


class Unusable(ValueError):
    """A path that cannot be used.

    Args:
        kind: what such paths are called together.
        reason: why.
    """

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        self.kind = kind


class ImagePaths:
    """Reads paths of images.

    Args:
        root: folder that holds all of them.
        suffix: added to paths that do not end as images do; None for nothing.
        follow_links: whether links may lead out of the root.
    """

    def __init__(self, root: Path, suffix: str | None, *, follow_links: bool) -> None:
        self.root = root
        self.backslashes = 0  # Paths in which \ was read as /.
        self._prefix = str(root).rstrip("/") + "/"
        self._real_root = os.path.realpath(root)
        self._suffix = suffix
        self._follow_links = follow_links
        self._folders: dict[str, str] = {}  # Folder -> its real path.

    def relative(self, text: str) -> str:
        """Returns a path as the table writes it, relative to the root, with forward slashes.

        Raises:
            Unusable: it is empty, a URL, or leads out of the root.
        """
        path = text if _PLAIN.fullmatch(text) else self._inside(text)
        if self._suffix and not looks_like_image(path):
            path += self._suffix
        return path

    def status(self, path: str) -> tuple[int, int]:
        """Returns the bytes of a file and the time of its last change, in nanoseconds.

        Raises:
            Unusable: there is no such file, or a link in its path leads out of the root.
        """
        whole = self._prefix + path
        try:
            status = os.lstat(whole)
            if stat.S_ISLNK(status.st_mode):
                self._require_inside(whole, os.path.realpath(whole))
                status = os.stat(whole)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR) and not os.path.islink(whole):
                raise Unusable(MISSING, f"{quoted(path)} does not exist in the root") from None
            reason = f"{quoted(path)}: {unreachable(Path(whole), error)}"
            raise Unusable(UNREADABLE, reason) from None
        if stat.S_ISDIR(status.st_mode):
            raise Unusable(NO_PATH, f"{quoted(path)} is a folder. Expected the path of an image")
        self._require_folder_inside(path.rpartition("/")[0])
        return status.st_size, status.st_mtime_ns

    def _inside(self, text: str) -> str:
        if not text:
            raise Unusable(NO_PATH, "no path. Expected the path of an image")
        if _URL.match(text):
            raise Unusable(
                NO_PATH, f"{quoted(text)} is an address. Expected a file; download the images first"
            )
        if "\0" in text:
            raise Unusable(NO_PATH, f"{quoted(text)} holds a zero byte, which no path does")
        if "\\" in text and not os.path.lexists(self._prefix + text):
            if _DRIVE.match(text):
                raise self._outside(text, "a path of another system")
            text = text.replace("\\", "/")
            self.backslashes += 1
        absolute = text.startswith("/")
        path = os.path.normpath(text)
        if absolute:
            path = "/" + path.lstrip("/")
            # The root may be given by a link, and the path by its target.
            prefixes = (self._prefix, self._real_root.rstrip("/") + "/")
            prefix = next((prefix for prefix in prefixes if path.startswith(prefix)), None)
            if prefix is None:
                raise self._outside(text, "an absolute path")
            path = path[len(prefix) :]
        if path == ".." or path.startswith("../"):
            raise self._outside(text, "leads out by ..")
        if path in ("", "."):
            raise Unusable(NO_PATH, f"{quoted(text)} is a folder. Expected the path of an image")
        return path

    def _outside(self, text: str, why: str) -> Unusable:
        return Unusable(OUTSIDE, f"{quoted(text)} is not inside of the root: {why}")

    def _require_inside(self, path: str, target: str) -> None:
        if not self._follow_links and not contains(self._real_root, target):
            relative = path[len(self._prefix) :]
            raise Unusable(
                OUTSIDE, f"{quoted(relative)} is a link to {quoted(target)}, outside of the root"
            )

    def _require_folder_inside(self, folder: str) -> None:
        """Refuses a folder that a link leads out of the root; asks for each folder once."""
        if folder and not self._follow_links:
            whole = self._prefix + folder
            if folder not in self._folders:
                self._folders[folder] = os.path.realpath(whole)
            if self._folders[folder] != self._real_root:
                self._require_inside(whole, self._folders[folder])


def advice_on_missing(root: Path, missing: Sequence[str]) -> str | None:
    """Says which other root, or which ending, finds files that are missing.

    Args:
        root: folder in which they were looked for.
        missing: their paths, relative to it.

    Returns:
        A sentence; None if no simple change finds them.
    """
    step = max(1, len(missing) // TRIED)
    tried = missing[::step][:TRIED]

    def found(folder: Path, suffix: str) -> bool:
        return all(os.path.isfile(folder / (path + suffix)) for path in tried)

    suffixes = ("", *SUFFIXES) if not any(map(looks_like_image, tried)) else ("",)
    for suffix in suffixes:
        for folder in (root, *_near(root)):
            if found(folder, suffix):
                words = []
                if folder != root:
                    words.append(f"data.source.csv.root: {quoted(folder)}")
                if suffix:
                    words.append(f"data.source.csv.image_suffix: {quoted(suffix)}")
                return f"the missing files are there with {' and '.join(words)}"
    return advice_on_names(root, tried)


def advice_on_names(root: Path, missing: Sequence[str]) -> str | None:
    """Says which file is there whose name differs from a missing one in its spelling alone.

    Args:
        root: folder in which they were looked for.
        missing: their paths, relative to it; the first few are tried.

    Returns:
        A sentence on the first such file; None if there is none.
    """
    for path in missing[:TRIED]:
        other = _near_name(root / path)
        if other is not None:
            name, difference = other
            missed = quoted(PurePosixPath(path).name)
            return f"there is no {missed}, but {quoted(name)}: {difference}"
    return None


def _near(root: Path) -> list[Path]:
    """The folders in and above a root."""
    try:
        with os.scandir(root) as entries:
            inner = sorted(entry.name for entry in entries if entry.is_dir())[:MAX_FOLDERS]
    except OSError:
        inner = []
    return [*(root / name for name in inner), *list(root.parents)[:2]]


def _near_name(path: Path) -> tuple[str, str] | None:
    """The name of a file that differs from a missing one in its spelling, and in what."""
    try:
        names = [name for name in os.listdir(path.parent) if looks_like_image(name)]
    except OSError:
        return None
    for alike, difference in _SPELLINGS:
        wanted = alike(path.name)
        found = next((name for name in sorted(names) if alike(name) == wanted), None)
        if found is not None:
            return found, difference
    return None
