"""The process that talks to trackers' servers while another one trains. Light until it connects.

It reads commands, a JSON object a line, from its standard input, and answers likewise on its
standard output:

    {"do": "connect", "names": [...], "folder": ...}  -> {"is": "ready", "refused": {name: why}}
    {"do": "send", "folder": ...}                     an epoch ended; several count as one
    {"do": "end", "folder": ...}                      the folder is complete
        -> {"is": "sent", "tracker": name, "folder": ..., "place": where the user finds it}
    {"do": "close"}                                   -> {"is": "closed"}

and at any time {"is": "note", "text": ...} and {"is": "alive"}. What packages print goes to
trackers.log of the folder. If the training is killed, the process reads the end of its input and
ends too: trackers are left as they are, and a resumed run goes on with them.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from zoo.errors import ZooError
from zoo.rundir.folder import Folder
from zoo.trackers.names import make
from zoo.trackers.record import open_folder
from zoo.trackers.sender import Sender, read_entry
from zoo.trackers.troubles import said

Command = dict[str, Any]


class CommandRunner:
    """Carries out the commands of a training.

    Args:
        answer: sends an answer.
    """

    def __init__(self, answer: Callable[[dict[str, Any]], None]) -> None:
        self.answer = answer
        self.senders: list[Sender] = []
        self._logged: Path | None = None

    def carry_out(self, commands: list[Command]) -> bool:
        """Carries out commands, sendings of one folder at once; returns whether more may come."""
        for index, command in enumerate(commands):
            match command["do"]:
                case "connect":
                    self._connect(command["names"], command.get("folder"))
                case "send" if command in commands[index + 1 :]:
                    pass  # A later one sends the same, and more.
                case "send" | "end" as verb:
                    self._send(open_folder(command["folder"]), final=verb == "end")
                case "close":
                    self._close()
                    return False
        return True

    def _connect(self, names: list[str], folder: str | None) -> None:
        refused: dict[str, str] = {}
        for name in names:
            entry = read_entry(open_folder(folder), name) if folder else {}
            try:
                tracker = make(name)
                tracker.connect(entry)
            except ZooError as error:
                refused[name] = error.message
            except Exception as error:  # Whatever a package raises while it is imported.
                refused[name] = f"--log {name}: {said(error)}"
            else:
                self.senders.append(Sender(tracker, self._note))
        self.answer({"is": "ready", "refused": refused})

    def _note(self, text: str) -> None:
        self.answer({"is": "note", "text": text})

    def _send(self, folder: Folder, final: bool) -> None:
        self._log_into(folder.trackers_log)
        for sender in self.senders:
            sent = sender.send(folder, final=final)
            self.answer({"is": "alive"})
            name = sender.tracker.name
            if final and not sent:
                self._note(f"note: {name}: to send what is missing: zoo log {folder} --to {name}")
            elif final:
                place = sender.tracker.place(sender.entry(folder))
                self.answer({"is": "sent", "tracker": name, "folder": str(folder), "place": place})

    def _close(self) -> None:
        for sender in self.senders:
            sender.tracker.close()
        if self._logged is not None and not os.fstat(1).st_size:
            self._logged.unlink(missing_ok=True)
        self.answer({"is": "closed"})

    def _log_into(self, file: Path) -> None:
        """Lets what packages print from now on go to a file."""
        if file == self._logged:
            return
        self._logged = file
        try:
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError:
            return  # It goes where it went before.
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.close(handle)


def commands(handle: int) -> Iterator[list[Command]]:
    """Yields the commands that have come, all at once, until their end."""
    pending = b""
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while True:
            selector.select()
            data = os.read(handle, 1 << 16)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            yield [json.loads(line) for line in lines]


def main() -> None:
    """Runs until the training closes it, or ends."""
    for number in (signal.SIGINT, signal.SIGTERM):  # Meant for the training, which tells the rest.
        signal.signal(number, signal.SIG_IGN)
    answers, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.path[:] = [path for path in sys.path if path]  # No module of the user's by chance.

    def answer(document: dict[str, Any]) -> None:
        os.write(answers, json.dumps(document).encode() + b"\n")

    runner = CommandRunner(answer)
    try:
        for some in commands(0):
            if not runner.carry_out(some):
                break
    except BrokenPipeError:
        pass  # The training was killed.
    finally:
        sys.stderr.flush()
        os._exit(0)  # Packages would wait at their end for servers that may be away.


if __name__ == "__main__":
    main()
