"""Reads manifests: names, sizes and hashes of image files, with which nobody lists or reads them.

A manifest is text, a line for each file: `SHA256 SIZE PATH`, the path relative to the folder of the
images. A path that begins with a double quote is JSON. `-` in place of the hash says that the
file is there and cannot be used. Lines that begin with # are comments; the first line that zoo
writes is `# zoo manifest {...}`, with what was measured of the images. Light.
"""

from __future__ import annotations

import base64
import binascii
import codecs
import hashlib
import io
import json
from array import array
from bisect import bisect_left
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.datasets.file_list import DIGEST, FileList, Paths
from zoo.datasets.files import unreachable
from zoo.datasets.folders.tree import Entry, Tree
from zoo.errors import DataError, Problem
from zoo.text.counted import counted
from zoo.text.printable import quoted

if TYPE_CHECKING:
    from zoo.datasets.content.pixel_statistics import PixelStatistics
    from zoo.datasets.stored_files import StoredFiles

HEAD = "# zoo manifest "
FORMAT = 1
SEAL = "sha256"  # Key of the hash of all others.
UNUSABLE = b"-"
NO_DIGEST = bytes(DIGEST)
CHANGED = "its content is not that of the manifest"
BAD = "cannot be used, as the manifest says"
RENEW = "write the manifest anew: zoo show RECIPE --write-manifest FILE"
EXPECTED = "Expected lines of the form SHA256 SIZE PATH, which zoo show --write-manifest writes"
_SUMS = ("sums", "squares", "histograms")


