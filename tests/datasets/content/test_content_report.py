"""What decoding loses stops a recipe, or is noted, with the count and the key that keeps it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.datasets import shapes
from tests.datasets.conftest import make_recipe, whole
from tests.pictures import encoded
from zoo.datasets.content.content_report import frames_notes
from zoo.datasets.load import load
from zoo.datasets.splits import Splits
from zoo.errors import DataError

Make = Callable[[int, int], bytes]
TRANSPARENT = (
    shapes.black_in_alpha,
    shapes.white_in_alpha,
    shapes.clear_in_palette,
    shapes.clear_in_gif,
)


def loaded(folder: Path, make: Make, **data: Any) -> Splits:
    if not folder.exists():
        shapes.write_set(folder, make)
    side = shapes.SIDE
    return load(make_recipe({"folder": str(folder)}, **{"image_size": [side, side], **data}))


def refused(folder: Path, make: Make, **data: Any) -> str:
    with pytest.raises(DataError) as caught:
        loaded(folder, make, **data)
    assert caught.value.problems
    return caught.value.message


def notes(folder: Path, make: Make, **data: Any) -> str:
    return "\n".join(loaded(folder, make, **data).notes)


@pytest.mark.parametrize("make", TRANSPARENT)
def test_shapes_in_alpha_alone_stop(make: Make, tmp_path: Path) -> None:
    message = refused(tmp_path / "set", make)
    assert message.startswith("20 of 20 images lose what they show when they are decoded")
    assert "Set data.transparency to {background: white}" in message
    splits = loaded(tmp_path / "set", make, transparency="alpha")
    assert whole(splits.train).std() > 50
    assert "lose what they show" in notes(tmp_path / "set", make, transparency="drop")


def test_a_background_of_their_own_colour_stops(tmp_path: Path) -> None:
    white = {"background": "white"}
    assert "data.transparency.background" in refused(
        tmp_path / "white", shapes.white_in_alpha, transparency=white
    )
    assert (
        whole(loaded(tmp_path / "black", shapes.black_in_alpha, transparency=white).train).std()
        > 50
    )


def test_alpha_of_opaque_images_stops(tmp_path: Path) -> None:
    message = refused(tmp_path / "set", shapes.plain, transparency="alpha")
    assert "shows their opacity alone" in message


@pytest.mark.parametrize(
    "make, kept, advised, high",
    [
        (shapes.low_16_bits, "1 of ", "[0, 249], or to auto", 250),
        (shapes.low_16_bit_colours, "1 of ", "[0, 198], or to auto", 250),
        (shapes.x_ray, "16 of ", "[2, 3994], or to auto", 4000),
        (shapes.outlier, "17 of ", "[4, 3994] (99 % of each image's values); ", 4000),
    ],
)
def test_low_values_of_16_bits_stop(
    make: Make, kept: str, advised: str, high: int, tmp_path: Path
) -> None:
    message = refused(tmp_path / "set", make)
    assert kept in message
    assert f"Set data.value_range to {advised}" in message
    assert "[0, 65535] says that it is meant" in message
    assert not notes(tmp_path / "set", make, value_range=[0, high])
    assert "lose what they show" in notes(tmp_path / "set", make, value_range=[0, 65535])


def test_auto_is_the_range_of_the_training_images(tmp_path: Path) -> None:
    splits = loaded(tmp_path / "set", shapes.x_ray, value_range="auto")
    assert splits.value_range is not None
    pixels = whole(splits.train)
    assert pixels.min() == 0
    assert pixels.max() == 255
    low, high = splits.value_range
    written = loaded(tmp_path / "set", shapes.x_ray, value_range=[low, high])
    assert (whole(written.train) == pixels).all()
    assert written.value_range == (low, high)


def test_auto_that_an_outlier_stretches_stops(tmp_path: Path) -> None:
    message = refused(tmp_path / "set", shapes.outlier, value_range="auto")
    assert "values range from 2 to 65,535. Set it to [4, 3994]" in message


@pytest.mark.parametrize("make", [shapes.unit_floats, shapes.hounsfield])
def test_values_without_a_known_range(make: Make, tmp_path: Path) -> None:
    message = refused(tmp_path / "set", make)
    assert message.startswith("20 of 20 images cannot be used; set data.value_range")
    assert whole(loaded(tmp_path / "set", make, value_range="auto").train).std() > 40


def test_a_written_range_that_holds_no_value_stops(tmp_path: Path) -> None:
    assert "data.value_range is [60000, 65535]" in refused(
        tmp_path / "set", shapes.x_ray, value_range=[60000, 65535]
    )


def test_a_range_for_images_of_8_bits_is_noted(tmp_path: Path) -> None:
    assert "data.value_range changes nothing" in notes(
        tmp_path / "set", shapes.plain, value_range="auto"
    )


def test_half_of_a_class_stops_and_less_is_noted(tmp_path: Path) -> None:
    folder = shapes.write_set(tmp_path / "set", shapes.plain)
    for number in range(3):
        (folder / "disc" / f"{number}.png").write_bytes(shapes.low_16_bits(0, number))
    assert "3 of 20 images lose what they show when decoded, such as disc/" in notes(
        folder, shapes.plain
    )
    for number in range(10):
        (folder / "disc" / f"{number}.png").write_bytes(shapes.black_in_alpha(0, number))
    message = refused(folder, shapes.plain)
    assert "8 of 8 training images of 'disc' lose what they show" in message


def test_colours_that_grey_cannot_tell(tmp_path: Path) -> None:
    grey = {"color_mode": "grayscale"}
    assert "Set data.color_mode: rgb" in refused(tmp_path / "luma", shapes.equal_grey, **grey)
    noted = notes(tmp_path / "hue", shapes.told_by_colour, **grey)
    assert "20 of 20 images are in colour, and colour tells the classes apart" in noted
    assert not notes(tmp_path / "hue", shapes.told_by_colour)


def test_images_of_one_colour_are_noted_and_kept(tmp_path: Path) -> None:
    folder = shapes.write_set(tmp_path / "set", shapes.plain)
    for number in range(10):
        content = encoded(Image.new("L", (16, 16), number), "PNG")
        (folder / "disc" / f"{number}.png").write_bytes(content)
    assert "10 images are of one colour, such as disc/" in notes(folder, shapes.plain)


def test_plain_images_are_not_noted(tmp_path: Path) -> None:
    assert not notes(tmp_path / "set", shapes.plain)


def test_bands_that_are_left_out_are_noted(tmp_path: Path) -> None:
    note = notes(tmp_path / "set", shapes.with_near_infrared)
    assert note.startswith("20 of 20 images have bands beside their colours (near infrared, say)")
    assert "such as disc/" in note
    assert "bands" not in notes(tmp_path / "plain", shapes.plain)


def test_files_of_several_frames_are_one_note() -> None:
    assert frames_notes([]) == []
    assert frames_notes([("a.gif", 2)]) == ["a.gif has 2 frames or pages; the first is used"]
    (note,) = frames_notes([(f"{number}.tif", 3) for number in range(10_000)])
    assert note.startswith("10,000 files have several frames or pages")
    assert note.endswith("0.tif (3), 1.tif (3), 2.tif (3) and 9,997 more")
