"""The devices of a training: how they are asked for, and what two of them give."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calls import call, require_error
from tests.conftest import ROOT, Share
from tests.runs import RAGGED, environment, tiny_file
from zoo.backend import devices
from zoo.backend.device_request import parse, require_batch, require_devices
from zoo.backend.devices import ONE, Devices
from zoo.errors import RunError, UsageError

WORKER = ROOT / "tests" / "backend" / "two_devices.py"
CLOSE = 1e-5


def test_what_is_asked_for() -> None:
    assert [parse(text) for text in (None, "all", "1", "16")] == [None, "all", 1, 16]
    for text in ("0", "-1", "two", "1.5", "", "1_6", " 2", "+2", "２", "9" * 5000):
        with pytest.raises(UsageError, match="Expected a number from 1 on, or `all`"):
            parse(text)


def test_a_batch_is_divided_or_refused_with_what_would_do() -> None:
    require_batch(96, 3)
    with pytest.raises(UsageError) as raised:
        require_batch(128, 3)
    assert "Expected a multiple of 3. Received 128" in str(raised.value)
    assert "--set train.batch_size=126 or --set train.batch_size=129" in str(raised.value)
    with pytest.raises(UsageError, match="nearest: --set train.batch_size=4$"):
        require_batch(3, 4)
    with pytest.raises(UsageError, match="--num-processes 3: train.batch_size"):
        require_batch(64, 3, "--num-processes")


def test_a_resume_takes_as_many_as_before() -> None:
    assert require_devices(2, None, False, "run") == 2
    assert require_devices(2, 2, False, "run") == 2
    assert require_devices(2, "all", False, "run") == "all"  # Counted later.
    assert require_devices(2, 4, True, "run") == 4
    with pytest.raises(RunError, match="begun with --devices 2.*add --allow-other-devices"):
        require_devices(2, 4, False, "run")


def test_rows_of_processes() -> None:
    """Each process makes its rows of a batch that is shared out, and all rows of another one."""
    processes = [Devices(4, processes=2, process=number) for number in range(2)]
    assert [each.rows(8) for each in processes] == [slice(0, 4), slice(4, 8)]
    assert [each.rows(7) for each in processes] == [slice(0, 7)] * 2
    assert [each.is_first for each in processes] == [True, False]
    assert (ONE.rows(8), ONE.divide(8), str(ONE)) == (slice(0, 8), False, "")
    assert str(Devices(2, logical=True)) == ", on 2 logical devices"


def test_one_device_sets_nothing_up() -> None:
    batch = {"images": [1, 2]}
    assert devices.set_up(None) is ONE
    assert devices.set_up(1) is devices.current() is ONE
    assert devices.place(batch, 2) is batch
    assert devices.constrain(batch, 2) is batch
    assert devices.strategy() is None


@pytest.mark.parametrize(
    "arguments, code, part",
    [
        (("--devices", "x"), 2, "--devices: Expected a number"),
        (("--devices", "3"), 2, "--set train.batch_size=255 or --set train.batch_size=258"),
        (("--devices", "3", "--folds", "2"), 2, "Expected a multiple of 3. Received 256"),
        (("--devices", "3", "--seeds", "2"), 2, "Expected a multiple of 3. Received 256"),
        (("--allow-other-devices",), 2, "--allow-other-devices belongs to --resume"),
        (("--devices", "64"), 4, "Expected at most 16"),
    ],
)
def test_refused_before_data_are_read(
    tmp_path: Path, arguments: tuple[str, ...], code: int, part: str
) -> None:
    recipe = tiny_file(tmp_path)
    source = f"data.source={{folder: {tmp_path}/none}}"
    changed = (source, "data.image_size=8", *RAGGED)
    overrides = [word for change in changed for word in ("--set", change)]
    require_error(call("train", recipe, *overrides, *arguments), code, part)
    assert devices.current() is ONE


def test_resume_with_other_devices_is_refused(trained: Any) -> None:
    """Of a run that is older than `devices`: it had one."""
    refused = call("train", "--resume", trained, "--devices", "2")
    require_error(refused, 2, "begun with --devices 1")


@pytest.fixture(scope="module", params=["tensorflow", "jax"])
def answers(request: pytest.FixtureRequest, share: Share) -> Any:
    """What the process of `two_devices.py` answers, asked once a session."""
    backend = request.param
    if backend == "jax":
        pytest.importorskip("jax", reason="pip install jax")

    def make(folder: Path) -> None:
        done = subprocess.run(
            [sys.executable, WORKER, folder],
            env=environment(
                KERAS_BACKEND=backend, JAX_DISABLE_MOST_OPTIMIZATIONS="1",
                CUDA_VISIBLE_DEVICES="", JAX_PLATFORMS="cpu", XLA_FLAGS="",
            ),
            capture_output=True, text=True, timeout=580,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-4000:]
        (folder / "answers.json").write_text(done.stdout.splitlines()[-1], encoding="utf-8")

    file = share(f"two-devices-{backend}", make) / "answers.json"
    return json.loads(file.read_text(encoding="utf-8")) | {"backend": backend}


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_two_devices_give_what_one_gives(answers: Any) -> None:
    """After 52 steps, weights, state and metrics agree; so do the models that were kept."""
    for name in ("first", "other"):
        assert max(answers[name].values()) < CLOSE, answers[name]
    assert answers["predictions"] < CLOSE
    loop = "device" if answers["backend"] == "jax" else "host"
    assert answers["info"] == {"devices": 2, "loop": loop, "steps": 52}
    assert (answers["devices_of_one"], answers["after"]) == (1, 1)
    assert answers["shares"] == [49, 81]  # Rows of a device: of a full batch, and of the last one.
    assert answers["watch"][-1] == "C19"  # The watch saw the training to its end.
    # Files open on one device, and on the other backend, which knows no synchronized batch norm.
    assert answers["synchronized"] == [False]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_resumed_bit_equal_or_told_otherwise(answers: Any) -> None:
    broken = answers["broken"]
    assert broken["saved"] == ["step-000000016.npz", "step-000000008.npz"]
    assert broken["same"]  # As the training that nothing interrupted, to the bit.
    assert "begun with --devices 2" in broken["other"]
    assert "begun with 2 of these devices and goes on with 1" in broken["note"]
    assert broken["devices"] == 1
    (change,) = broken["changed"]
    del change["at"]
    assert change == {"from_devices": 2, "to_devices": 1, "after_step": 16}
    assert max(broken["distance"].values()) < CLOSE


@pytest.mark.slow
def test_more_devices_than_there_are(answers: Any) -> None:
    assert f"{answers['backend']} finds 2 devices here" in answers["too_many"]


@pytest.mark.slow
def test_the_doctor_times_an_all_reduce(answers: Any) -> None:
    rows = answers["all_reduces"]
    assert [(row["devices"], row["bytes"]) for row in rows] == [(2, 4_000), (2, 1_000_000)]
    assert rows[0]["seconds"] > 0
