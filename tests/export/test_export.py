"""`zoo export`: what it writes and where, what it refuses, what it leaves after a failure."""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.disks import file_size_limit
from tests.exports import Exports, invoke
from tests.runs import copied
from zoo.artifact.layout import MODEL_FILES, Artifact, find_export, version_folders
from zoo.artifact.trained_run import TrainedRun
from zoo.artifact.variant import Variant
from zoo.errors import Diverged, EnvironmentFault, ParityError, StorageFault
from zoo.export import FORMATS, export
from zoo.export.export import require_packages
from zoo.rundir import Run
from zoo.rundir.files import locked


@pytest.fixture
def copies(exports: Exports, set_writer: Any) -> None:
    """Writers of ONNX and LiteRT that copy the model of `exports`, which takes no time."""
    for format in ("onnx", "litert"):
        set_writer(format, lambda trained, folder, format=format: exports.copy(format, folder))


# Output.


def test_printed(exports: Exports) -> None:
    """One document for each export, in the order requested."""
    assert exports.printed.keys() == {"exports"}
    documents = exports.printed["exports"]
    assert [each["format"] for each in documents] == list(FORMATS)
    for each in documents:
        assert each.keys() == {"path", "format", "bytes", "parity"}
        assert each["bytes"] == exports.of(each["format"]).size()
        assert Path(each["path"]) == exports.run.export_folder(each["format"]) / "tiny" / "1"


@pytest.mark.parametrize("format", FORMATS)
def test_nothing_else_is_left(exports: Exports, format: str) -> None:
    folder = exports.run.export_folder(format)
    assert {path.name for path in folder.iterdir()} == {"tiny", "parity.json"}
    beside = {"manifest.json", "README.md", "recipe.yaml"}
    names = {path.name for path in (folder / "tiny" / "1").iterdir()}
    if format == "saved_model":
        assert names == {
            "saved_model.pb", "fingerprint.pb", "variables", "assets", "assets.extra",
        }  # fmt: skip
        extra = {path.name for path in exports.of(format).extra.iterdir()}
        assert extra == beside | {"tf_serving_warmup_requests"}
    else:
        assert names == beside | {"labels.txt", MODEL_FILES[format]}


# The command.


def test_unknown_format(exports: Exports) -> None:
    for words in (["--format", "onnx,savedmodel"], ["--format", "onnx", "--format", "savedmodel"]):
        result = invoke("export", exports.run, *words)
        assert result.exit_code == 2
        assert (
            "--format savedmodel: unknown. Expected one of: saved_model, keras, onnx, litert"
            in (result.stderr)
        )


