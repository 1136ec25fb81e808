"""Commands that the pages print: each is read by the real command line, and run or marked."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from tests.beside import outcome
from tests.docs.commands import PAGES, ROOT, blocks, complaint, inline, options, zoo_calls
from zoo.cli import app

# Options of other programs that pages speak of.
OTHERS = {
    "--gpus-per-task", "--head", "--cifar10", "--data-is", "--grid", "--header", "--images",
    "--kept", "--missing", "--one-channel", "--split", "--torch-options", "--waiting", "--against",
    "--compile", "--threads", "--prefix",
}  # fmt: skip


def names(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_the_command_line_takes_the_commands(page: Path, tmp_path: Path) -> None:
    wrong = []
    for block in blocks(page):
        if block.file:
            (tmp_path / block.file).write_text(block.text, encoding="utf-8")
        for command in block.commands:
            for call in zoo_calls(command):
                message = complaint(call, tmp_path)
                if message is not None:
                    wrong.append(f"{block.page}:{block.line}: {shlex.join(call)}: {message}")
    assert wrong == []


def test_commands_that_are_not_run_say_why() -> None:
    silent = [
        f"{block.page}:{block.line}"
        for page in PAGES
        for block in blocks(page)
        if block.reason is None and not block.only_zoo
    ]
    assert silent == [], "write <!-- not run: the reason --> before these blocks"


@pytest.mark.slow
@pytest.mark.timeout(1260)
@pytest.mark.beside("tests.docs.run_pages", needs="typer")
def test_the_other_commands_do_what_the_pages_say(base_folder: Path) -> None:
    outcomes = outcome("tests.docs.run_pages", base_folder)
    assert {run["page"] for run in outcomes} >= {"docs/index.md", "docs/tutorial.md"}
    failed = []
    for run in outcomes:
        expected = printed(run)
        fails = expected is not None and re.search("^FAIL", expected, re.MULTILINE)
        if run["code"] != (1 if fails else 0) or (expected and not alike(expected, run["output"])):
            failed.append((run, expected))
    assert failed == []


@pytest.mark.laws
def test_the_whole_tutorial(tmp_path: Path) -> None:
    """All of its commands, trainings and the search too; a search's draws differ by machine."""
    command = [sys.executable, "-m", "tests.docs.run_pages", str(tmp_path), "docs/tutorial.md"]
    process = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True)
    for run in json.loads(process.stdout.splitlines()[-1]):
        if not run["command"].startswith("zoo tune") and "/best.yaml" not in run["command"]:
            assert alike(printed(run) or "", run["output"]), run
    accuracy = re.search(r"^test +accuracy ([\d.]+)", run["output"], re.MULTILINE)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.95


def printed(run: dict[str, Any]) -> str | None:
    """What the page says that a command prints; None if it says nothing."""
    (block,) = [b for b in blocks(ROOT / run["page"]) if b.line == run["line"]]
    if block.shell:
        return None
    parts = re.split(r"^\$ (?:.*\\\n)*.*\n", block.text, flags=re.MULTILINE)[1:]
    return parts[block.calls.index(run["command"])]


NUMBER = r"(?<![\w.])-?\d[\d,]*\.?\d*(?:e-?\d+)?"
# Times, speeds and names of runs differ from run to run.
VARYING = r"\d[\d,.]* (?:s|images/s)\b|\b\d{8}-\d{6}-[0-9a-f]{4}\b"


def alike(printed: str, output: str) -> bool:
    """Whether an output holds what a page prints, whose line `...` stands for other lines.

    The words are the same, the numbers within a tenth or two hundredths.
    """
    parts = re.split(r"^\.\.\.$", printed, flags=re.MULTILINE)
    return all(holds(output, part) for part in parts)


def holds(output: str, part: str) -> bool:
    output, part = (re.sub(VARYING, "?", text) for text in (output, part))
    page, whole = (re.sub(NUMBER, "#", " ".join(text.split())) for text in (part, output))
    expected, found = (
        [float(value.replace(",", "")) for value in re.findall(NUMBER, text)]
        for text in (part, output)
    )
    for begin in re.finditer(f"(?={re.escape(page)})", whole):
        first = whole[: begin.start()].count("#")
        numbers = found[first : first + len(expected)]
        if expected == pytest.approx(numbers, rel=0.1, abs=0.02):
            return True
    return False


def test_alike() -> None:
    output = "step 1: loss 2.30, a rate of 1e-3\nstep 2: loss 2.20\nin 12.3 s"
    assert alike("step 2: loss 2.21", output)
    assert alike("loss 2.31, a rate of 0.001", output.replace("1e-3", "0.001"))
    assert not alike("step 2: loss 2.5", output)
    assert not alike("step 2: lost 2.2", output)
    assert alike("step 1: loss 2.30, a rate of 1e-3\n...\nin 45.6 s", output)
    assert not alike("step 1: loss 2.30\n...\nin 45.6 minutes", output)


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_verbs_and_options_in_the_text_exist(page: Path) -> None:
    group: Any = typer.main.get_command(app)
    known = options() | OTHERS
    wrong = []
    for code in inline(page):
        if not re.search(r"(^| )zoo |^-", code):
            continue  # A call of another program, such as `mypy --strict`.
        if page.stem == "coming-from" and not code.startswith("zoo "):
            continue  # Options of timm.
        verb = re.match(r"zoo ([a-z]+)\b", code)
        if verb and verb[1] not in group.commands:
            wrong.append(code)
        own = {name for p in group.commands[verb[1]].params for name in p.opts} if verb else known
        flags = re.findall(r"(?<![\w-])--[a-z][\w-]*", code)
        wrong += [f"{code}: {flag}" for flag in flags if flag not in own | {"--help"}]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_scripts_and_targets_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    scripts = re.findall(r"\bpython ((?:benchmarks|docs|deploy)/\S+?\.py)\b([^\n`]*)", text)
    for script, rest in scripts:
        source = (ROOT / script).read_text(encoding="utf-8")
        for flag in re.findall(r"(?<![\w-])--[a-z][\w-]*", rest.split("#")[0]):
            assert flag in source or flag == "--set", f"{script} has no {flag}"
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z-]+)(?:`| *#|$)", text, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


@pytest.mark.parametrize(
    "command, message",
    [
        ("zoo trian digits-tiny", "no verb trian"),
        ("zoo train digits-tiny --sed 3", "No such option: --sed"),
        ("zoo train digits-tiny --seeds many", "Invalid value for '--seeds'"),
        ("zoo train resnet21", "no recipe resnet21 ships"),
        ("srun -n 2 zoo train digits-tiny --set train.epoch=1", "train.epoch: unknown key"),
        ("pip install . && zoo train my.yaml --set train.epochs=none", "train.epochs"),
        ("ssh second 'cd x && zoo docter' &", "no verb docter"),
        ("zoo train resnet20 --set train.epochs=1   # quick", None),
        ("zoo train RECIPE --folds K", None),
    ],
)
def test_a_wrong_command_is_seen(command: str, message: str | None, tmp_path: Path) -> None:
    (call,) = zoo_calls(command)
    found = complaint(call, tmp_path)
    assert found == message or (message and found and message in found)
