"""The commands of docs/scaling.md: zoo's command line takes them."""

from __future__ import annotations

import re

from tests.conftest import ROOT
from tests.deploy.commands import require_parsed, zoo_commands


def test_commands_are_parsed() -> None:
    page = (ROOT / "docs/scaling.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
    commands = [command for block in blocks for command in zoo_commands(block)]
    assert {command[0] for command in commands} >= {"train", "tune", "doctor"}
    for command in commands:
        require_parsed(command)
