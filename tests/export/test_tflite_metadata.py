"""TensorFlow Lite metadata, read back through FlatBuffers alone and by MediaPipe."""

from __future__ import annotations

import importlib.util
import zipfile
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest
from flatbuffers import number_types
from tensorflow.lite.tools import flatbuffer_utils

from tests.conftest import ROOT
from tests.exports import CLASSES, Exports
from zoo.datasets.decoding.images import as_png
from zoo.export.tflite_metadata import attach


class Table:
    """A table of a FlatBuffer, whose fields are read by their number in the schema."""

    def __init__(self, content: bytes, position: int) -> None:
        self.table = flatbuffers.table.Table(content, position)

    def offset(self, field: int) -> int:
        offset = self.table.Offset(4 + 2 * field)
        assert offset, f"no field {field}"
        return int(offset)

    def text(self, field: int) -> str:
        return bytes(self.table.String(self.table.Pos + self.offset(field))).decode()

    def number(self, field: int, flags: Any = number_types.Uint8Flags) -> int:
        return int(self.table.Get(flags, self.table.Pos + self.offset(field)))

    def floats(self, field: int) -> list[float]:
        vector = self.table.GetVectorAsNumpy(number_types.Float32Flags, self.offset(field))
        return list(map(float, vector))

    def child(self, field: int) -> Table:
        position = self.table.Pos + self.offset(field)
        return Table(self.table.Bytes, self.table.Indirect(position))

    def children(self, field: int) -> list[Table]:
        offset = self.offset(field)
        start, count = self.table.Vector(offset), self.table.VectorLen(offset)
        positions = (self.table.Indirect(start + 4 * i) for i in range(count))
        return [Table(self.table.Bytes, position) for position in positions]


def test_metadata(exports: Exports) -> None:
    model = flatbuffer_utils.read_model(str(exports.of("litert").model_file))
    (entry,) = (each for each in model.metadata if each.name == b"TFLITE_METADATA")
    content = bytes(model.buffers[entry.buffer].data)
    assert flatbuffers.util.BufferHasIdentifier(content, 0, b"M001")
    metadata = Table(content, int.from_bytes(content[:4], "little"))
    assert (metadata.text(0), metadata.text(7)) == ("tiny", "1.0.0")
    (subgraph,) = metadata.children(3)
    (images,), (probabilities,) = subgraph.children(2), subgraph.children(3)
    assert (images.text(0), probabilities.text(0)) == ("images", "probabilities")
    image = images.child(3)
    assert image.number(0) == 2  # ImageProperties.
    assert image.child(1).number(0) == 1  # RGB.
    size = image.child(1).child(1)
    assert [size.number(i, number_types.Uint32Flags) for i in (0, 1)] == [8, 8]
    (unit,) = images.children(4)
    assert unit.number(0) == 1  # NormalizationOptions: none, since the model normalises.
    assert (unit.child(1).floats(0), unit.child(1).floats(1)) == ([0.0], [1.0])
    assert (images.child(5).floats(0), images.child(5).floats(1)) == ([255.0], [0.0])
    (labels,) = probabilities.children(6)
    assert (labels.text(0), labels.number(2)) == ("labels.txt", 2)  # TENSOR_AXIS_LABELS.


def test_the_model_beside_them(exports: Exports) -> None:
    """Tensors have names, and constants lie where the schema wants them."""
    file = exports.of("litert").model_file
    content = file.read_bytes()
    model = flatbuffer_utils.schema_fb.Model.GetRootAs(content, 0)
    subgraph = model.Subgraphs(0)
    names = [subgraph.Tensors(tensor(0)).Name() for tensor in (subgraph.Inputs, subgraph.Outputs)]
    assert names == [b"images", b"probabilities"]
    for i in range(model.BuffersLength()):
        if model.Buffers(i).DataLength():
            constant = model.Buffers(i).DataAsNumpy()
            start = constant.__array_interface__["data"][0]
            base = np.frombuffer(content, np.uint8).__array_interface__["data"][0]
            assert (start - base) % 16 == 0
    with zipfile.ZipFile(file) as archive:
        (entry,) = archive.infolist()
        # MediaPipe unpacks nothing. A fixed date, so that equal models are equal files.
        assert (entry.filename, entry.compress_type) == ("labels.txt", zipfile.ZIP_STORED)
        assert entry.date_time[0] == 1980


def test_names_of_any_kind(exports: Exports, tmp_path: Path) -> None:
    """Attached anew, other names replace nothing of the model and keep their letters."""
    content = exports.of("litert").model_file.read_bytes()
    names = ["Überraschung", "猫", "a b", "x\u2028y", *CLASSES[4:]]
    file = tmp_path / "model.tflite"
    file.write_bytes(attach(content, "Name mit Ü", names, (8, 8)))
    with zipfile.ZipFile(file) as archive:
        assert archive.read("labels.txt").decode().split("\n") == [*names, ""]
    assert len(flatbuffer_utils.read_model(str(file)).subgraphs) == 1


def test_mediapipe(exports: Exports, tmp_path: Path) -> None:
    """MediaPipe's image classifier gives the run's labels and scores."""
    pytest.importorskip("mediapipe", exc_type=ImportError)
    path = ROOT / "benchmarks" / "mediapipe_check.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    predictions = []
    for i, row in enumerate(exports.expected):
        (tmp_path / f"{i}.png").write_bytes(as_png(exports.pixels[i]))
        order = np.argsort(-row, kind="stable")
        predictions.append(
            {
                "path": str(tmp_path / f"{i}.png"),
                "classes": [CLASSES[j] for j in order],
                "probabilities": row[order].tolist(),
            }
        )
    result = script.compare(exports.of("litert").model_file, predictions)
    assert result["same_first_label"] == result["images"] == len(exports.pixels)
    assert result["max_abs_diff"] < 1e-5
