"""Completion in real shells, and its installation."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.calls import call, require_error
from tests.completion.shells import Shell
from zoo.completion.scripts import SHELLS, current_shell, install, script
from zoo.errors import UsageError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder that the shell is in."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name in ("my recipe.yaml", "it's.yaml", "a:b.yaml"):
        (folder / name).write_text("model: {stack: [{conv: 3}]}\n", encoding="utf-8")
    return folder


LINES = [
    ("zoo train digits-tiny --set train.epo", ["--set", "train.epochs="]),
    ("zoo train my", ["train", "my recipe.yaml"]),
    ("zoo train a:", ["train", "a:b.yaml"]),
]
MORE = [
    ("zoo tra", ["train"]),
    ("zoo train it", ["train", "it's.yaml"]),
    ("zoo train 'my", ["train", "my recipe.yaml"]),
    ("zoo train my\\ recipe.yaml --set model.stack[0].conv.fil", ["model.stack[0].conv.filters="]),
    ("zoo train x --set data.preprocess=channel_means", ["data.preprocess=channel_meanstd"]),
    ("zoo train x --set 'data.preprocess=channel_means", ["data.preprocess=channel_meanstd"]),
    ("zoo train x --set=data.preprocess=channel_means", ["--set=data.preprocess=channel_meanstd"]),
    ("echo x; zoo check --pl", ["--plots"]),
]


@pytest.mark.parametrize("name, lines", [("bash", 3), ("zsh", 1), ("fish", 1)])
def test_tab(name: str, lines: int, folder: Path) -> None:
    """`make laws` presses Tab behind more lines."""
    shell = Shell(name, folder)
    try:
        for typed, words in LINES[:lines]:
            assert shell.complete(typed)[-len(words) :] == words, typed
    finally:
        shell.close()


@pytest.mark.laws
@pytest.mark.parametrize("name", SHELLS)
def test_more_lines(name: str, folder: Path) -> None:
    shell = Shell(name, folder)
    try:
        for typed, words in [*LINES, *MORE]:
            assert shell.complete(typed)[-len(words) :] == words, typed
    finally:
        shell.close()


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_install(shell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The start file keeps what it holds, and gets one line, once."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    start = tmp_path / f".{shell}rc"
    start.write_text("alias x=y", encoding="utf-8")
    ((file, _), (changed, _)) = install(shell, tmp_path)
    assert file.read_text("utf-8") == script(shell)
    assert changed == start
    text = start.read_text("utf-8")
    assert text == f"alias x=y\nsource {file}\n"
    assert install(shell, tmp_path)[1] == (start, "reads it already")
    assert start.read_text("utf-8") == text


def test_install_for_fish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "my config"))
    ((file, _),) = install("fish", tmp_path)
    assert file == tmp_path / "my config" / "fish" / "completions" / "zoo.fish"
    assert "complete -c zoo" in file.read_text("utf-8")


def test_flags(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert call("--show-completion", "--shell", "bash").stdout == script("bash")
    result = call("--install-completion", "--shell", "bash")
    assert result.exit_code == 0
    assert str(tmp_path / ".bashrc") in result.stdout
    require_error(call("--show-completion", "--shell", "csh"), 2, "expected bash, zsh or fish")


def test_a_shell_that_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    shellingham = pytest.importorskip("shellingham")
    monkeypatch.setattr(shellingham, "detect_shell", lambda: ("tcsh", "/bin/tcsh"))
    with pytest.raises(UsageError, match="tcsh: expected one of bash, zsh, fish"):
        current_shell()

    def fail() -> None:
        raise shellingham.ShellDetectionFailure

    monkeypatch.setattr(shellingham, "detect_shell", fail)
    monkeypatch.setenv("SHELL", "/usr/bin/zsh")
    assert current_shell() == "zsh"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of a user without XDG's variables."""
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def test_the_start_file_stays_what_it_is(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its mode, its link, its bytes. A variable with a relative path does not count."""
    monkeypatch.setenv("XDG_DATA_HOME", "here")
    (home / "dotfiles").mkdir()
    real = home / "dotfiles" / "bashrc"
    real.write_bytes(b"# caf\xe9\n")
    real.chmod(0o600)
    (home / ".bashrc").symlink_to(real)
    ((file, _), _) = install("bash", home)
    assert file == home / ".local/share/zoo/completion.bash"
    assert (home / ".bashrc").is_symlink()
    assert real.read_bytes() == b"# caf\xe9\n" + f"source {file}\n".encode()
    assert real.stat().st_mode & 0o777 == 0o600


def test_a_start_file_that_is_read_only(home: Path) -> None:
    start = home / ".zshrc"
    start.write_bytes(b"x\n")
    start.chmod(0o444)
    with pytest.raises(UsageError, match="is read-only. Add the line yourself: source "):
        install("zsh", home)
    assert start.read_bytes() == b"x\n"


def test_a_user_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", fail)
    require_error(call("--install-completion", "--shell", "bash"), 2, "this user has no home")
