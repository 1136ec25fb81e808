"""The process that imports the backend: its answer, and how it may fail; and the measurement."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from zoo.backend.launch import Launch
from zoo.doctor import all_reduce, probe
from zoo.doctor.question import Question

QUICK = Question(quick=True)


def require_all_reduce(answer: dict[str, Any], devices: int, processes: int) -> None:
    """Require that each size was added up and timed, or left out for being slow."""
    rows = answer["all_reduce"]
    assert answer.get("together_error") is None
    assert [row["bytes"] for row in rows] == list(all_reduce.SIZES)
    assert all((row["devices"], row["processes"]) == (devices, processes) for row in rows)
    assert rows[0]["seconds"] > 0
    for row in rows:
        if row["skipped"] is None:
            assert row["bytes_per_second"] == pytest.approx(row["bytes"] / row["seconds"])


def executable(folder: Path, script: str) -> str:
    file = folder / "python"
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)
    return str(file)


@pytest.mark.parametrize(
    "script, error",
    [
        ("kill -ILL $$", "jax crashed: the process was ended by SIGILL"),
        ("echo old glibc >&2; exit 1", "jax crashed: old glibc"),
        ("exit 3", "jax crashed: exit code 3"),
        ("exec sleep 60", "jax did not answer in 1 s"),
        ("echo 3", "jax answered nonsense"),
    ],
)
def test_how_it_may_end(
    script: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", executable(tmp_path, script))
    monkeypatch.setattr(probe, "SECONDS", 1.0 if "sleep" in script else 60.0)
    assert probe.probe("jax", QUICK) == {"error": error}


@pytest.mark.parametrize(
    "last_words, error",
    [
        ("RPC: RegisterTask", "the 2 processes did not all come within 300 s"),
        ("connection closed", "the 2 processes lost each other"),
    ],
)
def test_how_it_may_end_beside_others(
    last_words: str, error: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JAX's runtime aborts a process that misses another one."""
    script = f"echo {last_words} >&2; kill -ABRT $$"
    monkeypatch.setattr(sys, "executable", executable(tmp_path, script))
    question = Question(quick=True, launch=Launch("127.0.0.1:9", 2, 1))
    assert probe.probe("jax", question) == {"together_error": error}


def test_a_backend_on_which_zoo_does_not_train() -> None:
    assert "KERAS_BACKEND=torch" in probe.probe("torch", QUICK)["error"]


def test_jax() -> None:
    pytest.importorskip("jax", reason="pip install jax")
    answer = probe.probe("jax", Question(quick=True, devices=2))
    assert answer["seconds"] > 0
    assert answer["speed"] == []
    assert len(answer["devices"]) >= 2
    require_all_reduce(answer, devices=2, processes=1)
    assert all(
        entry.keys() == {"name", "kind", "memory_total", "memory_free"}
        for entry in answer["devices"]
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_speed(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """FLOPs of three convolutions of the batch, over the seconds of a step."""
    pytest.importorskip("keras")
    batches = []
    seconds = {2: 0.01, 64: 0.25}

    def timed(dtype: str, batch: int) -> float:
        batches.append(batch)
        return seconds[batch]

    monkeypatch.setattr(probe, "_seconds_per_step", timed)
    result = probe.measure(dtype)
    assert batches == [2, 64]  # 128 would take 0.64 s.
    assert result["batch"] == 64
    assert result["flops_per_second"] == 3 * 2 * 64 * 32 * 32 * 9 * 64 * 64 / 0.25


def test_the_step_computes_a_convolution_and_its_gradients() -> None:
    """Against sums that need no convolution: kernels of 1x1 in the middle."""
    keras = pytest.importorskip("keras")
    import numpy as np

    rng = np.random.default_rng(0)
    images, gradient = rng.standard_normal((2, 2, 4, 4, 3), np.float32)
    kernel = np.zeros((3, 3, 3, 3), np.float32)
    kernel[1, 1] = middle = rng.standard_normal((3, 3), np.float32)
    jax = keras.backend.backend() == "jax"
    step = probe._jax_step() if jax else probe._tensorflow_step()
    tensors = map(keras.ops.convert_to_tensor, (images, kernel, gradient))
    output, by_images, by_kernel = map(keras.ops.convert_to_numpy, step(*tensors))
    np.testing.assert_allclose(output, images @ middle, atol=1e-5)
    np.testing.assert_allclose(by_images, gradient @ middle.T, atol=1e-5)
    np.testing.assert_allclose(
        by_kernel[1, 1], np.einsum("bhwi,bhwo->io", images, gradient), atol=1e-4
    )


def test_a_dtype_that_the_device_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(dtype: str, batch: int) -> float:
        raise NotImplementedError(f"no kernel for {dtype}\nand a long story")

    monkeypatch.setattr(probe, "_seconds_per_step", refused)
    assert probe.measure("float16") == {
        "dtype": "float16", "flops_per_second": None, "batch": None,
        "skipped": "NotImplementedError: no kernel for float16",
    }  # fmt: skip


def test_it_is_really_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras")
    monkeypatch.setattr(probe, "BATCH", 2)
    monkeypatch.setattr(probe, "MAX_STEPS", 2)
    result = probe.measure("float32")
    assert result["skipped"] is None
    assert result["flops_per_second"] > 0
