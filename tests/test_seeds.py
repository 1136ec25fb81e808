"""Seeds of random draws: apart from each other, and the same in every release."""

from __future__ import annotations

from tests.test_batches import numbered
from zoo import seeds
from zoo.batches import Batches


def test_seeds_are_apart() -> None:
    derived = {
        seeds.derive(seed, *names)
        for seed in range(20)
        for names in (("conv1",), ("conv2",), ("conv", 1), ("conv", 11), ("conv", 1, 1))
    }
    assert len(derived) == 100
    assert all(0 <= value < 2**31 for value in derived)


def test_seeds_never_change() -> None:
    """A release that draws otherwise would resume old runs to other weights."""
    assert seeds.derive(0, "conv1/kernel") == 2032108649
    assert Batches(numbered(8), 8, 0)(0)[1].tolist() == [0, 6, 4, 7, 2, 1, 3, 5]
