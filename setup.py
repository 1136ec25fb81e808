"""Builds and installs zoo. What each requirement is for stands beside it.

The lower bounds are the oldest releases that make sense, not the oldest tried: the exact set that
the tests run on is in constraints.txt.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version() -> str:
    """The version in zoo/__init__.py, as text: importing it may need what is not there yet."""
    text = (HERE / "zoo" / "__init__.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if found is None:
        raise SystemExit('zoo/__init__.py: no line __version__ = "..."')
    return found[1]


def readme() -> str:
    file = HERE / "README.md"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


REQUIRES = [
    "tensorflow>=2.20",  # The default Keras backend, and SavedModel.
    "keras>=3.12",  # Models and training; what TensorFlow 2.21 asks for.
    "keras-tuner>=1.4.8",  # The search; what tuning/ was measured against.
    "tensorflow-datasets>=4.9.7",  # `data.source: {tfds: NAME}`.
    "pyyaml>=6.0.1",  # Parses recipes; the oldest the tests of recipes were run on.
    "pydantic>=2.10",  # The recipe's schema; likewise.
    "typer>=0.16",  # The command line; older ones fail with today's Click.
    "rich>=13.8",  # Tables and progress bars; what Typer asks for.
    "scikit-learn>=1.5",  # The digits that ship with it, stratified splits, metrics.
    "numpy>=1.26",  # Images and statistics; TensorFlow's own lower bound.
    "pillow>=11",  # Decodes image files: EXIF rotation, limits on size.
    "tensorboard>=2.20",  # KerasTuner imports it without declaring it, and fails every trial.
    "importlib_resources>=6",  # TensorFlow Datasets 4.9.10 imports it without declaring it.
]

JAX = "jax>=0.4.36"  # KERAS_BACKEND=jax.

PLOTS = "matplotlib>=3.9"  # `zoo check --plots`.

SERVE = [  # `zoo serve`.
    "uvicorn>=0.30",  # The HTTP server.
    "starlette>=0.40",  # Routes, requests, limits: what FastAPI stands on.
    "uvloop>=0.20; sys_platform != 'win32'",  # uvicorn's faster event loop.
    "httptools>=0.6",  # uvicorn's faster parser of HTTP.
    "orjson>=3.10",  # JSON at the speed of C, numpy arrays included.
    "prometheus-client>=0.20",  # /metrics.
]

ONNX = [  # `zoo export --format onnx`.
    "tf2onnx>=1.16.1",  # Translates TensorFlow's graph.
    "onnx>=1.16",  # Checks and annotates what was translated.
    "onnxruntime>=1.18",  # Reads it again: nothing counts before that.
]

LITERT = "ai-edge-litert>=2.0"  # Reads .tflite files again; else TensorFlow's own reader does.

EXTRAS = {
    "gpu": ["tensorflow[and-cuda]>=2.20"],  # CUDA libraries that fit TensorFlow's build.
    "jax": [JAX],
    "plots": [PLOTS],
    "serve": SERVE,
    "onnx": ONNX,
    "litert": [LITERT],
    "bench": ["optuna>=4"],  # benchmarks/search.py: a peer.
    "dev": [
        "pytest>=8.2",  # Runs the tests.
        "pytest-xdist>=3.6",  # Two workers: each imports TensorFlow once.
        "pytest-timeout>=2.3",  # A test that hangs fails instead.
        "hypothesis>=6.100",  # Laws over drawn values.
        "ruff>=0.9",  # Lint and format.
        "mypy>=1.14",  # Types.
        "types-PyYAML",  # PyYAML's types.
        "build>=1.2",  # Wheel and sdist.
        "setuptools>=77",  # tests/test_wheel.py builds without downloading.
        "selenium>=4.20",  # Drives a real browser over the page of `zoo serve`.
        PLOTS,
        *SERVE,
        *ONNX,
        LITERT,
        JAX,  # A test trains with KERAS_BACKEND=jax.
    ],
}
EXTRAS["test"] = EXTRAS["dev"]

setup(
    name="zoo-keras",
    version=version(),
    description="A model zoo for Keras: YAML recipe -> CNN -> trained, evaluated, exported.",
    long_description=readme(),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # The recipes stand at the top of the repository and are installed inside the package.
    packages=[*find_packages(include=["zoo", "zoo.*", "tuning", "tuning.*"]), "zoo.recipes"],
    package_dir={"zoo.recipes": "recipes"},
    package_data={
        "zoo.recipes": ["*.yaml", "catalogue.json", "results/*.json"],
        "zoo": ["py.typed"],
        "zoo.serve": ["page.html"],
    },
    entry_points={"console_scripts": ["zoo = zoo.cli:main"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
