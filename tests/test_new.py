"""`zoo new`: what it finds in folders drawn here, and recipes that load, plan and train."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from tests.runs import zoo
from zoo import recipe as recipes
from zoo.cli import app
from zoo.errors import DataError, UsageError
from zoo.new import NewRecipe, new
from zoo.new.choose import _batch_size, _convs
from zoo.new.recipe_name import recipe_name
from zoo.plan import num_classes, plan
from zoo.recipe import Recipe

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Draws `count` images: `draw("pets/cat", 3, (8, 6))` writes 0.png to 2.png."""
    generator = np.random.default_rng(0)

    def make(
        folder: str, count: int, size: tuple[int, int] = (8, 6), *, grey: bool = False
    ) -> Path:
        path = tmp_path / folder
        path.mkdir(parents=True, exist_ok=True)
        first = len(list(path.iterdir()))
        for number in range(first, first + count):
            shape = size if grey else (*size, 3)
            pixels = generator.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(path / f"{number}.png")
        return tmp_path / folder.split("/")[0]

    return make


def made(folder: Path | str, out: Path) -> tuple[NewRecipe, Recipe, str]:
    """Runs it; the recipe, loaded from the file, has a stack that fits."""
    result = new(str(folder), out)
    loaded = recipes.load(str(out))
    text = out.read_text(encoding="utf-8")
    # A path is as long as it is; all that we write fits a screen.
    ours = [line for line in text.splitlines() if "source:" not in line and "/" not in line]
    assert max(map(len, ours)) <= 100
    assert plan(loaded, num_classes(loaded)).parameters == result.parameters
    return result, loaded, text


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["new", *(str(argument) for argument in arguments)])


# What is found and chosen.


def test_small_grey_images_stay_as_they_are(draw: Draw, tmp_path: Path) -> None:
    for name in ("one", "two"):
        folder = draw(f"signs/{name}", 30, (28, 28), grey=True)
    result, loaded, text = made(folder, tmp_path / "out.yaml")
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
    result, loaded, _ = made(tmp_path / "scans", tmp_path / "out.yaml")
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
    result, loaded, text = made(folder, tmp_path / "out.yaml")
    assert loaded.data.crop_to_aspect_ratio is True
    assert loaded.image_shape == (64, 64, 3)
    assert "60 x 160 to 120 x 90" in text
    assert [step.word for step in loaded.data.augment] == ["random_flip", "random_crop"]
    assert result.findings.as_json()["sizes"]["median"] == [90, 125]


def test_large_images_of_one_shape_keep_it(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 3, (100, 200))
    _, loaded, _ = made(folder, tmp_path / "out.yaml")
    assert loaded.image_size == (48, 88)
    assert loaded.data.crop_to_aspect_ratio is False


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (8, 8), (64, 4), (16, 17)])
def test_tiny_images(draw: Draw, tmp_path: Path, size: tuple[int, int]) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 10, size)
    _, loaded, _ = made(folder, tmp_path / "out.yaml")
    assert loaded.image_size == size


def test_uneven_classes_are_said(draw: Draw, tmp_path: Path) -> None:
    draw("pets/cat", 40)
    folder = draw("pets/dog", 4)
    result, _, text = made(folder, tmp_path / "out.yaml")
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
    result, _, _ = made(folder, tmp_path / "out.yaml")
    notes = "\n".join(result.findings.notes)
    assert "1 of test byte for byte in train too, such as test/cat/copy.png" in notes
    assert "1 images in more than one class" in notes


def test_bad_files_are_listed_and_the_default_stays(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 6)
    (folder / "cat" / "broken.png").write_bytes(b"no picture")
    (folder / "cat" / "notes.txt").write_text("x", encoding="utf-8")
    result, loaded, text = made(folder, tmp_path / "out.yaml")
    assert [path for path, _ in result.findings.bad] == ["cat/broken.png"]
    assert loaded.data.on_bad_image == "error"
    assert "  # on_bad_image: skip\n" in text
    assert "ignored 1 file that no image reader is for: cat/notes.txt" in text
    uncommented = tmp_path / "skip.yaml"
    uncommented.write_text(text.replace("# on_bad_image", "on_bad_image"), encoding="utf-8")
    assert recipes.load(str(uncommented)).data.on_bad_image == "skip"
    said = call(folder, "-o", tmp_path / "again.yaml").stdout
    assert "bad       cat/broken.png: not an image" in said
    assert "first     repair or remove" in said


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
    for name in ("ein 'Hund'", "Ötzi #2\nepochs: 0"):
        root = draw(f"{folder}/{name}", 3)
    _, loaded, _ = made(root, tmp_path / "out.yaml")
    assert loaded.data.source.options.path == str(root)


def test_digits(tmp_path: Path) -> None:
    result, loaded, _ = made("digits", tmp_path / "out.yaml")
    assert loaded.image_shape == (8, 8, 1)
    assert result.findings.images == {"train": 1257, "validation": 180, "test": 360}
    assert [step.word for step in loaded.model.stack] == ["conv", "conv", "flatten", "dropout"]


