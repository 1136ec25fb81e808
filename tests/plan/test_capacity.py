"""What no machine holds is said by `zoo show`, and refused before anything is loaded or built."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import call, document, require_error
from zoo.errors import EnvironmentFault
from zoo.plan import capacity, plan
from zoo.recipe import load

GIBI = 2**30
CASES = [
    # More weights than fit, more of an image than fits, more images than fit.
    (["model.stack=[{fc: 1000000}, {fc: 1000000}]"], "fc2 alone has 1,000,000,000,000 weights"),
    (
        ["data.image_size=12000", "model.stack[0].conv={filters: 900, strides: 2}",
         "model.stack[1].conv.strides=[1000, 1000]"],
        "Not even one image fits: conv1 is the widest layer. What fits: data.image_size of about ",
    ),
    (["data.image_size=[1500, 1000]", "train.batch_size=900"], "What fits: train.batch_size of "),
]  # fmt: skip


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity, "memory_of_machine", lambda enough=0: 16 * GIBI)


@pytest.mark.parametrize("overrides, advice", CASES)
def test_too_large_for_this_machine(overrides: list[str], advice: str) -> None:
    flags = [part for override in overrides for part in ("--set", override)]
    shown = call("show", "digits-tiny", *flags)
    assert shown.exit_code == 0
    assert "model: training needs at least" in shown.stderr
    assert advice in shown.stderr
    (warning,) = document(call("show", "digits-tiny", *flags, "--json"))["warnings"]
    assert "this machine has 17.2 GB" in warning["message"]
    recipe = load("digits-tiny", overrides)
    with pytest.raises(EnvironmentFault, match="training needs at least") as caught:
        capacity.require_memory(recipe)
    assert advice in str(caught.value)
    require_error(call("train", "digits-tiny", *flags), 4, advice)


def test_what_fits_does_fit() -> None:
    recipe = load("digits-tiny", [*CASES[2][0]])
    said = capacity.shortage(recipe, plan(recipe, 10))
    assert said is not None
    fits = int(said.partition("train.batch_size of ")[2].split()[0].replace(",", ""))
    for size, refused in ((fits, False), (fits + 1, True)):
        smaller = load("digits-tiny", [*CASES[2][0][:1], f"train.batch_size={size}"])
        assert (capacity.shortage(smaller, plan(smaller, 10)) is not None) is refused


@pytest.mark.parametrize(
    "overrides, advice",
    [
        ([], "Lower train.batch_size: each of 64 images takes 4.4 kB or more."),
        (
            [
                "train.batch_size=1",
                "data.image_size=99",
                "model.stack=[{conv: 8}, {global_pool: max}]",
            ],
            "lower data.image_size, or the filters",
        ),
        (["model.stack=[{fc: 1000}]"], "Take fewer filters or units: fc1 has 64,000 of"),
        (
            ["data={source: {folder: pets}, image_size: 8}"],
            "or set data.loading: streamed, which keeps images in their files",
        ),
    ],
)
def test_relief(overrides: list[str], advice: str) -> None:
    recipe = load("digits-tiny", overrides)
    assert advice in capacity.relief(recipe, plan(recipe, 10))


def test_memory_of_this_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The largest of the host's memory and the GPUs'; GPUs are asked only where that decides."""
    monkeypatch.undo()
    host = capacity.memory_of_machine()
    assert host is None or host > GIBI // 4
    monkeypatch.setattr("zoo.doctor.gpus.list_gpus", lambda: [{"memory_total": 2**50}])
    assert capacity.memory_of_machine() == host
    assert capacity.memory_of_machine(2**49) == (None if host is None else 2**50)
