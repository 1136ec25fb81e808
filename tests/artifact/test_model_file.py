"""A best.keras that is not the model of its run is refused before Keras builds anything of it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest

from tests.exports import invoke, require_error
from tests.rundir import damage
from tests.runs import copied
from zoo.artifact.trained_run import TrainedRun
from zoo.datasets.decoding.images import as_png
from zoo.datasets.digits import raw
from zoo.errors import WrongModel
from zoo.rundir import Run


def change_config(file: Path, change: Callable[[list[Any]], None]) -> None:
    members = damage._members(file)
    config = json.loads(members["config.json"])
    change(config["config"]["layers"])
    members["config.json"] = json.dumps(config).encode()
    damage._pack(file, members)


def layer(layers: list[Any], name: str) -> Any:
    return next(each for each in layers if each["config"]["name"] == name)


def wider(layers: list[Any]) -> None:
    layer(layers, "conv1")["config"]["filters"] = 10**10


def other_images(layers: list[Any]) -> None:
    layers[0]["config"]["batch_shape"] = [None, 99999, 99999, 1]


def renamed(layers: list[Any]) -> None:
    layer(layers, "conv1")["config"]["name"] = "conv9"


def other_class(layers: list[Any]) -> None:
    layer(layers, "fc1")["class_name"] = "EinsumDense"


def fewer(layers: list[Any]) -> None:
    layers.pop()


def no_layers(layers: list[Any]) -> None:
    layers[:] = [None] * len(layers)


CONFIGS = {
    wider: "conv1.filters: Expected 4. Received 10000000000",
    other_images: r"Expected images \[8, 8, 1\]. Received \[99999, 99999, 1\]",
    renamed: "there is no layer conv1",
    other_class: "fc1: Expected Dense. Received EinsumDense",
    fewer: r"Expected \d+ layers. Received \d+",
    no_layers: "has a layer without a name",
}


@pytest.mark.parametrize("change", CONFIGS)
def test_another_network(trained: Run, tmp_path: Path, change: Any) -> None:
    run = copied(trained, tmp_path)
    change_config(run.model_file, change)
    with pytest.raises(WrongModel, match=CONFIGS[change]) as caught:
        _ = TrainedRun(run).model
    assert str(run.model_file) in str(caught.value)
    assert caught.value.exit_code == 3


@pytest.mark.parametrize(
    "member, part", [("config.json", "larger than"), ("model.weights.h5", "bytes of weights")]
)
def test_what_unpacks_to_too_much(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, member: str, part: str
) -> None:
    monkeypatch.setattr(damage, "BOMB_MEGABYTES", 70)
    run = copied(trained, tmp_path)
    damage._pack(run.model_file, damage._members(run.model_file), bomb=member)
    with pytest.raises(WrongModel, match=part):
        _ = TrainedRun(run).model


def test_another_model_of_the_same_network(trained: Run, tmp_path: Path) -> None:
    """Such as that of another seed: only its hash tells."""
    run = copied(trained, tmp_path)
    model = keras.saving.load_model(run.model_file)
    kernel = model.get_layer("fc1").kernel
    kernel.assign(kernel + 1)
    model.save(run.model_file)
    with pytest.raises(WrongModel, match="is not the file that this run's training ended with"):
        _ = TrainedRun(run).model
    run.update(model_sha256=None)  # Runs of older versions have none.
    assert TrainedRun(run).model.count_params() == model.count_params()


@pytest.mark.parametrize("flaw", ["2 outputs", "12 outputs", "nan"])
def test_no_verb_vouches_for_it(trained: Run, tmp_path: Path, flaw: str) -> None:
    run = copied(trained, tmp_path)
    image = tmp_path / "digit.png"
    image.write_bytes(as_png(raw()["test"][0][0]))
    if flaw == "nan":
        members = damage._members(run.model_file)
        members["model.weights.h5"] = damage._with_nan(members["model.weights.h5"])
        damage._pack(run.model_file, members)
        part = "holds weights that are NaN or infinite"
    else:
        damage.draw_outputs(run.model_file, int(flaw.split()[0]))
        part = "is not the network of the recipe"
    for arguments in (
        ("predict", run, image),
        ("evaluate", run),
        ("export", run, "--format", "keras"),
        ("train", "--resume", run, "--no-export"),
    ):
        require_error(invoke(*arguments), 3, str(run.model_file), part)
    assert not list(run.export_folder("keras").glob("*/1"))
    shutil.rmtree(run.folder)
