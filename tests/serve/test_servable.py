"""One version of a model: its labels, and damaged ones."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import served
from zoo.errors import DataError


def test_labels_are_lines(model_folder: Callable[[str], Path], tmp_path: Path) -> None:
    names = ["dark\u2028er", "mid\x85dling", "bright"]
    shutil.copytree(model_folder("pictures") / "1", tmp_path / "1")
    file = tmp_path / "1" / "assets" / "labels.txt"
    file.write_text("\n".join(names) + "\n", encoding="utf-8")
    with served(tmp_path) as client:
        (entry,) = client.get("/v1/models").json["models"]
    assert entry["labels"] == names


@pytest.mark.parametrize(
    "damage, part",
    [
        (lambda folder: (folder / "saved_model.pb").write_bytes(b"\xff" * 99), "damaged"),
        (lambda folder: (folder / "saved_model.pb").write_bytes(b""), "no graph with the tag"),
        (lambda folder: (folder / "saved_model.pb").unlink(), "no saved_model.pb"),
        (lambda folder: shutil.rmtree(folder / "variables"), "cannot be loaded"),
    ],
)
def test_damaged_models(
    model_folder: Callable[[str], Path], tmp_path: Path, damage: Callable[[Path], Any], part: str
) -> None:
    from zoo.serve.servable import Servable

    folder = tmp_path / "1"
    shutil.copytree(model_folder("half_plus_three") / "00000123", folder)
    damage(folder)
    with pytest.raises(DataError, match=part):
        Servable(folder, "damaged", 1)


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    """Of an export of ours; what others put into a SavedModel is theirs."""
    import tensorflow as tf

    from zoo.serve.servable import Servable

    module = tf.Module()
    module.weight = tf.Variable([1.0, float("nan")], name="kernel")

    @tf.function(input_signature=[tf.TensorSpec((None,), tf.float32, name="x")])
    def scaled(x: Any) -> Any:
        return {"y": x * module.weight[0]}

    folder = tmp_path / "1"
    tf.saved_model.save(module, str(folder), signatures=scaled)
    assert Servable(folder, "theirs", 1).signatures
    (folder / "assets.extra").mkdir()
    (folder / "assets.extra" / "manifest.json").write_text("{}", encoding="utf-8")
    with pytest.raises(DataError, match="holds weights that are NaN or infinite: kernel"):
        Servable(folder, "ours", 1)
