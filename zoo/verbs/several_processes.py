"""Processes that train together: what each says that it does, and how it opens a run. Light."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from zoo.backend import processes, supervisor

if TYPE_CHECKING:
    from zoo.rundir import Run


def task_of_resume(overrides: Sequence[str]) -> str:
    """What a process does that resumes a run, for `meet`.

    With other changes, some processes could find that the run is done, and others train on.

    Args:
        overrides: `--set`; paths of the data and of the user's own parts may differ by host.
    """
    from zoo.recipe.moved import is_moved

    changes = [each for each in overrides if not is_moved(each)]
    return " ".join(["resume a run", *(f"--set {each}" for each in changes)])


def open_to_resume(path: str, say: Callable[[str], None]) -> Run:
    """Opens a run to resume. Process 0 reads it; the others need no access to its folder.

    Args:
        path: as given.
        say: told in a line which of several runs was taken.

    Raises:
        RunError: there is no such run.
        DamagedFile: run.json or recipe.yaml is missing, or holds something else.
        PeerLost: another process ended by an error.
    """
    from zoo.rundir import Run
    from zoo.rundir.follower import FollowerRun, content_of
    from zoo.rundir.recipe_text import read_recipe_text

    def content() -> str:
        run = Run.open(path, say)
        # Refuses all but a regular file. Edits are looked for later.
        return json.dumps([str(run), content_of(run.started_info(), read_recipe_text(run))])

    if processes.count() == 1:
        return Run.open(path, say)
    name, text = json.loads(processes.from_first("resumed", content))
    if processes.is_first():
        return Run(Path(name))
    follower = FollowerRun(name, text)
    supervisor.tell(scratch=str(follower.folder))
    return follower
