"""Commands for people to copy."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from zoo.text.commands import command


@pytest.mark.parametrize(
    "word",
    [
        "plain", "it's", "a b", "a\nb", "\x1b[2J$(id)", "c:\\x\n'y'", "ü\t`id`", "caf\udce9",
        "\u202ea", "",
    ],
)  # fmt: skip
def test_the_shell_reads_the_same_word(word: str) -> None:
    line = command("printf", "%s", word)
    assert all(letter.isprintable() for letter in line)
    assert subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout == (
        os.fsencode(word)
    )


def test_command_is_quoted_for_the_shell() -> None:
    assert command("zoo", "train", "--resume", Path("runs/my net")) == (
        "zoo train --resume 'runs/my net'"
    )
