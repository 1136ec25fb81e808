"""The side of a training or a search: tells trackers what happened, and waits for none. Light.

    with Tracking(note) as tracking:
        tracking.start(choice)  the process that talks to servers starts, beside Keras's import
        tracking.require()      raises what keeps a tracker from working, before the first step
        tracking.begin(run)     then, at each epoch's end, tracking.update(rows)
        tracking.end()          the run is evaluated and exported

The end of the block waits for what is still to be sent.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from zoo import interrupts
from zoo.errors import EnvironmentFault
from zoo.rundir import Search
from zoo.rundir.folder import Folder
from zoo.trackers.names import KINDS, ChosenTrackers, make, missing
from zoo.trackers.sender import Sender

START_SECONDS = 90  # Until the packages are imported and the servers have answered.
SILENCE_SECONDS = 120  # At the end, without a sign of life of the process that sends.
FLUSH_SECONDS = 0.1  # Between attempts to send what the pipe had no room for.
LOCAL_SHARE = 20  # Local files take at most this fraction (1/20) of the time of a search.
ROOT = Path(__file__).resolve().parents[2]
MAIN = """\
import sys
sys.path.insert(0, sys.argv[1])
from zoo.trackers.sender_process import main
main()
"""


class Tracking:
    """The trackers of one command, which may train several runs; none until `start`.

    Args:
        note: told in a line what the user should know, in the thread that calls the methods.
        group: name that all runs share, where they differ in their seed alone.

    Attributes:
        names: the trackers in use, as `--log` names them.
        places: by tracker, where the user finds the newest run.
    """

    def __init__(self, note: Callable[[str], None], group: str | None = None) -> None:
        self.names: tuple[str, ...] = ()
        self.places: dict[str, str] = {}
        self.group = group
        self._required = True
        self._note = note
        self._remote: list[str] = []
        self._local: list[Sender] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._answers: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._reader: threading.Thread | None = None
        self._folder: Folder | None = None
        self._not_before = 0.0
        self._started = self._connected = False
        self._unsent = b""  # Commands that the pipe had no room for.

    def __enter__(self) -> Tracking:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self.end()
        finally:
            self.close()

    def start(self, choice: ChosenTrackers, resumed: Folder | None = None) -> None:
        """Starts what sends to servers; it connects while the caller goes on.

        Later calls change nothing: all runs of a command have the same trackers.

        Args:
            choice: which trackers.
            resumed: folder of a run or a search that is resumed.

        Raises:
            EnvironmentFault: a package is not installed.
        """
        if self._started:
            return
        self._started = True
        self.names, self._required = choice.names, choice.required
        self._remote = [name for name in choice.names if not KINDS[name].local]
        for name in list(self._remote):
            self._refuse(name, missing(name))
        self._local = [Sender(make(name), self._note) for name in self.names if KINDS[name].local]
        if not self._remote:
            return
        self._process = subprocess.Popen(
            [sys.executable, "-c", MAIN, str(ROOT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C on the terminal is meant for the training.
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
        folder = None if resumed is None else str(resumed.folder.absolute())
        self._tell("connect", names=self._remote, folder=folder)

    @property
    def recorded(self) -> dict[str, Any]:
        """What run.json and tune.json keep, so that a resume has the same trackers."""
        return {"log": list(self.names)} | ({"group": self.group} if self.group else {})

    def _refuse(self, name: str, error: EnvironmentFault | None) -> None:
        """Raises the error of a tracker; one that is not required is noted and left out.

        Raises:
            EnvironmentFault: the error.
        """
        if error is None:
            return
        if self._required:
            raise error
        self._remote.remove(name)
        self._note(f"note: {error.message}; the run goes on without")

    def require(self) -> None:
        """Waits until all servers have answered; later calls return at once.

        Raises:
            EnvironmentFault: one did not, or refuses to take runs.
        """
        if self._process is None or self._connected:
            return
        end = time.monotonic() + START_SECONDS
        answer = self._next(end)
        while answer is not None and answer["is"] != "ready":
            self._take(answer)
            answer = self._next(end)
        self._connected = True
        refused = dict.fromkeys(self._remote, "") if answer is None else answer["refused"]
        silent = f"did not answer within {START_SECONDS} s."
        if answer is None and time.monotonic() < end:
            silent = "cannot be used: the process that is to talk to it was ended."
        if self._required and refused or set(refused) == set(self._remote):
            self._stop(0)
        for name, message in refused.items():
            silence = f"--log {name}: {KINDS[name].title} {silent}"
            self._refuse(name, EnvironmentFault(message or silence))

    def begin(self, folder: Folder) -> None:
        """A run or a search begins in a folder, or goes on there; another one before has ended."""
        if self._folder is not None:
            if self._folder.folder == folder.folder:
                return
            self.end()
        self._folder = folder
        self._not_before = 0.0
        self.update(None)

    def update(self, rows: Sequence[Mapping[str, Any]] | None = ()) -> None:
        """An epoch or a trial has ended, and its row is in the folder.

        Args:
            rows: of all epochs; of a search, none.
        """
        folder = self._folder
        if folder is None:
            return
        self._tell("send", folder=str(folder.folder.absolute()))
        started = time.monotonic()
        # The table of a search is written anew, however many trials it has.
        if started >= self._not_before or not isinstance(folder, Search):
            for sender in self._local:
                sender.send(folder, rows)
            ended = time.monotonic()
            self._not_before = ended + LOCAL_SHARE * (ended - started)
        self._take_all()

    def end(self) -> None:
        """The folder is complete, whatever its status is."""
        folder, self._folder = self._folder, None
        if folder is None:
            return
        for sender in self._local:
            sender.send(folder, final=True)
        self._tell("end", folder=str(folder.folder.absolute()))
        self._take_all()

    def close(self) -> None:
        """Waits until all is sent, as long as the process that sends gives signs of life.

        Raises:
            KeyboardInterrupt: Ctrl-C or SIGTERM came meanwhile; the folder keeps what was not sent.
        """
        for sender in self._local:
            sender.tracker.close()
        if self._process is None:
            return
        if not self._connected:  # The verb ended before there was anything to send.
            self._stop(0)
            return
        try:
            with interrupts.on_sigterm():
                self._tell("close")
                if not self._all_answered():
                    self._note(f"note: {self._missing()}")
        except KeyboardInterrupt:
            self._note(f"note: stopped while trackers were told of the end: {self._missing()}")
            raise
        finally:
            self._stop()

    def _all_answered(self) -> bool:
        """Takes answers to the last one; false where the process has ended, or is silent."""
        end = time.monotonic() + SILENCE_SECONDS
        while True:
            self._flush()
            answer = self._next(min(end, time.monotonic() + FLUSH_SECONDS) if self._unsent else end)
            if answer is None:
                if self._unsent and time.monotonic() < end and self._is_alive():
                    continue
                return False
            if answer["is"] == "closed":
                return True
            self._take(answer)
            end = time.monotonic() + SILENCE_SECONDS

    def _is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def _missing(self) -> str:
        names = ",".join(self._remote)
        return f"{names}: not all was sent; to send what is missing: zoo log RUN --to {names}"

    def _stop(self, seconds: float = 2) -> None:
        """Ends the process, which gets some seconds to end by itself."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(OSError):  # What it holds was not taken.
            if process.stdin is not None:
                process.stdin.close()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if self._reader is not None:
            self._reader.join()

    def _tell(self, verb: str, **values: Any) -> None:
        """Sends a command, and never waits: what the process cannot take now is sent later."""
        if self._process is None:
            return
        line = json.dumps({"do": verb, **values}).encode() + b"\n"
        if not self._unsent.endswith(line):  # One more epoch of the same folder tells nothing new.
            self._unsent += line
        self._flush()

    def _flush(self) -> None:
        """Sends the commands that wait, as far as the pipe has room."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(OSError):  # The pipe is full, or the process has ended: the end notes it.
            while self._unsent:
                sent = os.write(self._process.stdin.fileno(), self._unsent)
                self._unsent = self._unsent[sent:]

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        """Reads answers, in a thread of its own, until the process ends."""
        if process.stdout is not None:
            with process.stdout as lines, suppress(ValueError):  # A process killed in a line.
                for line in lines:
                    self._answers.put(json.loads(line))
        self._answers.put(None)

    def _next(self, end: float) -> dict[str, Any] | None:
        """The next answer; None where none comes in time, or the process has ended."""
        try:
            return self._answers.get(timeout=max(end - time.monotonic(), 0))
        except queue.Empty:
            return None

    def _take_all(self) -> None:
        while not self._answers.empty():
            answer = self._answers.get()
            if answer is None:
                self._answers.put(None)
                return
            self._take(answer)

    def _take(self, answer: Mapping[str, Any]) -> None:
        """Tells the user what an answer says."""
        if answer["is"] == "note":
            self._note(answer["text"])
        elif answer["is"] == "sent" and answer.get("place"):
            self.places[answer["tracker"]] = answer["place"]
            self._note(f"{answer['tracker']:<9} {answer['place']}")
