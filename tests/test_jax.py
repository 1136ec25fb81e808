"""KERAS_BACKEND=jax where TensorFlow cannot be imported: train, interrupt, resume, evaluate.

Importing Keras and compiling take longer than what is tested, so two processes on JAX answer all
commands of this file: one in which TensorFlow cannot be imported, and one in which it can. They
share a compilation cache. XLA leaves most of its optimisations out, which halves the time, except
for the recipe that ships: what is tested is ours.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import ROOT
from tests.runs import LINEAR, environment, final, same, tiny_file, weights
from zoo.datasets.decoding.images import as_png
from zoo.errors import RunError
from zoo.rundir import Run
from zoo.training import resume

pytestmark = pytest.mark.slow
pytest.importorskip("jax", reason="pip install jax")

# As on a machine without TensorFlow: no module of that name is found.
BLOCK_TENSORFLOW = """
import sys

class WithoutTensorFlow:
    def __init__(self, finder):
        self.finder = finder

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets"):
            return None
        return self.finder.find_spec(name, path, target)

    def __getattr__(self, name):
        return getattr(self.finder, name)

sys.meta_path[:] = map(WithoutTensorFlow, sys.meta_path)
"""
ANSWER_COMMANDS = """
import json, os, sys
from typer.testing import CliRunner
from zoo.cli import app

replies = os.fdopen(os.dup(1), "w")
for line in sys.stdin:
    optimized, folder, *arguments = json.loads(line)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(not optimized))
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_disable_most_optimizations", not optimized)
    os.chdir(folder)
    result = CliRunner().invoke(app, arguments)
    reply = [result.exit_code, result.stdout, result.stderr, repr(result.exception)]
    print(json.dumps(reply), file=replies, flush=True)
