"""What a tar file holds, and all that may be wrong with it."""

from __future__ import annotations

import gzip
import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from tests.datasets.shards.tars import png, samples, write
from zoo.datasets.shards.problems import (
    CUT,
    NO_IMAGE,
    NO_LABEL,
    NO_SHARD,
    SEVERAL,
    TWICE,
    WRONG_LABEL,
)
from zoo.datasets.shards.scan import Scan, Wanted, scan
from zoo.datasets.shards.tar_members import DamagedTar, members

CLS = Wanted("auto", "cls", None)
LONG = "folder/" * 30 + "é" * 60


def kinds(found: Scan) -> list[tuple[str, str]]:
    return [(kind, member) for kind, member, _ in found.problems]


def contents(file: Path, found: Scan) -> list[bytes]:
    data = file.read_bytes()
    places = zip(found.offsets, found.sizes, strict=True)
    return [data[offset : offset + size] for offset, size in places]


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_images_lie_where_it_says(tmp_path: Path, format: int) -> None:
    """Also those with names that need headers of their own, in the order of the file."""
    long = LONG if format != tarfile.USTAR_FORMAT else "d/" * 60 + "x" * 60
    names = ["./2", "1", "f/3", long, "b" * 96, "last"]
    images = [png(number) for number in range(len(names))]
    file = write(
        tmp_path / "a.tar",
        [
            part
            for name, image in zip(names, images, strict=True)
            for part in ((f"{name}.png", image), (f"{name}.cls", f" {name[-1]}\n"))
        ],
        format,
    )
    found = scan(file, CLS)
    assert not found.problems
    assert found.members == [f"{name.removeprefix('./')}.png" for name in names]
    assert found.labels == ["2", "1", "3", long[-1], "b", "t"]
    assert contents(file, found) == images


def test_members_equal_those_of_tarfile(tmp_path: Path) -> None:
    """Folders, symbolic links, devices and members without a key are no images."""
    file = tmp_path / "a.tar"
    with tarfile.open(file, "w", pax_headers={"comment": "of all"}) as tar:
        for name, kind, target in (
            ("d/", tarfile.DIRTYPE, ""),
            ("d/1.png", tarfile.REGTYPE, ""),
            ("d/1.cls", tarfile.REGTYPE, ""),
            ("d/2.png", tarfile.LNKTYPE, "d/1.png"),
            ("d/2.cls", tarfile.LNKTYPE, "d/1.cls"),
            ("d/3.png", tarfile.SYMTYPE, "1.png"),
            ("pipe.png", tarfile.FIFOTYPE, ""),
            ("README", tarfile.REGTYPE, ""),
            (".hidden.png", tarfile.REGTYPE, ""),
            ("d/._1.png", tarfile.REGTYPE, ""),
            ("__meta__.json", tarfile.REGTYPE, ""),
        ):
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, target
            header.size = 5 * (kind == tarfile.REGTYPE)
            tar.addfile(header, io.BytesIO(b"12345"))
    found = scan(file, CLS)
    assert not found.problems
    assert found.members == ["d/1.png", "d/2.png"]
    assert found.offsets[0] == found.offsets[1]


def test_a_key_ends_at_the_first_dot(tmp_path: Path) -> None:
    """`1.left.png` and `1.cls` are of the key 1; endings may be in upper case."""
    image = png(0)
    members = [("1.left.png", image), ("1.right.PNG", image), ("1.CLS", "7"), ("1.txt", "a cat")]
    file = write(tmp_path / "a.tar", members)
    assert kinds(scan(file, CLS)) == [(SEVERAL, "1.left.png")]
    found = scan(file, Wanted("right.png", "cls", None))
    assert (found.members, found.labels, found.problems) == (["1.right.PNG"], ["7"], [])
    assert scan(file, Wanted("left.png", "txt", None)).labels == ["a cat"]


