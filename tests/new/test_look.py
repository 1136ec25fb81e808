"""`zoo new` proposes the words on transparency and depth that keep what images show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets import shapes
from zoo import recipe as recipes
from zoo.datasets.load import load
from zoo.new import new

Make = Callable[[int, int], bytes]


@pytest.mark.parametrize(
    "make, transparency, value_range",
    [
        (shapes.plain, None, None),
        (shapes.black_in_alpha, "{background: white}", None),
        (shapes.white_in_alpha, "{background: black}", None),
        (shapes.black_or_white_in_alpha, "alpha", None),
        (shapes.clear_in_gif, "{background: white}", None),
        (shapes.low_16_bits, None, (0, 249)),
        (shapes.low_16_bit_colours, None, (0, 198)),
        (shapes.x_ray, None, (2, 3994)),
        (shapes.outlier, None, (4, 3994)),
        (shapes.hounsfield, None, (-999, 2496)),
    ],
)
def test_proposals(
    make: Make,
    transparency: str | None,
    value_range: tuple[float, float] | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is proposed keeps the content: the recipe loads its data without a loss."""
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    folder = shapes.write_set(tmp_path / "set", make)
    written = new(str(folder), tmp_path / "set.yaml")
    assert written.choices.transparency == transparency
    assert written.choices.value_range == value_range
    assert written.choices.grey == (make is not shapes.low_16_bit_colours)
    splits = load(recipes.load(str(written.file)))
    assert not [note for note in splits.notes if "lose" in note or "levels" in note]


def test_the_findings_say_how_many(tmp_path: Path) -> None:
    folder = shapes.write_set(tmp_path / "set", shapes.plain)
    for number in range(4):
        (folder / "disc" / f"{number}.png").write_bytes(shapes.black_in_alpha(0, number))
        (folder / "square" / f"{number}.png").write_bytes(shapes.x_ray(1, number))
        (folder / "square" / f"{number + 4}.png").write_bytes(shapes.with_near_infrared(1, number))
    findings = new(str(folder), tmp_path / "set.yaml").findings
    assert findings.pixels.left_out == 4
    assert any(note.startswith("4 of 20 images have bands beside") for note in findings.all_notes())
    assert "4 of 20 images have transparent parts" in findings.all_notes()
    assert any(
        note.startswith("4 of 20 images have more than 8 bits a channel, with values from ")
        and "; the high byte keeps 16 of " in note
        for note in findings.all_notes()
    )
    assert findings.as_json()["pixels"]["transparent"] == 4
