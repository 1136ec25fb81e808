"""`zoo new` on folders with a table beside the images."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.new.conftest import Draw, call, write_recipe
from zoo import recipe as recipes


def write(file: Path, header: str, ending: str = ".png", count: int = 12) -> Path:
    rows = [f"{n}{ending},{('cat', 'dog')[n % 2]},p{n // 2}" for n in range(count)]
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


@pytest.mark.parametrize(
    "images, table, ending, options",
    [
        ("pets/train", "pets/labels.csv", "", {"root": "train", "image_suffix": ".png"}),
        ("pets/images", "pets/labels.csv", ".png", {"root": "images"}),
        ("pets/a/images", "pets/labels.csv", ".png", {"root": "a/images"}),
        ("pets/images", "pets/meta/train.csv", ".png", {"root": "../images"}),
        ("pets", "pets/labels.csv", ".png", {}),
    ],
)
def test_a_table_beside_images(
    draw: Draw, tmp_path: Path, images: str, table: str, ending: str, options: dict[str, str]
) -> None:
    folder = draw(images, 12)
    file = tmp_path / table
    file.parent.mkdir(exist_ok=True)
    write(file, "id,species,patient", ending)
    (folder / "sample_submission.csv").write_text("id,species\n0,cat\n", encoding="utf-8")
    result, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    given = loaded.data.source.options
    assert (given.file, given.image, given.label) == (str(file), "id", "species")
    assert given.group == "patient"
    assert {key: getattr(given, key) for key in options} == options
    assert result.findings.class_names == ("cat", "dog")
    assert sum(result.findings.images.values()) == 12
    assert f"{file.name} names the images (id) and their labels" in text


def test_class_folders_come_first(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 6)
    lines = [f"{name}/{n}.png,{name}" for name in ("cat", "dog") for n in range(6)]
    file = folder / "labels.csv"
    file.write_text("\n".join(["path,label", *lines]), encoding="utf-8")
    result, loaded, _ = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.data.source.word == "folder"
    assert "labels.csv names images and labels, too" in result.findings.notes[0]
    result, loaded, _ = write_recipe(file, tmp_path / "table.yaml")
    assert loaded.data.source.word == "csv"
    assert loaded.name == "labels"


def test_columns_are_set(draw: Draw, tmp_path: Path) -> None:
    folder = draw("pets/images", 12)
    write(folder / "labels.csv", "id,species,patient")
    out = ("-o", tmp_path / "out.yaml")
    key = "data.source.csv"
    result = call(folder, *out, "--set", f"{key}.label=patient", "--set", f"{key}.group=none")
    assert result.exit_code == 0, result.output
    given = recipes.load(str(tmp_path / "out.yaml")).data.source.options
    assert (given.label, given.group, given.root) == ("patient", None, "images")
    wrong = call(folder, *out, "--force", "--set", f"{key}.label=breed")
    assert wrong.exit_code == 3
    assert "has no column breed" in wrong.stderr
    (folder / "labels.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    wrong = call(folder / "labels.csv", *out, "--force")
    assert wrong.exit_code == 3
    assert "no table in which one column names image files" in wrong.stderr


def test_images_that_are_missing_are_reported_as_that(draw: Draw, tmp_path: Path) -> None:
    """Their paths may begin elsewhere; with the right root they are found."""
    draw("far/away/from/it/images", 12)
    (tmp_path / "tables").mkdir()
    file = write(tmp_path / "tables" / "labels.csv", "path,species,patient")
    out = ("-o", tmp_path / "out.yaml")
    lost = call(file, *out)
    assert lost.exit_code == 3
    assert (
        f"{file}: column path names image files, such as 0.png, and of 12 that were looked for in "
    ) in lost.stderr
    assert "none is there. Expected them below the table's folder" in lost.stderr
    assert lost.stderr.rstrip().endswith("--set data.source.csv.root=FOLDER")
    root = "../far/away/from/it/images"
    found = call(file, *out, "--set", f"data.source.csv.root={root}")
    assert found.exit_code == 0, found.output
    options = recipes.load(str(tmp_path / "out.yaml")).data.source.options
    assert (options.image, options.label, options.root) == ("path", "species", root)
    wrong = call(file, *out, "--force", "--set", "data.source.csv.root=nowhere")
    assert wrong.exit_code == 3
    assert f"were looked for in {file.parent / 'nowhere'} none is there" in wrong.stderr


def test_a_rare_class_gets_a_larger_weight(draw: Draw, tmp_path: Path) -> None:
    draw("pets/cat", 30)
    folder = draw("pets/dog", 6)
    _, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.train.class_weight.word == "balanced"
    assert "the largest class has 4.8 times the smallest" in text


def test_lists_of_labels(draw: Draw, tmp_path: Path) -> None:
    folder = draw("pets", 20)
    rows = [f"{n}.png,{('red', 'red big', 'big', 'old', 'old red')[n % 5]}" for n in range(20)]
    (folder / "labels.csv").write_text("\n".join(["image,tags", *rows]), encoding="utf-8")
    result, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.data.source.options.label_separator == " "
    assert loaded.train.loss.word == "sigmoid"
    assert "20 in 3 classes (any number for each image): " in text
    assert sum(result.findings.images.values()) == 20
    assert result.findings.per_class["train"].keys() == {"big", "old", "red"}


def test_few_images_are_told_of_trained_networks(draw: Draw, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        folder = draw(f"pets/{name}", 6, (40, 40))
    _, loaded, text = write_recipe(folder, tmp_path / "out.yaml")
    assert loaded.data.preprocess == "channel_meanstd"
    lines = text.splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("  stack:"))
    end = lines.index("train:")
    other = lines.index("  # stack:")
    kept = [line.replace("  # ", "  ", 1) for line in lines[other : other + 4]]
    backbone = "\n".join([*lines[:place], *kept, *lines[end:]])
    (tmp_path / "backbone.yaml").write_text(backbone, encoding="utf-8")
    stack = recipes.load(str(tmp_path / "backbone.yaml")).model.stack
    assert stack[0].backbone is not None
    assert "# weights: {from: runs/NAME/RUN, exclude: [logits]}" in text
