"""Reads which images a tar file holds, where their bytes lie, and their labels. Light.

A key is what stands before the first dot of a member's name, its folder included, as WebDataset
has it: `0012.jpg` and `0012.cls` are the image and the label of the key `0012`. Nothing is
unpacked, and of the images not a byte is read.
"""

from __future__ import annotations

import json
import math
import os
import re
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from types import NoneType
from typing import Any, BinaryIO

from zoo.datasets.files import IMAGE_ENDINGS, UNREAD_ENDINGS, unreachable
from zoo.datasets.folders.tree import in_words
from zoo.datasets.shards.problems import (
    CUT,
    NO_IMAGE,
    NO_LABEL,
    NO_SHARD,
    SEVERAL,
    TWICE,
    WRONG_LABEL,
)
from zoo.datasets.shards.tar_members import DamagedTar, Member, members
from zoo.recipe.source_fields import AUTO
from zoo.text.printable import quoted
from zoo.text.sizes import size_text

MAX_LABEL_BYTES = 2**20  # Of a member that holds a label, JSON among others.
MAX_LABEL = 200  # Characters of a label; more are a caption.
# WebDataset's own rule; a name that begins with a dot has no key.
_KEY = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]+)", re.DOTALL)
_META = re.compile(r"(?:.*/)?__[^/]*__(?:\..*)?", re.DOTALL)
IMAGES = frozenset(ending[1:] for ending in (*IMAGE_ENDINGS, *UNREAD_ENDINGS))
_COMPRESSED = {
    b"\x1f\x8b": ("gzip", "gunzip"), b"BZh": ("bzip2", "bunzip2"), b"\xfd7zXZ\0": ("xz", "unxz"),
    b"\x28\xb5\x2f\xfd": ("zstd", "unzstd"), b"PK\x03\x04": ("ZIP", "unzip"),
}  # fmt: skip


@dataclass(frozen=True)
class Wanted:
    """Which members of a shard are images and labels.

    Args:
        image: ending of the images, or auto.
        label: ending of the labels.
        label_key: key of the label in JSON; None: the member is the label.
    """

    image: str
    label: str
    label_key: str | None


@dataclass
class Scan:
    """What a shard holds, in its order.

    Attributes:
        members: names of the images.
        offsets: where their bytes begin in the shard.
        sizes: how many bytes they have.
        labels: what their labels say.
        problems: (kind, member or "", message) each.
    """

    members: list[str] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    problems: list[tuple[str, str, str]] = field(default_factory=list)

    def add(self, kind: str, member: str, message: str) -> None:
        """Adds a problem of a member, or of the file itself for "".

        Args:
            kind: of `zoo.datasets.shards.problems`.
            member: its name.
            message: what is wrong.
        """
        self.problems.append((kind, member, message))


Parts = dict[str, Member]  # The members of one key, by their endings.


def scan(file: Path, wanted: Wanted) -> Scan:
    """Lists the images and labels of a shard.

    Args:
        file: the tar file; links are followed.
        wanted: which of its members count.

    Returns:
        The images with a label, and all that is wrong with the others and with the file. Of a file
        that is cut short, its whole members.
    """
    found = Scan()
    samples: dict[str, Parts] = {}
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            found.add(NO_SHARD, "", "not a regular file")
            return found
        with open(file, "rb") as raw:
            fault = _unreadable(raw)
            if fault is not None:
                found.add(NO_SHARD, "", fault)
                return found
            cut = False
            try:
                for member in members(raw):
                    _add(member, samples, found)
            except DamagedTar as error:
                found.add(CUT, "", str(error))
                cut = True
            last = next(reversed(samples), None)
            for key, parts in samples.items():
                # The last key of a file that is cut may lack a member for no other reason.
                _read(raw, parts, wanted, found, whole=not (cut and key == last))
    except OSError as error:
        found.add(NO_SHARD, "", unreachable(file, error))
        return found
    if not found.members and not found.problems:
        endings = sorted({ending for parts in samples.values() for ending in parts})
        received = f"members that end in .{', .'.join(endings[:9])}" if endings else "no such names"
        image = "KEY.jpg" if wanted.image == AUTO else f"KEY.{wanted.image}"
        found.add(
            NO_SHARD, "", f"no image. Expected {image} and KEY.{wanted.label}. Received {received}"
        )
    return found


