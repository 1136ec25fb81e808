"""The side of the training, beside processes that answer as a test needs it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from tests.trackers import folders
from zoo.errors import EnvironmentFault
from zoo.trackers import session
from zoo.trackers.names import ChosenTrackers, missing
from zoo.trackers.session import Tracking

# The tracker itself is never called here; that its package is there is asked first.
pytestmark = pytest.mark.skipif(missing("mlflow") is not None, reason="needs mlflow")

READ = "import json, sys, time\nsay = lambda **values: print(json.dumps(values), flush=True)\n"
READY = "say(**{'is': 'ready', 'refused': {}})\n"
# Writes what it was told into the file whose name it is given, and closes when it is told to.
TELLS = f"""{READ}{READY}
told = []
for line in sys.stdin:
    told.append(json.loads(line))
    say(**{{"is": "note", "text": told[-1]["do"]}})
    if told[-1]["do"] == "close":
        break
open("told.json", "w").write(json.dumps(told))
say(**{{"is": "sent", "tracker": "mlflow", "folder": "x", "place": "http://there"}})
say(**{{"is": "closed"}})
"""
REFUSES = f"{READ}say(**{{'is': 'ready', 'refused': {{'mlflow': '--log mlflow: no'}}}})\n"
HANGS = f"{READ}time.sleep(100)"
HANGS_LATER = f"{READ}{READY}time.sleep(100)"
DIES = f"{READ}{READY}"


@pytest.fixture
def notes() -> list[str]:
    return []


def started(
    main: str,
    notes: list[str],
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...] = ("mlflow",),
    required: bool = True,
) -> Tracking:
    monkeypatch.setattr(session, "MAIN", main)
    tracking = Tracking(notes.append)
    tracking.start(ChosenTrackers(names, required))
    return tracking


def test_a_run_is_told_from_its_begin_to_its_end(
    notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    run = folders.run(tmp_path / "one", epochs=1)
    with started(TELLS, notes, monkeypatch, ("mlflow", "csv")) as tracking:
        tracking.require()
        tracking.begin(run)
        tracking.begin(run)  # Of the verb, after the training did.
        tracking.update([folders.row(1), folders.row(2)])
        folders.finished(run)
    told = json.loads((tmp_path / "told.json").read_text())
    assert [each["do"] for each in told] == ["connect", "send", "send", "end", "close"]
    assert told[0] == {"do": "connect", "names": ["mlflow"], "folder": None}
    assert told[3]["folder"] == str(run.folder)
    assert tracking.places == {"mlflow": "http://there"}
    assert notes[-1] == "mlflow    http://there"
    assert notes.count("send") == 2
    assert run.csv_file.read_text().count("\n") == 4
    assert tracking.recorded == {"log": ["mlflow", "csv"]}


def test_a_refusal_comes_before_the_training(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        started(REFUSES, notes, monkeypatch) as tracking,
        pytest.raises(EnvironmentFault, match="--log mlflow: no"),
    ):
        tracking.require()


def test_a_resumed_run_goes_on_without(notes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    with started(REFUSES, notes, monkeypatch, required=False) as tracking:
        tracking.require()
        assert notes == ["note: --log mlflow: no; the run goes on without"]
        assert tracking.names == ("mlflow",)  # The next resume tries again.


def test_a_server_that_does_not_answer_is_refused(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "START_SECONDS", 0.2)
    with (
        started(HANGS, notes, monkeypatch) as tracking,
        pytest.raises(EnvironmentFault, match=r"MLflow did not answer within 0.2 s"),
    ):
        tracking.require()


@pytest.mark.parametrize("main", [HANGS_LATER, DIES])
def test_a_training_waits_for_none_that_hangs_or_has_died(
    main: str, notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """20,000 epochs are more than the pipe between the processes holds."""
    monkeypatch.setattr(session, "SILENCE_SECONDS", 0.2)
    run = folders.run(tmp_path / "one")
    with started(main, notes, monkeypatch) as tracking:
        tracking.require()
        tracking.begin(run)
        for _ in range(20_000):
            tracking.update()
    (note,) = notes
    assert note.startswith("note: mlflow: not all was sent; to send what is missing: zoo log")


def test_without_trackers_nothing_is_started(notes: list[str], tmp_path: Path) -> None:
    run = folders.run(tmp_path / "one")
    with Tracking(notes.append) as tracking:
        tracking.start(ChosenTrackers(()))
        tracking.require()
        tracking.begin(run)
        tracking.update([])
    assert notes == []
    assert not run.trackers_file.exists()
    assert tracking.recorded == {"log": []}


def test_a_search_writes_its_tables_seldom(
    notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A table is written anew for each trial: that may not come to more than a part of the time."""
    written: list[bool] = []
    search = folders.search(tmp_path / "tune")
    with Tracking(notes.append) as tracking:
        tracking.start(ChosenTrackers(("csv",)))
        (sender,) = tracking._local
        monkeypatch.setattr(sender, "send", lambda *_, final=False: written.append(final))
        monkeypatch.setattr(session.time, "monotonic", iter(range(100)).__next__)
        tracking.begin(search)  # Takes from 0 to 1.
        for _ in range(20):  # At 2, 3, ...
            tracking.update()
        tracking.end()
    assert written == [False, False, True]


# Begins to read late, when the pipe has long been full.
LATE = TELLS.replace("told = []", "told = []\ntime.sleep(0.5)")


def test_the_end_is_told_though_the_pipe_was_full(
    notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The end of a run also reaches a server that hung for a while."""
    monkeypatch.chdir(tmp_path)
    run = folders.run(tmp_path / "one")
    other = folders.run(tmp_path / "two")
    with started(LATE, notes, monkeypatch) as tracking:
        tracking.require()
        for _ in range(1500):
            for each in (run, other):
                tracking.begin(each)
    told = json.loads((tmp_path / "told.json").read_text())
    assert [each["do"] for each in told[-2:]] == ["end", "close"]
    assert sum(each["do"] == "end" for each in told) == 3000
    assert notes[-1] == "mlflow    http://there"


@pytest.mark.parametrize("main", [HANGS, TELLS])
def test_a_verb_that_fails_early_waits_for_no_server(
    main: str, notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C while Keras is imported, say; a wait of `SILENCE_SECONDS` would end the test."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(KeyboardInterrupt), started(main, notes, monkeypatch):
        raise KeyboardInterrupt
    assert notes == []


def test_a_process_that_is_ended_before_it_answers(
    notes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        started("raise SystemExit(1)", notes, monkeypatch) as tracking,
        pytest.raises(EnvironmentFault, match="MLflow cannot be used: the process that is to talk"),
    ):
        tracking.require()


def test_a_process_that_is_ended_within_an_answer(
    notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    main = f"{READ}{READY}sys.stdout.write('{{'); sys.stdout.flush()"
    with started(main, notes, monkeypatch) as tracking:
        tracking.require()
        tracking.begin(folders.run(tmp_path / "one"))
    (note,) = notes
    assert "not all was sent" in note


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_while_the_end_is_told(
    notes: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int,
    request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """The command was interrupted, whatever it had done before: its exit code says so."""

    def interrupt() -> bool:
        signal.raise_signal(number)
        return True

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # It may be ignored here.
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    tracking = started(DIES, notes, monkeypatch)
    monkeypatch.setattr(tracking, "_all_answered", interrupt)
    tracking.require()
    tracking.begin(folders.run(tmp_path / "one"))
    with pytest.raises(KeyboardInterrupt):
        tracking.close()
    (note,) = notes
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert note.startswith("note: stopped while trackers were told of the end: mlflow: not all")
