"""JAX's compiled functions on the disk: who may use the folder, and how large it gets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from zoo.backend import compilation_cache


def test_where_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR", raising=False)
    assert compilation_cache.folder() == tmp_path / "jax"
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "/elsewhere")
    assert compilation_cache.folder() == Path("/elsewhere")


def test_what_was_not_used_for_longest_goes_first(tmp_path: Path) -> None:
    (tmp_path / "autotune").mkdir()
    names = ("newest", "autotune/oldest", "middle")
    for age, name in zip((1, 3, 2), names, strict=True):
        (tmp_path / name).write_bytes(bytes(100))
        os.utime(tmp_path / name, (1e9 - age, 1e9 - age))
    compilation_cache.cut_back(tmp_path, 300)
    assert all((tmp_path / name).exists() for name in names)
    compilation_cache.cut_back(tmp_path, 299)
    assert not (tmp_path / "autotune/oldest").exists()
    # Written long ago, read since: this one stays.
    os.utime(tmp_path / "middle", (1e9, 1e8))
    compilation_cache.cut_back(tmp_path, 150)
    assert [name for name in names if (tmp_path / name).exists()] == ["middle"]


def test_a_folder_that_others_may_write_to_is_not_private(tmp_path: Path) -> None:
    for mode, private in ((0o700, True), (0o755, True), (0o775, False), (0o777, False)):
        tmp_path.chmod(mode)
        assert compilation_cache.is_private(tmp_path) == private
    tmp_path.chmod(0o700)


# Compiles a function, and prints whether zoo's folder is used and how many functions came from it.
PROCESS = """
import jax
import jax.numpy as jnp
from zoo.backend import compilation_cache

events = []
jax.monitoring.register_event_listener(lambda event, **_: events.append(event))
used = compilation_cache.enable()
jax.jit(lambda x: jnp.cumsum(x) * 3)(jnp.ones(5)).block_until_ready()
print(used, events.count("/jax/compilation_cache/cache_hits") > 0)
"""


def run(cache: Path, **more: str) -> tuple[str, str]:
    """What such a process prints on stdout and on stderr."""
    pytest.importorskip("jax", reason="pip install jax")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("JAX_")}
    environment |= {"ZOO_CACHE": str(cache), "TF_CPP_MIN_LOG_LEVEL": "3"}
    environment |= {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0", **more}
    done = subprocess.run(
        [sys.executable, "-c", PROCESS], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip(), done.stderr


def test_the_second_process_compiles_nothing_anew(tmp_path: Path) -> None:
    assert run(tmp_path) == ("True False", "")
    assert (tmp_path / "jax").stat().st_mode & 0o777 == 0o700
    assert run(tmp_path) == ("True True", "")


def test_a_folder_of_the_users_own_is_left_alone(tmp_path: Path) -> None:
    own = tmp_path / "own"
    assert run(tmp_path / "zoo", JAX_COMPILATION_CACHE_DIR=str(own))[0] == "False False"
    assert any(own.iterdir())
    assert not (tmp_path / "zoo").exists()


def test_a_folder_that_cannot_be_used_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert run(tmp_path / "file") == ("False False", "")
    (tmp_path / "jax").mkdir()
    (tmp_path / "jax").chmod(0o777)
    assert run(tmp_path) == ("False False", "")
    assert not any((tmp_path / "jax").iterdir())
