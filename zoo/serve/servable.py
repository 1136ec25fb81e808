"""One loaded version of a SavedModel: what it says of itself, and running it.

The one place of the server that knows TensorFlow, which is imported when a model is loaded.
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
from zoo.errors import DataError
from zoo.serve import warmup
from zoo.serve.examples import Features
from zoo.serve.model_path import is_saved_model
from zoo.serve.signature import DEFAULT, DTYPES, Array, Signature, TensorInfo
from zoo.serve.status import StatusError, cleaned, invalid, reason

log = logging.getLogger(__name__)

Note = Callable[[str], None]

NAMES = {"float16": "half", "float32": "float", "float64": "double"}  # The API's, by TensorFlow's.


def prepare() -> None:
    """Imports TensorFlow without the lines that its libraries write while they start."""
    with backend.quiet():
        import tensorflow as tf

        tf.config.list_physical_devices()


class Servable:
    """A version of a model, loaded.

    Args:
        folder: of the SavedModel.
        name: of the model.
        version: its number.

    Raises:
        DataError: it cannot be loaded.
    """

    def __init__(self, folder: Path, name: str, version: int) -> None:
        self.folder = folder
        self.name = name
        self.version = version
        self.in_flight = 0
        graph, self._model = _load(folder)
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
        self.runners = {key: self._runner(found) for key, found in self.signatures.items()}
        self.metadata = _metadata(graph, name, version)
        self.labels = _labels(folder)
        self.image = _image(folder)

    def __str__(self) -> str:
        return f"{self.name} version {self.version}"

    @contextmanager
    def used(self) -> Iterator[None]:
        """Counts a request, so that the version stays until it is answered."""
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    def find(self, name: str) -> Signature:
        """A signature by its name.

        Raises:
            StatusError: there is none of that name.
        """
        if name not in self.signatures:
            raise invalid(f'Serving signature name: "{name}" not found in signature def')
        return self.signatures[name]

    def _runner(self, signature: Signature) -> Callable[[Mapping[str, Array]], dict[str, Array]]:
        """The function of a signature, on arrays; what it raises is a `StatusError`."""
        import tensorflow as tf

        function = self._functions[signature.name]
        dtypes = {name: tf.as_dtype(info.dtype) for name, info in signature.inputs.items()}

        def run(inputs: Mapping[str, Array]) -> dict[str, Array]:
            try:
                given = {name: tf.constant(of, dtypes[name]) for name, of in inputs.items()}
                return {name: value.numpy() for name, value in function(**given).items()}
            except tf.errors.InvalidArgumentError as error:
                raise invalid(reason(error.message)) from None
            except UnicodeDecodeError:  # TensorFlow quoted bytes of the request in its error.
                raise invalid("The model refused the request, and its reason is no text") from None
            except Exception:
                log.exception("%s, signature %s: failed", self, signature.name)
                raise StatusError("INTERNAL", "The model failed on this request") from None

        return run

    def warm_up(self, batch_size: int, note: Note) -> None:
        """Runs the requests that the export brings along, else zeros, so that no client waits."""
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

        for record in tf.data.TFRecordDataset(str(file)).take(warmup.MOST):
            request = warmup.decode(record.numpy())
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
        """Zeros for every signature whose inputs are numbers of known shape."""
        for signature in self.signatures.values():
            shapes = [info.shape for info in signature.inputs.values()]
            words = {info.dtype for info in signature.inputs.values()}
            if "string" in words or words - DTYPES.keys():
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


def serialized(examples: list[Features]) -> Array:
    """Examples as the strings that a graph's `parse_example` reads."""
    import tensorflow as tf

    kinds = {"bytes": "bytes_list", "float": "float_list", "int64": "int64_list"}
    found = np.empty(len(examples), np.object_)
    for i, features in enumerate(examples):
        example = tf.train.Example()
        for name, (kind, values) in features.items():
            feature = example.features.feature[name]
            if kind:
                getattr(feature, kinds[kind]).value.extend(values)
        found[i] = example.SerializeToString()
    return found


def _load(folder: Path) -> tuple[Any, Any]:
    """The graph's description and the loaded model."""
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
        return graphs[0], tf.saved_model.load(str(folder), tags=["serve"])
    except DecodeError:
        raise DataError(f"{folder}/saved_model.pb: damaged: it cannot be decoded.") from None
    except DataError:
        raise
    except Exception as error:  # TensorFlow raises whatever comes to hand on damaged files.
        why = cleaned(str(error)) or type(error).__name__
        raise DataError(f"{folder}: the SavedModel cannot be loaded: {why}") from None


def _signature(name: str, definition: Any, strict: bool) -> Signature:
    inputs, outputs = _tensors(definition.inputs), _tensors(definition.outputs)
    return Signature(name, definition.method_name, inputs, outputs, strict)


def _tensors(infos: Any) -> dict[str, TensorInfo]:
    import tensorflow as tf

    found = {}
    for name, info in sorted(infos.items()):
        word = tf.as_dtype(info.dtype).name
        shape = info.tensor_shape
        dims = None if shape.unknown_rank else tuple(dim.size for dim in shape.dim)
        found[name] = TensorInfo(NAMES.get(word, word), dims)
    return found


def _metadata(graph: Any, name: str, version: int) -> dict[str, Any]:
    """What the metadata endpoint tells."""
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
    """The names of classes, where the export brings them along."""
    try:
        text = Artifact(folder, "saved_model").labels_file.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return None
    return text.removesuffix("\n").split("\n") if text else []


def _image(folder: Path) -> dict[str, Any] | None:
    """What the export says of its images."""
    try:
        text = Artifact(folder, "saved_model").manifest_file.read_text(encoding="utf-8")
        image = json.loads(text).get("image")
    except (OSError, ValueError, AttributeError):
        return None
    return image if isinstance(image, dict) else None
