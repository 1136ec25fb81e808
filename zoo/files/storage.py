"""What a disk that is full, read-only or broken means to the user. Light.

The operating system, HDF5, TensorFlow and Pillow each report such a failure with an exception of
their own. `fault_of` recognises all of them; `writing` names the file. The verbs add what was kept
and how to continue.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zoo.errors import StorageFault, ZooError
from zoo.text.sizes import size_text

# errno -> what happened, what to do. An exception that is not an OSError is recognised by the
# operating system's text for these codes, which HDF5 and TensorFlow quote.
REASONS = {
    errno.ENOSPC: ("no space is left on the disk", "Make room on that disk"),
    errno.EDQUOT: ("your disk quota is used up", "Delete files of yours there, or ask for more"),
    errno.EFBIG: (
        "it is larger than a file may be here",
        "Raise the limit (`ulimit -f unlimited`), or use a file system that takes larger files",
    ),
    errno.EROFS: ("the file system is read-only", "Mount it for writing, or use another one"),
    errno.EIO: ("the disk failed (input/output error)", "Check the disk and its cable or network"),
    errno.EMFILE: (
        "this process may open no more files",
        "Raise the limit: `ulimit -n 4096`",
    ),
    errno.ENFILE: ("this machine has too many open files", "Close other programs"),
    errno.ESTALE: ("the network disk was unmounted or replaced", "Mount it again"),
}
_PERMISSION = ("permission is denied", "Change the owner or the permissions of its folder")
_DENIED = {errno.EACCES: _PERMISSION, errno.EPERM: _PERMISSION}
_ONLY_WRITES = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
LITTLE = 2**20  # Free bytes with which a disk counts as full.
MAX_CHAIN = 20  # Exceptions looked at, from the one that was raised to the first.


@contextmanager
def writing(file: Path, needed: int | None = None) -> Iterator[None]:
    """Turn the failure of a write within the `with` block into a `StorageFault` about a file.

    Args:
        file: the file that is written, as the user knows it.
        needed: its size in bytes, if known.

    Raises:
        StorageFault: an exception of the block says that the disk did not take the file.
    """
    try:
        yield
    except ZooError:
        raise
    except Exception as error:
        codes = (_code_of(each) for each in _chain(error) if not isinstance(each, ZooError))
        code = next((code for code in codes if code is not None), None)
        if code is None and isinstance(error, OSError):
            code = error.errno
        if code is None:
            raise
        raise fault(code, file, needed, writing=True) from error


def fault_of(error: BaseException) -> StorageFault | None:
    """Return the error for the user if an exception, or one that led to it, came from a disk.

    Args:
        error: an exception of any package.
    """
    if isinstance(error, ZooError) and not isinstance(error, StorageFault):
        return None  # It is told as it is.
    for each in _chain(error):
        if isinstance(each, StorageFault):
            return each
        if isinstance(each, ZooError):
            continue
        code = _code_of(each)
        if code is not None:
            return fault(code, _file_of(each))
    if isinstance(error, OSError) and error.errno is not None:
        file = _file_of(error)
        if file is None and error.errno == errno.ENOENT and _working_directory_is_gone():
            return StorageFault(
                "the working directory no longer exists: it was deleted or moved. Change to "
                "another one (`cd`).",
                error.errno,
            )
        return fault(error.errno, file)
    return None


def fault(
    code: int,
    file: Path | None,
    needed: int | None = None,
    *,
    writing: bool = False,
    name: str | None = None,
) -> StorageFault:
    """Make the error for a failure of a disk.

    Args:
        code: number of the error, as in `errno`.
        file: the file; None if unknown.
        needed: its size in bytes, if known.
        writing: whether the file was being written; some codes say so by themselves.
        name: what the message calls the file; None: its path.
    """
    reason, advice = REASONS.get(code) or _DENIED.get(code) or (os.strerror(code), "")
    sizes = [f"{size_text(needed)} needed"] if needed is not None else []
    sizes += _limits(code, file)
    numbers = f" ({', '.join(sizes)})" if sizes else ""
    action = "cannot be written: " if writing or code in _ONLY_WRITES else ""
    subject = f"{name or file}: {action}" if file else f"a file {action}" if action else ""
    if not advice and not writing:
        advice = "`--debug` shows where it happened"
    return StorageFault(f"{subject}{reason}{numbers}.{f' {advice}.' if advice else ''}", code)


def require_space(folder: Path, needed: int, purpose: str) -> None:
    """Require free space on the disk of a folder before anything is written.

    Args:
        folder: it need not exist yet.
        needed: bytes.
        purpose: what they are for.

    Raises:
        StorageFault: the disk has less.
    """
    free = free_disk(folder)
    if free is not None and free < needed:
        reason, advice = REASONS[errno.ENOSPC]
        raise StorageFault(
            f"{folder}: {purpose} needs {size_text(needed)} of free space. Received "
            f"{size_text(free)}. {advice}.",
            errno.ENOSPC,
        )


def free_disk(path: Path) -> int | None:
    """Return the free bytes of the disk of a path, or of its nearest parent; None if unknown."""
    for place in (path, *path.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except FileNotFoundError:
            continue
        except OSError:
            return None
    return None


def _limits(code: int, file: Path | None) -> list[str]:
    """Return what is free, or the limit that was met, if that is known."""
    if code == errno.ENOSPC and file is not None:
        free = free_disk(file)
        return [] if free is None else [f"{size_text(free)} free", *_full_temporary_folder(free)]
    if code not in (errno.EFBIG, errno.EMFILE):
        return []
    try:
        import resource
    except ImportError:  # Windows has no such limits.
        return []
    of_size = code == errno.EFBIG
    limit, _ = resource.getrlimit(resource.RLIMIT_FSIZE if of_size else resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        return []
    return [f"the limit is {size_text(limit) if of_size else limit}"]


def _full_temporary_folder(free: int) -> list[str]:
    """Return what is free for temporary files, if it is they that had no space.

    Args:
        free: bytes on the disk that was to be written to.
    """
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError:  # No folder for them can be written to.
        return []
    left = free_disk(folder)
    if left is None or not left < LITTLE <= free:
        return []
    return [f"but {size_text(left)} in {folder}, for temporary files: set TMPDIR to another folder"]


def code_in(text: str) -> int | None:
    """Return the number of a disk's failure that a text names, such as another process's stderr."""
    return next((code for code in REASONS if os.strerror(code) in text), None)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception, then what caused it, and so on to the first one."""
    seen: BaseException | None = error
    for _ in range(MAX_CHAIN):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)


def _code_of(error: BaseException) -> int | None:
    """Return the number of a disk's failure that an exception reports; None if it does not."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno if error.errno in REASONS else None
    if not isinstance(error, Exception):
        return None
    if type(error).__name__ == "PermissionDeniedError":  # TensorFlow's.
        return errno.EACCES
    return code_in(str(error))


def _working_directory_is_gone() -> bool:
    try:
        os.getcwd()
    except FileNotFoundError:
        return True
    return False


def _file_of(error: BaseException) -> Path | None:
    name = getattr(error, "filename", None)
    if isinstance(name, bytes):
        name = os.fsdecode(name)
    return Path(name) if isinstance(name, str) else None
