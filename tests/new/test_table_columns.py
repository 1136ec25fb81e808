"""Which columns of a table hold labels, splits and groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from zoo.new.table_columns import find_columns

SPECIES = ["cat", "dog", "eel"] * 4
ONE_HOT = {"mel": ["1", "0", "0"] * 4, "nv": ["0.0", "1.0", "1.0"] * 4}


@pytest.mark.parametrize(
    "values, options",
    [
        ({"width": ["8", "9"] * 6, "breedName": SPECIES}, {"label": "breedName"}),
        ({"label": ["0", "1", "2"] * 4, "kind": SPECIES}, {"label": "kind"}),
        ({"label": ["0", "1", "2"] * 4, "kind": ["a", "b"] * 6}, {"label": "label"}),
        ({"what": SPECIES, "n": list(map(str, range(12)))}, {"label": "what"}),
        (ONE_HOT, {"label": ["mel", "nv"], "multi_label": False}),
        ({**ONE_HOT, "bkl": ["0", "1", "0"] * 4}, {"label": ["mel", "nv", "bkl"]}),
        ({"tags": ["a|b", "a", "b", "b|c|a", "c"] * 3}, {"label": "tags", "label_separator": "|"}),
        ({"tags": ["a b", "a", "b", "b c", "c"] * 3}, {"label": "tags", "label_separator": " "}),
        (
            {"y": SPECIES, "subset": ["Training", "val", "test"] * 4},
            {"label": "y", "split": "subset"},
        ),
        (
            {"y": SPECIES, "patient_id": ["p1", "p2"] * 6},
            {"label": "y", "group": "patient_id"},
        ),
        (
            {"y": SPECIES, "patient": ["1", "2"] * 6, "split": ["train"] * 6 + ["test"] * 6},
            {"label": "y", "split": "split"},
        ),
        ({"price": [f"{n * 0.37:.2f}" for n in range(12)]}, None),
        ({"label": SPECIES[:-1] + [""]}, None),
        ({"width": ["8", "9"] * 6, "height": ["8", "9"] * 6}, None),
    ],
)
def test_columns(values: dict[str, Sequence[str]], options: dict[str, Any] | None) -> None:
    found = find_columns(values)
    assert (found and found.options) == options


def test_what_is_said() -> None:
    found = find_columns({"a": SPECIES, "b": ["x", "y"] * 6})
    assert found is not None
    assert found.reasons == ["b is taken for the column of labels; others are a"]
    split = ["train"] * 6 + ["test"] * 6
    found = find_columns({"y": SPECIES, "patient": ["1", "2"] * 6, "split": split})
    assert found is not None
    assert found.reasons[0].startswith("2 of 2 values of patient have images in several splits")
