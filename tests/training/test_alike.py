"""Processes whose packages, recipe, data or weights differ are refused, with their hosts."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from zoo.backend import processes
from zoo.backend.launch import Launch
from zoo.errors import DataError, EnvironmentFault, UsageError, ZooError
from zoo.recipe import load
from zoo.training import alike
from zoo.training.loop.choose import LoopChoice

KNOWN: dict[str, Any] = {
    "zoo": "1",
    "versions": {"keras": "3.15.1", "numpy": "2.1", "tensorflow": "2.21.0"},
    "data": {"fingerprint": "b" * 64},
    "class_names_sha256": "c" * 64,
    "normalisation": {"mean": [1.0]},
}


RECIPE = load("digits-tiny")
changes: dict[int, dict[str, Any]] = {}  # Of the recipes of other processes.


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What processes 1 and 2 of three know; process 0 is this one."""
    known = [copy.deepcopy(KNOWN), copy.deepcopy(KNOWN)]
    changes.clear()

    def exchange(topic: str, text: str) -> list[str]:
        rows = [json.loads(text)]
        for number, values in enumerate(known, 1):
            own = RECIPE.model_copy(update=changes.get(number, {}))
            rows.append(alike._facts(own, values) | {"host": f"host-{number}"})
        return list(map(json.dumps, rows))

    monkeypatch.setattr(processes, "_launch", Launch("127.0.0.1:1", 3, 0))
    monkeypatch.setattr(processes, "exchange", exchange)
    return known


def test_same_facts_pass_and_what_takes_no_part_may_differ(others: list[dict[str, Any]]) -> None:
    others[1]["versions"] = {"keras": "3.15.1", "numpy": "2.1"}  # No TensorFlow.
    alike.require_alike(RECIPE, KNOWN)


def test_recipes_may_differ_in_the_paths_of_the_data_alone(others: list[dict[str, Any]]) -> None:
    """Each host has its own."""
    here, there, drawn = (
        load("digits-tiny", [f"data.source={{folder: {options}}}"])
        for options in ("{path: here}", "{path: there}", "{path: there, split_seed: 1}")
    )
    changes[1] = changes[2] = {"data": there.data}
    alike.require_alike(here, KNOWN)
    # The order of the images is in no fingerprint of the data.
    for other in ({"data": drawn.data}, {"data": there.data, "seed": here.seed + 1}, {}):
        changes[2] = other
        with pytest.raises(UsageError, match="Expected the same recipe"):
            alike.require_alike(here, KNOWN)


@pytest.mark.parametrize(
    "key, value, kind, part",
    [
        ("versions", {"keras": "3.15.1", "numpy": "2.2"}, EnvironmentFault, "numpy 2.2"),
        ("data", {"fingerprint": "e" * 64}, DataError, "process 2 (host-2): eeeeeeeeeeee"),
        (
            "plugins",
            [{"word": "Mish2", "sha256": "a" * 64}],
            UsageError,
            "Mish2 -; process 2 (host",
        ),
        ("warm_start", {"sha256": "f"}, DataError, "trained weights"),
    ],
)
def test_difference_names_process_and_host(
    others: list[dict[str, Any]], key: str, value: Any, kind: type[ZooError], part: str
) -> None:
    others[1][key] = value
    with pytest.raises(kind) as raised:
        alike.require_alike(RECIPE, KNOWN)
    assert part in str(raised.value)
    assert "host-2" in str(raised.value)
    assert raised.value.agreed  # One process tells the user.


def test_images_stream_everywhere_if_they_must_on_one_host(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(processes, "_launch", Launch("127.0.0.1:1", 2, 0))
    monkeypatch.setattr(processes, "exchange", lambda topic, text: [text, "True"])
    stays = LoopChoice("device", False, "they fit")
    assert alike.agreed_loop(stays).streams
    monkeypatch.setattr(processes, "exchange", lambda topic, text: [text, "False"])
    assert alike.agreed_loop(stays) == stays
