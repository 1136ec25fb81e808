"""Writes TensorFlow Lite metadata: what MediaPipe Tasks must know of a .tflite file.

The metadata are a FlatBuffer inside of the model's: what the input and the scores are, how to
normalise an image, and which file holds the class names. That file is attached to the model as a
zip archive. The tables are those of mediapipe/tasks/metadata/metadata_schema.fbs, version 1.5.0.

By hand: MediaPipe's own writer cannot be imported from its wheel (1.2.3 lacks mediapipe.tasks.cc),
and that wheel brings OpenCV, half a gigabyte in all, for eight small tables; tflite-support, last
released in July 2023, needs protobuf 3, and TensorFlow 6. tests/export reads the result with
MediaPipe.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import flatbuffers
import numpy as np
from tensorflow.lite.tools import flatbuffer_utils

from zoo.artifact.layout import LABELS, label_lines

BUFFER = "TFLITE_METADATA"
FILE_IDENTIFIER, MODEL_IDENTIFIER = b"M001", b"TFL3"
MIN_PARSER_VERSION = "1.0.0"  # No field below is younger than the schema's first version.
BUFFER_ALIGNMENT = 16  # Bytes; `force_align` of Buffer.data in TensorFlow Lite's schema.

# Members of enumerations and unions of the schema.
IMAGE_PROPERTIES, FEATURE_PROPERTIES, NORMALIZATION_OPTIONS = (np.uint8(i) for i in (2, 1, 1))
RGB, TENSOR_AXIS_LABELS = np.int8(1), np.int8(2)

Table = dict[int, Any]  # A table's values by the number of their field in the schema.


def attach(
    content: bytes, name: str, classes: list[str], size: tuple[int, int], *, sum_is_1: bool = True
) -> bytes:
    """Adds metadata and the class names to an image classifier.

    Args:
        content: a .tflite file with one subgraph, one input and one output: RGB images with values
            0 to 255, and probabilities.
        name: the model's name.
        classes: class names in the order of the probabilities.
        size: height and width of the images.
        sum_is_1: whether the probabilities of an image add up to 1; else each is by itself.

    Returns:
        The same model with metadata, with tensors named `images` and `probabilities`, and with
        labels.txt attached.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    schema = flatbuffer_utils.schema_fb
    (subgraph,) = model.subgraphs
    for (index,), tensor_name in ((subgraph.inputs, "images"), (subgraph.outputs, "probabilities")):
        subgraph.tensors[index].name = tensor_name
    entry, buffer = schema.MetadataT(), schema.BufferT()
    entry.name, entry.buffer = BUFFER, len(model.buffers)
    buffer.data = np.frombuffer(_pack(_classifier(name, size, sum_is_1)), np.uint8)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
    builder = _AlignedBuilder()
    builder.Finish(model.Pack(builder), MODEL_IDENTIFIER)
    return bytes(builder.Output()) + _archive(classes)


def _classifier(name: str, size: tuple[int, int], sum_is_1: bool) -> Table:
    """ModelMetadata of an image classifier."""
    height, width = size
    images = {
        0: "images",
        1: f"RGB images of {height} x {width} pixels, values 0 to 255; normalised by the model.",
        3: {0: IMAGE_PROPERTIES, 1: {0: RGB, 1: {0: np.uint32(width), 1: np.uint32(height)}}},
        # (x - mean) / std: no change, since the model normalises.
        4: [{0: NORMALIZATION_OPTIONS, 1: {0: _floats(0), 1: _floats(1)}}],
        5: {0: _floats(255), 1: _floats(0)},
    }
    probabilities = {
        0: "probabilities",
        1: f"Probabilities of the classes; {'their sum is 1' if sum_is_1 else 'each by itself'}.",
        3: {0: FEATURE_PROPERTIES, 1: {}},
        5: {0: _floats(1), 1: _floats(0)},
        6: [{0: LABELS, 1: "Class names, one a line.", 2: TENSOR_AXIS_LABELS}],
    }
    return {
        0: name,
        1: "An image classifier.",
        3: [{2: [images], 3: [probabilities]}],
        7: MIN_PARSER_VERSION,
    }


def _floats(value: float) -> np.ndarray:
    return np.array([value], np.float32)


def _pack(table: Table) -> bytes:
    builder = flatbuffers.Builder()
    builder.Finish(_write(builder, table), FILE_IDENTIFIER)
    return bytes(builder.Output())


def _write(builder: Any, value: Any) -> int:
    """Writes a string, a vector of numbers, a vector of tables, or a table; returns its offset."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, np.ndarray):
        return int(builder.CreateNumpyVector(value))
    if isinstance(value, list):
        offsets = [_write(builder, item) for item in value]
        builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            builder.PrependUOffsetTRelative(offset)
        return int(builder.EndVector())
    # What a table points to is written before it; FlatBuffers are written from their end.
    offsets_by_field = {
        field: _write(builder, item)
        for field, item in value.items()
        if not isinstance(item, np.integer)
    }
    builder.StartObject(max(value, default=-1) + 1)
    for field, item in value.items():
        if field in offsets_by_field:
            builder.PrependUOffsetTRelativeSlot(field, offsets_by_field[field], 0)
        elif item.dtype == np.uint32:
            builder.PrependUint32Slot(field, int(item), 0)
        else:
            builder.PrependUint8Slot(field, int(item), 0)
    return int(builder.EndObject())


class _AlignedBuilder(flatbuffers.Builder):
    """Aligns vectors of bytes as the schema demands, which generated Python code does not."""

    def StartVector(self, elemSize: int, numElems: int, alignment: int) -> Any:  # noqa: N802, N803
        """Starts a vector; see `flatbuffers.Builder`."""
        aligned = BUFFER_ALIGNMENT if elemSize == 1 else alignment
        return super().StartVector(elemSize, numElems, aligned)


def _archive(classes: list[str]) -> bytes:
    """A zip archive of labels.txt: stored, since MediaPipe unpacks nothing, and without a date."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(zipfile.ZipInfo(LABELS), label_lines(classes))
    return content.getvalue()
