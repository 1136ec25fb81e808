"""The packages: which are installed, and which extras of zoo are complete. Light."""

from __future__ import annotations

import importlib.metadata
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from zoo.backend.installation import installed_version
from zoo.version import __version__

# What every training needs, whatever the backend.
REQUIRED = ("keras", "numpy", "pydantic", "pyyaml", "pillow", "scikit-learn", "rich", "typer")
# What else is worth a line, in this order.
OTHERS = ("tensorflow", "jax", "jaxlib", "tensorflow-datasets", "keras-tuner")

_PLUGIN = re.compile(r"jax-(cuda|rocm)\d+-(plugin|pjrt)|libtpu", re.IGNORECASE)


@dataclass(frozen=True)
class Extra:
    """An extra of setup.py that brings a feature, not a device.

    Args:
        name: the extra.
        packages: the distributions without which the feature does not work.
        purpose: the feature.
    """

    name: str
    packages: tuple[str, ...]
    purpose: str


EXTRAS = (
    Extra("plots", ("matplotlib",), "zoo check --plots, zoo tune --plots"),
    Extra("report", ("jinja2", "plotly"), "zoo report, zoo train --report, zoo tune --report"),
    Extra(
        "serve",
        ("uvicorn", "uvloop", "httptools", "orjson", "prometheus-client"),
        "zoo serve",
    ),
    Extra("onnx", ("tf2onnx", "onnx", "onnxruntime"), "zoo export --format onnx"),
    Extra("litert", ("ai-edge-litert",), "reading .tflite files without TensorFlow"),
)


def versions(version: Callable[[str], str | None] = installed_version) -> dict[str, str | None]:
    """Return {package: version, None if it is not installed}, of zoo and of what it uses."""
    named = {name: version(name) for name in (*REQUIRED, *OTHERS)}
    return {"zoo": __version__, **named}


def plugin_versions() -> dict[str, str]:
    """Return {package: version} of JAX's installed plugins for accelerators."""
    names = (str(found.metadata["Name"] or "") for found in importlib.metadata.distributions())
    plugins = sorted({name.lower() for name in names if _PLUGIN.fullmatch(name)})
    return {name: importlib.metadata.version(name) for name in plugins}


def missing_extras(
    version: Callable[[str], str | None] = installed_version,
) -> dict[str, tuple[str, ...]]:
    """Return {extra: its packages that are not installed} of the extras that lack some."""
    lacking = {
        extra.name: tuple(name for name in extra.packages if version(name) is None)
        for extra in EXTRAS
    }
    return {name: packages for name, packages in lacking.items() if packages}


def install(extra: str) -> str:
    """Return the command that installs an extra."""
    return f'pip install "zoo-keras[{extra}]"'


def missing_required(versions: Mapping[str, str | None]) -> list[str]:
    """List the packages that every training needs and that are not installed."""
    return [name for name in REQUIRED if versions[name] is None]
