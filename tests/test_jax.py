"""KERAS_BACKEND=jax where TensorFlow cannot be imported: train, interrupt, resume, evaluate."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.runs import environment, final, same, tiny_file, weights, zoo
from zoo.rundir import Run

pytestmark = pytest.mark.slow
pytest.importorskip("jax", reason="pip install jax")

# As on a machine without TensorFlow: no module of that name is found.
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "tensorflow_datasets"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocked())
from zoo.cli import main
main()
"""


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-c", BLOCKED, *map(str, arguments)]


def jax(*arguments: str | Path, cwd: Path) -> dict[str, Any]:
    """Runs `zoo` on JAX without TensorFlow; returns its JSON document and exit code."""
    done = subprocess.run(
        command(*arguments, "--json"),
        cwd=cwd,
        env=environment(KERAS_BACKEND="jax"),
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert "Traceback" not in done.stderr, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return {"code": done.returncode, **document}


SETS = (
    "--set", "train.epochs=40", "--set", "train.checkpoint_steps=1",
    "--set", "data.augment=[{random_crop: 1}, mixup]", "--set", "train.class_weight=balanced",
)  # fmt: skip


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """A recipe's folder, and a run of it that nothing disturbed."""
    folder = tmp_path_factory.mktemp("jax")
    file = tiny_file(folder)
    found = jax("train", file, *SETS, "--no-export", "--no-evaluate", cwd=folder)
    assert found["code"] == 0
    return file, Run(folder / found["run"])


def model_weights(run: Run) -> Any:
    import keras

    return weights(keras.saving.load_model(run.model_file))


def test_shipped_recipe(tmp_path: Path) -> None:
    """From its own cache, with the export left out because nothing could write it."""
    found = jax("train", "digits-tiny", "--set", "train.epochs=6", cwd=tmp_path)
    assert (found["code"], found["status"]) == (0, "done")
    assert found["accuracy"] > 0.5
    assert "export" not in found
    assert Run(tmp_path / found["run"]).info()["backend"] == "jax"
    measured = jax("evaluate", found["run"], cwd=tmp_path)
    assert measured["accuracy"] == found["accuracy"]


def test_folder_of_images(tmp_path: Path) -> None:
    """Decoded into the cache, and decoded as needed, without TensorFlow's decoders."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(0)
    for name, low in (("cat", 0), ("dog", 128)):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for number in range(20):
            pixels = generator.integers(low, low + 128, (9, 7, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{number}.png")
    file = tiny_file(tmp_path)
    for loading in ("resident", "streamed"):
        found = jax(
            "train", file, "--set", f"data.source={{folder: {tmp_path}/pets}}", "--set",
            "data.image_size=8", "--set", f"data.loading={loading}", "--set",
            "train.batch_size=8", "--no-export", "--no-evaluate", cwd=tmp_path,
        )  # fmt: skip
        assert found["status"] == "done"


def test_same_seed_same_weights(runs: tuple[Path, Run]) -> None:
    file, run = runs
    found = jax("train", file, *SETS, "--no-export", "--no-evaluate", cwd=file.parent)
    again = Run(file.parent / found["run"])
    assert again.folder != run.folder
    assert same(model_weights(again), model_weights(run))
    assert final(again) == final(run)


def test_interrupt_and_resume(runs: tuple[Path, Run], tmp_path: Path) -> None:
    """Ctrl-C within an epoch; the end is the undisturbed one, bit for bit."""
    file, run = runs
    process = subprocess.Popen(
        command("train", file, *SETS, "--no-export", "--no-evaluate", "--out", "runs"),
        cwd=tmp_path,
        env=environment(KERAS_BACKEND="jax"),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    while process.poll() is None and not list(tmp_path.glob("runs/*/*/state/step-00000001[2-9]*")):
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    stopped = Run.open(tmp_path / "runs" / "tiny")
    assert stopped.info()["status"] == "interrupted"
    found = jax("train", "--resume", stopped, "--no-export", "--no-evaluate", cwd=tmp_path)
    assert (found["code"], found["status"]) == (0, "done")
    assert final(stopped) == final(run)


@pytest.mark.parametrize(
    "overrides",
    [
        ("train.ema={momentum: 0.9}", "train.optimizer=Muon",
         "train.learning_rate_factors=[{pattern: ^conv1, factor: 2, until_epoch: 1}]"),
        ("train.lookahead={every: 2}", "train.gradient_accumulation_steps=2",
         "train.optimizer={TorchSGD: {learning_rate: 0.1, momentum: 0.9, nesterov: true}}"),
    ],
    ids=["ema", "lookahead"],
)  # fmt: skip
def test_averages_go_on(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    """Interrupted and resumed to the same bits, with what is kept around an optimizer."""
    code = (
        "import sys; from pathlib import Path; from tests.runs import tiny; "
        "from tests.train.test_resume import expected, interrupted, require_same, final, resume; "
        "folder = Path('.').resolve(); recipe = tiny(folder, *sys.argv[1:]); "
        "run = interrupted(recipe, folder / 'runs', 7); resume(run.folder); "
        "require_same(final(run), expected(recipe, folder))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *overrides], cwd=tmp_path,
        env=environment(KERAS_BACKEND="jax"),
        capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "chosen",
    [
        ("tests/optimize/test_rules.py", "tests/optimize/test_mixins.py"),
        ("tests/train/test_babysit.py", "-k", "changes_nothing or probes or fault"),
    ],
    ids=["optimizers", "watch"],
)
def test_the_same_tests(chosen: tuple[str, ...]) -> None:
    """The optimizers against numpy, and what goes around them; the live watch."""
    from tests.conftest import ROOT

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", *chosen], cwd=ROOT,
        env=environment(KERAS_BACKEND="jax"), capture_output=True, text=True, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout


def test_check(tmp_path: Path) -> None:
    """Of a recipe whose kernels decay: what trains a network, or asks Keras for more than calls."""
    overrides = "train.optimizer={AdamW: {learning_rate: 1e-2, weight_decay: 1e-2}}"
    chosen = "C07,C09,C11,C12,C14"
    found = jax("check", tiny_file(tmp_path), "--set", overrides, "--only", chosen, cwd=tmp_path)
    assert found["code"] == 0
    assert {one["id"]: one["verdict"] for one in found["findings"]} == dict.fromkeys(
        chosen.split(","), "PASS"
    )
    assert found["suggestion"]


@pytest.mark.parametrize("verb", ["check", "train"])
def test_float64(tmp_path: Path, verb: str) -> None:
    """What JAX would compute in 32 bits without a word."""
    found = jax(verb, tiny_file(tmp_path), "--set", "train.dtype_policy=float64", cwd=tmp_path)
    assert found["code"] == 4
    assert "JAX_ENABLE_X64=1" in found["error"]["message"]


def test_divergence_within_an_epoch(tmp_path: Path) -> None:
    """JAX keeps the optimizer's state elsewhere during an epoch; the message must not need it."""
    found = jax(
        "train", tiny_file(tmp_path), "--set", "model.stack=[flatten]", "--set",
        "train.optimizer={SGD: {learning_rate: 1e38}}", cwd=tmp_path,
    )  # fmt: skip
    assert found["code"] == 1
    assert found["error"]["kind"] == "diverged"
    assert "learning rate 1e+38" in found["error"]["message"]


def test_export_by_another_process(runs: tuple[Path, Run]) -> None:
    """A run of JAX is exported by TensorFlow, and its answers agree with the model's."""
    file, run = runs
    done = zoo("export", run, "--json", cwd=file.parent, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["parity"]["passed"]
    assert made["parity"]["top1_agreement"] == 1.0


def test_predict_by_an_export(runs: tuple[Path, Run], tmp_path: Path) -> None:
    """Where TensorFlow cannot be imported: a Keras file on JAX, an ONNX file by its own runtime."""
    import numpy as np

    from zoo.data.images import as_png

    image = tmp_path / "x.png"
    image.write_bytes(as_png(np.arange(64, dtype=np.uint8).reshape(8, 8, 1) * 4))
    done = zoo("export", runs[1], "--format", "keras,onnx", "--out", tmp_path / "models", "--json",
               cwd=tmp_path, KERAS_BACKEND="jax")  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    paths = [each["path"] for each in json.loads(done.stdout)["exports"]]
    wanted, *found = (
        jax("predict", model, image, cwd=tmp_path)["predictions"][0]
        for model in (runs[1].folder, *paths)
    )
    for each in found:
        assert each["classes"] == wanted["classes"]
        assert each["probabilities"] == pytest.approx(wanted["probabilities"], abs=1e-4)


def test_train_and_export_in_one_go(tmp_path: Path) -> None:
    """Where TensorFlow is there as well, the run on JAX ends with an export."""
    done = zoo("train", tiny_file(tmp_path), "--json", cwd=tmp_path, KERAS_BACKEND="jax")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["export"]["parity"]["passed"]


def test_resume_on_the_other_backend_is_refused(runs: tuple[Path, Run], tmp_path: Path) -> None:
    import shutil

    run = Run(Path(shutil.copytree(runs[1].folder, tmp_path / "run")))
    run.update(status="interrupted")
    done = zoo("train", "--resume", run, "--json", cwd=tmp_path, KERAS_BACKEND="tensorflow")
    assert done.returncode == 2
    assert "begun with KERAS_BACKEND=jax" in json.loads(done.stdout)["error"]["message"]
