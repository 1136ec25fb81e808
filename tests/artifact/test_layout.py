"""Finding exports and reading their manifests. No model is loaded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from zoo.artifact.layout import MODEL_FILES, Artifact, find_export, version_folders
from zoo.errors import RunError


def model(folder: Path, format: str = "onnx") -> Path:
    """A version's folder with a file named as a model."""
    folder.mkdir(parents=True)
    (folder / MODEL_FILES[format]).write_bytes(b"model")
    return folder


def require_found(path: Path) -> Artifact:
    artifact = find_export(path)
    assert artifact is not None
    return artifact


@pytest.mark.parametrize("format", MODEL_FILES)
def test_every_path_to_an_export(tmp_path: Path, format: str) -> None:
    """The model's file, its version, the folder of versions, and that of the format."""
    version = model(tmp_path / "export" / format / "cats" / "1", format)
    artifact = Artifact(version, format)
    for path in (artifact.model_file, version, version.parent, version.parent.parent):
        assert find_export(path) == find_export(str(path)) == artifact
    assert find_export(tmp_path) is None
    assert find_export(version / "nothing") is None


def test_several_models(tmp_path: Path) -> None:
    for name in ("cats", "dogs"):
        model(tmp_path / name / "1", "keras")
    with pytest.raises(RunError, match="holds several models; name one of: cats, dogs"):
        find_export(tmp_path)
    assert find_export(tmp_path / "cats") == Artifact(tmp_path / "cats" / "1", "keras")


def test_newest_version(tmp_path: Path) -> None:
    """Versions are ordered by number, names that are no numbers are ignored, empty ones refused."""
    for version in ("9", "10", "backup", "²"):
        model(tmp_path / "cats" / version)
    assert sorted(version_folders(tmp_path / "cats")) == [9, 10]
    assert require_found(tmp_path).folder.name == "10"
    (tmp_path / "cats" / "11").mkdir()
    with pytest.raises(RunError, match="11: holds no model. Expected one of: saved_model.pb"):
        find_export(tmp_path / "cats")


def test_unfinished_exports_are_not_found(tmp_path: Path) -> None:
    model(tmp_path / ".new-abc" / "1")
    assert find_export(tmp_path) is None


def test_bad_manifests(tmp_path: Path) -> None:
    """None, one that is not JSON, one that lacks keys."""
    artifact = require_found(model(tmp_path / "1"))
    with pytest.raises(RunError, match="no export of `zoo export`: it has no manifest.json"):
        artifact.manifest()
    artifact.manifest_file.write_text("{", encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read"):
        artifact.manifest()
    artifact.manifest_file.write_text('{"classes": []}', encoding="utf-8")
    with pytest.raises(RunError, match="lacks format; classes: .*; lacks image; and 1 more. Copy"):
        artifact.manifest()


def test_damaged_files_are_named(tmp_path: Path) -> None:
    artifact = require_found(model(tmp_path / "1"))
    files = {
        name: {"sha256": hashlib.sha256(content).hexdigest()}
        for name, content in (("model.onnx", b"model"), ("labels.txt", b"a\n"), ("x", b""))
    }
    (artifact.folder / "labels.txt").write_bytes(b"b\n")
    manifest = json.loads(json.dumps({"files": files}))
    with pytest.raises(RunError, match=r"labels\.txt is changed or cut; x is missing\. Copy or"):
        artifact.verify_files(manifest)
    del manifest["files"]["labels.txt"], manifest["files"]["x"]
    artifact.verify_files(manifest)
