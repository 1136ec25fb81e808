"""The exported model of a run as MLflow keeps it: a `pyfunc` with a signature and an example.

It is the SavedModel, whichever backend trained, since that one has its preprocessing inside and has
proved that it predicts what the trained network does. Opening it needs TensorFlow, and neither
Keras nor JAX nor zoo: the loader and the reader of exports lie in the model as code.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import struct
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoo.artifact import layout
from zoo.trackers.mlflow_loader import READER

if TYPE_CHECKING:
    import numpy as np

LOADER = "zoo_mlflow_loader"
NAME = "model"
SIGNATURE = "serve_uint8"


def digest(folder: Path) -> str:
    """A digest of an export: that of its manifest, which has the digest of each file."""
    manifest = layout.Artifact(folder, "saved_model").manifest_file
    return hashlib.sha256(manifest.read_bytes()).hexdigest()


def log(folder: Path, run_id: str, experiment: str, step: int, register: str | None = None) -> None:
    """Logs an export to a run of MLflow, whose tracking URI is set.

    Args:
        folder: of a SavedModel that zoo exported.
        run_id: the run.
        experiment: the id of its experiment.
        step: the epoch whose metrics are shown beside the model.
        register: name in MLflow's registry; None: the model is not registered.
    """
    import mlflow
    from mlflow.models import Model

    mlflow.set_experiment(experiment_id=experiment)  # Else the model lands in the default one.
    with tempfile.TemporaryDirectory(prefix="zoo-mlflow-") as scratch:
        code = _code(Path(scratch))
        Model.log(
            artifact_path=None,
            name=NAME,
            flavor=_Pyfunc,
            run_id=run_id,
            step=step,
            registered_model_name=register,
            loader_module=LOADER,
            data_path=str(folder),
            code_paths=[str(file) for file in code],
            pip_requirements=_requirements(),
            validate_serving_input=False,
            **_described(folder),
        )


class _Pyfunc:
    """MLflow's `pyfunc`, without opening the model again: seconds of TensorFlow for one image."""

    @staticmethod
    def save_model(validate_serving_input: bool, **options: Any) -> None:
        """Writes the model; the first argument is for `Model.log`, which passes it on."""
        import mlflow.pyfunc

        mlflow.pyfunc.save_model(**options)


def _code(scratch: Path) -> list[Path]:
    """Copies of the loader and of the reader of exports, under names of their own."""
    here = Path(__file__).parent
    sources = {LOADER: here / "mlflow_loader.py", READER: here.parent / "artifact" / "readers.py"}
    return [Path(shutil.copy(source, scratch / f"{name}.py")) for name, source in sources.items()]


def _requirements() -> list[str]:
    found = []
    for package in ("tensorflow", "numpy"):
        try:
            found.append(f"{package}=={version(package)}")
        except PackageNotFoundError:  # TensorFlow's build for CPUs has another name.
            found.append(package)
    return found


def _described(folder: Path) -> dict[str, Any]:
    """Signature, example and metadata of an export."""
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema, TensorSpec

    artifact = layout.Artifact(folder, "saved_model")
    manifest = artifact.manifest()
    image, classes = manifest["image"], manifest["classes"]
    shape = (image["height"], image["width"], image["channels"])
    inputs = Schema([TensorSpec(np.dtype("uint8"), (-1, *shape))])
    outputs = Schema([TensorSpec(np.dtype("float32"), (-1, len(classes)))])
    example = warmup_image(artifact.warmup_file)
    return {
        "signature": ModelSignature(inputs, outputs),
        "input_example": example if example is not None else np.zeros((1, *shape), np.uint8),
        "metadata": {"classes": json.dumps(classes)},
    }


def warmup_image(file: Path) -> np.ndarray | None:
    """The image of the warm-up requests: uint8 (1, height, width, channels); None without any."""
    import numpy as np
    from tensorboard.compat.proto.tensor_pb2 import TensorProto

    from zoo.serve.warmup_reader import decode

    if not file.is_file():
        return None
    content, at = file.read_bytes(), 0
    while at + 12 <= len(content):  # A TFRecord: length, its checksum, content, its checksum.
        (length,) = struct.unpack_from("<Q", content, at)
        request = decode(content[at + 12 : at + 12 + length])
        at += 16 + length
        if request is not None and request.signature_name == SIGNATURE:
            tensor = TensorProto.FromString(next(iter(request.inputs.values())))
            shape = [dimension.size for dimension in tensor.tensor_shape.dim]
            return np.frombuffer(tensor.tensor_content, np.uint8).reshape(shape)
    return None