def _unreadable(raw: BinaryIO) -> str | None:
    """Says why a file is no tar file by its first bytes; None if it may be one."""
    head = raw.read(16)
    raw.seek(0)
    if not head:
        return "the file is empty"
    for start, (name, command) in _COMPRESSED.items():
        if head.startswith(start):
            return (
                f"compressed by {name}: single images cannot be read from it. Expected a plain tar "
                f"file; {command} it (images are compressed by themselves)"
            )
    return None


def key_and_ending(name: str) -> tuple[str, str] | None:
    """Returns the key and the ending of a member's name; None for a name without a key.

    Args:
        name: of the member, such as `in/0012.left.JPG`, whose ending is `left.jpg`.
    """
    matched = _KEY.fullmatch(name)
    if matched is None or _META.fullmatch(name):
        return None
    return matched[1], matched[2].lower()


def _add(member: Member, samples: dict[str, Parts], found: Scan) -> None:
    """Adds a member to the others of its key; those without a key are left out."""
    found_key = key_and_ending(member.name)
    if found_key is None:
        return
    key, ending = found_key
    parts = samples.setdefault(key, {})
    if ending in parts:
        found.add(TWICE, member.name, "comes twice in its shard")
    else:
        parts[ending] = member


def _read(raw: BinaryIO, parts: Parts, wanted: Wanted, found: Scan, *, whole: bool) -> None:
    """Adds the image and the label of a key; `whole` is whether a member that lacks is told."""
    images = [member for ending, member in parts.items() if _is_image(ending, wanted)]
    label = parts.get(wanted.label)
    if not images or label is None:
        if not whole or not (images or label):
            return
        endings = f"Received .{', .'.join(sorted(parts))}"
        for member in images:
            expected = f"Expected .{wanted.label}"
            found.add(NO_LABEL, member.name, f"no label beside it. {expected}. {endings}")
        if label is not None:
            kind = "an image" if wanted.image == AUTO else f".{wanted.image}"
            found.add(NO_IMAGE, label.name, f"no image beside it. Expected {kind}. {endings}")
        return
    image, *others = images
    if others:
        names = in_words([member.name for member in others])
        found.add(SEVERAL, image.name, f"one of several images of its key, with {names}")
        return
    try:
        text = _label(raw, label, wanted)
    except WrongLabel as error:
        found.add(WRONG_LABEL, label.name, str(error))
        return
    found.members.append(image.name)
    found.offsets.append(image.offset)
    found.sizes.append(image.size)
    found.labels.append(text)


def _is_image(ending: str, wanted: Wanted) -> bool:
    if wanted.image == AUTO:
        return ending.rpartition(".")[2] in IMAGES
    return ending == wanted.image


class WrongLabel(ValueError):
    """A label cannot be read; the message says why."""


def _label(raw: BinaryIO, member: Member, wanted: Wanted) -> str:
    """Reads a label as text.

    Raises:
        WrongLabel: it holds none.
    """
    if member.size > MAX_LABEL_BYTES:
        raise WrongLabel(f"{size_text(member.size)}. Expected the name or number of a class")
    content = os.pread(raw.fileno(), member.size, member.offset)
    try:
        text = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise WrongLabel(
            f"not UTF-8 text, it begins {ascii(content[:12])[1:]}. Expected the name or number of "
            "a class"
        ) from None
    value: Any = text if wanted.label_key is None else _of_json(text, wanted.label_key)
    if (
        isinstance(value, bool | list | dict | NoneType)
        or (isinstance(value, float) and not math.isfinite(value))  # As pandas has no label.
        or not str(value).strip()
    ):
        received = ascii(json.dumps(value))[1:-1] if not isinstance(value, str) else "nothing"
        raise WrongLabel(
            f"no label. Expected the name or number of one class. Received {received[:60]}"
        )
    label = unicodedata.normalize("NFC", str(value).strip())
    if len(label) > MAX_LABEL:
        raise WrongLabel(
            f"{len(label):,} characters, {quoted(label[:40])} ... Expected the name or number of a "
            "class; is that a caption?"
        )
    return label


def _of_json(text: str, key: str) -> Any:
    """The value of a key in JSON.

    Raises:
        WrongLabel: there is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrongLabel(f"not JSON: {error}") from None
    for part in [key] if isinstance(value, dict) and key in value else key.split("."):
        if not isinstance(value, dict) or part not in value:
            keys = in_words(sorted(value)) if isinstance(value, dict) else "no object"
            raise WrongLabel(f"no key {quoted(part)} (label_key: {quoted(key)}). Received {keys}")
        value = value[part]
    return value
