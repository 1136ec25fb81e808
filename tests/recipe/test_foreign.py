"""Files of other programs in place of a recipe: one sentence each; no recipe is taken for one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.pictures import encoded, noise
from zoo.errors import RecipeError
from zoo.loading import load
from zoo.recipe import foreign
from zoo.recipe.foreign import kind_of
from zoo.recipe.shipped import shipped

YOLO = "path: ../coco8\ntrain: images/train\nval: images/val\nnames: {0: person, 1: bicycle}\n"
ROBOFLOW = "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [cat, dog]\n"
HYDRA = "data: {_target_: a.Data}\nmodel: {_target_: a.Net, lr: 1}\ntrain: {epochs: 3}\n"
KERAS = {"class_name": "Sequential", "config": {"layers": []}, "module": "keras"}
COCO = {"info": {}, "images": [{"id": 1}], "annotations": [{"bbox": [1, 2, 3, 4]}]}

FILES: dict[str, tuple[str | dict[str, Any] | bytes, str]] = {
    "data.yaml": (YOLO, "a data set of YOLO, .*boxes.* Boxes are no classes.*zoo new FOLDER"),
    "roboflow.yaml": (ROBOFLOW, "a data set of YOLO"),
    "classify.yaml": ("train: [a, b]\nval: c\nnc: 80\n", "a data set of YOLO"),
    "yolov8n.yaml": ("nc: 80\nbackbone: [[-1, 1, Conv]]\nhead: []\n", "a network of YOLO"),
    "instances.json": (COCO, "annotations of COCO.* Boxes are no classes"),
    "keras.json": (KERAS, "the configuration of a Keras model.*model.stack"),
    "hydra.yaml": (HYDRA, "a configuration of Hydra"),
    "config.yaml": ("defaults:\n  - model: resnet\nseed: 1\n", "a configuration of Hydra"),
    "lightning.yaml": ("model: {class_path: a.Net}\ndata: {}\ntrain: {}\n", "Lightning"),
    "args.yaml": ("model: resnet50\nlr: 0.1\nepochs: 300\nopt: sgd\n", "a flat list of training"),
    "config.json": ({"model_type": "vit", "id2label": {"0": "cat"}}, "Hugging Face"),
    "a.ipynb": ({"cells": [], "metadata": {}, "nbformat": 4}, "a Jupyter notebook"),
    "Dockerfile": ("FROM python:3.11\nRUN pip install zoo\n", "a Dockerfile"),
    "compose.yaml": ("services: {web: {image: nginx}}\n", "Docker Compose"),
    "ci.yml": ("on: [push]\njobs: {}\n", "GitHub Actions"),
    "train.py": ("import keras\nmodel = keras.Model()\n", "a Python script"),
    "requirements.txt": ("numpy\nkeras==3.0\n", "a list, or another text"),
    "pyproject.toml": ('[project]\nname = "x"\n', "a TOML file"),
    "labels.csv": ("file,label\na.jpg,cat\n", "a table"),
    "a.xml": ("<annotation><object/></annotation>", "an XML file"),
    "run.json": ({"status": "done", "recipe_hash": "1", "name": "x"}, "run.json of a run"),
    "best.keras": (b"PK\3\4\xff\xfe", "a model's file"),
    "images.zip": (b"PK\3\4\xff\xfe", "an archive.* Unpack it"),
    "cat.jpg": (encoded(noise(), "JPEG"), "an image.*zoo predict"),
}


def written(folder: Path, name: str, content: str | dict[str, Any] | bytes) -> Path:
    file = folder / name
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    file.write_bytes(content)
    return file


@pytest.mark.parametrize("name", FILES)
def test_one_sentence_says_what_it_is(name: str, tmp_path: Path) -> None:
    content, expected = FILES[name]
    file = written(tmp_path, name, content)
    with pytest.raises(RecipeError, match=f"not a recipe but .*{expected}") as caught:
        load(str(file))
    assert len(caught.value.problems) == 1
    assert len(str(caught.value).splitlines()) == 1


def test_a_large_file_of_annotations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of COCO are larger than any recipe may be: their start tells them."""
    monkeypatch.setattr(foreign, "MAX_BYTES", 10)
    with pytest.raises(RecipeError, match="annotations of COCO"):
        load(str(written(tmp_path, "large.json", COCO)))


@pytest.mark.parametrize("name", shipped())
def test_no_recipe_is_taken_for_another_file(name: str) -> None:
    text = shipped()[name].read_text(encoding="utf-8")
    assert kind_of(yaml.safe_load(text)) is None


@pytest.mark.parametrize("name", ["recipe.txt", "recipe.py", "recipe", "Dockerfile"])
def test_a_recipe_is_read_whatever_its_name(name: str, minimal: Path, tmp_path: Path) -> None:
    """Its mistakes are told as those of a recipe, too: of YAML, and stray keys of other tools."""
    text = minimal.read_text(encoding="utf-8")
    assert load(str(written(tmp_path, name, text))).name
    with pytest.raises(RecipeError, match="tabs"):
        load(str(written(tmp_path, name, f"{text}\n\ttabbed: 1\n")))
    with pytest.raises(RecipeError, match="nc: unknown key"):
        load(str(written(tmp_path, name, f"{text}\nnc: 3\nnames: [a]\nlr: 1\n")))


@pytest.mark.parametrize("data", [None, [], "text", 3, {}, {1: 2}, {"train": {}}, {"name": "x"}])
def test_what_is_of_no_kind(data: Any) -> None:
    assert kind_of(data) is None
