"""Ctrl-C ends a command wherever it arrives."""

from __future__ import annotations

import subprocess
import sys

import pytest
import typer

from zoo import interrupts
from zoo.cli.output import Output

START = """
import gc, signal, sys, time, weakref
from zoo import interrupts
interrupts.heed()

class Plain:
    pass

def again(*_):
    if not interrupts.received():
        signal.raise_signal(signal.SIGINT)
"""
WAIT = """
try:
    time.sleep(20)
    print("lost")
except KeyboardInterrupt:
    print("ended", interrupts.received())
"""
# Where Python drops exceptions.
PLACES = {
    "gc": "gc.callbacks.append(again); gc.collect()",
    "del": "Plain.__del__ = again; Plain()",
    "weakref": "thing = Plain(); seen = weakref.ref(thing, again); del thing",
}


# A shell starts commands in the background with SIGINT ignored, and tests run there, too.
HEED = "import signal\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", HEED + code]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("place", PLACES)
def test_an_interrupt_that_python_drops_comes_again(place: str) -> None:
    done = run(START + PLACES[place] + WAIT)
    assert (done.stdout, done.stderr) == ("ended True\n", "")


def test_other_dropped_exceptions_are_printed() -> None:
    done = run(START + "Plain.__del__ = lambda self: 1 / 0; Plain()")
    assert "ZeroDivisionError" in done.stderr


def test_a_process_that_ignores_ctrl_c_goes_on_doing_so() -> None:
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"
    done = run(ignore + START + "again(); print('goes on')")
    assert done.stdout == "goes on\n"


def test_ctrl_c_while_modules_are_imported() -> None:
    """As the first import of zoo.cli does it; a traceback would be printed after 130, too."""
    stand_in = (
        "import signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'typer': signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "from zoo.__main__ import main\n"
        "main()"
    )
    done = run(stand_in)
    assert (done.returncode, done.stderr) == (130, "zoo: interrupted\n")


def test_what_libraries_make_of_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not interrupts.received()
    with pytest.raises(RuntimeError), Output():
        raise RuntimeError("a fault")
    monkeypatch.setattr(interrupts, "_received", True)
    with pytest.raises(typer.Exit) as caught, Output():
        raise RuntimeError("cancelled")
    assert caught.value.exit_code == 130
    assert capsys.readouterr().err == "zoo: interrupted\n"
