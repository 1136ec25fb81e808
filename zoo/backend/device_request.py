"""How many devices a training is asked to take: read and checked before anything heavy. Light."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from zoo.errors import RunError, UsageError

Request = int | Literal["all"] | None  # None: one device, or as many as before.


@dataclass(frozen=True)
class Asked:
    """The devices that a command line asks for.

    Args:
        request: their number.
        allow_others: whether another number may be taken than a resumed run was begun with.
    """

    request: Request = None
    allow_others: bool = False


def parse(text: str | None) -> Request:
    """Reads the value of `--devices`.

    Raises:
        UsageError: it is neither a number from 1 on nor `all`.
    """
    if text is None or text == "all":
        return text  # type: ignore[return-value]  # mypy does not narrow to the literal.
    number = int(text) if re.fullmatch("[0-9]{1,9}", text) else 0
    if number < 1:
        raise UsageError(f"--devices: Expected a number from 1 on, or `all`. Received {text!r}.")
    return number


def multiple_of_processes(request: Request, processes: int) -> UsageError:
    """The error of a number of devices that processes cannot share equally.

    Args:
        request: of all processes together.
        processes: their number.
    """
    return UsageError(
        f"--devices {request}: is the number of devices of all {processes} processes. Expected a "
        f"multiple of {processes}."
    )


def require_batch(batch_size: int, count: int, flag: str = "--devices") -> None:
    """Requires that a batch can be shared out over the devices.

    Args:
        batch_size: the recipe's `train.batch_size`.
        count: number of devices.
        flag: that says so; `--num-processes` while it is not known how many devices each has.

    Raises:
        UsageError: it cannot.
    """
    if batch_size % count == 0:
        return
    lower = batch_size // count * count
    nearest = [str(number) for number in (lower, lower + count) if number]
    raise UsageError(
        f"{flag} {count}: train.batch_size is the number of images of all devices together. "
        f"Expected a multiple of {count}. Received {batch_size}; set it to the nearest: "
        + " or ".join(f"--set train.batch_size={number}" for number in nearest)
    )


def require_devices(begun_with: int, request: Request, allowed: bool, what: str) -> Request:
    """The devices of what is resumed: as many as it was begun with.

    Args:
        begun_with: number of devices.
        request: of the user; None: none.
        allowed: whether another number may be taken.
        what: names what is resumed.

    Raises:
        RunError: another number is asked for, and not allowed.
    """
    if request is None:
        return begun_with
    if isinstance(request, int) and request != begun_with and not allowed:
        raise RunError(
            f"{what}: was begun with --devices {begun_with}, and {request} of them would add up in "
            "another order: the weights would differ in their last bits from those of a run that "
            f"nothing interrupted. Expected --devices {begun_with}, or no --devices. Received "
            f"{request}; to go on all the same, add --allow-other-devices."
        )
    return request
