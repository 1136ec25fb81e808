"""The verb `zoo new`: its file, its summary, its exit codes, and a recipe that trains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.disks import failing_from, file_size_limit
from tests.new.conftest import call
from zoo import recipe as recipes
from zoo.errors import UsageError
from zoo.new import new


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
    assert document.keys() == {"recipe", "schema", "findings", "chosen"}
    assert document["recipe"] == str(tmp_path / "out.yaml")
    assert document["findings"].keys() == {
        "source", "classes", "images", "per_class", "imbalance", "sizes", "modes", "grey", "bad",
        "notes", "pixels", "multi_label",
    }  # fmt: skip
    assert document["findings"]["classes"] == ["cat", "dog"]


def test_default_file(pets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("pets").stdout.splitlines()[-1] == "next      zoo train pets.yaml"
    assert (tmp_path / "pets.yaml").is_file()


def test_the_name_of_a_known_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of that name is taken all the same."""
    monkeypatch.chdir(tmp_path)
    result = call("imagenette")
    assert result.exit_code == 3
    assert "zoo new tfds:imagenette/160px-v2; a recipe may also name it, by `data: imagenette`" in (
        result.stderr
    )
    (tmp_path / "imagenette").mkdir()
    assert "tfds:" not in call("imagenette").stderr


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
    """Four colours under noise."""
    from zoo.training import train

    generator = np.random.default_rng(0)
    for label, name in enumerate(("red", "green", "blue", "dark")):
        (tmp_path / "colours" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(0, 128, (16, 16, 3), dtype=np.uint8)
            if label < 3:
                pixels[..., label] += 64
            Image.fromarray(pixels).save(tmp_path / "colours" / name / f"{number}.png")
    assert call(tmp_path / "colours", "-o", tmp_path / "out.yaml").exit_code == 0
    shorter = ["train.epochs=20", "train.schedule.one_cycle.warmup_epochs=3"]  # Not 100 and 15.
    run = train(recipes.load(str(tmp_path / "out.yaml"), shorter), tmp_path / "runs")
    assert max(row["val_accuracy"] for row in run.rows()) > 0.6


def test_a_full_disk_leaves_no_half_recipe(pets: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.yaml"
    with failing_from(2):  # The first one is a draft, which is loaded for a test.
        result = call(pets, "-o", out)
    assert result.exit_code == 4
    assert "out.yaml: cannot be written: no space is left on the disk" in result.stderr
    assert not list(tmp_path.glob("*out*"))
    out.write_text("mine", encoding="utf-8")
    with file_size_limit(100):
        result = call(pets, "-o", out, "--force")
    assert result.exit_code == 4
    assert "needed, the limit is 100 bytes" in result.stderr
    assert out.read_text(encoding="utf-8") == "mine"
