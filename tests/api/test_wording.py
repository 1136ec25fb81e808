"""Messages that reach a Python program name arguments, not flags of the command line."""

from __future__ import annotations

import ast
import inspect
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import zoo
from tests.conftest import ROOT
from tests.inventory import folders
from zoo.api.telling import PythonTeller
from zoo.api.wording import ARGUMENTS, FUNCTIONS, LACKING, for_python
from zoo.cli import app

METHODS: dict[str, Callable[..., Any]] = {
    "train": zoo.train,
    "tune": zoo.tune,
    "check": zoo.check,
    "evaluate": zoo.Run.evaluate,
    "predict": zoo.Run.predict,
    "export": zoo.Run.export,
}
RENAMED = {"overrides": "overrides", "place": "on", "version": "version", "format_": "format"}


@pytest.mark.parametrize(
    "text, worded",
    [
        ("--seeds and --folds exclude each other.", "`seeds` and `folds` exclude each other."),
        ("More epochs: --set train.epochs=N", "More epochs: overrides={'train.epochs': N}"),
        ("--set train.epochs=a: no", "overrides={'train.epochs': 'a'}: no"),
        ("--set 'a.b[0]=0.5' for", "overrides={'a.b[0]': 0.5} for"),
        ("more: --set tune.max_minutes=...", "more: overrides={'tune.max_minutes': ...}"),
        ("--set a=1 --set b=true", "overrides={'a': 1, 'b': True}"),
        ('with --set "plugins=[x.py:A]", or', "with overrides={'plugins': ['x.py:A']}, or"),
        ("--devices 3: is", "devices=3: is"),
        ("GPUs; --devices all shares", "GPUs; devices='all' shares"),
        ("add --devices N --allow-other-devices.", "add devices=N, allow_other_devices=True."),
        ("Leave --out out.", "Leave `out` out."),
        ("--trials +5: stage", "trials=5: stage"),
        ("Leave `--workers` out.", "Leave `workers` out."),
        ("--log foo: unknown", "log='foo': unknown"),
        ("Resume it: zoo tune --resume runs/x/1.", "Resume it: zoo.tune(resume='runs/x/1')."),
        ("`zoo train --resume` continues it", "`zoo.train(resume=...)` continues it"),
        (
            "go on: zoo train --resume 'a b' --set train.epochs=9; or not",
            "go on: zoo.train(resume='a b', overrides={'train.epochs': 9}); or not",
        ),
        (
            "anew: zoo train runs/x/recipe.yaml --set seed=4 --seeds 2",
            "anew: zoo.train('runs/x/recipe.yaml', seeds=2, overrides={'seed': 4})",
        ),
        ("zoo evaluate runs/x --split test", "zoo.run('runs/x').evaluate(split='test')"),
        ("trusted: add --allow-plugins, or", "trusted: call zoo.plugins.allow(), or"),
        ("zoo train --resume runs/x/1 --allow-plugins", "zoo.train(resume='runs/x/1')"),
        ("made by `zoo train`, or so", "made by `zoo train`, or so"),
        ("zoo check --plots", "zoo check --plots"),
        ("later: zoo log RUN --to mlflow", "later: zoo log RUN --to mlflow"),
        ("srun zoo train ... --distributed auto.", "srun zoo train ... --distributed auto."),
    ],
)  # fmt: skip
def test_for_python(text: str, worded: str) -> None:
    assert for_python(text) == worded
    assert for_python(worded) == worded


def literals() -> Iterator[tuple[str, str]]:
    """Texts of the sources that may name a flag, but for the command line's own and docstrings."""
    for package in ("zoo", "tuning"):
        for file in sorted((ROOT / package).rglob("*.py")):
            if file.parent.name in ("cli", "completion") or file.name == "wording.py":
                continue
            source = file.read_text(encoding="utf-8")
            if "--" not in source:
                continue
            tree = ast.parse(source)
            for node in ast.walk(tree):
                if isinstance(node, ast.JoinedStr):
                    parts = [
                        str(each.value) if isinstance(each, ast.Constant) else "7"
                        for each in node.values
                    ]
                    yield str(file), "".join(parts)
                elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield str(file), node.value


