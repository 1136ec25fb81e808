"""The laws of dividing classes into splits."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.division.divide import divide, divide_sets, permutation

shares = st.floats(0.01, 0.99)


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 60), max_size=4),
    st.fixed_dictionaries({"test": shares, "validation": shares}),
    st.integers(0, 5),
)
def test_divide_is_a_stratified_partition(
    sizes: dict[str, int], wanted: dict[str, float], seed: int
) -> None:
    parts = divide(sizes, wanted, seed)
    assert divide(dict(reversed(sizes.items())), wanted, seed) == parts
    for name, size in sizes.items():
        assert sorted(chain(*(parts[split][name] for split in parts))) == list(range(size))
        assert parts["train"][name]
    left = dict(sizes)
    for split, share in wanted.items():
        counts = {name: len(parts[split][name]) for name in sizes}
        for name, count in counts.items():
            assert int(left[name] * share) - 1 <= count <= int(left[name] * share) + 1
            assert count < left[name]
        most = sum(size - 1 for size in left.values())
        fair = sum(min(int(size * share) + 1, size - 1) for size in left.values())
        assert sum(counts.values()) == min(int(sum(left.values()) * share + 0.5), most, fair)
        left = {name: size - counts[name] for name, size in left.items()}


def test_small_classes_give_their_share() -> None:
    parts = divide({f"class{i}": 2 for i in range(50)}, {"test": 0.1, "validation": 0.1}, seed=0)
    assert sum(map(len, parts["test"].values())) == 10
    assert sum(map(len, parts["validation"].values())) == 9


def test_permutation_never_changes() -> None:
    assert permutation(8, 0, "cat") == [6, 7, 1, 0, 2, 3, 5, 4]


@given(
    st.lists(st.sets(st.integers(0, 4), max_size=4), max_size=60),
    st.fixed_dictionaries({"test": shares, "validation": shares}),
    st.integers(0, 5),
)
def test_divide_sets_is_a_partition_that_keeps_each_label(
    sets: list[set[int]], wanted: dict[str, float], seed: int
) -> None:
    labels = [tuple(sorted(of_image)) for of_image in sets]
    parts = divide_sets(labels, wanted, seed)
    assert sorted(sum(parts.values(), [])) == list(range(len(labels)))
    kept = {label for place in parts["train"] for label in labels[place]}
    assert kept == {label for of_image in labels for label in of_image}
    assert divide_sets(labels, wanted, seed) == parts


def test_divide_sets_stratifies_each_label() -> None:
    labels = [tuple(k for k in range(5) if i % (2 * k + 2) == 0) for i in range(2000)]
    parts = divide_sets(labels, {"test": 0.2, "validation": 0.1}, seed=0)
    assert [len(parts[split]) for split in ("test", "validation", "train")] == [400, 160, 1440]
    for label in range(5):
        whole = sum(label in of_image for of_image in labels)
        for split, share in (("test", 0.2), ("validation", 0.08)):
            count = sum(label in labels[place] for place in parts[split])
            assert abs(count - share * whole) <= 2
