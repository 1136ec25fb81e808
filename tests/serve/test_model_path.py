"""What the command line's EXPORT means, and what `zoo serve` answers to what it cannot serve."""

from __future__ import annotations

import importlib.util
import json
import socket
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from zoo.artifact.layout import MODEL_FILES
from zoo.cli import app, serve
from zoo.errors import DataError, EnvironmentFault, RunError
from zoo.rundir import Run
from zoo.serve.model_path import find


def version(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "saved_model.pb").write_bytes(b"")
    return folder


def test_a_models_folder(tmp_path: Path) -> None:
    version(tmp_path / "pets" / "3")
    version(tmp_path / "pets" / "00000012")
    for path in (tmp_path / "pets", tmp_path / "pets" / "." / ".." / "pets"):
        model_path = find(str(path))
        assert (model_path.name, model_path.only) == ("pets", None)
        assert {number: folder.name for number, folder in model_path.versions().items()} == {
            3: "3",
            12: "00000012",
        }
    assert find(str(tmp_path / "pets"), "cats").name == "cats"
    assert find(str(tmp_path)).name == "pets"  # The folder of one model.


def test_one_version(tmp_path: Path) -> None:
    version(tmp_path / "pets" / "3")
    version(tmp_path / "pets" / "4")
    model_path = find(str(tmp_path / "pets" / "3"))
    assert (model_path.name, model_path.versions().keys()) == ("pets", {3})
    version(tmp_path / "any" / "model")
    model_path = find(str(tmp_path / "any" / "model"))
    assert (model_path.name, model_path.versions().keys()) == ("model", {1})


def test_a_run(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "digits")
    run.update(status="done", name="digits")
    with pytest.raises(RunError, match="has no SavedModel to serve. Export it first: zoo export"):
        find(str(run))
    version(run.export_folder("saved_model") / "digits" / "1")
    for path in (run.folder, tmp_path / "digits"):
        model_path = find(str(path))
        assert model_path.name == "digits"
        assert model_path.versions() == {1: run.export_folder("saved_model") / "digits" / "1"}


def test_a_diverged_run(tmp_path: Path) -> None:
    run = Run.create(tmp_path, "digits")
    run.update(status="diverged", name="digits")
    with pytest.raises(RunError, match=r"\(its status is diverged\). Nothing that diverged"):
        find(str(run))


@pytest.mark.parametrize(
    "name, part",
    [
        ("nothing", "does not exist. Expected a folder made by `zoo export`"),
        ("empty", "holds no numeric version folder, nor a run"),
        ("model.keras", "is a file. Files of kind .keras are not served, SavedModels are."),
        ("saved_model.pb", "Give the folder that it is in."),
    ],
)
def test_what_is_no_export(tmp_path: Path, name: str, part: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "model.keras").write_text("")
    (tmp_path / "saved_model.pb").write_text("")
    with pytest.raises(RunError, match=part):
        find(str(tmp_path / name))


def test_a_version_without_a_model(tmp_path: Path) -> None:
    (tmp_path / "pets" / "1").mkdir(parents=True)
    with pytest.raises(DataError, match="no saved_model.pb in it"):
        find(str(tmp_path / "pets" / "1"))


@pytest.mark.parametrize("format", ["onnx", "litert", "keras"])
def test_models_of_other_formats(tmp_path: Path, format: str) -> None:
    folder = tmp_path / "export" / format / "pets" / "2"
    folder.mkdir(parents=True)
    (folder / MODEL_FILES[format]).write_bytes(b"")
    for path in (folder, folder.parent, folder.parent.parent):
        with pytest.raises(RunError, match=f"in the format {format}.*SavedModel: zoo export RUN"):
            find(str(path))
        assert call(path).exit_code == 2
    with pytest.raises(RunError, match="is a file. .* are not served, SavedModels are."):
        find(str(folder / MODEL_FILES[format]))


def test_an_old_version_of_another_format_is_no_matter(tmp_path: Path) -> None:
    version(tmp_path / "pets" / "2")
    (tmp_path / "pets" / "1").mkdir()
    (tmp_path / "pets" / "1" / "model.onnx").write_bytes(b"")
    assert find(str(tmp_path / "pets")).name == "pets"


