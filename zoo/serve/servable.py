"""Loads one version of a SavedModel, describes it and runs it.

The only module of the server that uses TensorFlow; imports it when a model is loaded.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from zoo import backend
from zoo.artifact.layout import Artifact
from zoo.artifact.readers import plain_path
from zoo.errors import DataError
from zoo.serve import warmup_reader
from zoo.serve.examples import Features
from zoo.serve.model_path import is_saved_model
from zoo.serve.signature import DEFAULT, DTYPES, Array, Signature, TensorInfo
from zoo.serve.status import (
    StatusError,
    clean_message,
    code_refusal,
    incident,
    invalid,
    refusal_reason,
)

log = logging.getLogger(__name__)

Note = Callable[[str], None]

API_DTYPES = {"float16": "half", "float32": "float", "float64": "double"}  # By TensorFlow's names.


def prepare() -> None:
    """Imports TensorFlow, without the messages that its libraries print at the start."""
    with backend.quiet(), backend.hidden("jax"):
        import tensorflow as tf

        tf.config.list_physical_devices()


class Servable:
    """A loaded version of a model.

    Args:
        folder: the SavedModel.
        name: the model's name.
        version: the version's number.

    Raises:
        DataError: the SavedModel cannot be loaded, or has no signatures; or it is an export of
            ours with weights that are not finite.
    """

    def __init__(self, folder: Path, name: str, version: int) -> None:
        self.folder = folder
        self.name = name
        self.version = version
        self.in_flight = 0
        graph, self._model = _load(folder)
        _require_finite(folder, self._model)
        self._functions = dict(self._model.signatures)
        self.signatures: dict[str, Signature] = {
            key: _signature(key, definition, graph.HasField("object_graph_def"))
            for key, definition in sorted(graph.signature_def.items())
            if key in self._functions
        }
        if not self.signatures:
            raise DataError(
                f"{folder}: the SavedModel has no signatures, so there is nothing to ask it. "
                "Export it with `signatures=`, or with `zoo export`."
            )
        self.runners = {key: self._runner(signature) for key, signature in self.signatures.items()}
        self.metadata = _metadata(graph, name, version)
        self.labels = _labels(folder)
        manifest = _manifest(folder)
        image = manifest.get("image")
        self.image = image if isinstance(image, dict) else None
        self.multi_label = manifest.get("multi_label") is True

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"

    @contextmanager
    def used(self) -> Iterator[None]:
        """Counts a request in flight: the version is not unloaded before its answer."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def find(self, name: str) -> Signature:
        """Returns the signature of a name.

        Raises:
            StatusError: there is none.
        """
        if name not in self.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name]

    def _runner(self, signature: Signature) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """A function of arrays that runs a signature and raises nothing but `StatusError`."""
        import tensorflow as tf

        function = self._functions[signature.name]
        dtypes = {name: tf.as_dtype(info.dtype) for name, info in signature.inputs.items()}

        def see() -> str:
            return incident(log, "%s, signature %s: failed", self, signature.name)

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            try:
                tensors = {name: tf.constant(array, dtypes[name]) for name, array in inputs.items()}
                return {name: value.numpy() for name, value in function(**tensors).items()}
            except tf.errors.InvalidArgumentError as error:
                refusal = code_refusal(error.message, see)
                raise refusal or invalid(refusal_reason(error.message)) from None
            except UnicodeDecodeError:  # TensorFlow's message quotes bytes of the request.
                raise invalid("The model refused the request, and its reason is no text") from None
            except Exception:
                raise StatusError(
                    "INTERNAL", f"The model failed on this request. {see()}"
                ) from None

        return run

    def warm_up(self, batch_size: int, note: Note) -> None:
        """Runs the export's warm-up requests, or else zeros, so that no client has to wait.

        Args:
            batch_size: also run zeros in batches of this size.
            note: called with a message if warming up fails.
        """
        file = Artifact(self.folder, "saved_model").warmup_file
        try:
            for signature, inputs in self._recorded(file) if file.is_file() else self._zeros(1):
                self.runners[signature.name](inputs)
            for signature, inputs in self._zeros(batch_size):
                if signature.batches:
                    self.runners[signature.name](inputs)
        except Exception as error:
            note(f"{self}: warming up failed: {error}")

    def _recorded(self, file: Path) -> Iterator[tuple[Signature, dict[str, Array]]]:
        import tensorflow as tf
        from tensorflow.core.framework.tensor_pb2 import TensorProto

        for record in tf.data.TFRecordDataset(str(file)).take(warmup_reader.MAX_RECORDS):
            request = warmup_reader.decode(record.numpy())
            if request is not None:
                signature = self.find(request.signature_name or DEFAULT)
                yield (
                    signature,
                    {
                        name: tf.make_ndarray(TensorProto.FromString(data))
                        for name, data in request.inputs.items()
                    },
                )

    def _zeros(self, batch_size: int) -> Iterator[tuple[Signature, dict[str, Array]]]:
        """Zeros for each signature whose inputs are numbers of known shapes."""
        for signature in self.signatures.values():
            shapes = [info.shape for info in signature.inputs.values()]
            dtypes = {info.dtype for info in signature.inputs.values()}
            if "string" in dtypes or dtypes - DTYPES.keys():
                continue
            if any(shape is None or -1 in shape[1:] for shape in shapes):
                continue
            yield (
                signature,
                {
                    name: np.zeros(
                        [batch_size if n == -1 else n for n in info.shape or ()], DTYPES[info.dtype]
                    )
                    for name, info in signature.inputs.items()
                },
            )


