"""The run of a process that does not own the run folder leaves nothing behind."""

from __future__ import annotations

from pathlib import Path

from zoo.rundir import Run
from zoo.rundir.follower import FollowerRun, content_of


def test_follower_reads_what_the_owner_sent_and_writes_aside(tmp_path: Path) -> None:
    owner = Run.at(tmp_path / "run")
    owner.update(status="running", seed=3)
    sent = content_of(owner.info(), "name: x\n")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    follower = FollowerRun(str(owner), sent)
    with follower.locked():
        assert str(follower) == str(owner)  # For messages.
        assert (follower.owned, owner.owned) == (False, True)
        assert follower.recipe_file.read_text() == "name: x\n"
        assert follower.info()["seed"] == 3
        follower.update(status="interrupted")
        follower.write_rows([{"epoch": 1}])
        assert follower.info()["status"] == "interrupted"
    assert not follower.folder.exists()
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
