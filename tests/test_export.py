"""An export answers as the model does, in a process without Keras, or it is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.runs import copied, environment, tiny
from zoo import names
from zoo.data.load import load as load_data
from zoo.errors import ParityError
from zoo.export import FORMATS, export
from zoo.export import export as export_verb
from zoo.run import Run
from zoo.train import train
from zoo.trained import Trained, softmax

pytestmark = pytest.mark.slow
SIGNATURES = ("serving_default", "serve_uint8")


@pytest.fixture(scope="module")
def exported(trained: Run, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, dict[str, Any]]:
    run = copied(trained, tmp_path_factory.mktemp("exported"))
    return run, export(Trained(run))


def images(run: Run, count: int = 37) -> np.ndarray:
    test = load_data(Trained(run).recipe).test
    assert test is not None
    return test.images(np.arange(count))


def test_result(exported: tuple[Run, dict[str, Any]]) -> None:
    run, made = exported
    assert made["format"] == "saved_model"
    assert Path(made["path"]) == run.export_folder("saved_model") / "tiny" / "1"
    parity = made["parity"]
    assert parity["passed"]
    assert parity["max_abs_diff"] <= 1e-5
    assert parity["top1_agreement"] == 1.0
    assert parity["images"] == 180
    assert parity["signatures"].keys() == set(SIGNATURES)
    file = run.export_folder("saved_model") / "parity.json"
    assert json.loads(file.read_text(encoding="utf-8")) == parity


def test_nothing_else_is_left(exported: tuple[Run, dict[str, Any]]) -> None:
    run, _ = exported
    folder = run.export_folder("saved_model")
    assert {path.name for path in folder.iterdir()} == {"tiny", "parity.json"}


def test_signatures(exported: tuple[Run, dict[str, Any]]) -> None:
    """Named inputs and outputs, and a batch of any size."""
    loaded = tf.saved_model.load(exported[1]["path"])
    assert set(loaded.signatures) == set(SIGNATURES)
    for name, dtype in zip(SIGNATURES, (tf.float32, tf.uint8), strict=True):
        call = loaded.signatures[name]
        (spec,) = call.structured_input_signature[1].values()
        assert call.structured_input_signature[1].keys() == {"images"}
        assert (spec.shape.as_list(), spec.dtype) == ([None, 8, 8, 1], dtype)
        outputs = call.structured_outputs
        assert {key: value.shape.as_list() for key, value in outputs.items()} == {
            "classes": [None, 5], "probabilities": [None, 5], "logits": [None, 10],
        }  # fmt: skip
        assert outputs["classes"].dtype == tf.string


def test_answers(exported: tuple[Run, dict[str, Any]]) -> None:
    """Test images, which the parity gate has not seen, one by one and together."""
    run, made = exported
    pixels, model = images(run), Trained(run).model
    wanted = softmax(model.predict(pixels, verbose=0))
    loaded = tf.saved_model.load(made["path"])
    for name, dtype in zip(SIGNATURES, (np.float32, np.uint8), strict=True):
        found = loaded.signatures[name](images=tf.constant(pixels.astype(dtype)))
        order = np.argsort(-wanted, axis=1)[:, :5]
        assert found["classes"].numpy().astype(str).tolist() == order.astype(str).tolist()
        np.testing.assert_allclose(
            found["probabilities"], np.take_along_axis(wanted, order, axis=1), atol=1e-6
        )
        one = loaded.signatures[name](images=tf.constant(pixels[3:4].astype(dtype)))
        np.testing.assert_allclose(one["logits"], found["logits"][3:4], atol=1e-5)


def test_loads_without_keras_and_zoo(exported: tuple[Run, dict[str, Any]]) -> None:
    script = (
        "import sys; sys.modules['keras'] = sys.modules['zoo'] = None\n"
        "import tensorflow as tf\n"
        f"loaded = tf.saved_model.load({exported[1]['path']!r})\n"
        "out = loaded.signatures['serve_uint8'](images=tf.zeros((3, 8, 8, 1), tf.uint8))\n"
        "assert out['logits'].shape == (3, 10)\n"
        # Nothing draws: dropout and batch norm stand still.
        "again = loaded.signatures['serve_uint8'](images=tf.zeros((3, 8, 8, 1), tf.uint8))\n"
        "assert (out['logits'].numpy() == again['logits'].numpy()).all()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment(), capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


def test_again_replaces(exported: tuple[Run, dict[str, Any]]) -> None:
    run, made = exported
    stray = Path(made["path"]) / "stray"
    stray.write_text("old", encoding="utf-8")
    assert export(Trained(run))["path"] == made["path"]
    assert not stray.exists()


# The gate.


def in_training_mode(trained: Trained, folder: Path) -> None:
    """The mistake that Keras's own `export` makes: BN and dropout as in training."""
    model, classes = trained.model, tf.constant(trained.class_names)

    def answer(pixels: Any) -> dict[str, Any]:
        logits = tf.cast(model(tf.cast(pixels, tf.float32), training=True), tf.float32)
        probabilities, order = tf.math.top_k(tf.nn.softmax(logits), 5)
        return {
            "classes": tf.gather(classes, order),
            "probabilities": probabilities,
            "logits": logits,
        }

    def signature(dtype: Any) -> Any:
        spec = tf.TensorSpec((None, 8, 8, 1), dtype, name="images")
        return tf.function(answer, input_signature=[spec]).get_concrete_function()

    module = tf.Module()
    module.held = [model, *(variable.value for variable in model.variables)]
    signatures = dict(zip(SIGNATURES, map(signature, (tf.float32, tf.uint8)), strict=True))
    tf.saved_model.save(module, str(folder), signatures)