def test_left_and_right_are_not_mirrored(draw: Draw, tmp_path: Path) -> None:
    for name in ("turn_left", "turn_right"):
        folder = draw(f"signs/{name}", 3)
    _, _, text = made(folder, tmp_path / "out.yaml")
    assert "No random_flip: class names speak of left or right." in text


@pytest.mark.slow
@pytest.mark.parametrize("prepared", [False, True])
def test_tfds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prepared: bool) -> None:
    """A builder is described without a download, and better where it is prepared."""
    pytest.importorskip("tensorflow_datasets")
    from zoo.data import tfds_builder
    from zoo.recipe.source import Tfds

    find = tfds_builder.find
    here = Tfds(name="digits", data_dir=str(tmp_path))
    monkeypatch.setattr(tfds_builder, "find", lambda options: find(here))
    if prepared:
        tfds_builder.prepare(find(here), here)
    result, loaded, _ = made("tfds:digits", tmp_path / "out.yaml")
    assert loaded.image_shape == (8, 8, 1)
    assert num_classes(loaded) == 10
    assert bool(result.findings.images) == prepared
    assert (result.findings.imbalance is not None) == prepared
    assert any("zoo train will download it" in note for note in result.findings.notes) != prepared


@pytest.mark.parametrize("count", range(2, 400, 7))
def test_no_last_batch_of_one_image(count: int) -> None:
    size = _batch_size({count, count + 1})
    assert {count % size, (count + 1) % size}.isdisjoint({1})


@pytest.mark.parametrize("side", range(1, 97))
def test_the_last_map_is_four_to_seven(side: int) -> None:
    last = side
    for conv in _convs(side):
        last //= 2 if conv.pool else 1
    assert 4 <= last <= 7 or last == side < 4


@pytest.mark.parametrize(
    "text, wanted",
    [("pets", "pets"), ("my pets", "my-pets"), ("Äpfel", "Apfel"), ("猫", "images"),
     ("_x_", "x"), ("a" * 99, "a" * 64), ("", "images"), ("..", "images")],
)  # fmt: skip
def test_recipe_name(text: str, wanted: str) -> None:
    assert recipe_name(text) == wanted


# The command.


@pytest.fixture
def pets(draw: Draw) -> Path:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 6)
    return folder


def test_summary(pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "my recipe.yaml"
    result = call(pets, "-o", out)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    first, *_, last = result.stdout.splitlines()
    assert first == "images    12 in 2 classes: 10 train, 1 validation, 1 test"
    assert last == f"next      zoo train '{out}'"


def test_json(pets: Path, tmp_path: Path) -> None:
    result = call(pets, "-o", tmp_path / "out.yaml", "--json")
    document = json.loads(result.stdout)
    assert document.keys() == {"recipe", "findings", "chosen"}
    assert document["recipe"] == str(tmp_path / "out.yaml")
    assert document["findings"].keys() == {
        "source", "classes", "images", "per_class", "imbalance", "sizes", "modes", "grey", "bad",
        "notes",
    }  # fmt: skip
    assert document["findings"]["classes"] == ["cat", "dog"]


def test_default_file(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("pets").stdout.splitlines()[-1] == "next      zoo train pets.yaml"
    assert (tmp_path / "pets.yaml").is_file()


def test_never_overwrites(pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    out.write_text("mine", encoding="utf-8")
    result = call(pets, "-o", out)
    assert result.exit_code == 2
    assert f"{out}: exists already" in result.stderr
    assert out.read_text(encoding="utf-8") == "mine"
    assert call(pets, "-o", out, "--force").exit_code == 0
    assert recipes.load(str(out)).name == "pets"


@pytest.mark.parametrize("out", ["", "nothere/out.yaml"])
def test_no_place_for_the_file(pets: Path, tmp_path: Path, out: str) -> None:
    with pytest.raises(UsageError, match="folder"):
        new(str(pets), tmp_path / out)


def test_data_errors_are_3(tmp_path: Path) -> None:
    result = call(tmp_path / "nothere", "-o", tmp_path / "out.yaml")
    assert result.exit_code == 3
    assert "does not exist" in result.stderr


def test_a_folder_needs_no_framework(pets: Path, tmp_path: Path) -> None:
    probe = (
        "import sys; from zoo.new import new; new(sys.argv[1], __import__('pathlib')"
        ".Path(sys.argv[2])); print(*sys.modules)"
    )
    arguments = [sys.executable, "-c", probe, pets, tmp_path / "out.yaml"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded.isdisjoint({"keras", "tensorflow", "tensorflow_datasets", "sklearn"})
    assert "PIL" in loaded


@pytest.mark.slow
def test_the_recipe_trains_above_chance(tmp_path: Path) -> None:
    """Four colours, of which half the pixels are noise."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("red", "green", "blue", "dark")):
        (tmp_path / "colours" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 128, (16, 16, 3), dtype=np.uint8)
            if label < 3:
                pixels[..., label] += 64
            Image.fromarray(pixels).save(tmp_path / "colours" / name / f"{number}.png")
    assert call(tmp_path / "colours", "-o", tmp_path / "out.yaml").exit_code == 0
    done = zoo("train", "out.yaml", "--json", "-q", "--no-export", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] > 0.6
