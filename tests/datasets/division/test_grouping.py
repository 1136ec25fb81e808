"""The laws of dividing groups: whole, close to what was asked, every class trained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.datasets.folders.test_layout import read, touch
from zoo.datasets.division.grouping import divide_groups, group_of, spread
from zoo.datasets.folders import layout as layouts
from zoo.errors import DataError
from zoo.recipe.source import Folder
from zoo.recipe.subset import Fold

# Images of each class in each group.
Groups = dict[str, dict[str, int]]
groups = st.dictionaries(
    st.text(min_size=1, max_size=3),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 40), min_size=1),
    min_size=1,
    max_size=25,
)
shares = st.dictionaries(
    st.sampled_from(["test", "validation"]), st.floats(0.05, 0.6), min_size=1, max_size=2
)


def totalled(of: Groups) -> dict[str, dict[str | None, int]]:
    return {name: {**counts, None: sum(counts.values())} for name, counts in of.items()}


def images(of: Groups) -> tuple[list[str], list[str]]:
    pairs = [
        (label, group) for group, counts in of.items() for label in counts
        for _ in range(counts[label])
    ]  # fmt: skip
    return [label for label, _ in pairs], [group for _, group in pairs]


@settings(max_examples=30)
@given(groups, shares, st.integers(0, 5))
def test_no_group_lies_in_two_splits(of: Groups, asked: dict[str, float], seed: int) -> None:
    require_whole(of, asked, seed)


@pytest.mark.laws
@given(groups, shares, st.integers(0, 2**31 - 1))
def test_no_group_ever_lies_in_two_splits(of: Groups, asked: dict[str, float], seed: int) -> None:
    require_whole(of, asked, seed)


def require_whole(of: Groups, asked: dict[str, float], seed: int) -> None:
    labels, names = images(of)
    parts = divide_groups(labels, names, asked, seed)
    assert sorted(sum(parts.values(), [])) == list(range(len(labels)))
    lies_in = [{names[i] for i in positions} for positions in parts.values()]
    assert sum(map(len, lies_in)) == len(set(names))
    # Every class can be trained, and the same call gives the same splits in any order.
    assert {labels[i] for i in parts["train"]} == set(labels)
    assert divide_groups(labels[::-1], names[::-1], asked, seed) == {
        split: sorted(len(labels) - 1 - i for i in positions) for split, positions in parts.items()
    }


@settings(max_examples=30)
@given(groups, st.integers(2, 6), st.integers(0, 5))
def test_folds_hold_whole_groups(of: Groups, count: int, seed: int) -> None:
    fold = spread(totalled(of), [1 / count] * count, seed)
    assert fold.keys() == of.keys()
    assert len(set(fold.values())) == min(count, len(of))
    held = Counter(label for counts in of.values() for label in counts)
    if count > len(held):  # With as many folds as classes, all may ask for the same group.
        for label, number in held.items():
            assert number == 1 or len({fold[name] for name in of if label in of[name]}) > 1


@settings(max_examples=10)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 10)), min_size=60, max_size=120),
    st.sampled_from([0.1, 0.2, 0.3]),
    st.integers(0, 5),
)
def test_many_small_groups_come_close(
    sizes: list[tuple[str, int]], share: float, seed: int
) -> None:
    """In total, and in each class of twenty groups or more, by less than a group."""
    of = {f"g{number}": {label: size} for number, (label, size) in enumerate(sizes)}
    labels, names = images(of)
    parts = divide_groups(labels, names, {"validation": share}, seed)
    validation = parts["validation"]
    assert abs(len(validation) - share * len(labels)) <= 10
    groups_of = Counter(label for label, _ in sizes)
    for label, total in Counter(labels).items():
        if groups_of[label] >= 20:
            got = sum(labels[i] == label for i in validation)
            assert abs(got - share * total) <= 10


def test_seeds_draw_other_groups() -> None:
    of = {f"p{number}": {"a": 5, "b": 5} for number in range(30)}
    drawn = {
        tuple(name for name, part in spread(totalled(of), [0.2, 0.8], seed, 1).items() if part == 0)
        for seed in range(5)
    }
    assert {len(names) for names in drawn} == {6}
    assert len(drawn) == 5


@pytest.mark.parametrize(
    "path, in_class, word, group",
    [
        ("cat/p1/0.jpg", "p1/0.jpg", "parent", "p1"),
        ("cat/p1/left/0.jpg", "p1/left/0.jpg", "parent", "p1"),  # Both eyes of a patient.
        ("cat/0.jpg", "0.jpg", "parent", None),
        ("cat/p12_left_3.jpg", "p12_left_3.jpg", r"(p\d+)_", "p12"),
        ("cat/p12_left_3.jpg", "p12_left_3.jpg", r"p\d+", "p12"),
        ("cat/video7/3.jpg", "video7/3.jpg", "^[^/]+/([^/]+)/", "video7"),
        ("cat/x.jpg", "x.jpg", r"(p\d+)_", None),
        ("cat/x.jpg", "x.jpg", "()x", None),
    ],
)
def test_names_of_groups(path: str, in_class: str, word: str, group: str | None) -> None:
    assert group_of(path, in_class, word) == group


def patients(root: Path, counts: dict[str, int], start: str = "") -> list[str]:
    return [
        f"{start}{name}/{patient}_{number}.jpg"
        for name in ("ill", "well")
        for patient, count in counts.items()
        for number in range(count)
    ]


def groups_in(layout: Any) -> dict[str, set[str | None]]:
    return {split: {file.group for file in files} for split, files in layout.splits.items()}


def test_splits_of_a_folder_keep_patients_whole(tmp_path: Path) -> None:
    """The same patient is ill in one image and well in another one."""
    touch(tmp_path, *patients(tmp_path, {f"p{number}": 4 for number in range(20)}))
    without = read(tmp_path)
    layout = read(tmp_path, group=r"(p\d+)_")
    held = groups_in(layout)
    assert [len(held[split]) for split in ("train", "validation", "test")] == [16, 2, 2]
    assert not (held["train"] & held["validation"] | held["train"] & held["test"])
    assert "20 groups: 16 in train, 2 in validation, 2 in test" in layout.notes
    leaking = {file.path.rpartition("_")[0][-3:] for file in without.train}
    assert leaking & {file.path.rpartition("_")[0][-3:] for file in without.validation}
    assert read(tmp_path, group=r"(p\d+)_", split_seed=1).test != layout.test


def test_groups_of_given_splits_that_leak(tmp_path: Path) -> None:
    touch(tmp_path, *patients(tmp_path, {"p1": 3, "p2": 2, "p3": 2}, "train/"))
    touch(tmp_path, *patients(tmp_path, {"p2": 1, "p3": 1, "p4": 1}, "test/"))
    assert read(tmp_path).test is not None
    with pytest.raises(DataError) as caught:
        read(tmp_path, group=r"(p\d+)_")
    assert "2 groups of 4 have images in several splits" in caught.value.message
    assert [problem.message for problem in caught.value.problems] == [
        "group p2: 4 in train, 2 in test",
        "group p3: 4 in train, 2 in test",
    ]
    # Cross-validation joins train and validation; images that are left out leak nothing.
    for name in ("ill", "well"):
        (tmp_path / "test" / name).rename(tmp_path / "test" / f"of_{name}")
    touch(tmp_path, *patients(tmp_path, {"p1": 1, "p5": 1}, "validation/"), "train/x/scan.jpg")
    touch(tmp_path, *patients(tmp_path, {"p6": 1}, "test/"))
    options = Folder.model_validate({"path": str(tmp_path), "group": r"(p\d+)_"})
    fold = Fold(index=1, of=2)
    layout = layouts.read(options, ("ill", "well"), fold)
    held = groups_in(layout)
    assert held["train"] | held["validation"] == {"p1", "p2", "p3", "p5"}
    assert held["train"].isdisjoint(held["validation"])


def test_images_without_a_group_are_listed(tmp_path: Path) -> None:
    touch(tmp_path, *patients(tmp_path, {"p1": 2, "p2": 2}), "ill/scan.jpg", "well/x_1.jpg")
    with pytest.raises(DataError, match="2 of 10 images belong to no group") as caught:
        read(tmp_path, group=r"(p\d+)_")
    assert [p.file for p in caught.value.problems] == ["ill/scan.jpg", "well/x_1.jpg"]
    with pytest.raises(DataError, match="CLASS/GROUP/"):
        read(tmp_path, group="parent")


def test_a_group_larger_than_the_share_is_told(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/v{video}/{frame}.jpg" for name in ("a", "b")
                      for video in range(3) for frame in range(6)))  # fmt: skip
    layout = read(tmp_path, group="parent", test="none")
    assert groups_in(layout)["validation"].isdisjoint(groups_in(layout)["train"])
    (note,) = [note for note in layout.notes if note.startswith("groups stay whole")]
    assert "validation has 33.3% of the images instead of 10.0%" in note
    assert "has 33.3%" in note


def test_one_group_cannot_be_divided(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}/p1/{frame}.jpg" for name in ("a", "b") for frame in range(6)))
    with pytest.raises(DataError, match="no image. Expected at least one; groups stay"):
        read(tmp_path, group="parent", test="none")


def test_labels_and_groups_in_names(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{name}-p{patient}-{eye}.jpg" for name in ("ill", "well")
                      for patient in range(10) for eye in range(2)))  # fmt: skip
    layout = read(
        tmp_path, labels_from="filename", label_pattern="^([a-z]+)", group=r"-(p\d+)-", test="none"
    )
    held = groups_in(layout)
    assert held["train"] | held["validation"] == {f"p{patient}" for patient in range(10)}
    assert len(held["validation"]) == 1