# Verbs without a function in Python, whose flags no argument stands for.
OTHER = re.compile(r"zoo (show|log|new|report|runs|doctor|serve|schema|diff|list|check)\b[^`.;]*")


def test_no_message_of_the_sources_keeps_a_flag_that_is_an_argument() -> None:
    flags = re.compile(rf"(?<![\w-])--({'|'.join(ARGUMENTS)})(?![\w-])")
    left, seen = [], 0
    for file, text in literals():
        seen += bool(flags.search(text))
        worded = OTHER.sub("", for_python(text))
        # A command keeps its flags if Python has no argument for one of them.
        if "--distributed" not in worded and "--report" not in worded and flags.search(worded):
            left.append(f"{file}: {worded}")
    assert left == []
    assert seen > 80


def test_all_flags_that_are_arguments_are_known() -> None:
    group: Any = typer.main.get_command(app)
    for verb, function in METHODS.items():
        arguments = inspect.signature(function).parameters
        for option in group.commands[verb].params:
            name = RENAMED.get(option.name, option.name)
            if option.param_type_name != "option" or name not in arguments:
                continue
            for flag in (each for each in option.opts if each.startswith("--")):
                assert ARGUMENTS[flag[2:]][0] == name, (verb, flag)
    named = {name for name, _ in ARGUMENTS.values()}
    for verb in FUNCTIONS:
        options = {RENAMED.get(each.name, each.name) for each in group.commands[verb].params}
        arguments = set(inspect.signature(METHODS[verb]).parameters)
        missing = (options & named) - arguments - {"overrides"}
        assert {(verb, name) for name in missing} <= LACKING, verb


def test_whatever_python_offers_is_worded() -> None:
    for name in zoo.__all__:
        value = getattr(zoo, name)
        if inspect.isfunction(value):
            assert hasattr(value, "__wrapped__"), name
        elif inspect.isclass(value) and value.__module__.startswith("zoo.api"):
            for key, own in vars(value).items():
                function = own.fget if isinstance(own, property) else getattr(own, "func", own)
                if inspect.isfunction(function) and not key.startswith("__"):
                    assert hasattr(function, "__wrapped__"), (name, key)


def test_errors(tmp_path: Path) -> None:
    interrupted = folders.run(tmp_path).folder
    search = Path(shutil.copytree(folders.OLD / "searched", tmp_path / "searched"))
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: zoo.train("digits-tiny", seeds=2, folds=2), "^`seeds` and `folds` exclude"),
        (lambda: zoo.load("digits-tiny", {"train.epoch": 3}), r"^overrides={'train.epoch': 3}: "),
        (
            lambda: zoo.train(resume=interrupted, overrides={"seed": 9}),
            r"^overrides={'seed': 9}: .* `zoo.train\(resume=...\)` .*: zoo.train\('.*', overrides",
        ),
        (lambda: zoo.tune(resume=search, workers=2), "^`workers` cannot be changed with `resume`"),
        (lambda: zoo.tune("digits-tiny", trials=2), "^trials=2: adds trials .* resume=FOLDER"),
        (lambda: zoo.tune("digits-tiny", on="moon"), "^on='moon': no place"),
        (lambda: zoo.run(interrupted).model, r"`zoo.train\(resume='.*'\)` continues it"),
        (lambda: zoo.check("digits-tiny", only=["C05"], skip=["C05"]), "left of `only`, `skip`"),
        (lambda: zoo.train(resume=interrupted, out="/other"), "^out='/other': what is .*`out` out"),
        (lambda: zoo.train("digits-tiny", devices="many"), "^`devices`: Expected a number"),  # type: ignore[call-overload]
        (lambda: zoo.train("digits-tiny", log="paper"), "^log='paper': "),
    ]
    for call, part in calls:
        with pytest.raises(zoo.ZooError) as caught:
            call()
        assert re.search(part, str(caught.value)), str(caught.value)
        assert str(caught.value) == caught.value.args[0]


def test_lines(capsys: pytest.CaptureFixture[str]) -> None:
    teller = PythonTeller()
    teller.note("more: --set train.epochs=N")
    teller.console().print("1 of 4 GPUs trains; --devices all takes them")
    told = capsys.readouterr().err
    assert "more: overrides={'train.epochs': N}" in told
    assert "devices='all' takes them" in told
