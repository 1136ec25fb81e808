"""Turns paths that users write into `Path`, and refuses those that nothing can have. Light.

Such a path is too long, or holds a null byte.
"""

from __future__ import annotations

import os
from pathlib import Path

from zoo.errors import UsageError


def user_path(text: str | Path, argument: str = "") -> Path:
    """Returns the path of an argument; `~` is expanded if there is such a home, else kept.

    Args:
        text: as the user wrote it.
        argument: its flag, for the message.

    Raises:
        UsageError: nothing can have such a path, or the system does not let us look.
    """
    name = f"{argument} {text}".strip()
    try:
        path = Path(os.path.expanduser(text))
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return path
    except OSError as error:
        raise UsageError(
            f"{name}: cannot be looked at: {error.strerror}. Expected another path."
        ) from None
    except ValueError:  # An embedded null byte.
        raise UsageError(f"{name}: no file has such a name. Expected another path.") from None
    return path
