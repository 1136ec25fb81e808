"""The backend's one way from variables to numpy, and what `prepare` refuses."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests.runs import environment
from zoo import backend
from zoo.errors import EnvironmentFault


@pytest.mark.parametrize("dtype", ["float32", "int64", "bfloat16"])
def test_to_numpy_copies(dtype: str) -> None:
    variable = keras.Variable(np.ones(3), dtype=dtype)
    array = backend.to_numpy(variable)
    assert array.dtype.name == dtype
    array[0] = 7
    assert backend.to_numpy(variable)[0] == 1


@pytest.mark.backend
def test_out_of_memory() -> None:
    """Each backend's own error, raised for an array that no machine holds."""
    assert backend.out_of_memory(MemoryError())
    assert not backend.out_of_memory(RuntimeError("RESOURCE_EXHAUSTED is a word"))
    aborted = type("AbortedError", (Exception,), {})  # TensorFlow's, of oneDNN.
    told = "Compute received an exception:Status:{}, message: could not create a primitive."
    assert backend.out_of_memory(aborted(told.format(1)))
    assert not backend.out_of_memory(aborted(told.format(2)))
    with pytest.raises(Exception, match="(?i)oom|out of memory") as raised:
        keras.ops.zeros((2**22, 2**22, 2**8), "int8") + 1
    assert backend.out_of_memory(raised.value)


def test_keras_json_changes_no_network() -> None:
    """What it may hold besides the backend: `channels_first` ended in a traceback."""
    config = keras.config
    before = config.image_data_format(), config.floatx(), config.epsilon()
    config.set_image_data_format("channels_first")
    config.set_floatx("float64")
    config.set_epsilon(1e-2)
    backend.prepare()
    assert (config.image_data_format(), config.floatx(), config.epsilon()) == before


def test_keras_json_that_keras_refuses(tmp_path: Path) -> None:
    """With a stand-in for Keras, which is quicker."""
    for name, text in {"keras.py": "assert False, 'floatx'", "keras.json": "{}"}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    code = """if True:
        import sys
        sys.path.insert(0, sys.argv[1])
        from zoo import backend, errors
        try:
            backend.prepare()
        except errors.EnvironmentFault as error:
            print(error)
    """
    variables = environment() | {"KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "tensorflow"}
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert f"(floatx), perhaps for what {tmp_path / 'keras.json'} holds" in done.stdout


@pytest.mark.parametrize("error", [RuntimeError("no platform x"), AssertionError()])
def test_a_platform_that_jax_does_not_have(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def devices() -> None:
        raise error

    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(devices=devices))
    monkeypatch.delenv("JAX_PLATFORMS", raising=False)
    monkeypatch.delenv("JAX_PLATFORM_NAME", raising=False)
    backend._require_platforms()  # Nothing was wished for.
    monkeypatch.setenv("JAX_PLATFORMS", "cuda")
    with pytest.raises(EnvironmentFault, match="JAX_PLATFORMS=cuda: JAX has no such device here"):
        backend._require_platforms()


def test_an_interrupted_import_is_an_interrupt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules in C make ImportError of it."""
    monkeypatch.setattr(backend, "settle", lambda *_: "tensorflow")
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(EnvironmentFault, match="cannot be used"):
        backend.prepare()
    monkeypatch.setattr("zoo.interrupts._received", True)
    with pytest.raises(KeyboardInterrupt):
        backend.prepare()


def test_sync_asks_a_trainer_that_keeps_weights_outside_of_variables() -> None:
    class Trainer:
        calls = 0

        def jax_state_sync(self) -> None:
            self.calls += 1

    trainer = Trainer()
    backend.sync(trainer)
    backend.sync(object())
    assert trainer.calls == 1


@pytest.mark.parametrize("chosen, expected", [(None, "1"), ("0", "0")])
def test_onednn_is_on_unless_the_user_says_otherwise(
    chosen: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    if chosen is not None:
        monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", chosen)
    backend.prepare()
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == expected


def test_onednn_is_left_to_tensorflow_on_other_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    backend.prepare()
    assert "TF_ENABLE_ONEDNN_OPTS" not in os.environ


def test_an_unknown_backend_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    with pytest.raises(EnvironmentFault, match="KERAS_BACKEND=torch: .* Expected one of: tensor"):
        backend.prepare()


def test_keras_is_imported_without_what_zoo_does_not_use_by_it() -> None:
    """They took a third of the time. They stay there to be imported, as zoo's metrics do."""
    code = (
        "import sys; from zoo import backend; backend.prepare()\n"
        "print([name for name in ('sklearn', 'matplotlib', 'jax') if name in sys.modules])\n"
        "import sklearn.metrics, matplotlib.figure, tensorflow as tf\n"
        "print(tf.lite.TFLiteConverter is not None)\n"
    )
    variables = environment(KERAS_BACKEND="tensorflow")
    done = subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("[]\nTrue\n", "")


def test_keras_on_jax_does_not_import_tensorflow(tmp_path: Path) -> None:
    """Not even to seed and to save, though TensorFlow stays there to be imported."""
    pytest.importorskip("jax", reason="pip install jax")
    code = (
        "import sys; from importlib.util import find_spec; from zoo import backend\n"
        "keras = backend.prepare(seed=3)\n"
        "model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])\n"
        f"model.save({str(tmp_path / 'model.keras')!r})\n"
        "print('tensorflow' in sys.modules, find_spec('tensorflow') is not None)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(KERAS_BACKEND="jax"), capture_output=True,
        text=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("False True\n", "")
