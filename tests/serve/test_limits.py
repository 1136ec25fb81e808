"""The limit of open files."""

from __future__ import annotations

import resource

import pytest

from zoo.serve.limits import BACKLOG, RESERVED_FILES, raise_file_limit

BESIDE = RESERVED_FILES + BACKLOG
NONE = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    "soft, hard, raised, connections",
    [
        (NONE, NONE, None, 1000),
        (1000 + BESIDE, NONE, None, 1000),
        (1024, NONE, 1000 + BESIDE, 1000),
        (1024, 4096, 1000 + BESIDE, 1000),
        (256, 1024, 1024, 1024 - BESIDE),
        (1024, 1024, None, 1024 - BESIDE),
        (64, 64, None, 1),
    ],
)
def test_the_limit_is_raised_as_far_as_needed(
    monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, raised: int | None, connections: int
) -> None:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(resource, "getrlimit", lambda which: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: calls.append(limits))
    assert raise_file_limit(1000) == connections
    assert calls == ([] if raised is None else [(raised, hard)])


def test_a_system_that_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(which: int, limits: tuple[int, int]) -> None:
        raise ValueError("not allowed")

    monkeypatch.setattr(resource, "getrlimit", lambda which: (512, NONE))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_file_limit(1000) == 512 - BESIDE
