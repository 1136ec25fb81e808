"""What `zoo doctor` was asked for. Light."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from zoo.backend.device_request import Request
from zoo.backend.launch import Launch


@dataclass(frozen=True)
class Question:
    """What to look at beside this machine and this installation.

    Args:
        quick: measure no speed.
        devices: devices that would train together, as for `zoo train --devices`.
        launch: the processes that would train together; None for this one alone.
    """

    quick: bool = False
    devices: Request = None
    launch: Launch | None = None

    def as_text(self) -> str:
        """The question as an argument of the process that imports the backend."""
        return json.dumps(asdict(self))

    @classmethod
    def from_text(cls, text: str) -> Question:
        """The question that `as_text` wrote."""
        fields = json.loads(text)
        launch = fields.pop("launch")
        return cls(**fields, launch=None if launch is None else Launch(**launch))
