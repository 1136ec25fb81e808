"""The readers of exports, as a script of their own. tests/export/test_formats.py reads each."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.artifact import readers


@given(st.lists(st.text(st.characters(exclude_characters="\n"), min_size=1), min_size=1))
def test_split_lines(names: list[str]) -> None:
    """A class name may contain any of Unicode's line separators."""
    assert readers.split_lines("".join(f"{name}\n" for name in names)) == names


@pytest.mark.parametrize("format", readers.READERS)
def test_the_script_blocks_imports(
    format: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows that an export needs no zoo and, but for .keras files, no Keras."""
    blocked: list[str] = []

    def reader(model: Path) -> readers.OpenedExport:
        for name in ("zoo", "keras", "tensorflow"):
            if sys.modules.get(name, "not imported") is None:
                blocked.append(name)
        return ["a"], {"call": ("uint8", lambda images: {"probabilities": images[:, :1]})}

    # Restored after the test.
    for name in ("zoo", "keras", "tensorflow", "jax", "sklearn", "matplotlib"):
        monkeypatch.setitem(sys.modules, name, sys.modules.get(name))  # type: ignore[arg-type]
        if sys.modules[name] is None:
            del sys.modules[name]
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
    monkeypatch.setitem(readers.READERS, format, reader)
    monkeypatch.setattr(sys, "argv", ["readers.py", format, "model", str(tmp_path)])
    pixels = np.arange(130, dtype=np.uint8)[:, None]
    np.save(tmp_path / "pixels.npy", pixels)
    readers.main()
    expected = {"keras": ["zoo"], "onnx": ["zoo", "keras", "tensorflow"]}
    assert blocked == expected.get(format, ["zoo", "keras"])
    with np.load(tmp_path / "out.npz") as results:
        assert results["labels"].tolist() == ["a"]
        assert (results["call/probabilities"] == pixels).all()
        assert (results["call/again"] == pixels).all()


@pytest.mark.parametrize("name", ["a[1]*?", os.fsdecode(b"\xff"), "{a,b}"])
def test_paths_that_tensorflow_takes_for_something_else(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    (folder / "x").write_bytes(b"x")
    with readers.plain_path(folder) as path:
        assert not set(path.encode().decode()) & set("*?[{")
        assert (Path(path) / "x").read_bytes() == b"x"
    assert not os.path.lexists(path)
    assert (folder / "x").is_file()
    with readers.plain_path(tmp_path) as path:
        assert path == str(tmp_path)
