"""The run of a process that trains with others and does not own the run folder. Light."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from zoo.rundir.files import write_json
from zoo.rundir.run import Run


class FollowerRun(Run):
    """A run whose folder belongs to process 0, which may be on another host.

    Small files that a training writes go to a temporary folder of this process, which `close`
    removes. States and models are not written at all: `owned` is false.

    Args:
        name: the run folder as process 0 names it, for messages.
        content: what `content_of` returned in process 0; None for a run that begins.
    """

    owned = False

    def __init__(self, name: str, content: str | None = None) -> None:
        super().__init__(Path(tempfile.mkdtemp(prefix="zoo-follower-")))
        self.name = name
        if content is not None:
            parsed = json.loads(content)
            self.recipe_file.write_text(parsed["recipe"], encoding="utf-8")
            write_json(self.info_file, parsed["info"])

    def __str__(self) -> str:
        return self.name

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Removes the temporary folder at the end of the block: process 0 holds the lock."""
        try:
            yield
        finally:
            self.close()

    def close(self) -> None:
        """Removes the temporary folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def content_of(info: Mapping[str, Any], recipe: str) -> str:
    """What the other processes need of a run that is resumed.

    Args:
        info: run.json.
        recipe: the text of recipe.yaml.
    """
    return json.dumps({"info": info, "recipe": recipe})
