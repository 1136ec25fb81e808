"""A disk that takes no file is told in one sentence, whatever exception reported it."""

from __future__ import annotations

import errno
import os
import resource
from pathlib import Path

import pytest

from tests.disks import failing_from, file_size_limit
from zoo.errors import DataError, StorageFault
from zoo.files import storage
from zoo.files.storage import fault_of, require_space, writing
from zoo.rundir import atomic_write, write_text


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


class PermissionDeniedError(Exception):
    """Named as TensorFlow's."""


@pytest.mark.parametrize(
    "error, code, text",
    [
        (OSError(errno.ENOSPC, "x", "/a/b"), errno.ENOSPC, "/a/b: cannot be written: no space is"),
        (OSError(errno.EDQUOT, "x"), errno.EDQUOT, "a file cannot be written: your disk quota"),
        (OSError(errno.EFBIG, "x", b"/a"), errno.EFBIG, "/a: cannot be written: it is larger"),
        (OSError(errno.EROFS, "x", "/a"), errno.EROFS, "the file system is read-only"),
        (OSError(errno.EIO, "x", "/a"), errno.EIO, "/a: the disk failed (input/output error)"),
        (OSError(errno.EMFILE, "x", "/a"), errno.EMFILE, "(the limit is "),
        (PermissionError(errno.EACCES, "x", "/a"), errno.EACCES, "/a: permission is denied."),
        (FileNotFoundError(errno.ENOENT, "x", "/a"), errno.ENOENT, "/a: No such file"),
        (RuntimeError("a.cc:7: No space left on device [Op:Save]"), errno.ENOSPC, "no space is"),
        (OSError("Can't write: 'File too large'"), errno.EFBIG, "larger than a file may be"),
        (PermissionDeniedError("/a; Permission denied"), errno.EACCES, "permission is denied"),
    ],
)
def test_what_is_recognised(error: Exception, code: int, text: str) -> None:
    fault = fault_of(raised(error))
    assert fault is not None
    assert (fault.code, fault.exit_code) == (code, 4)
    assert text in fault.message
    assert "\n" not in fault.message


def test_the_cause_counts_but_no_harmless_one() -> None:
    full = raised(OSError(errno.ENOSPC, "x", "/a"))
    fault = fault_of(raised(ValueError("cannot save"), full))
    assert fault is not None
    assert "/a: cannot be written" in fault.message
    assert fault_of(raised(ValueError("a bug"), raised(FileNotFoundError(2, "x", "/a")))) is None
    assert fault_of(raised(ValueError("a bug"))) is None
    assert fault_of(raised(DataError("bad"), full)) is None, "an error of ours is told as it is"
    assert fault_of(raised(OSError("no number"))) is None


def test_the_disk_of_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are written first: a message that named the export's disk alone was contradictory."""
    free = {tmp_path: 59_000_000_000, Path("/full"): 500}
    monkeypatch.setattr(storage, "free_disk", free.get)
    monkeypatch.setattr("tempfile.gettempdir", lambda: "/full")
    told = str(storage.fault(errno.ENOSPC, tmp_path))
    assert "(59.0 GB free, but 500 bytes in /full, for temporary files: set TMPDIR" in told
    free[tmp_path] = 9000
    assert "for temporary files" not in str(storage.fault(errno.ENOSPC, tmp_path))


def test_a_working_directory_that_was_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(FileNotFoundError) as caught:
        os.path.abspath("recipe.yaml")
    told = fault_of(caught.value)
    monkeypatch.chdir(tmp_path)
    assert "the working directory no longer exists" in str(told)
    assert "No such file or directory" in str(fault_of(caught.value)), "this one exists"


def test_writing_names_the_file_and_the_sizes(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    with pytest.raises(StorageFault) as caught, writing(file, 1_300_000):
        raise OSError(errno.ENOSPC, "x")
    assert f"{file}: cannot be written: no space is left on the disk (1.3 MB needed, " in str(
        caught.value
    )
    with pytest.raises(ValueError, match="a bug"), writing(file):
        raise ValueError("a bug")
    assert "kept. Go on" in str(caught.value.adding("It is kept. Go on."))


def test_a_file_is_whole_or_as_it_was_under_every_limit(tmp_path: Path) -> None:
    """With `ulimit -f` in earnest: the limit cuts each byte of the file in turn."""
    file = tmp_path / "notes.json"
    write_text(file, "old")
    for limit in range(1, 40):
        with file_size_limit(limit), pytest.raises(StorageFault, match="the limit is") as caught:
            write_text(file, "x" * 40)
        assert "40 bytes needed" in caught.value.message
        assert file.read_text(encoding="utf-8") == "old"
        assert os.listdir(tmp_path) == ["notes.json"]
    with file_size_limit(40):
        write_text(file, "x" * 40)
    assert len(file.read_bytes()) == 40


def test_a_failure_before_the_rename_keeps_the_old_file(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "old")
    with failing_from(1, errno.EIO), pytest.raises(StorageFault, match="the disk failed"):
        write_text(tmp_path / "a", "new")
    assert (tmp_path / "a").read_text(encoding="utf-8") == "old"


def test_a_device_is_written_to_itself() -> None:
    """The temporary file of any other would be renamed over it."""
    with atomic_write(Path(os.devnull)) as file:
        assert file == Path(os.devnull)
    assert not Path(os.devnull).is_file()
    with pytest.raises(StorageFault, match="/dev/full: cannot be written: no space"):
        write_text(Path("/dev/full"), "x")


def test_require_space(tmp_path: Path) -> None:
    require_space(tmp_path / "not" / "yet", 1, "this training")
    with pytest.raises(StorageFault, match=r"this training needs 1.0 EB of free space"):
        require_space(tmp_path, 10**18, "this training")


def test_no_limit_is_told_where_there_is_none() -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    assert ("the limit is" in storage.fault(errno.EFBIG, None).message) is not unlimited
