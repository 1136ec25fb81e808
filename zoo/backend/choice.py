"""Which Keras backend to take, decided before Keras is imported. Light.

The first of these that says something decides:

1. $KERAS_BACKEND.
2. Keras, where it is imported already.
3. The backend of what is resumed or opened: a run, a search, a SavedModel.
4. A backend other than TensorFlow in keras.json (~/.keras, or $KERAS_HOME). Keras writes that file
   at its first import, with `tensorflow` in it, so that word is nobody's choice.
5. JAX, where TensorFlow is not installed; or where there is an accelerator which JAX can use and
   TensorFlow cannot.
6. TensorFlow.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zoo.backend.installation import Installation, look

# Backends on which zoo trains, and what installs each.
BACKENDS = {"tensorflow": "pip install tensorflow", "jax": "pip install jax"}
VARIABLE = "KERAS_BACKEND"


@dataclass(frozen=True)
class Choice:
    """A backend and why it was taken.

    Args:
        backend: Keras's name of it.
        chosen_by: `KERAS_BACKEND`, `keras`, `file`, `keras.json` or `zoo`.
        reason: for people, such as `KERAS_BACKEND=jax`.
        is_news: whether the user should be told: it is neither the default nor their own word.
    """

    backend: str
    chosen_by: str
    reason: str
    is_news: bool = False

    def line(self) -> str:
        """Return what the user is told."""
        return f"backend   {self.backend}: {self.reason} (to choose another, set {VARIABLE})"


def choose(
    preferred: str | None = None,
    environ: Mapping[str, str] | None = None,
    look: Callable[[], Installation] = look,
    modules: Mapping[str, Any] | None = None,
) -> Choice:
    """Decide on a backend; imports nothing.

    Args:
        preferred: the backend of what is resumed or opened; None if that does not matter.
        environ: environment variables; None for this process's.
        look: looks at the installation.
        modules: the modules that are imported; None for this process's.

    Returns:
        The choice. Its backend may be one that is not installed, or one on which zoo does not
        train, if KERAS_BACKEND names it.
    """
    environ = os.environ if environ is None else environ
    modules = sys.modules if modules is None else modules
    if environ.get(VARIABLE):
        return Choice(environ[VARIABLE], VARIABLE, f"{VARIABLE}={environ[VARIABLE]}")
    if "keras" in modules:
        return Choice(modules["keras"].backend.backend(), "keras", "Keras is imported already")
    if preferred:
        return Choice(preferred, "file", "what is opened was made with it")
    file = keras_json(environ)
    named = _backend_in(file)
    if named in BACKENDS and named != "tensorflow":
        return Choice(named, "keras.json", f"{file} names it", is_news=True)
    return _automatic(look())


def settle(preferred: str | None = None, say: Callable[[str], None] | None = None) -> str:
    """Decide on a backend and put it into $KERAS_BACKEND, for this process and its children.

    Args:
        preferred: as for `choose`.
        say: told in a line what was chosen, if that is news to the user.

    Returns:
        The backend.
    """
    choice = choose(preferred)
    os.environ[VARIABLE] = choice.backend
    if choice.is_news and say is not None:
        say(choice.line())
    return choice.backend


def _automatic(found: Installation) -> Choice:
    """Choose a backend from the packages and devices that were found."""
    if found.jax and not found.tensorflow:
        return Choice("jax", "zoo", "TensorFlow is not installed", is_news=True)
    if found.jax and found.accelerator and found.tensorflow_obstacle and not found.jax_obstacle:
        reason = f"JAX can use the {found.accelerator}, and TensorFlow {found.tensorflow_obstacle}"
        return Choice("jax", "zoo", reason, is_news=True)
    return Choice("tensorflow", "zoo", "the default")


def keras_json(environ: Mapping[str, str]) -> Path:
    """Return Keras's configuration file, in the folder that Keras would take."""
    if "KERAS_HOME" in environ:
        return Path(environ["KERAS_HOME"]).expanduser() / "keras.json"
    home = Path(environ.get("HOME") or Path.home())
    return (home if os.access(home, os.W_OK) else Path("/tmp")) / ".keras" / "keras.json"


def _backend_in(file: Path) -> str | None:
    """Return the backend that keras.json names; None if the file is not there or is broken."""
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return data.get("backend") if isinstance(data, dict) else None
