"""The commands that the pages print: found, taken apart, and read by the real command line. Light.

A block of commands (```sh, or one whose lines begin with `$ `) is run by tests/docs/run_pages.py,
unless a comment stands before it, which does not show on the page:

    <!-- not run: needs a cluster -->               the whole block
    <!-- not run: zoo serve (waits for requests), zoo check (15 s) -->    these of its commands
    <!-- not run on this page: minutes each -->     all blocks of a page
    <!-- shown: ^epoch +(1|10)/ -->                 lines that docs/make_tutorial.py keeps
    <!-- file: broken.yaml -->                      the block is a file, for the commands behind it

Those that are not run are still read by the command line: verbs, flags, recipes and paths of --set.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import typer

from zoo.cli import app
from zoo.errors import RecipeError
from zoo.recipe.shipped import shipped

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(
    r"(?P<notes>(?:^ *<!-- [^\n]+ -->\n+)*)"
    r"^(?P<indent> *)```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
PARTLY = re.compile(r"(zoo [\w ./-]+?) \(([^)]+)\)")
PLACEHOLDERS = {
    "RECIPE": "digits-tiny", "NAME": "digits-tiny", "RUN": "runs/x", "A": "resnet20",
    "B": "resnet56", "BASE": "resnet20", "VARIANT": "resnet56", "N": "2", "K": "5", "P": "0.5",
    "N|all": "2",
}  # fmt: skip
SEPARATORS = ("&&", "||", ";", "|", "&", "(", ")")
# Recipes that stand in for those of a reader: paths of --set must exist in one of them.
STAND_INS = (("digits-tiny", ()), ("cifar10-quick", ("data.source={folder: pets}",)))
# Pages of recipes are all made alike.
ALIKE = {"digits-tiny", "airbench94-muon", "index"}


PAGES = [
    page
    for page in (
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *sorted((ROOT / "docs").rglob("*.md")),
    )
    if page.stem in ALIKE or not (page.parent.name == "recipes" or page.stem == "CHANGELOG")
]


@dataclass(frozen=True)
class Block:
    """A block of a page.

    Attributes:
        page: relative to the checkout.
        line: where it begins.
        language: sh where it holds commands alone; else `$ ` stands before them.
        reason: why it is not run, or not whole; None where it is.
        file: the name under which it is written, where it is no block of commands.
    """

    page: str
    line: int
    language: str
    text: str
    reason: str | None
    file: str | None = None

    @property
    def shell(self) -> bool:
        return self.language == "sh"

    @property
    def commands(self) -> list[str]:
        """Its commands, each in one line, as a shell would be given them."""
        if self.file:
            return []
        joined = self.text.replace("\\\n", " ")
        lines = [line.strip() for line in joined.splitlines()]
        if self.shell:
            return [line for line in lines if line and not line.startswith("#")]
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]

    @property
    def left_out(self) -> dict[str, str]:
        """Beginnings of commands that are not run, each with its reason; all by "" ."""
        if self.reason is None:
            return {}
        return dict(PARTLY.findall(self.reason)) or {"": self.reason}

    @property
    def only_zoo(self) -> bool:
        """Whether each of its commands begins with zoo, and is no part of a longer one."""
        return all(
            command.startswith("zoo ") and len(list(zoo_calls(command))) == 1
            for command in self.commands
        )

    @property
    def calls(self) -> list[str]:
        """The calls of zoo in it, without comments."""
        return [shlex.join(call) for command in self.commands for call in zoo_calls(command)]

    @property
    def run(self) -> list[str]:
        """The calls of zoo in it that are run."""
        return [call for call in self.calls if not any(map(call.startswith, self.left_out))]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page that hold commands."""
    text = page.read_text(encoding="utf-8")
    whole = re.search(r"^<!-- not run on this page: (.+) -->$", text, re.MULTILINE)
    found = []
    for match in BLOCK.finditer(text):
        notes = dict(re.findall(r"<!-- ([\w ]+): (.+?) -->", match["notes"]))
        block = Block(
            page.relative_to(ROOT).as_posix(),
            text[: match.start("body")].count("\n") + 1,
            match["language"],
            match["body"],
            notes.get("not run", whole[1] if whole else None),
            notes.get("file"),
        )
        if block.file or block.shell or (not block.language and block.commands):
            found.append(block)
    return found


def inline(page: Path) -> list[str]:
    """What stands between backticks outside of blocks."""
    text = BLOCK.sub("", page.read_text(encoding="utf-8"))
    return [" ".join(code.split()) for code in re.findall(r"`([^`\n]+(?:\n[^`\n]+)?)`", text)]


def words(command: str) -> list[str]:
    """The words of a command, without comments; operators of the shell are words of their own."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def zoo_calls(command: str) -> Iterator[list[str]]:
    """The calls of zoo in a command, behind launchers and in quotes that another host gets."""
    call: list[str] | None = None
    found = words(command)
    for before, word in zip(["", *found], [*found, ";"], strict=True):
        if word in SEPARATORS:
            if call:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word == "zoo" and not before.startswith("--"):
            call = [word]
        elif " zoo " in word:
            yield from zoo_calls(word)


def complaint(call: list[str], folder: Path) -> str | None:
    """What the real command line would complain of in a call of zoo; None: nothing.

    Args:
        call: `zoo` and its arguments.
        folder: with the recipes that the page shows as files.
    """
    arguments = [PLACEHOLDERS.get(word, word) for word in call[1:]]
    group = typer.main.get_command(app)
    if arguments[:1] and arguments[0].startswith("-"):
        known = {name for parameter in group.params for name in parameter.opts} | {"--help", "-h"}
        return None if arguments[0] in known else f"no option {arguments[0]}"
    verb = group.commands.get(arguments[0]) if arguments else None  # type: ignore[attr-defined]
    if verb is None:
        return f"no verb {' '.join(arguments[:1])}"
    try:
        with verb.make_context(arguments[0], arguments[1:]) as context:
            values = context.params
    except Exception as error:  # Click's, of the copy that Typer holds.
        if hasattr(error, "format_message"):
            return str(error.format_message())
        raise
    return bad_recipe(values, folder)


def bad_recipe(values: dict[str, object], folder: Path) -> str | None:
    """What is wrong with the recipe of a call, or with what --set changes in it."""
    recipe, overrides = values.get("recipe"), list(values.get("overrides") or ())  # type: ignore[call-overload]
    if not isinstance(recipe, str | Path):
        return None
    if not str(recipe).endswith((".yaml", ".yml")) and "/" not in str(recipe):
        if str(recipe) not in shipped():
            return f"no recipe {recipe} ships"
        return bad_overrides(str(recipe), overrides)
    if (folder / recipe).is_file():
        return bad_overrides(str(folder / recipe), overrides)
    messages = [bad_overrides(name, [*more, *overrides]) for name, more in STAND_INS]
    return None if None in messages else messages[0]


def bad_overrides(recipe: str, overrides: list[str]) -> str | None:
    """What is wrong with --set in a recipe that ships."""
    from zoo.recipe import load

    try:
        load(recipe, overrides)
    except RecipeError as error:
        return str(error)
    return None


def options() -> set[str]:
    """All options of all verbs."""
    group = typer.main.get_command(app)
    found = {"--help", "--version"}
    for verb in group.commands.values():  # type: ignore[attr-defined]
        for parameter in verb.params:
            found.update((*parameter.opts, *parameter.secondary_opts))
    return found
