"""Runs the code of parts that the user has allowed. Light until then.

What runs is the text that was read, hashed and allowed, not what the file may hold a moment later.
"""

from __future__ import annotations

import importlib
import linecache
import sys
import types
from pathlib import Path
from typing import Any

from zoo.errors import PluginError
from zoo.plugins import faults, permission, source
from zoo.plugins.part import Part

# (file, sha256) -> the module that ran.
_modules: dict[tuple[Path, str], types.ModuleType] = {}
_BASES = {
    "layer": ("layers", "Layer"),
    "loss": ("losses", "Loss"),
    "metric": ("metrics", "Metric"),
    "callback": ("callbacks", "Callback"),
    "initializer": ("initializers", "Initializer"),
}


def registered(part: Part) -> Any:
    """Runs a part for a script that asks for it by name: that is permission enough.

    Raises:
        PluginError: its code failed.
    """
    return _object(part)


def load(part: Part) -> Any:
    """The class or function of a part.

    Raises:
        PluginRefused: the user has not allowed its code.
        PluginError: its code failed, or holds something else than its source says.
    """
    permission.require([part])
    return _object(part)


def _object(part: Part) -> Any:
    _prepare_keras()
    module = _module(part)
    found = getattr(module, part.origin.name, None)
    _require_kind(part, found)
    _register(part, found)
    return found


def _prepare_keras() -> None:
    """Imports Keras on the backend of zoo's choice, which the part's own import would not ask."""
    if "keras" not in sys.modules:
        from zoo import backend

        backend.prepare()


def _module(part: Part) -> types.ModuleType:
    origin = part.origin
    key = (origin.file, origin.sha256)
    if key in _modules:
        return _modules[key]
    text = permission.text_of(part)
    try:
        if origin.module is not None:
            module = importlib.import_module(origin.module)
        else:
            module = _executed(text)
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise faults.explained(part, error) from None
    _modules[key] = module
    faults.watch(origin.file)
    return module


def _executed(text: source.Source) -> types.ModuleType:
    """Runs the text of a file as a module of its own."""
    name = f"zoo_plugin_{text.file.stem}"
    module = types.ModuleType(name)
    module.__file__ = str(text.file)
    # Dataclasses and type hints look their module up by name.
    sys.modules[name] = module
    faults.watch(text.file)
    # Where only the text is here, a traceback shows its lines nevertheless.
    lines = text.text.splitlines(keepends=True)
    linecache.cache[str(text.file)] = (len(text.content), None, lines, str(text.file))
    exec(compile(text.text, str(text.file), "exec"), module.__dict__)  # Allowed by the user.
    return module


def _require_kind(part: Part, found: Any) -> None:
    """Requires that what ran is what the source says.

    Raises:
        PluginError: it is not.
    """
    import keras

    from zoo.plugins.augmentation import Augmentation

    wanted: Any = None
    if part.kinds[0] == "augmentation":
        wanted = Augmentation
    elif part.is_class:
        module, name = _BASES[part.kinds[0]]
        wanted = getattr(getattr(keras, module), name)
    good = (
        callable(found) if wanted is None else isinstance(found, type) and issubclass(found, wanted)
    )
    if not good:
        raise PluginError(
            f"{part.word} ({part.origin.place}) is no {part.kind.partition(' ')[2]} once the file "
            f"has run: {type(found).__name__}."
        )


def _register(part: Part, found: Any) -> None:
    """Tells Keras of a class or function, unless its own code did: as `FILE>NAME`."""
    import keras

    if part.kinds[0] in ("augmentation", "callback"):
        return
    if keras.saving.get_registered_name(found) == found.__name__:
        package = part.origin.module or part.origin.file.stem
        keras.saving.register_keras_serializable(package)(found)
