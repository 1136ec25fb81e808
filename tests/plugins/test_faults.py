"""What parts of the user's own return and raise: looked at, and told with their file and line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from tests.runs import tiny_file
from zoo.cli import app
from zoo.errors import PluginError
from zoo.plugins import permission, running
from zoo.rundir import Run


@pytest.fixture(autouse=True)
def _no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    yield
    permission.allow(False)


def call(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    return result.exit_code, result.stdout or result.stderr


@pytest.mark.backend
@pytest.mark.parametrize(
    "body, message",
    [
        (
            "return None",
            "returns NoneType. Expected a tensor of the shape of its input, [batch, 8]",
        ),
        ("return x[:, :4]", "returns the shape [batch, 4]. Expected"),
        ("raise SystemExit(3)", "SystemExit: it ends the process (exit code 3)"),
    ],
)
def test_what_an_activation_gives_is_looked_at(tmp_path: Path, body: str, message: str) -> None:
    import keras

    from zoo.model.own_activation import OwnActivation
    from zoo.plugins import reading
    from zoo.verbs.teller import Teller

    (tmp_path / "bad.py").write_text(f"def Bad(x):\n    {body}\n")
    permission.allow()
    layer = OwnActivation(running.load(reading.read("bad.py:Bad", tmp_path)), {})
    # The layer says that it keeps the shape: a model is built without a call.
    with pytest.raises((PluginError, SystemExit)) as caught:
        layer.call(keras.KerasTensor((None, 8)))
    told = Teller().expected(caught.value)
    assert isinstance(told, PluginError)
    assert message in str(told)


@pytest.mark.backend
@pytest.mark.parametrize(
    "part, message",
    [
        ("def Bad(y_true, y_pred): return None", "returns NoneType. Expected a tensor with a"),
        ("def Bad(y_true, y_pred): return y_pred[:1, 0]", "returns the shape [1]. Expected"),
        ("class Bad(keras.losses.Loss):\n    def call(self, y_true, y_pred): return 1.0",
         "returns float. Expected"),
        ("class Bad(keras.metrics.Metric):\n    def update_state(self, *_): ...\n"
         "    def result(self): return {'a': 1.0}", "result() returns dict. Expected one number"),
        ("class Bad(keras.callbacks.Callback):\n    def __init__(self): raise SystemExit",
         "SystemExit: it ends the process (exit code 0)"),
        ("class Bad(keras.initializers.Initializer):\n    def __call__(self, shape, dtype=None):\n"
         "        raise SystemExit('no')", "SystemExit: it ends the process (exit code no)"),
    ],
)  # fmt: skip
def test_what_other_parts_give_is_looked_at(tmp_path: Path, part: str, message: str) -> None:
    from types import SimpleNamespace

    from zoo.plugins import keras_parts, reading

    (tmp_path / "bad.py").write_text(f"import keras\n{part}\n")
    permission.allow()
    found = reading.read("bad.py:Bad", tmp_path)
    choice: Any = SimpleNamespace(part=found, options=found.options())
    labels, logits = np.zeros(2, "int32"), np.zeros((2, 3), "float32")
    used = {
        "loss": lambda: keras_parts.make_loss(choice)(labels, logits),
        "metric": lambda: keras_parts.own_metric_values([choice], labels, logits),
        "callback": lambda: keras_parts.callbacks([choice]),
        "initializer": lambda: keras_parts.first_values(choice, 0, "kernel", (2, 3)),
    }
    with pytest.raises(PluginError) as caught:
        used[found.kinds[0]]()
    assert message in str(caught.value)


def test_a_callback_that_ends_the_process_fails_the_run(tmp_path: Path) -> None:
    text = "import keras, sys\nclass Stop(keras.callbacks.Callback):\n"
    text += "    def on_train_begin(self, logs=None):\n        sys.exit()\n"
    (tmp_path / "stop.py").write_text(text)
    changes = ["model.stack=[flatten]", "train.callbacks=[Stop]"]
    changes.append(f"plugins=[{tmp_path}/stop.py:Stop]")
    sets = [word for change in changes for word in ("--set", change)]
    out = ("--out", tmp_path, "--no-export", "--allow-plugins")
    code, said = call("train", tiny_file(tmp_path), *sets, *out)
    assert code == 2
    assert "stop.py:4: in on_train_begin: sys.exit()" in said
    (run,) = (tmp_path / "tiny").iterdir()
    assert Run(run).info()["status"] == "failed"


@pytest.mark.parametrize("verb", ["train", "check"])
def test_a_loss_that_no_weight_changes(tmp_path: Path, verb: str) -> None:
    text = "from keras import ops\ndef Same(y_true, y_pred):\n"
    (tmp_path / "same.py").write_text(f"{text}    return ops.ones(ops.shape(y_pred)[0])\n")
    changes = ["model.stack=[flatten]", "train.loss=Same", f"plugins=[{tmp_path}/same.py:Same]"]
    sets = [word for change in changes for word in ("--set", change)]
    flags = {"train": ["--out", tmp_path, "--no-export"], "check": ["--quick"]}[verb]
    code, said = call(verb, tiny_file(tmp_path), *sets, *flags, "--allow-plugins")
    assert code == 2
    assert "Same (" in said
    assert "same.py:2) does not depend on y_pred: no weight changes it" in said