@dataclass(frozen=True, eq=False)
class Manifest:
    """What a manifest says.

    Args:
        file: the manifest.
        files: the files, sorted by path, without labels. Their times are numbers made of the
            hashes: a file with another hash is another file.
        head: what zoo measured when it wrote the manifest; empty for one that others wrote.
        count: number of files that it names.
    """

    file: Path
    files: FileList
    head: Mapping[str, Any]
    count: int

    def without_files(self) -> Manifest:
        """Returns what is needed once the files are known: they take memory."""
        return replace(self, files=FileList.of(()))

    @property
    def note(self) -> str:
        """Says what is trusted."""
        return (
            f"the names, sizes and hashes of {counted(self.count, 'file')} are those of the "
            f"manifest {quoted(self.file)}: the folder is not listed, and a file is compared with "
            "its hash when it is first read"
        )

    def facts(self) -> dict[str, Any]:
        """Returns what run.json says of the manifest."""
        return {
            "file": str(self.file),
            "files": self.count,
            "written": self.head.get("written"),
        }

    def described(self, files: FileList) -> FileList:
        """Returns files with the sizes and hashes of the manifest, which names all of them."""
        places = {path: place for place, path in enumerate(self.files.paths)}
        own = self.files.take(array("q", (places[path] for path in files.paths)))
        return FileList(
            files.paths, files.label_ids, files.label_sets, own.sizes, own.times, files.group_ids,
            files.group_names, own.digests,
        )  # fmt: skip

    def measured(self, fingerprint: str, spec: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Returns what zoo measured, if it is of these images, decoded in this way."""
        is_same = self.head.get("fingerprint") == fingerprint
        return self.head if is_same and self.head.get("spec") == spec else None

    def statistics(self, fingerprint: str, spec: Mapping[str, Any]) -> PixelStatistics | None:
        """Returns the sums over the training images, if the manifest holds them."""
        measured = self.measured(fingerprint, spec)
        if measured is None or not measured.get("statistics"):
            return None
        import numpy as np

        from zoo.datasets.content.pixel_statistics import PixelStatistics

        with np.load(io.BytesIO(base64.b64decode(measured["statistics"]))) as stored:
            return PixelStatistics(int(stored["count"]), *(stored[name] for name in _SUMS))

    def digests(self, files: StoredFiles) -> Trusted:
        """Returns what the files of a split must be."""
        return Trusted(self.file, files.sha256)

    def require_unchanged(self, problems: Sequence[Problem]) -> None:
        """Requires that no problem says that a file changed since the manifest was written.

        Raises:
            DataError: some do; names all of their files.
        """
        changed = [problem for problem in problems if problem.message == CHANGED]
        if changed:
            raise DataError(
                f"{counted(len(changed), 'file')} of {self.count:,} in the manifest "
                f"{quoted(self.file)} changed since it was written. Restore the files, or {RENEW}",
                changed,
            )


class Trusted:
    """The hashes that files of a split must have; each file is compared once.

    Args:
        manifest: which says so.
        sha256: uint8 (n, 32), of NumPy.
    """

    def __init__(self, manifest: Path, sha256: Any) -> None:
        self._manifest = manifest
        self._sha256 = sha256
        self._compared = bytearray(len(sha256))

    def require(self, row: int, path: Path, content: bytes) -> None:
        """Requires that a file is what the manifest says.

        Raises:
            DataError: it is not.
        """
        if self._compared[row]:
            return
        if hashlib.sha256(content).digest() != self._sha256[row].tobytes():
            raise DataError(
                f"a file is not the one in the manifest {quoted(self._manifest)}. Restore it, or "
                + RENEW,
                [Problem(file=str(path), message=CHANGED)],
            )
        self._compared[row] = 1


def read(path: str) -> Manifest:
    """Reads a manifest.

    Args:
        path: of the file.

    Raises:
        DataError: it cannot be read, a line is not `SHA256 SIZE PATH`, a path leads out of the
            folder, or a file is named twice.
    """
    file = Path(path).expanduser()
    text, ends, sizes, times, digests = bytearray(), array("q"), array("q"), array("q"), bytearray()
    head: dict[str, Any] = {}
    number = 0
    try:
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise DataError(f"the manifest {quoted(file)} is not a regular file. {EXPECTED}")
        with open(file, "rb") as lines:
            for line in lines:
                number += 1
                if number == 1:
                    line = line.removeprefix(codecs.BOM_UTF8)
                if line.startswith(b"#"):
                    head = head or _head(line, file)
                    continue
                sha, size, name = line.rstrip(b"\r\n").split(b" ", 2)
                digest = NO_DIGEST if sha == UNUSABLE else binascii.unhexlify(sha)
                if name.startswith(b'"'):
                    name = json.loads(name).encode("utf-8", "surrogateescape")
                if len(digest) != DIGEST or not size.isdigit() or not name or _leads_out(name):
                    raise ValueError
                text += name
                ends.append(len(text))
                sizes.append(int(size))
                times.append(int.from_bytes(digest[:8]) >> 1)
                digests += digest
    except (ValueError, OverflowError, RecursionError) as error:
        raise DataError(
            f"{quoted(file)}:{number}: not a line of a manifest. {EXPECTED}, with paths relative "
            f"to the folder of the images. Received {quoted(_shown(line))}"
        ) from error
    except OSError as error:
        raise DataError(f"the manifest {quoted(file)} {unreachable(file, error)}") from None
    if not sizes:
        raise DataError(f"the manifest {quoted(file)} names no file. {EXPECTED}")
    paths = Paths(bytes(text), ends)
    labels = array("i", bytes(4 * len(sizes)))
    files = FileList(paths, labels, [()], sizes, times, digests=bytes(digests))
    return Manifest(file, _sorted(files, file), head, len(files))


def _sorted(files: FileList, file: Path) -> FileList:
    if not all(a <= b for a, b in pairwise(files.paths)):
        files = files.take(array("q", sorted(range(len(files)), key=files.paths.__getitem__)))
    twice = next((a for a, b in pairwise(files.paths) if a == b), None)
    if twice is not None:
        raise DataError(f"the manifest {quoted(file)} names {quoted(twice)} twice. Expected once")
    return files


def sealed(head: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what zoo writes of a manifest's images, with a hash of it: much is trusted of it."""
    plain = json.loads(json.dumps({"format": FORMAT, **head}))  # Labels become text, as when read.
    return {**plain, SEAL: _seal(plain)}


def _seal(head: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()


def _head(line: bytes, file: Path) -> dict[str, Any]:
    """Reads a comment; empty unless zoo wrote it.

    Raises:
        DataError: zoo wrote it, and it was changed since.
        ValueError: it is no JSON.
    """
    text = line.decode("utf-8", "replace")
    if not text.startswith(HEAD):
        return {}
    head = json.loads(text.removeprefix(HEAD))
    seal = head.pop(SEAL, None) if isinstance(head, dict) else None
    if seal != _seal(head) or head["format"] != FORMAT:
        raise DataError(
            f"{quoted(file)}: the line that begins {HEAD.strip()!r} is not as this version of zoo "
            f"writes it. Expected it unchanged, or no such line; {RENEW}"
        )
    return dict(head)


def _leads_out(name: bytes) -> bool:
    parts = name.split(b"/")
    return b"\0" in name or any(part in (b"", b".", b"..") for part in parts)


def _shown(line: bytes) -> str:
    return line[:100].decode("utf-8", "replace").rstrip()


@dataclass
class ManifestTree(Tree):
    """A tree whose folders and files are those of a manifest; nothing is asked of the disk.

    Args:
        manifest: the manifest.
    """

    manifest: Manifest | None = None

    def images(self, folder: Path, left_out: Collection[Path]) -> FileList:
        """Returns the files in a folder and the folders in it, sorted by path."""
        files = self._manifest.files
        spans = [self._span(folder)]
        for apart in sorted(left_out):
            first, last = self._span(apart)
            start, end = spans.pop()
            spans += [(start, max(start, first)), (max(start, min(last, end)), end)]
        return files.take(array("q", (i for start, end in spans for i in range(start, end))))

    def is_image(self, entry: Entry) -> bool:
        """Whether an entry is an image: every file of a manifest is."""
        return True

    @property
    def _manifest(self) -> Manifest:
        if self.manifest is None:
            raise ValueError("a tree of a manifest needs one")
        return self.manifest

    def _span(self, folder: Path) -> tuple[int, int]:
        """The places of the files below a folder."""
        paths = self._manifest.files.paths
        if folder == self.root:
            return 0, len(paths)
        prefix = self.relative(folder)
        return bisect_left(paths, f"{prefix}/"), bisect_left(paths, f"{prefix}0")  # 0 follows /.

    def _list(self, folder: Path) -> list[Entry]:
        paths = self._manifest.files.paths
        place, end = self._span(folder)
        start = self.start_of(folder)
        entries = []
        while place < end:
            name, slash, _ = paths[place][start:].partition("/")
            entries.append(Entry(name, folder, bool(slash)))
            place = self._span(folder / name)[1] if slash else place + 1
        return sorted(entries, key=lambda entry: entry.name)