def test_labels_in_json(tmp_path: Path) -> None:
    texts = [
        '{"label": 3}', '{"label": "cat"}', '{"a": {"b": 4.0}}', '{"a.b": 5}', '{"label": [1]}',
        '{"label": true}', '{"label": null}', "[1]", "{", '{"label": ""}', "[" * 9999,
    ]  # fmt: skip
    parts = [(f"{n}.png", png(0)) for n in range(len(texts))]
    parts += [(f"{n}.json", text) for n, text in enumerate(texts)]
    file = write(tmp_path / "a.tar", parts)
    found = scan(file, Wanted("auto", "json", "label"))
    assert found.labels == ["3", "cat"]
    assert [kind for kind, _ in kinds(found)] == [WRONG_LABEL] * 9
    messages = " ".join(message for _, _, message in found.problems)
    assert "no key label (label_key: label). Received a" in messages
    assert "Received [1]" in messages
    assert "not JSON" in messages
    assert scan(file, Wanted("auto", "json", "a.b")).labels == ["4.0", "5"]


def test_wrong_members_are_all_told(tmp_path: Path) -> None:
    file = write(
        tmp_path / "a.tar",
        [
            ("1.png", png(1)), ("1.json", "{}"),
            ("2.cls", "2"),
            ("3.png", png(3)), ("3.cls", ""),
            ("4.png", png(4)), ("4.cls", b"\xff\xfe\x00"),
            ("5.png", png(5)), ("5.cls", "5"), ("5.png", png(6)),
            ("6.png", png(6)), ("6.cls", "a photo of " * 40),
            ("7.png", png(7)), ("7.cls", "x" * 2**20 + "y"),
            ("8.png", png(8)), ("8.cls", "8"),
        ],
    )  # fmt: skip
    found = scan(file, CLS)
    assert kinds(found) == [
        (TWICE, "5.png"), (NO_LABEL, "1.png"), (NO_IMAGE, "2.cls"), (WRONG_LABEL, "3.cls"),
        (WRONG_LABEL, "4.cls"), (WRONG_LABEL, "6.cls"), (WRONG_LABEL, "7.cls"),
    ]  # fmt: skip
    assert "Expected .cls. Received .json, .png" in found.problems[1][2]
    assert found.members == ["5.png", "8.png"]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (gzip.compress(b"x" * 2000), "compressed by gzip"),
        (b"\x28\xb5\x2f\xfd" + bytes(2000), "unzstd"),
        (b"no tar " * 300, "not a tar file"),
    ],
    ids=["empty", "gzip", "zstd", "text"],
)
def test_files_that_are_no_tar(tmp_path: Path, content: bytes, reason: str) -> None:
    file = tmp_path / "a.tar"
    file.write_bytes(content)
    (problem,) = scan(file, CLS).problems
    assert reason in problem[2]


