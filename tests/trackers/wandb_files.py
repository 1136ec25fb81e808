"""Reads what W&B keeps of an offline run: records of protobuf in a log of LevelDB's format.

A header of 7 bytes, then blocks of 32 KiB with fragments: checksum (4 bytes), length (2), and
type: 1 a whole record, 2, 3 and 4 its first, middle and last part.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BLOCK, HEADER, FRAGMENT = 32 * 1024, 7, 7


@dataclass
class Offline:
    """An offline run, as `wandb sync` would send it."""

    run: Any = None
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    config: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, list[str]] = field(default_factory=dict)
    exit_code: int | None = None


def records(file: Path) -> Iterator[bytes]:
    content, at, parts = file.read_bytes(), HEADER, b""
    while at + FRAGMENT <= len(content):
        left = BLOCK - at % BLOCK
        if left < FRAGMENT:
            at += left
            continue
        length, kind = struct.unpack_from("<HB", content, at + 4)
        if kind == 0:
            return
        parts += content[at + FRAGMENT : at + FRAGMENT + length]
        at += FRAGMENT + length
        if kind in (1, 4):
            yield parts
            parts = b""


def read(folder: Path) -> Offline:
    from wandb.proto import wandb_internal_pb2

    (file,) = folder.glob("*.wandb")
    found = Offline()
    for content in records(file):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(content)
        match record.WhichOneof("record_type"):
            case "run":
                found.run = record.run
                found.config |= _items(record.run.config.update)
            case "config":
                found.config |= _items(record.config.update)
            case "history":
                found.history.append(_items(record.history.item))
            case "summary":
                found.summary |= _items(record.summary.update)
            case "artifact":
                names = [entry.path for entry in record.artifact.manifest.contents]
                found.artifacts[record.artifact.type] = names
            case "exit":
                found.exit_code = record.exit.exit_code
    return found


def _items(items: Any) -> dict[str, Any]:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}