def serialize_examples(examples: list[Features]) -> Array:
    """Serializes examples as tf.Example messages, for a graph's `parse_example`."""
    import tensorflow as tf

    fields = {"bytes": "bytes_list", "float": "float_list", "int64": "int64_list"}
    serialized = np.empty(len(examples), np.object_)
    for i, features in enumerate(examples):
        example = tf.train.Example()
        for name, (feature_type, values) in features.items():
            feature = example.features.feature[name]
            if feature_type:
                getattr(feature, fields[feature_type]).value.extend(values)
        serialized[i] = example.SerializeToString()
    return serialized


def _load(folder: Path) -> tuple[Any, Any]:
    """Loads a SavedModel: the MetaGraphDef and the model."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    if not is_saved_model(folder):
        raise DataError(
            f"{folder}: no saved_model.pb in it: no SavedModel, or one that is still being copied."
        )
    try:
        description = SavedModel()
        description.ParseFromString((folder / "saved_model.pb").read_bytes())
        graphs = [graph for graph in description.meta_graphs if "serve" in graph.meta_info_def.tags]
        if not graphs:
            raise DataError(f"{folder}: the SavedModel has no graph with the tag `serve`.")
        with plain_path(folder) as path:
            return graphs[0], tf.saved_model.load(path, tags=["serve"])
    except DecodeError:
        raise DataError(f"{folder}/saved_model.pb: damaged: it cannot be decoded.") from None
    except DataError:
        raise
    except Exception as error:  # TensorFlow raises many types of errors on damaged files.
        why = clean_message(str(error)) or type(error).__name__
        raise DataError(f"{folder}: the SavedModel cannot be loaded: {why}") from None


def _require_finite(folder: Path, model: Any) -> None:
    """Refuses an export of ours whose weights are NaN or infinite; others may mean it so.

    Raises:
        DataError: names the first ones.
    """
    if not Artifact(folder, "saved_model").manifest_file.is_file():
        return
    variables = {
        variable.name: variable
        for function in model.signatures.values()
        for variable in function.variables
        if variable.dtype.is_floating
    }
    wrong = [
        name.partition(":")[0]
        for name, variable in variables.items()
        if not np.isfinite(np.asarray(variable.numpy(), np.float64)).all()
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise DataError(
            f"{folder}: holds weights that are NaN or infinite: {', '.join(wrong[:3])}{more}. "
            "Train again, and export the run again."
        )


def _signature(name: str, definition: Any, strict: bool) -> Signature:
    inputs, outputs = _tensors(definition.inputs), _tensors(definition.outputs)
    return Signature(name, definition.method_name, inputs, outputs, strict)


def _tensors(infos: Any) -> dict[str, TensorInfo]:
    import tensorflow as tf

    tensors = {}
    for name, info in sorted(infos.items()):
        dtype = tf.as_dtype(info.dtype).name
        shape = info.tensor_shape
        sizes = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
        tensors[name] = TensorInfo(API_DTYPES.get(dtype, dtype), sizes)
    return tensors


def _metadata(graph: Any, name: str, version: int) -> dict[str, Any]:
    """The answer of the metadata endpoint."""
    from google.protobuf.json_format import MessageToDict

    definitions = {
        key: MessageToDict(
            definition,
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for key, definition in sorted(graph.signature_def.items())
    }
    return {
        "model_spec": {"name": name, "signature_name": "", "version": str(version)},
        "metadata": {"signature_def": {"signature_def": definitions}},
    }


def _labels(folder: Path) -> list[str] | None:
    """The class names of the export, if it has them."""
    try:
        text = Artifact(folder, "saved_model").labels_file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return text.removesuffix("\n").split("\n") if text else []


def _manifest(folder: Path) -> dict[str, Any]:
    """The export's manifest; empty if there is none."""
    try:
        text = Artifact(folder, "saved_model").manifest_file.read_text(encoding="utf-8")
        manifest = json.loads(text)
    except (OSError, ValueError, RecursionError):
        return {}
    return manifest if isinstance(manifest, dict) else {}
