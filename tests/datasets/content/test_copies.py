"""Notes on splits that make measured accuracy say little."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.datasets.content.copies import (
    _NUMBER,
    may_be_altered,
    notes_on_copies,
    notes_on_series,
    notes_on_sizes,
    split_series,
)
from zoo.datasets.file_list import Paths


@pytest.mark.parametrize(
    "file, other",
    [
        ("cat/0003_flip.jpg", "cat/0003.jpg"),
        ("cat/0003.jpg", "cat/0003-rot90.png"),
        ("cat/3 (1) - Copy.jpg", "cat/3 (1).jpg"),
        ("cat/a_augmented_12.jpg", "cat/a.jpg"),
        ("cat/a_jpg.rf.0123456789abcdef.jpg", "cat/a_jpg.rf.fedcba9876543210.jpg"),
    ],
)
def test_altered_copies(file: str, other: str) -> None:
    (note,) = notes_on_copies("validation", [file, "cat/z.jpg"], ["cat/y.jpg", other])
    assert note.startswith("1 of 2 images of validation are, by their names")
    assert f"such as {file} and {other}" in note.replace("'", "")


def test_two_copies_of_an_image_in_a_third_place() -> None:
    """The original may lie in either split; both files are copies."""
    files, train = ["cat/a_flip.jpg", "cat/a.jpg"], ["cat/a_rot10.jpg"]
    assert "2 of 2 images of test" in notes_on_copies("test", files, train)[0]


@pytest.mark.parametrize(
    "file, other",
    [
        ("cat/0003_flip.jpg", "dog/0003.jpg"),  # Another class.
        ("cat/portrait_dark_1.jpg", "cat/portrait_dark_2.jpg"),  # No original.
        ("cat/flip.jpg", "cat/flip2.jpg"),
        ("cat/cropland_1.jpg", "cat/cropland_2.jpg"),
        ("cat/0003.jpg", "cat/0003.png"),
        ("cat/" + "_" * 200 + "x.jpg", "cat/" + "_flip_" * 40 + ".jpg"),
    ],
)
def test_no_copies(file: str, other: str) -> None:
    assert notes_on_copies("validation", [file], [other]) == []


@pytest.mark.parametrize("name, is_hinted", [("cat/a_FLIP.jpg", True), ("cat/0001.jpg", False)])
def test_names_without_a_hint_are_not_matched(name: str, is_hinted: bool) -> None:
    assert may_be_altered(Paths.of(["cat/1.jpg", name])) == is_hinted


def test_sizes() -> None:
    assert notes_on_sizes({"train": 20, "validation": 20, "test": 90}) == []
    (note,) = notes_on_sizes({"train": 1000, "validation": 2000})
    assert "2,000 images, more than the 1,000 of train: are the two folders swapped?" in note


@pytest.mark.parametrize(
    "name, is_series",
    [
        ("{patient:08}_{number:03}.png", True),  # ChestX-ray14.
        ("v_Archery_g{patient:02}_frame{number}.jpg", True),
        ("p{patient} ({number}).jpg", True),
        ("{patient}-{number}0.jpg", True),  # Every tenth frame.
        ("cat_{number}{patient:03}.jpg", False),  # One series a class.
        ("{number}{patient:03}.jpg", False),
        ("IMG_2019{patient:04}_{odd}.jpg", False),  # Times of the day.
        ("{odd}_{patient}e{number}.jpg", False),  # Names by hash.
    ],
)
def test_series(name: str, is_series: bool) -> None:
    draw = random.Random(0)
    paths = [
        f"{folder}/" + name.format(patient=patient, number=number, odd=draw.randrange(10**6))
        for folder in ("a", "b")
        for patient in range(20)
        for number in range(5)
    ]
    draw.shuffle(paths)
    notes = notes_on_series("validation", paths[:40], paths[40:], 2)
    assert len(notes) == is_series
    if is_series:
        assert "of 40 images of validation continue" in notes[0]
        assert "(40 series)" in notes[0]


def test_breeds_are_no_series() -> None:
    """A few kinds of many images each, and series that are not divided."""
    paths = [f"{folder}/breed{kind}_{number}.jpg" for folder in ("cat", "dog")
             for kind in range(12) for number in range(200)]  # fmt: skip
    assert notes_on_series("validation", paths[::10], paths[1::10], 2) == []
    whole = [f"a/p{patient}_{number}.jpg" for patient in range(40) for number in range(5)]
    assert notes_on_series("validation", whole[:50], whole[50:], 2) == []


@given(
    st.lists(
        st.sampled_from(
            [
                "a",
                "b1",
                "frame",
                "Frame",
                "img",
                "view",
                "_",
                "-",
                " ",
                ".",
                "(",
                ")",
                "1",
                "22",
                "é",
            ]
        ),
        max_size=8,
    ).map("".join)
)
def test_series_are_split_as_the_pattern_says(name: str) -> None:
    """What reads millions of names is quicker than the regular expression, and says the same."""
    match = _NUMBER.search(name)
    expected = (name[: match.start()], int(match[1])) if match and match.start() else None
    assert split_series(name) == expected
