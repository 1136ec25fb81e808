"""Who allows code to run: the flag, the user's own configuration, and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugins.example import write
from zoo.errors import PluginError, PluginRefused, RunError, UsageError
from zoo.plugins import config, permission, reading, recipe_parts, reference, running, source
from zoo.plugins.part import Part
from zoo.recipe import load
from zoo.rundir import Run


@pytest.fixture(autouse=True)
def _no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    permission.allow(False)
    yield
    permission.allow(False)
    source.hand_over({})


def configure(text: str) -> Path:
    file = config.config_file()
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)
    return file


def part(folder: Path):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "parts.py").write_text("def Part(x): ...\n")
    return reading.read("parts.py:Part", folder)


def test_without_permission_it_says_what_would_run(tmp_path: Path) -> None:
    recipe = load(str(write(tmp_path)))
    with pytest.raises(PluginRefused) as caught:
        recipe_parts.require(recipe)
    text = str(caught.value)
    assert "add --allow-plugins, or write into " in text
    assert f"{tmp_path}/config/zoo/config.yaml: allow_plugins: [{tmp_path}/my_parts.py]" in text
    assert f"{tmp_path}/my_parts.py:14: Mish2: an activation" in text
    assert len(caught.value.problems) == 7
    assert caught.value.exit_code == 2


def test_running_asks_by_itself(tmp_path: Path) -> None:
    with pytest.raises(PluginRefused):
        running.load(part(tmp_path))


@pytest.mark.parametrize(
    "entry, allowed",
    [
        ("true", True),
        ("false", False),
        ("[{folder}]", True),
        ("[{folder}/parts.py]", True),
        ("['~/mine']", True),
        ("[{folder}x]", False),
        ("[{folder}/part]", False),
        ("[{folder}/elsewhere]", False),
        ("[my_package]", False),
        ("[]", False),
    ],
)
def test_the_configuration_of_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, entry: str, allowed: bool
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    configure(f"allow_plugins: {entry.format(folder=tmp_path / 'mine')}\n")
    found = part(tmp_path / "mine")
    assert permission.are_allowed([found]) is allowed
    permission.allow()
    assert permission.are_allowed([found])


@pytest.mark.parametrize(
    "text, message",
    [
        ("allow_plugins: [parts]\nallow_plugins: true\n", "duplicate key"),
        ("allow_plugins: [./parts]\n", "'./parts' is relative. Expected allow_plugins: true"),
        ("allow_plugins: yes\n", "Expected allow_plugins: true, false, or a list"),
        ("allow_plugin: true\n", "unknown key 'allow_plugin'; did you mean 'allow_plugins'?"),
        ("- allow_plugins\n", "Expected allow_plugins: true"),
        ("allow_plugins: [a\n", "config.yaml:"),
    ],
)
def test_a_broken_configuration_allows_nothing(tmp_path: Path, text: str, message: str) -> None:
    configure(text)
    with pytest.raises(UsageError) as caught:
        permission.require([part(tmp_path)])
    assert message in str(caught.value)


def test_a_configuration_that_everybody_may_change_is_refused(tmp_path: Path) -> None:
    configure("allow_plugins: true\n").chmod(0o666)
    with pytest.raises(UsageError, match="everybody may write to it. Take that away: chmod o-w"):
        permission.require([part(tmp_path)])


def test_no_configuration_of_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", "config")  # Relative: to be ignored.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config" / "zoo").mkdir(parents=True)
    (tmp_path / "config" / "zoo" / "config.yaml").write_text("allow_plugins: true\n")
    assert config.config_file() == home / ".config" / "zoo" / "config.yaml"
    assert not permission.are_allowed([part(tmp_path)])


@pytest.mark.parametrize("name", ["run.json", "tune.json", "folds.json"])
@pytest.mark.parametrize("linked", [False, True])
def test_no_file_of_a_run_folder_ever_runs(tmp_path: Path, name: str, linked: bool) -> None:
    run = tmp_path / "run"
    found = part(run / "plugins" / "deep")
    (run / name).write_text("{}")
    if linked:  # A link from outside leads into it.
        (tmp_path / "mine.py").symlink_to(found.origin.file)
        found = reading.read("mine.py:Part", tmp_path)
    permission.allow()
    configure("allow_plugins: true\n")
    with pytest.raises(PluginRefused, match="is in the run folder"):
        permission.require([found])


def test_a_process_that_works_for_another_runs_the_text_it_was_given(tmp_path: Path) -> None:
    permission.allow()
    found = part(tmp_path)
    permission.require([found])
    texts = permission.texts()
    permission.allow(False)
    found.origin.file.write_text("def Part(x): raise SystemExit\n")
    source.hand_over({str(found.origin.file): texts[str(found.origin.file)]})
    again = reading.read("parts.py:Part", tmp_path)
    assert again is found
    assert permission.are_allowed([again])
    (tmp_path / "other.py").write_text("def Other(x): ...\n")
    assert not permission.are_allowed([reading.read("other.py:Other", tmp_path)])


def test_processes_that_work_for_this_one_get_the_newest_text(tmp_path: Path) -> None:
    """A notebook searches, the file is edited, and it searches again."""
    permission.allow()
    for text in ("def Part(x): return 1\n", "def Part(x): return 2\n"):
        file = tmp_path / "parts.py"
        file.write_text(text)
        found = reading.read("parts.py:Part", tmp_path)
        permission.require([found])
        assert permission.texts()[str(file)] == text
    file.write_text("def Part(x): return 3\n")
    permission.require([found])  # Allowed before: its text is kept.
    assert permission.texts()[str(file)] == text
    found = reading.read("parts.py:Part", tmp_path)
    file.write_text("def Part(x): return 4\n")
    with pytest.raises(PluginError, match="was changed since the recipe was read"):
        permission.require([found])


def test_an_installed_package_of_another_text_is_refused_on_another_host(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python imports that host's package from that host's path, whatever is handed over."""
    for host, turns in (("here", 2), ("there", 2), ("other", 3)):
        (tmp_path / host).mkdir()
        (tmp_path / host / "zoo_test_offers.py").write_text(
            f"def Swirl(x, turns: int = {turns}): ...\n"
        )

    def on(host: str) -> Part:
        monkeypatch.setattr(reference, "_installed_folders", lambda: [tmp_path / host])
        return reading.read("zoo_test_offers:Swirl")

    permission.allow()
    permission.require([on("here")])
    texts = {
        str(tmp_path / "here" / "zoo_test_offers.py"): permission.texts()[
            str(on("here").origin.file)
        ]
    }
    permission.allow(False)
    source.hand_over(texts)
    permission.require([on("there")])
    with pytest.raises(
        PluginRefused, match="zoo_test_offers:Swirl was not allowed with the text .* every host"
    ):
        permission.require([on("other")])
    (tmp_path / "here" / "zoo_test_offers.py").write_text("def Swirl(x, turns: int = 3): ...\n")
    with pytest.raises(PluginRefused, match="was not allowed with the text"):
        permission.require([on("here")])
    # A run of the package is found wherever that is installed now.
    entry = on("there").as_json() | {"file": "/gone/zoo_test_offers.py"}
    recipe_parts.require_recorded(Run(tmp_path), {"plugins": [entry]})
    on("other")
    with pytest.raises(RunError, match="was changed since then"):
        recipe_parts.require_recorded(Run(tmp_path), {"plugins": [entry]})


