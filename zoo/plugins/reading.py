"""Reads what a part is from its source: kind, options, help. Runs and imports nothing. Light."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from zoo.errors import Problem, RecipeError
from zoo.files.user_paths import user_path
from zoo.plugins import options, reference, syntax
from zoo.plugins.part import Origin, Part
from zoo.plugins.reference import Reference
from zoo.plugins.syntax import Definition, Module
from zoo.plugins.unknown import Unknown
from zoo.recipe.near import near
from zoo.recipe.shown import listed
from zoo.text.printable import quoted

# Base class, dotted -> kind of part. A class below one of these modules of Keras is of the kind.
_KERAS = (
    ("keras.layers.", "layer"),
    ("keras.losses.", "loss"),
    ("keras.metrics.", "metric"),
    ("keras.callbacks.", "callback"),
    ("keras.initializers.", "initializer"),
)
_EXACT = {
    "keras.Layer": "layer",
    "keras.Loss": "loss",
    "keras.Metric": "metric",
    "keras.Initializer": "initializer",
    "zoo.plugins.Augmentation": "augmentation",
    "zoo.plugins.augmentation.Augmentation": "augmentation",
}
# Bases whose own arguments are no options of a recipe.
_PLAIN = (
    *_EXACT, "keras.layers.Layer", "keras.losses.Loss", "keras.metrics.Metric",
    "keras.metrics.Mean", "keras.callbacks.Callback", "keras.initializers.Initializer",
)  # fmt: skip
# Bases of things that a recipe has no place for -> what to do instead.
_ELSEWHERE = {
    "keras.optimizers.schedules.": "a schedule; train.schedule has words for those",
    "keras.optimizers.": "an optimizer; train.optimizer has words for those",
    "keras.regularizers.": "a regularizer; kernel_regularizer takes l1 and l2",
    "keras.constraints.": "a constraint, for which a recipe has no place",
    "keras.Model": "a model; derive from keras.layers.Layer, or describe it in model.stack",
}
EXPECTED = (
    "Expected a class derived from keras.layers.Layer, keras.losses.Loss, keras.metrics.Metric, "
    "keras.callbacks.Callback, keras.initializers.Initializer or zoo.plugins.Augmentation, or a "
    "function of x (activation) or of y_true and y_pred (loss, metric)"
)

# The same source gives the same object, so that two loads of one recipe are equal.
_known: dict[tuple[str, str], Part] = {}


def read(text: str, folder: Path | None = None) -> Part:
    """Reads what a reference of a recipe names.

    Args:
        text: the reference.
        folder: that relative paths are found from; None: the working directory.

    Raises:
        Unknown: there is no such part; its text says why.
    """
    wanted = reference.parse(text)
    module, wanted = _module(wanted, folder)
    found = syntax.find(module, wanted.name)
    if found is None:
        raise Unknown(_missing(module, wanted))
    holder, node = found
    key = (f"{wanted}\0{node.lineno}", holder.source.sha256 + module.source.sha256)
    if key not in _known:
        _known[key] = _part(wanted, module, holder, node)
    return _known[key]


def read_one(text: str, folder: Path | None = None) -> Part:
    """As `read`, with the error of a recipe.

    Raises:
        RecipeError: there is no such part.
    """
    try:
        return read(text, folder)
    except Unknown as error:
        raise RecipeError([Problem(path="plugins", message=str(error))]) from None


def _module(wanted: Reference, folder: Path | None) -> tuple[Module, Reference]:
    """The module that a reference names, and the reference with an absolute path."""
    if wanted.is_file:
        file = Path(user_path(wanted.place))
        file = (folder or Path.cwd()) / file if not file.is_absolute() else file
        file = Path(_normal(file))
        return syntax.parsed(file), wanted.at(str(file))
    file = reference.module_file(wanted.place)
    root = reference.package_root(wanted.place, file)
    return syntax.parsed(file, wanted.place, root), wanted


def _normal(file: Path) -> str:
    import os

    return os.path.normpath(file)  # Links stay: the user's name of the file is what is shown.


def _missing(module: Module, wanted: Reference) -> str:
    """The sentence for a name that a module does not define."""
    names = [name for name in module.definitions if not name.startswith("_")]
    if wanted.name in module.assignments or wanted.name in module.imports:
        return (
            f"{wanted.name} in {quoted(module.source.file)} is neither a class nor a function that "
            f"is defined there. {EXPECTED}."
        )
    has = f"It defines: {listed(names)}" if names else "It defines no class and no function"
    return f"{quoted(module.source.file)} defines no {wanted.name}{near(wanted.name, names)} {has}."


def _part(wanted: Reference, module: Module, holder: Module, node: Definition) -> Part:
    try:
        kinds, signature = _read(holder, node)
    except Unknown as error:
        raise Unknown(f"{holder.source.file.name}:{node.lineno}: {node.name}: {error}") from None
    description = options.description_of(node)
    origin = Origin(
        reference=str(wanted),
        file=holder.source.file,
        module=None if module.root is None else wanted.place,
        name=wanted.name,
        line=node.lineno,
        sha256=holder.source.sha256,
    )
    made: Any = options.options_model(wanted.word, signature, description)
    part = Part(
        word=wanted.word,
        kinds=kinds,
        origin=origin,
        description=description or f"{node.name} of {holder.source.file.name}",
        options=made,
        is_class=isinstance(node, ast.ClassDef),
        unwritten=signature.unwritten,
    )
    made.own_part = part
    return part


def _read(holder: Module, node: Definition) -> tuple[tuple[str, ...], options.Signature]:
    """The kinds and options of a definition.

    Raises:
        Unknown: it is of no kind that a recipe takes, or takes what no recipe can hold.
    """
    if isinstance(node, ast.AsyncFunctionDef):
        raise Unknown(f"is an async function. {EXPECTED}.")
    if isinstance(node, ast.FunctionDef):
        names = [argument.arg for argument in (*node.args.posonlyargs, *node.args.args)]
        if names[:2] == ["y_true", "y_pred"]:
            return ("loss", "metric"), options.of_function(holder, node, 2)
        if not names or names[0] in ("shape", "step", "epoch", "images", "self"):
            raise Unknown(f"is a function of {listed(names) or 'nothing'}. {EXPECTED}.")
        return ("activation",), options.of_function(holder, node, 1)
    base = _outer_base(holder, node)
    kind = _kind_of(base)
    if kind is None:
        there = next((text for start, text in _ELSEWHERE.items() if base.startswith(start)), None)
        what = f"is {there}" if there else f"derives from {base or 'nothing'}"
        raise Unknown(f"{what}. {EXPECTED}.")
    kinds = ("layer", "activation") if kind == "layer" else (kind,)
    return kinds, options.of_class(holder, node, base in _PLAIN)


def _outer_base(holder: Module, node: ast.ClassDef) -> str:
    """The first base, dotted, that tells the kind, of a class or of its bases; else the last."""
    last = ""
    for module, each in options.lineage(holder, node):
        for base in each.bases:
            name = _plain_name(module.dotted(base))
            if _kind_of(name):
                return name
            if name not in module.definitions and name not in ("object", "abc.ABC"):
                last = last or name
    return last


def _plain_name(name: str) -> str:
    """The name of a class of Keras, by whatever way it was imported."""
    for start in ("tensorflow.", "keras.api.", "keras.src."):
        name = name.replace(start, "keras." if start.startswith("keras") else "", 1)
    return name


def _kind_of(name: str) -> str | None:
    if name in _EXACT:
        return _EXACT[name]
    return next((kind for start, kind in _KERAS if name.startswith(start)), None)