"""


class Zoo:
    """A process on JAX that runs one `zoo` command after the other."""

    def __init__(self, code: str, folder: Path, **variables: str) -> None:
        self.errors = folder / "stderr.txt"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code],
                env=environment(KERAS_BACKEND="jax", **variables),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )

    def send(self, *arguments: str | Path, cwd: Path, optimized: bool = False) -> None:
        """Begins a command."""
        assert self.process.stdin is not None
        line = json.dumps([optimized, str(cwd), *map(str, arguments)])
        print(line, file=self.process.stdin, flush=True)

    def receive(self) -> tuple[int, str, str]:
        """The exit code, stdout and stderr of the command that was begun."""
        assert self.process.stdout is not None
        reply = self.process.stdout.readline()
        assert reply, self.errors.read_text()
        code, out, err, exception = json.loads(reply)
        assert exception == "None" or exception.startswith("SystemExit"), exception
        assert "Traceback" not in err, err
        return code, out, err

    def __call__(
        self, *arguments: str | Path, cwd: Path, optimized: bool = False
    ) -> dict[str, Any]:
        """The JSON document of a command, with its exit code as `code`."""
        self.send(*arguments, "--json", cwd=cwd, optimized=optimized)
        code, out, err = self.receive()
        assert out, err
        return {"code": code, **json.loads(out)}


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment variables of JAX's compilation cache."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(tmp_path_factory.mktemp("jax-cache")),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }


@pytest.fixture(scope="module")
def jax(tmp_path_factory: pytest.TempPathFactory, cache: dict[str, str]) -> Iterator[Zoo]:
    """`zoo` on JAX without TensorFlow."""
    zoo = Zoo(BLOCK_TENSORFLOW + ANSWER_COMMANDS, tmp_path_factory.mktemp("jax"), **cache)
    yield zoo
    zoo.process.kill()
    zoo.process.communicate()


@pytest.fixture(scope="module")
def jax_and_tensorflow(
    tmp_path_factory: pytest.TempPathFactory, cache: dict[str, str]
) -> Iterator[Zoo]:
    """`zoo` on JAX where TensorFlow can be imported."""
    zoo = Zoo(ANSWER_COMMANDS, tmp_path_factory.mktemp("jax-tf"), **cache)
    yield zoo
    zoo.process.kill()
    zoo.process.communicate()


OVERRIDES = (
    "--set", "train.epochs=10", "--set", "train.checkpoint_steps=1",
    "--set", "data.augment=[{random_crop: 1}, mixup]", "--set", "train.class_weight=balanced",
    "--no-export", "--no-evaluate",
)  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(jax: Zoo, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("undisturbed")
    trained = jax("train", tiny_file(folder), *OVERRIDES, cwd=folder)
    assert trained["code"] == 0
    return Run(folder / trained["run"])


def model_weights(run: Run) -> Any:
    import keras

    return weights(keras.saving.load_model(run.model_file))


def test_shipped_recipe(jax: Zoo, tmp_path: Path) -> None:
    """From its own cache, with the export left out because nothing could write it."""
    trained = jax("train", "digits-tiny", "--set", "train.epochs=6", cwd=tmp_path, optimized=True)
    assert (trained["code"], trained["status"]) == (0, "done")
    assert trained["accuracy"] > 0.5
    assert "export" not in trained
    assert Run(tmp_path / trained["run"]).info()["backend"] == "jax"
    measured = jax("evaluate", trained["run"], cwd=tmp_path)
    assert measured["accuracy"] == trained["accuracy"]


@pytest.mark.parametrize("loading", ["resident", "streamed"])
def test_folder_of_images(jax: Zoo, tmp_path: Path, loading: str) -> None:
    """Decoded into the cache, and decoded as needed, without TensorFlow's decoders."""
    generator = np.random.default_rng(0)
    for name, low in (("cat", 0), ("dog", 128)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(low, low + 128, (9, 7, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    trained = jax(
        "train", tiny_file(tmp_path), "--set", f"data.source={{folder: {tmp_path}/pets}}",
        "--set", "data.image_size=8", "--set", f"data.loading={loading}", "--set", LINEAR,
        "--set", "train.batch_size=8", "--no-export", "--no-evaluate", cwd=tmp_path,
    )  # fmt: skip
    assert trained["status"] == "done"


def test_same_seed_same_weights(jax_and_tensorflow: Zoo, undisturbed: Run, tmp_path: Path) -> None:
    """In another process."""
    trained = jax_and_tensorflow("train", tiny_file(tmp_path), *OVERRIDES, cwd=tmp_path)
    again = Run(tmp_path / trained["run"])
    assert same(model_weights(again), model_weights(undisturbed))
    assert final(again) == final(undisturbed)


def test_interrupt_and_resume(
    jax: Zoo, jax_and_tensorflow: Zoo, undisturbed: Run, tmp_path: Path
) -> None:
    """Ctrl-C within an epoch; another process ends the run as the undisturbed one, to the bit."""
    jax.send("train", tiny_file(tmp_path), *OVERRIDES, "--out", "runs", cwd=tmp_path)
    while not list(tmp_path.glob("runs/*/*/state/step-00000001[2-9]*")):
        assert jax.process.poll() is None
        time.sleep(0.002)
    jax.process.send_signal(signal.SIGINT)
    code, _, err = jax.receive()
    assert code == 130, err
    stopped = Run.open(tmp_path / "runs" / "tiny")
    assert stopped.info()["status"] == "interrupted"
    trained = jax_and_tensorflow(
        "train", "--resume", stopped, "--no-export", "--no-evaluate", cwd=tmp_path
    )
    assert (trained["code"], trained["status"]) == (0, "done")
    assert final(stopped) == final(undisturbed)


# With tests marked `backend`.
SHARED = (
    "tests/optimize/test_rules.py", "tests/optimize/test_mixins.py",
    "tests/training/test_live_checks.py", "tests/training/test_resume.py",
    "tests/training/loop/test_device_loop.py", "tests/training/loop/test_streamed.py",
    "tests/model/test_jax_pooling.py", "tests/optimize/test_late_start.py",
    "tests/training/test_unfreezing.py",
)  # fmt: skip


@pytest.mark.timeout(600)
def test_the_same_tests(cache: dict[str, str]) -> None:
    """The optimizers against numpy and what goes around them; the live checks; averages resumed.

    XLA compiles without most of its optimisations: what is tested is ours.
    """
    variables = {**cache, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", "-m", "backend",
         *SHARED],
        cwd=ROOT, env=environment(KERAS_BACKEND="jax", **variables), capture_output=True,
        text=True, timeout=580,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_check(jax: Zoo, tmp_path: Path) -> None:
    """Of a recipe whose kernels decay: what trains a network, or asks Keras for more than calls."""
    overrides = "train.optimizer={AdamW: {learning_rate: 1e-2, weight_decay: 1e-2}}"
    chosen = "C07,C09,C11,C12,C14"
    report = jax(
        "check", tiny_file(tmp_path), "--set", overrides, "--set",
        "model.stack=[{fc: {units: 8}}]", "--only", chosen, cwd=tmp_path,
    )  # fmt: skip
    assert report["code"] == 0
    verdicts = {finding["id"]: finding["verdict"] for finding in report["findings"]}
    assert verdicts == dict.fromkeys(chosen.split(","), "PASS")
    assert report["suggestion"]


@pytest.mark.parametrize("verb", ["check", "train"])
def test_float64(jax: Zoo, tmp_path: Path, verb: str) -> None:
    """What JAX would compute in 32 bits without a word."""
    refused = jax(verb, tiny_file(tmp_path), "--set", "train.dtype_policy=float64", cwd=tmp_path)
    assert refused["code"] == 4
    assert "JAX_ENABLE_X64=1" in refused["error"]["message"]


def test_divergence_within_an_epoch(jax: Zoo, tmp_path: Path) -> None:
    """JAX keeps the optimizer's state elsewhere during an epoch; the message must not need it."""
    diverged = jax(
        "train", tiny_file(tmp_path), "--set", LINEAR, "--set",
        "train.optimizer={SGD: {learning_rate: 1e9}}", cwd=tmp_path,
    )  # fmt: skip
    assert diverged["code"] == 1
    assert diverged["error"]["kind"] == "diverged"
    assert "learning rate 1e+09" in diverged["error"]["message"]


def test_export_by_another_process(
    jax: Zoo, jax_and_tensorflow: Zoo, undisturbed: Run, tmp_path: Path
) -> None:
    """A run of JAX is exported by TensorFlow, and its answers agree with the model's.

    Without TensorFlow its Keras file predicts on JAX, and its ONNX file by its own runtime.
    """
    made = jax_and_tensorflow(
        "export", undisturbed, "--format", "keras,onnx", "--out", tmp_path / "models",
        cwd=tmp_path,
    )  # fmt: skip
    assert made["code"] == 0
    paths = {}
    for export in made["exports"]:
        assert export["parity"]["passed"]
        assert export["parity"]["top1_agreement"] == 1.0
        paths[export["format"]] = export["path"]
    image = tmp_path / "x.png"
    image.write_bytes(as_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4))
    expected, *predictions = (
        jax("predict", model, image, cwd=tmp_path)["predictions"][0]
        for model in (undisturbed.folder, paths["keras"], paths["onnx"])
    )
    for prediction in predictions:
        assert prediction["classes"] == expected["classes"]
        assert prediction["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-4)


def test_train_and_export_in_one_go(jax_and_tensorflow: Zoo, tmp_path: Path) -> None:
    """Where TensorFlow is there as well, the run on JAX ends with an export."""
    file = tiny_file(tmp_path)
    trained = jax_and_tensorflow(
        "train", file, "--set", LINEAR, "--set", "train.epochs=1", cwd=tmp_path
    )
    assert trained["code"] == 0
    assert trained["export"]["parity"]["passed"]


def test_resume_on_the_other_backend_is_refused(undisturbed: Run, tmp_path: Path) -> None:
    run = Run(Path(shutil.copytree(undisturbed.folder, tmp_path / "run")))
    run.update(status="interrupted")
    with pytest.raises(RunError, match="begun with KERAS_BACKEND=jax"):
        resume(run.folder)