def test_missing_package(trained: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error comes before anything is written, in any format."""
    # By its module: `zoo.export.export` is the function.
    module = import_module("zoo.export.export")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    run = copied(trained, tmp_path)
    result = invoke("export", run, "--format", "keras,onnx")
    assert result.exit_code == 4
    assert "--format onnx needs tf2onnx, onnx, onnxruntime" in result.stderr
    assert 'pip install "zoo-keras[onnx]"' in result.stderr
    assert not run.export_folder("keras").exists()
    require_packages(Variant("litert"))  # TensorFlow reads it as well.
    with pytest.raises(EnvironmentFault):
        export(TrainedRun(run), "onnx")


def test_diverged(trained: Run, tmp_path: Path) -> None:
    """Such a run may hold a model from before it diverged; it is not exported."""
    run = copied(trained, tmp_path)
    run.update(status="diverged")
    result = invoke("export", run)
    assert result.exit_code == 1
    assert "its training diverged, so that nothing is exported" in result.stderr
    assert "Lower the learning rate" in result.stderr
    assert not run.export_folder("saved_model").exists()
    with pytest.raises(Diverged):
        export(TrainedRun(run), "keras")


def test_out_and_version(trained: Run, tmp_path: Path, copies: None) -> None:
    run, out = copied(trained, tmp_path), tmp_path / "deep" / "models"
    for version in (2, 10):
        result = invoke("export", run, "--format", "onnx", "--out", out, "--model-version", version,
                      "--json")  # fmt: skip
        assert result.exit_code == 0, result.output
        printed = json.loads(result.stdout)
        assert printed["path"] == str(out / "tiny" / str(version))
        assert printed["exports"] == [{k: v for k, v in printed.items() if k != "exports"}]
    assert sorted(version_folders(out / "tiny")) == [2, 10]
    newest = find_export(out)
    assert newest is not None
    assert newest.folder.name == "10"
    assert newest.manifest()["version"] == 10
    # The comparison is the run's; the model is not.
    assert [path.name for path in run.export_folder("onnx").iterdir()] == ["parity.json"]
    assert sorted(path.name for path in out.iterdir()) == ["tiny"]


def test_out_changes_no_version(trained: Run, tmp_path: Path, copies: None) -> None:
    """A version that may be served is not changed: the next number is used, a used one refused."""
    run, out = copied(trained, tmp_path), tmp_path / "models"
    (out / "tiny" / "7").mkdir(parents=True)
    (out / "tiny" / "7" / "model.onnx").write_bytes(b"another's")
    taken = invoke("export", run, "--format", "onnx", "--out", out, "--model-version", "7")
    assert taken.exit_code == 2
    assert "exists. Servers do not look at a version twice" in taken.stderr
    assert "such as 8" in taken.stderr
    assert (out / "tiny" / "7" / "model.onnx").read_bytes() == b"another's"
    free = invoke("export", run, "--format", "onnx", "--out", out, "--json")
    assert json.loads(free.stdout)["path"] == str(out / "tiny" / "8")


def test_a_converter_that_fails(trained: Run, tmp_path: Path, set_writer: Any) -> None:
    """The error is one sentence, whatever the converter raises."""

    def write(trained: TrainedRun, folder: Path) -> None:
        raise RuntimeError("no such operation: Erfc\nand its stack")

    set_writer("onnx", write)
    result = invoke("export", copied(trained, tmp_path), "--format", "onnx")
    assert result.exit_code == 1
    assert "cannot be written as onnx: no such operation: Erfc. Nothing" in result.stderr


def test_out_of_several(trained: Run, tmp_path: Path, copies: None) -> None:
    """Formats go to folders of their own."""
    run = copied(trained, tmp_path)
    result = invoke("export", run, "--format", "onnx,litert", "--out", tmp_path / "models")
    assert result.exit_code == 0, result.output
    for format in ("onnx", "litert"):
        folder = tmp_path / "models" / format / "tiny" / "1"
        assert find_export(folder) == Artifact(folder, format)
        assert str(folder) in result.stdout


def test_version_is_a_number(exports: Exports) -> None:
    assert invoke("export", exports.run, "--model-version", "0").exit_code == 2
    assert invoke("export", exports.run, "--model-version", "new").exit_code == 2


def test_out_is_not_a_folder(exports: Exports, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    result = invoke("export", exports.run, "--out", tmp_path / "file" / "models")
    assert result.exit_code == 4
    assert "cannot be written to; choose another place with --out" in result.stderr


def test_again_replaces(trained: Run, tmp_path: Path, copies: None) -> None:
    run = copied(trained, tmp_path)
    final = run.export_folder("onnx") / "tiny" / "1"
    final.mkdir(parents=True)
    (final / "stray").write_text("old", encoding="utf-8")
    (final.parent / "2").mkdir()
    assert export(TrainedRun(run), "onnx")["path"] == str(final)
    assert not (final / "stray").exists()
    assert (final.parent / "2").exists()


# Failures.


def test_other_versions_stay(trained: Run, tmp_path: Path, set_writer: Any) -> None:
    run = copied(trained, tmp_path)
    old = run.export_folder("onnx") / "tiny" / "2" / "model.onnx"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"passed once")
    set_writer("onnx", lambda trained, folder: (folder / "model.onnx").write_bytes(b"no model"))
    with pytest.raises(ParityError):
        export(TrainedRun(run), "onnx", version=3)
    assert old.read_bytes() == b"passed once"


def test_leftovers_of_killed_exports(trained: Run, tmp_path: Path, copies: None) -> None:
    """The next export deletes them, but not those of an export that still runs."""
    run = copied(trained, tmp_path)
    folder = run.export_folder("onnx")
    for name in ("dead", "alive", "young"):
        (folder / f".new-{name}" / "1").mkdir(parents=True)
        (folder / f".new-{name}" / "1" / "model.onnx").write_bytes(b"never compared")
        if name != "young":
            os.utime(folder / f".new-{name}", (0, 0))
    assert find_export(folder) is None
    with locked(folder / ".new-alive", os.getpid):
        export(TrainedRun(run), "onnx")
    left = sorted(path.name for path in folder.glob(".new-*"))
    assert left == [".new-alive", ".new-young"]
    result = find_export(folder)
    assert result is not None
    assert result.folder == folder / "tiny" / "1"


def test_a_failed_export_leaves_the_old_one_in_out(
    trained: Run, tmp_path: Path, copies: None, set_writer: Any
) -> None:
    """The old export is unchanged; parity.json of the run describes the failure."""
    run, out = copied(trained, tmp_path), tmp_path / "models"
    folder = Path(export(TrainedRun(run), "onnx", out)["path"])
    before = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(before) == 5
    set_writer("onnx", lambda trained, folder: (folder / "model.onnx").write_bytes(b"no model"))
    with pytest.raises(ParityError):
        export(TrainedRun(run), "onnx", out)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert sorted(path.name for path in out.iterdir()) == ["tiny"]


def test_a_failed_format_does_not_stop_others(
    trained: Run, tmp_path: Path, copies: None, set_writer: Any
) -> None:
    run = copied(trained, tmp_path)
    set_writer("onnx", lambda trained, folder: (folder / "model.onnx").write_bytes(b"no model"))
    result = invoke("export", run, "--format", "onnx,litert", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert [each["format"] for each in document["exports"]] == ["litert"]
    assert document["error"]["kind"] == "parity"
    assert "cannot be read again" in document["error"]["message"]
    assert find_export(run.export_folder("litert")) is not None
    assert find_export(run.export_folder("onnx")) is None


def test_an_interrupted_export_leaves_the_old_one(
    trained: Run, tmp_path: Path, set_writer: Any
) -> None:
    """No incomplete export replaces it."""
    run = copied(trained, tmp_path)
    final = run.export_folder("onnx") / "tiny" / "1"
    final.mkdir(parents=True)
    (final / "model.onnx").write_bytes(b"old")

    def write(trained: TrainedRun, folder: Path) -> None:
        (folder / "model.onnx").write_bytes(b"half")
        raise KeyboardInterrupt

    set_writer("onnx", write)
    with pytest.raises(KeyboardInterrupt):
        export(TrainedRun(run), "onnx")
    assert (final / "model.onnx").read_bytes() == b"old"
    assert [path.name for path in run.export_folder("onnx").iterdir()] == ["tiny"]


def test_a_full_disk(trained: Run, tmp_path: Path) -> None:
    """The older export stays, nothing else is left, and the sentence names the place."""
    run = copied(trained, tmp_path)
    old = run.export_folder("keras") / "tiny" / "1"
    old.mkdir(parents=True)
    (old / "model.keras").write_text("old", encoding="utf-8")
    opened = TrainedRun(run)
    with file_size_limit(2000), pytest.raises(StorageFault, match="cannot be written") as caught:
        export(opened, "keras")
    assert f"{old}: cannot be written: it is larger than a file may be" in caught.value.message
    assert [path.name for path in run.export_folder("keras").iterdir()] == ["tiny"]
    assert (old / "model.keras").read_text(encoding="utf-8") == "old"
