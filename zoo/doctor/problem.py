"""What `zoo doctor` complains of. Light."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Args:
        severity: `error` if no training can start, `warning` if it starts but is slow or may fail,
            `info` for a feature that is not installed.
        message: what is wrong.
        fix: a command or an action that mends it.
    """

    severity: Literal["error", "warning", "info"]
    message: str
    fix: str

    def as_json(self) -> dict[str, str]:
        """Return the entry of `problems` under `--json`."""
        return asdict(self)
