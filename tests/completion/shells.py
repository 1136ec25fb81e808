"""Real shells in a terminal, in which keys are pressed. What `zoo` gets is printed, not done."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from zoo.completion.scripts import script

COMMANDS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
PROMPTS = {
    "bash": "PS1='>>'; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'",
    "zsh": "PS1='>>'; unsetopt zle_bracketed_paste prompt_sp prompt_cr; autoload -U compinit; "
    "compinit -D -u; setopt no_beep",
    "fish": "function fish_prompt; echo '>>'; end; set -g fish_autosuggestion_enabled 0",
}
ZOO = """\
#!/bin/sh
[ -n "$_ZOO_COMPLETE" ] && exec {python} -m zoo "$@"
printf 'got'; for word in "$@"; do printf ' <%s>' "$word"; done; echo ' end'
"""


class Shell:
    """An interactive shell in a folder, with a command `zoo` that prints its arguments.

    Args:
        name: bash, zsh or fish; the test is skipped where it is not installed.
        folder: where it runs; the command is written beside it.
    """

    def __init__(self, name: str, folder: Path) -> None:
        pexpect = pytest.importorskip("pexpect")
        path = shutil.which(name)
        if path is None:
            pytest.skip(f"needs {name}")
        programs = folder.parent / f"bin-{name}"
        programs.mkdir(exist_ok=True)
        (programs / "zoo").write_text(ZOO.format(python=sys.executable), encoding="utf-8")
        (programs / "zoo").chmod(0o755)
        (programs / "script").write_text(script(name), encoding="utf-8")
        self.name = name
        self.child = pexpect.spawn(
            path,
            COMMANDS[name],
            cwd=folder,
            env={
                "PATH": f"{programs}:{os.environ['PATH']}",
                "HOME": str(programs),
                "PYTHONPATH": str(ROOT),
                "TERM": "dumb",
                "LANG": "C.UTF-8",
            },
            dimensions=(50, 200),
            encoding="utf-8",
            timeout=30,
        )
        self.child.sendline(PROMPTS[name])
        self.child.sendline(f"source {programs}/script; echo re''ady")
        self.child.expect("ready")

    def close(self) -> None:
        """End the shell."""
        self.child.close(force=True)

    def complete(self, typed: str) -> list[str]:
        """What `zoo` gets of a line, when Tab is pressed at its end and then Enter."""
        begun = typed.rpartition(" ")[2]
        quote = begun[0] if begun[0] in "'\"" and self.name != "bash" else ""
        self.child.send(f"{typed}\t")
        self.child.send(f"{quote}\n")
        self.child.expect(r"got(.*?) end")
        return re.findall(r"<(.*?)>", self.child.match[1])
