"""Build and install zoo. Each requirement has its purpose beside it.

The lower bounds are the oldest releases tried: `make lowest` installs exactly them, and runs every
verb and the tests that need no framework. Those of the extras `dev`, `gpu`, `gpu-jax` and `bench`
are not tried. The tests run on the exact versions in constraints.txt.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).resolve().parent


def version() -> str:
    """Read the version from zoo/version.py, without importing the package."""
    text = (HERE / "zoo" / "version.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"$', text, re.MULTILINE)
    if match is None:
        raise SystemExit('zoo/version.py: no line __version__ = "..."')
    return match[1]


def readme() -> str:
    """Read the README, if it is there."""
    file = HERE / "README.md"
    return file.read_text(encoding="utf-8") if file.is_file() else ""


REQUIRES = [
    "tensorflow>=2.20",  # The default Keras backend, and SavedModel.
    "keras>=3.14",  # Models and training; 3.13 lacks options of batch norm, 3.12 of Muon.
    "keras-tuner>=1.4.8",  # Oracles of the search; the release that tuning/ was tested with.
    "tensorflow-datasets>=4.9.7",  # `data.source: {tfds: NAME}`.
    "pyyaml>=6.0.1",  # Parses recipes.
    "pydantic>=2.10.1",  # Validates recipes; 2.10.0 cannot build their schema.
    "typer>=0.26",  # The command line; older ones need Click, and call what Click 9 removes.
    "rich>=13.8",  # Progress bars and live tables; the bound of Typer.
    "scikit-learn>=1.5",  # The digits data set, stratified splits, metrics.
    "scipy>=1.11.2",  # Student's t and ranks; scikit-learn needs it too. The first for numpy 1.26.
    "numpy>=1.26",  # Images and statistics; TensorFlow's own lower bound.
    "pillow>=12.2",  # Decodes image files; 11.2 reads no AVIF, and up to 12.1 it prints errors.
    "pandas>=2.2.2",  # Histories of runs and trials of searches in Python; the first for numpy 2.
    "pyarrow>=18.1",  # Parquet tables of `data.source: csv`; TensorFlow Datasets needs it too.
    "flatbuffers>=24.3.25",  # Metadata of .tflite files; TensorFlow needs it too, from there on.
    "tensorboard>=2.20",  # KerasTuner imports it without declaring it, and fails every trial.
    "importlib_resources>=6",  # TensorFlow Datasets 4.9.10 imports it without declaring it.
]

JAX = "jax>=0.4.36"  # KERAS_BACKEND=jax.

# CUDA 13 with JAX's plugin for it; 0.7.2 is its first release. It needs NVIDIA's driver 580.
JAX_CUDA = "jax[cuda13]>=0.7.2"

PLOTS = "matplotlib>=3.10.7"  # `zoo check --plots`.

SERVE = [  # `zoo serve`.
    "uvicorn>=0.30",  # The HTTP server.
    "uvloop>=0.20; sys_platform != 'win32'",  # uvicorn's faster event loop.
    "httptools>=0.6",  # uvicorn's faster parser of HTTP.
    "orjson>=3.12",  # JSON at the speed of C, numpy arrays included.
    "prometheus-client>=0.20",  # /metrics.
]

ONNX = [  # `zoo export --format onnx`.
    "tf2onnx>=1.17",  # Translates TensorFlow's graph.
    "onnx>=1.16",  # Checks and annotates the translated model.
    "onnxruntime>=1.18",  # Runs the file again, for the comparison with the model.
]

LITERT = "ai-edge-litert>=2.0"  # Runs .tflite files; without it TensorFlow's own interpreter does.

# HEIC files, as phones write them. Released every other month since 2021. No plain requirement:
# its wheels bundle x265, which is under the GPL.
HEIC = "pillow-heif>=1.0"

# `zoo tune --on ray`: trials on many hosts. A release every month since 2017. Its client, for
# --on ray://HOST:PORT, needs grpcio, which TensorFlow brings.
RAY = "ray[client]>=2.60,<3"

REPORT = [  # `zoo report`.
    "jinja2>=3.1.4",  # Writes the pages; every other framework of Python's web uses it.
    "plotly>=6",  # Figures that answer the mouse, offline; what Optuna uses.
]

# `--log mlflow` and `--log wandb`: both are released every month, since 2018 and 2017.
MLFLOW = "mlflow>=3"
WANDB = "wandb>=0.20"

DOCS = [  # The site made of docs/.
    "mkdocs-material>=9.5",  # MkDocs with its most used theme.
    "mkdocstrings[python]>=0.27",  # Pages of the Python interface, from docstrings.
]

EXTRAS = {
    "gpu": ["tensorflow[and-cuda]>=2.20"],  # The CUDA libraries of TensorFlow's build.
    "gpu-jax": [JAX_CUDA],  # Beside it, the TensorFlow above stays on the CPU, and only exports.
    "jax": [JAX],
    "plots": [PLOTS],
    "serve": SERVE,
    "onnx": ONNX,
    "litert": [LITERT],
    "heic": [HEIC],
    "ray": [RAY],
    "report": REPORT,
    "mlflow": [MLFLOW],
    "wandb": [WANDB],
    "docs": DOCS,
    "bench": ["optuna>=4"],  # A peer in benchmarks/search.py.
    "dev": [
        "pytest>=8.2",  # Runs the tests.
        "pytest-xdist>=3.6",  # Two workers: each imports TensorFlow once.
        "pytest-timeout>=2.3",  # Fails tests that hang.
        "hypothesis>=6.100",  # Property tests.
        "ruff>=0.17",  # Linter and formatter.
        "mypy>=2.4",  # Type checker.
        "types-PyYAML",  # Types of PyYAML.
        "build>=1.2",  # Builds wheel and sdist.
        "setuptools>=77",  # tests/test_wheel.py builds without downloading.
        "schemathesis>=4.32.5",  # Draws requests from the OpenAPI of `zoo serve`; since 2019.
        "mediapipe>=1.2",  # Opens .tflite exports as phones do; its releases come every month.
        "selenium>=4.20",  # Drives a real browser over the page of `zoo serve`.
        PLOTS,
        *SERVE,
        *ONNX,
        LITERT,
        HEIC,
        RAY,
        *REPORT,
        MLFLOW,
        WANDB,
        *DOCS,
        "nbclient>=0.10",  # Runs the notebook of docs/.
        "ipykernel>=6.29",  # The Python that it runs on.
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
        "zoo.recipes": ["*.yaml", "catalogue.json", "recipe.schema.json", "results/*.json"],
        "zoo": ["py.typed"],
        "zoo.plan": ["backbones.json"],
        "zoo.report": ["templates/*"],
        "zoo.serve": ["page.html"],
    },
    entry_points={"console_scripts": ["zoo = zoo.__main__:main"]},
    install_requires=REQUIRES,
    extras_require=EXTRAS,
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        # Beside the Python that runs .ci/run, .ci/lowest tries all of these that are installed.
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