def test_what_a_killed_export_leaves_is_not_seen(tmp_path: Path) -> None:
    version(tmp_path / ".new-a1b2" / "1")
    with pytest.raises(RunError, match="holds no numeric version folder"):
        find(str(tmp_path))
    version(tmp_path / "pets" / "1")
    version(tmp_path / "pets" / ".new-c3d4" / "2")
    for path in (tmp_path, tmp_path / "pets"):
        model_path = find(str(path))
        assert (model_path.name, list(model_path.versions())) == ("pets", [1])


def test_a_folder_of_several_models(tmp_path: Path) -> None:
    for name in ("pets", "cats"):
        version(tmp_path / name / "1")
    with pytest.raises(RunError, match="holds several models; name one of: cats, pets"):
        find(str(tmp_path))


def test_a_hidden_run_is_not_seen(tmp_path: Path) -> None:
    Run.at(tmp_path / ".trash").update(status="done", name="digits")
    version(tmp_path / "pets" / "1")
    assert find(str(tmp_path)).name == "pets"


# The command line.


def call(*arguments: str | Path) -> Any:
    return CliRunner().invoke(app, ["serve", *map(str, arguments)])


def test_errors_have_their_exit_codes(tmp_path: Path) -> None:
    (tmp_path / "pets" / "1").mkdir(parents=True)
    result = call(tmp_path / "none")
    assert (result.exit_code, result.stdout) == (2, "")
    result = call(tmp_path / "pets" / "1", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["error"]["kind"] == "data"
    result = call(tmp_path / "pets", "--name", "a/b")
    assert result.exit_code == 2
    assert "not a name for a model" in result.stderr


def test_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version(tmp_path / "pets" / "1")
    real = importlib.util.find_spec

    def without(*missing: str) -> Any:
        return lambda name: None if name in missing else real(name)

    monkeypatch.setattr(serve, "find_spec", without("orjson"))
    result = call(tmp_path / "pets")
    assert result.exit_code == 4
    assert 'needs orjson, which is not installed: pip install "zoo-keras[serve]"' in result.stderr
    monkeypatch.setattr(serve, "find_spec", without("orjson", "uvicorn"))
    assert "needs uvicorn, orjson, which are not installed: pip" in call(tmp_path / "pets").stderr
    monkeypatch.setattr(serve, "find_spec", without("tensorflow"))
    assert "pip install tensorflow" in call(tmp_path / "pets").stderr


def test_a_port_in_use(tmp_path: Path) -> None:
    version(tmp_path / "pets" / "1")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = call(tmp_path / "pets", "--port", str(port))
    assert result.exit_code == 4
    assert f"port {port} on 127.0.0.1 is in use by another process" in result.stderr
    assert "--port 0 takes any free one" in result.stderr


def test_an_address_that_is_none_of_ours(tmp_path: Path) -> None:
    version(tmp_path / "pets" / "1")
    result = call(tmp_path / "pets", "--host", "192.0.2.1", "--port", "0")
    assert result.exit_code == 4
    assert "cannot listen on 192.0.2.1" in result.stderr


def test_hosts_that_are_none(tmp_path: Path) -> None:
    version(tmp_path / "pets" / "1")
    result = call(tmp_path / "pets", "--allowed-host", "https://x", "--port", "0")
    assert result.exit_code == 2
    assert "--allowed-host 'https://x': not a host" in result.stderr


def test_few_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that may open few files takes few connections, and says so."""
    from zoo.serve import server

    def stop() -> None:
        raise EnvironmentFault("stopped here")

    version(tmp_path / "pets" / "1")
    monkeypatch.setattr(server, "raise_file_limit", lambda connections: 7)
    monkeypatch.setattr(server, "prepare", stop)
    result = call(tmp_path / "pets", "--port", "0")
    assert result.exit_code == 4
    assert "at most 7 connections, not 1000: this process may open no more files" in result.stderr