class Tampered(Trained):
    """A run whose model is another one when it is exported."""

    def __init__(self, run: Run, change: Any) -> None:
        super().__init__(run)
        self.change = change

    def write(self, folder: Path) -> None:
        right = self.model.get_weights()
        self.change(self.model)
        FORMATS["right"](self, folder)  # type: ignore[arg-type]
        self.model.set_weights(right)


def noise(model: keras.Model) -> None:
    """What a late change of best.keras amounts to."""
    model.set_weights([value + 0.01 * np.sign(value) for value in model.get_weights()])


def swapped(model: keras.Model) -> None:
    """Two classes in each other's place."""
    layer = model.get_layer("logits")
    layer.set_weights([value[..., [1, 0, *range(2, 10)]] for value in layer.get_weights()])


def no_number(model: keras.Model) -> None:
    model.set_weights([np.full_like(value, np.nan) for value in model.get_weights()])


def require_refused(run: Run, message: str, exporting: Trained) -> None:
    folder = run.export_folder("saved_model")
    with pytest.raises(ParityError, match=message) as caught:
        export_verb(exporting)
    assert caught.value.exit_code == 1
    assert [path.name for path in folder.iterdir()] == ["parity.json"]
    parity = json.loads((folder / "parity.json").read_text(encoding="utf-8"))
    assert parity["passed"] is False
    assert max(parity["max_abs_diff"], parity["max_repeat_diff"]) > parity["tolerance"]


def test_training_mode_is_caught(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what an earlier export left is gone: it was of another model."""
    run = copied(trained, tmp_path)
    old = run.export_folder("saved_model") / "tiny" / "1" / "saved_model.pb"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"old")
    monkeypatch.setitem(FORMATS, "saved_model", in_training_mode)
    require_refused(run, "predicts something else than the model", Trained(run))


@pytest.mark.parametrize("change", [noise, swapped, no_number])
def test_other_weights_are_caught(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    run = copied(trained, tmp_path)
    monkeypatch.setitem(FORMATS, "right", FORMATS["saved_model"])
    monkeypatch.setitem(FORMATS, "saved_model", Tampered.write)
    require_refused(run, "predicts something else", Tampered(run, change))


def test_unreadable_export_is_caught(
    trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied(trained, tmp_path)
    monkeypatch.setitem(FORMATS, "saved_model", lambda trained, folder: folder.mkdir())
    with pytest.raises(ParityError, match="cannot be read again"):
        export(Trained(run))
    assert not list(run.export_folder("saved_model").iterdir())


# Every preprocessing and policy goes through the gate.


@pytest.mark.parametrize("word", names.PREPROCESSINGS)
def test_preprocessings(tmp_path: Path, word: str) -> None:
    run = train(tiny(tmp_path, f"data.preprocess={word}", "train.epochs=1"), tmp_path / "runs")
    assert export(Trained(run))["parity"]["max_abs_diff"] <= 1e-4


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64"])
def test_dtype_policies(tmp_path: Path, policy: str) -> None:
    recipe = tiny(tmp_path, f"train.dtype_policy={policy}", "train.epochs=1")
    assert export(Trained(train(recipe, tmp_path / "runs")))["parity"]["passed"]