def test_a_shard_without_images(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tar", [("1.mp4", "film"), ("1.srt", "text")])
    ((kind, _, message),) = scan(file, CLS).problems
    assert kind == NO_SHARD
    assert message.endswith("Received members that end in .mp4, .srt")


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tar")
    for name in ("missing.tar", "pipe.tar", "."):
        assert kinds(scan(tmp_path / name, CLS)) == [(NO_SHARD, "")]


def test_a_file_cut_anywhere_gives_its_whole_members(tmp_path: Path) -> None:
    """Whatever the place: no exception, no wrong bytes, and exactly one problem."""
    file = write(tmp_path / "whole.tar", samples("abc"), tarfile.PAX_FORMAT)
    whole = scan(file, CLS)
    data = file.read_bytes()
    end = data.rindex(b"c") // 512 * 512 + 512  # Behind the last member, its padding included.
    for length in [*range(1, end, 97), end, end + 1, end + 511]:
        cut = tmp_path / "cut.tar"
        cut.write_bytes(data[:length])
        found = scan(cut, CLS)
        assert len(found.problems) == 1, length
        assert found.problems[0][0] == CUT
        assert found.members == whole.members[: len(found.members)]
        assert found.labels == whole.labels[: len(found.labels)]
        assert contents(cut, found) == contents(file, whole)[: len(found.members)]
    assert len(found.members) == 3


def test_a_damaged_header_and_a_joined_file(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tar", samples("abc"))
    data = bytearray(file.read_bytes())
    third = scan(file, CLS).offsets[1] - 512
    damaged = tmp_path / "b.tar"
    for place in (third, third + 130, third + 150):  # Name, size, checksum.
        changed = data.copy()
        changed[place] ^= 1
        damaged.write_bytes(changed)
        found = scan(damaged, CLS)
        assert [kind for kind, _ in kinds(found)] == [CUT]
        assert f"byte {third:,}" in found.problems[0][2]
        assert found.members == ["0000.png"]
    damaged.write_bytes(data + data)
    found = scan(damaged, CLS)
    assert "joined by cat" in found.problems[0][2]
    assert len(found.members) == 3


@pytest.mark.parametrize(
    "size", [b"-0000001000\0", b"\xff" * 10 + b"\xfe\0"], ids=["octal", "binary"]
)
def test_a_member_of_less_than_no_bytes_ends_the_list(tmp_path: Path, size: bytes) -> None:
    """Its end would be its own header, so that the list would never end."""
    file = write(tmp_path / "a.tar", samples("abc"))
    data = bytearray(file.read_bytes())
    third = scan(file, CLS).offsets[1] - 512
    data[third + 124 : third + 136] = size
    data[third + 148 : third + 156] = b" " * 8
    data[third + 148 : third + 156] = b"%06o\0 " % sum(data[third : third + 512])
    file.write_bytes(data)
    found = scan(file, CLS)
    assert [kind for kind, _ in kinds(found)] == [CUT]
    assert found.members == ["0000.png"]


def test_plain_headers_are_read_as_tarfile_reads_them(tmp_path: Path) -> None:
    file = write(tmp_path / "a.tar", samples(range(5)), tarfile.GNU_FORMAT)
    with tarfile.open(file) as tar, open(file, "rb") as raw:
        expected = [(member.name, member.offset_data, member.size) for member in tar]
        assert list(map(tuple, members(raw))) == expected
    with open(file, "r+b") as raw:
        raw.truncate(1500)
        with pytest.raises(DamagedTar, match="cut short"):
            list(members(raw))


def test_json_of_a_scan_is_the_scan(tmp_path: Path) -> None:
    found = scan(write(tmp_path / "a.tar", [*samples("ab"), ("x.png", png(1))]), CLS)
    assert found.problems
    again = json.loads(json.dumps(vars(found)))
    assert again["members"] == found.members


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header with a size that its member does not have."""
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "damage, says",
    [
        (header("a.png", -512), "a member of -512 bytes"),  # Its next header would be itself.
        (header("a.png", -4096), "a member of -4,096 bytes"),
        (header("long", 2**40, tarfile.GNUTYPE_LONGNAME), "a header of 1,099,511,627,776 bytes"),
        (header("pax", 2**33, tarfile.XHDTYPE), "a header of 8,589,934,592 bytes"),
        (header("pax", -512, tarfile.XHDTYPE), "a header of -512 bytes"),
        ((header("long", 512, tarfile.GNUTYPE_LONGNAME) + b"n" * 512) * 2000, "recursion"),
    ],
    ids=["itself", "behind", "long name", "pax", "negative pax", "2,000 names"],
)
def test_lengths_that_lead_nowhere(tmp_path: Path, damage: bytes, says: str) -> None:
    """Neither an endless loop, nor memory for what a header says, nor an exception."""
    whole = write(tmp_path / "a.tar", samples("ab")).read_bytes()
    end = scan(tmp_path / "a.tar", CLS).offsets[1] - 512
    file = tmp_path / "b.tar"
    for before, count in ((b"", 0), (whole[:end], 1)):
        file.write_bytes(before + damage + whole)
        found = scan(file, CLS)
        ((kind, _, message),) = found.problems
        assert kind == CUT
        assert says in message
        assert len(found.members) == count


def test_a_file_joined_far_behind_its_end(tmp_path: Path) -> None:
    """`tar -b` fills the last record with zeros."""
    data = write(tmp_path / "a.tar", samples("ab")).read_bytes()
    (tmp_path / "b.tar").write_bytes(data + bytes(2**20) + data)
    assert "joined by cat" in scan(tmp_path / "b.tar", CLS).problems[0][2]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999"])
def test_no_number_is_no_label(tmp_path: Path, value: str) -> None:
    members = [("1.png", png(1)), ("1.json", f'{{"label": {value}}}')]
    found = scan(write(tmp_path / "a.tar", members), Wanted("auto", "json", "label"))
    assert kinds(found) == [(WRONG_LABEL, "1.json")]