def test_a_package_in_the_working_directory_is_not_the_one_that_was_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("site", "work"):
        package = tmp_path / folder / "zoo_test_allowed"
        package.mkdir(parents=True)
        (package / "__init__.py").write_text(f"def Part(x):\n    return '{folder}'\n")
    (tmp_path / "work/zoo_test_allowed/__init__.py").write_text("raise RuntimeError('it ran')\n")
    monkeypatch.setattr(reference, "_installed_folders", lambda: [tmp_path / "site"])
    monkeypatch.setattr("sys.path", [str(tmp_path / "work"), str(tmp_path / "site")])
    configure("allow_plugins: [zoo_test_allowed]\n")
    found = reading.read("zoo_test_allowed:Part")
    with pytest.raises(PluginError, match="finds another zoo_test_allowed .* nobody allowed"):
        running.load(found)
    monkeypatch.setattr("sys.path", [str(tmp_path / "site")])
    assert running.load(found)("x") == "site"


@pytest.mark.parametrize(
    "verb", [["train"], ["train", "--folds", "2"], ["train", "--seeds", "2"], ["check"], ["tune"]]
)
def test_verbs_refuse_before_they_begin_anything(tmp_path: Path, verb: list[str]) -> None:
    from typer.testing import CliRunner

    from zoo.cli import app

    recipe = write(tmp_path)
    out = tmp_path / "runs"
    result = CliRunner().invoke(app, [*verb, str(recipe), "--out", str(out)])
    assert result.exit_code == 2
    assert "add --allow-plugins" in result.output
    assert not out.exists()
