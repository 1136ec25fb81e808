"""What `zoo new` finds in folders drawn here, and what it chooses for them."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.new.conftest import Draw, call, write_recipe
from zoo import recipe as recipes
from zoo.datasets.folders.layout import class_names
from zoo.errors import DataError
from zoo.new import new
from zoo.recipe.source import Folder


def test_small_grey_images_stay_as_they_are(draw: Draw, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = draw(f"signs/{name}", 30, (28, 28), grey=True)
    result, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.image_shape == (28, 28, 1)
    assert result.findings.images == {"train": 49, "validation": 5, "test": 6}
    assert [step.word for step in loaded.data.augment] == ["random_crop"]
    assert "No random_flip: small grey images" in text
    assert loaded.data.crop_to_aspect_ratio is False
    assert loaded.name == "signs"


def test_grey_pixels_in_colour_files_are_grey(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / "scans" / name).mkdir(parents=True)
        for number in range(4):
            image = Image.new("RGB", (40, 50), (number, number, number))
            image.save(tmp_path / "scans" / name / f"{number}.png")
    result, loaded, _ = write_recipe(tmp_path / "scans", tmp_path / "out.yaml")
    assert loaded.data.color_mode == "grayscale"
    assert result.findings.modes == {"RGB": 8}
    (tmp_path / "scans" / "a" / "red.png").write_bytes(_png((200, 0, 0)))
    assert not new(str(tmp_path / "scans"), tmp_path / "red.yaml").choices.grey


def _png(colour: tuple[int, int, int]) -> bytes:
    import io

    stream = io.BytesIO()
    Image.new("RGB", (40, 50), colour).save(stream, "PNG")
    return stream.getvalue()


def test_mixed_sizes_are_cropped_to_a_square_below_the_median(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        draw(f"pets/{name}", 5, (120, 90))
        folder = draw(f"pets/{name}", 5, (60, 160))
    result, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.data.crop_to_aspect_ratio is True
    assert loaded.image_shape == (64, 64, 3)
    assert "60 x 160 to 120 x 90" in text
    assert [step.word for step in loaded.data.augment] == ["random_flip", "random_crop"]
    assert result.findings.as_json()["sizes"]["median"] == [90, 125]


def test_large_images_of_one_shape_keep_it(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 3, (100, 200))
    _, loaded, _ = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.image_size == (48, 88)
    assert loaded.data.crop_to_aspect_ratio is False


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (64, 4), (16, 17)])
def test_tiny_images(draw: Draw, tmp_path: Path, size: tuple[int, int]) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 10, size)
    _, loaded, _ = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.image_size == size


def test_uneven_classes_are_said(draw: Draw, tmp_path: Path) -> None:
    draw("pets/cat", 40)
    folder = draw("pets/dog", 4)
    result, _, text = write_recipe(folder, tmp_path / "out.yaml")
    assert result.findings.imbalance is not None
    assert result.findings.imbalance > 3
    assert "uneven classes" in text


def test_copies_across_splits_and_classes_are_said(draw: Draw, tmp_path: Path) -> None:
    for split in ("train", "validation", "test"):
        for name in ("cat", "dog"):
            folder = draw(f"pets/{split}/{name}", 6)
    content = (folder / "train" / "cat" / "0.png").read_bytes()
    (folder / "test" / "cat" / "copy.png").write_bytes(content)
    (folder / "train" / "dog" / "copy.png").write_bytes(content)
    red, blue = (Image.new("RGB", (40, 30), colour) for colour in ("red", "blue"))
    red.save(folder / "train" / "cat" / "moves.gif", save_all=True, append_images=[blue])
    result, _, _ = write_recipe(folder, tmp_path / "out.yaml")
    notes = "\n".join(result.findings.notes)
    assert "moves.gif has 2 frames or pages; the first is used" in notes
    assert "1 of test byte for byte in train too, such as test/cat/copy.png" in notes
    assert "1 image in more than one class" in notes


def test_bad_files_are_listed_and_the_default_stays(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 6)
    (folder / "cat" / "broken.png").write_bytes(b"no picture")
    (folder / "cat" / "notes.txt").write_text("x", encoding="utf-8")
    result, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    assert [path for path, _ in result.findings.bad] == ["cat/broken.png"]
    assert loaded.data.on_bad_image == "error"
    assert "  # on_bad_image: skip\n" in text
    assert "ignored 1 file that no image reader is for: cat/notes.txt" in text
    uncommented = tmp_path / "skip.yaml"
    uncommented.write_text(text.replace("# on_bad_image", "on_bad_image"), encoding="utf-8")
    assert recipes.load(str(uncommented)).data.on_bad_image == "skip"
    summary = call(folder, "-o", tmp_path / "again.yaml").stdout
    assert "bad       cat/broken.png: not an image" in summary
    assert "first     repair or remove" in summary


def test_only_bad_files(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(8):
            (tmp_path / "pets" / name / f"{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match="none of"):
        new(str(tmp_path / "pets"), tmp_path / "out.yaml")
    assert not (tmp_path / "out.yaml").exists()


@pytest.mark.parametrize(
    "folder", ["my pets", "Äpfel & Birnen: #1", "猫", "1e5", "none", "true", '{"x"}', "a\nb: c"]
)
def test_odd_names(draw: Draw, tmp_path: Path, folder: str) -> None:
    for name in ("ein 'Hund'", "Ötzi #2: epochs"):
        root = draw(f"{folder}/{name}", 3)
    _, loaded, _ = write_recipe(root, tmp_path / "out.yaml")
    assert loaded.data.source.options.path == str(root)


def test_left_and_right_are_not_mirrored(draw: Draw, tmp_path: Path) -> None:
    for name in ("turn_left", "turn_right"):
        folder = draw(f"signs/{name}", 3)
    _, _, text = write_recipe(folder, tmp_path / "out.yaml")
    assert "No random_flip: class names speak of left or right." in text


def test_labels_in_names_of_files_are_proposed(draw: Draw, tmp_path: Path) -> None:
    """The unzipped archive of a contest: labels in the names of train, none in those of test1."""
    folder = draw("pets/train/train", 12)
    for number, file in enumerate(sorted((folder / "train/train").iterdir())):
        file.rename(file.with_name(f"{('cat', 'dog')[number % 2]}.{number}.png"))
    draw("pets/test1/test1", 3)
    with pytest.raises(DataError, match=r"begin with cat, dog.*labels_from: filename"):
        class_names(Folder(path=str(folder), test=None))
    result, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    options = loaded.data.source.options
    assert (options.labels_from, options.test) == ("filename", None)
    assert result.findings.class_names == ("cat", "dog")
    assert result.findings.images == {"train": 11, "validation": 1}
    assert "labels are read from the names (labels_from: filename)" in result.findings.notes[0]
    assert "test1/ carry no labels: left out (test: none)" in result.findings.notes[1]
    assert "test: none, labels_from: filename}}" in text


def test_a_test_folder_without_labels_is_left_out(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        draw(f"pets/train/{name}", 6)
    folder = draw("pets/Test", 3)
    _, loaded, _ = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.data.source.options.test is None


def test_what_is_unclear_is_decided_by_set(draw: Draw, tmp_path: Path) -> None:
    for split in ("train", "test", "eval"):
        for name in ("cat", "dog"):
            folder = draw(f"pets/{split}/{name}", 3)
    assert call(folder, "-o", tmp_path / "out.yaml").exit_code == 3
    key = "data.source.folder"
    set_ = ("--set", f"{key}.test=test", "--set", f"{key}.validation=eval")
    assert call(folder, "-o", tmp_path / "out.yaml", *set_).exit_code == 0
    options = recipes.load(str(tmp_path / "out.yaml")).data.source.options
    assert (options.validation, options.test) == ("eval", "test")
    for wrong, code in ((f"{key}.path=x", 2), ("seed=1", 2), (f"{key}.test=../x", 2)):
        assert call(folder, "-o", tmp_path / "no.yaml", "--set", wrong).exit_code == code
    assert call("digits", "-o", tmp_path / "no.yaml", "--set", f"{key}.test=none").exit_code == 2
    odd = call(folder, "-o", tmp_path / "odd.yaml", *set_, "--set", f"{key}.follow_links=true")
    assert odd.exit_code == 0
    assert recipes.load(str(tmp_path / "odd.yaml")).data.source.options.follow_links is True
