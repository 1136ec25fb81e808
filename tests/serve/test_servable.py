"""One version of a model: its labels, and damaged ones."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serve.conftest import served
from zoo.errors import DataError
from zoo.serve.servable import Servable
from zoo.serve.status import StatusError, clean_message, code_refusal


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
    folder = tmp_path / "1"
    shutil.copytree(model_folder("half_plus_three") / "00000123", folder)
    damage(folder)
    with pytest.raises(DataError, match=part):
        Servable(folder, "damaged", 1)


def test_weights_that_are_not_finite(tmp_path: Path) -> None:
    """Of an export of ours; what others put into a SavedModel is theirs."""
    import tensorflow as tf

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


def test_a_model_s_python_code_stays_inside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback of a model's own code, a client its id."""
    import tensorflow as tf

    def check(x: Any) -> Any:
        raise ValueError(f"secret of {__file__}")

    def call(x: Any) -> dict[str, Any]:
        return {"y": tf.py_function(check, [x], tf.float32)}

    function = tf.function(call, input_signature=[tf.TensorSpec([None], tf.float32, "x")])
    module = tf.Module()
    signatures = {"serving_default": function.get_concrete_function()}
    tf.saved_model.save(module, str(tmp_path), signatures)
    servable = Servable(tmp_path, "code", 1)
    with pytest.raises(StatusError) as refused:
        servable.runners["serving_default"]({"x": np.zeros(1, np.float32)})
    said = re.fullmatch(
        r"The model refused the request\. See error ([0-9a-f]{8}) in the server's log\.",
        refused.value.message,
    )
    assert said is not None
    assert refused.value.http == 400
    assert f"error {said[1]}: code version 1, signature serving_default: failed" in caplog.text
    assert "secret of" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.parametrize(
    "message, http, part",
    [
        ("ValueError: callback pyfunc_0 is not found\nTraceback (most recent call last):\n", 500,
         "Python code that its export does not hold"),
        ("ValueError: Could not find callback with key=pyfunc_7 in the registry.", 500,
         "Python code that its export does not hold"),
        ("TypeError: x\nTraceback (most recent call last):\n  File \"a.py\", line 3, in f\n    x\n",
         400, "The model refused the request. See"),
    ],
)  # fmt: skip
def test_errors_of_python_code(message: str, http: int, part: str) -> None:
    error = code_refusal(message, lambda: "See it.")
    assert error is not None
    assert error.http == http
    assert error.message.startswith("The model")
    assert part in error.message
    assert error.message.endswith("See it.")
    assert code_refusal("Input is empty.", lambda: "See it.") is None


@pytest.mark.parametrize(
    "inside",
    ["/srv/models/pets/1", "C:\\models\\pets\\vocab.txt", "file:///srv/x", "0x7f3a2b1c",
     "ops/script_ops.py:242", "/home/ann/code/model.py", "\\\\host\\share\\x"],
)  # fmt: skip
def test_messages_hold_no_paths(inside: str) -> None:
    assert clean_message(f"cannot read {inside} of 3 x 4 pixels, 1/2 done") == (
        "cannot read ... of 3 x 4 pixels, 1/2 done"
    )
