"""Runs the code of parts that the user has allowed. Light until then.

What runs is the text that was read, hashed and allowed, not what the file may hold a moment later.
"""

from __future__ import annotations

import importlib
import importlib.util
import linecache
import os
import sys
import types
from pathlib import Path
from typing import Any

from zoo.errors import PluginError
from zoo.plugins import faults, permission, reference, source
from zoo.plugins.part import Part
from zoo.text.printable import quoted

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


def has_run(part: Part) -> bool:
    """Whether the code of a part has run in this process.

    Until then a plan runs no code of a layer, even if the user's script has imported Keras: the
    code would start JAX, and a started JAX takes no other number of devices or processes.
    """
    return (part.origin.file, part.origin.sha256) in _modules


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
    with faults.told(part):
        if origin.module is None:
            module = _executed(text)
        else:
            _require_installed(part, origin.module)
            module = importlib.import_module(origin.module)
    _modules[key] = module
    faults.watch(origin.file)
    return module


def _require_installed(part: Part, module: str) -> None:
    """Requires that Python imports the package that was read and allowed, and no other one.

    `python -m zoo`, a script and a notebook look into a folder of their own first, such as the
    working directory. A package of the same name there is refused: the user allowed another one.

    Raises:
        PluginError: it would import another one.
    """
    package = module.partition(".")[0]
    file = reference.module_file(module)
    root = reference.package_root(module, file)
    wanted = {os.path.realpath(root / package), os.path.realpath(root / f"{package}.py")}
    imported = sys.modules.get(package)
    spec = importlib.util.find_spec(package) if imported is None else imported.__spec__
    places = [] if spec is None else [*(spec.submodule_search_locations or ()), spec.origin]
    found = [os.path.realpath(place) for place in places if place]
    if not wanted & set(found):
        raise PluginError(
            f"{part.word}: Python finds another {package} before the installed one that was read, "
            f"in {quoted(root)}: {quoted(found[0]) if found else 'nothing'}, which nobody allowed. "
            "Start from another folder, or rename what is in the way."
        )


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
    name = keras.saving.get_registered_name(found)
    if name == found.__name__:
        package = part.origin.module or part.origin.file.stem
        keras.saving.register_keras_serializable(package)(found)
    elif keras.saving.get_registered_object(name) is not found:
        # Another file of this name, or this one before it was edited, took the name since then.
        keras.saving.get_custom_objects()[name] = found
