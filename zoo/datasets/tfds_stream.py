"""Images of a TensorFlow Datasets builder that stay in its files, and are read by their places.

A place is (file, offset, bytes) of a record in a TFRecord file, which is found by a walk over the
lengths that stand before each record, or (0, row, 0) of a split in ArrayRecord, which has an index
of its own. Records are parsed and decoded by the functions of TensorFlow Datasets, so pixels are
those of the decoded cache. TensorFlow Datasets is imported inside functions.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from zoo.datasets import tfds_builder
from zoo.datasets.content.pixel_statistics import PixelStatistics
from zoo.datasets.decoding.images import BadImage, ImageSpec, fit
from zoo.datasets.decoding.together import decoded_in_threads
from zoo.datasets.window_order import WindowOrder
from zoo.errors import DataError
from zoo.text.printable import quoted

TFRECORD, ARRAY_RECORD = "tfrecord", "array_record"
HEAD, CHECKSUM = 12, 4  # Bytes of a record's length with its checksum, and of the data's checksum.


def file_format(builder: Any) -> str:
    """Returns the format of a builder's files, as TFDS names it."""
    found = builder.info.file_format
    return str(getattr(found, "value", found))


def can_stream(builder: Any) -> bool:
    """Whether single records of a builder's files can be read."""
    return file_format(builder) in (TFRECORD, ARRAY_RECORD)


def require_streaming(builder: Any) -> None:
    """Requires that single records of a builder's files can be read.

    Raises:
        DataError: its format has none.
    """
    if not can_stream(builder):
        raise DataError(
            f"{builder.name} is stored as {file_format(builder)}: single images of it cannot be "
            f"read. Expected {TFRECORD} or {ARRAY_RECORD} for data.loading: streamed; prepare it "
            "so: tfds.builder(NAME, file_format='array_record').download_and_prepare(), or leave "
            "loading out"
        )


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a builder's files.

    Args:
        builder: prepared.
        split: name of a split of the builder, without a part of it.
    """

    builder: Any
    split: str

    @cached_property
    def files(self) -> list[str]:
        """Paths of the split's files, in their order."""
        return [
            str(part.filename) for part in self.builder.info.splits[self.split].file_instructions
        ]

    @cached_property
    def _source(self) -> Any:
        import tensorflow_datasets as tfds

        raw = tfds.decode.DeserializeMethod.RAW_BYTES
        return self.builder.as_data_source(self.split, deserialize_method=raw)

    def places(self, ids: Sequence[str]) -> np.ndarray:
        """Returns the places of examples, int64 (n, 3).

        Args:
            ids: as TFDS gives them: name of the file, two underscores, row in it.

        Raises:
            DataError: a file is cut short, or another one than TFDS read.
        """
        numbers = {os.path.basename(file): number for number, file in enumerate(self.files)}
        split_ids = [text.rpartition("__") for text in ids]
        files = [numbers[os.path.basename(name)] for name, _, _ in split_ids]
        rows = np.array([int(row) for _, _, row in split_ids], np.int64)
        if file_format(self.builder) == ARRAY_RECORD:
            lengths = self.builder.info.splits[self.split].shard_lengths
            starts = np.cumsum([0, *lengths])[files]
            return np.stack([np.zeros_like(rows), starts + rows, np.zeros_like(rows)], 1)
        found = [np.array(list(walk(Path(file))), np.int64).reshape(-1, 2) for file in self.files]
        try:
            return np.array(
                [(file, *found[file][row]) for file, row in zip(files, rows, strict=True)], np.int64
            ).reshape(-1, 3)
        except IndexError:
            raise DataError(
                f"{self.builder.name}: a file in {self.builder.data_dir} is cut short; remove that "
                "folder, so that it is prepared again"
            ) from None

    def read(self, place: np.ndarray) -> bytes:
        """Returns a record, a serialized `tf.train.Example`.

        Args:
            place: int64 (3,).

        Raises:
            BadImage: its file is missing or shorter than it was.
        """
        number, offset, size = map(int, place)
        if file_format(self.builder) == ARRAY_RECORD:
            try:
                return bytes(self._source[offset])
            except Exception as error:  # Its errors have no base class in common.
                raise BadImage(tfds_builder.first_line(error)) from None
        try:
            with open(self.files[number], "rb", buffering=0) as file:
                content = os.pread(file.fileno(), size, offset)
        except OSError as error:
            raise BadImage(f"{quoted(self.files[number])}: {error.strerror}") from None
        if len(content) < size:
            raise BadImage(f"{quoted(self.files[number])} is shorter than it was")
        return content


def walk(file: Path) -> Iterator[tuple[int, int]]:
    """Yields where the whole records of a TFRecord file begin, and how many bytes each has.

    Args:
        file: path of the file. A record is its length in 8 bytes, a checksum of them in 4, the
            data, and a checksum of these in 4.
    """
    with open(file, "rb", buffering=0) as opened:
        handle, end = opened.fileno(), os.fstat(opened.fileno()).st_size
        offset = 0
        while offset + HEAD <= end:
            size = int.from_bytes(os.pread(handle, 8, offset), "little")
            if offset + HEAD + size + CHECKSUM > end:
                return
            yield offset + HEAD, size
            offset += HEAD + size + CHECKSUM


class Decoder:
    """Parses and decodes records, as TensorFlow Datasets does.

    Args:
        builder: prepared.
    """

    def __init__(self, builder: Any) -> None:
        import tensorflow as tf
        import tensorflow_datasets as tfds

        wanted = tfds.decode.PartialDecoding({"image": True, "label": True})
        features = wanted.extract_features(builder.info.features)

        def decode(record: Any) -> Any:
            example = features.deserialize_example(record)
            return example["image"], example["label"]

        signature = [tf.TensorSpec((), tf.string)]
        with tf.device("CPU"):
            self._decode = tf.function(decode, input_signature=signature).get_concrete_function()
        self._device, self._constant = tf.device, tf.constant

    def __call__(self, record: bytes) -> tuple[np.ndarray, int]:
        """Returns the pixels and the label of a record.

        Raises:
            BadImage: it cannot be parsed or decoded.
        """
        try:
            with self._device("CPU"):
                image, label = self._decode(self._constant(record))
            return image.numpy(), int(label)
        except Exception as error:  # TensorFlow's errors have no base class in common.
            raise BadImage(tfds_builder.first_line(error)) from None


def array_records(builder: Any, split: str) -> Iterator[tuple[np.ndarray, int, str]]:
    """Yields (pixels, label, id) of files in ArrayRecord, in their order; TFDS's datasets do not.

    Args:
        builder: prepared.
        split: TFDS's split string.

    Raises:
        BadImage: a record cannot be decoded.
    """
    import tensorflow_datasets as tfds

    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    source, decoder = builder.as_data_source(split, deserialize_method=raw), Decoder(builder)
    number = 0
    for part in builder.info.splits[split].file_instructions:
        for row in range(part.skip, part.skip + part.take):
            name = os.path.basename(str(part.filename))
            yield *decoder(bytes(source[number])), f"{name}__{row}"
            number += 1


@dataclass(frozen=True, eq=False)
class TfdsSplit:
    """Images that stay in the files of a builder, and are decoded each time they are read.

    Args:
        records: of each split of the builder.
        places: int64 (n, 4): place in `records`, and in the files of these.
        decoder: of records.
        labels: int32 (n,).
        spec: size and channels that images are brought to.
        statistics: of all images, if known.
        streamed: always True.
        order: always None: any permutation.
    """

    records: Sequence[Records]
    places: np.ndarray
    decoder: Decoder
    labels: np.ndarray
    spec: ImageSpec
    statistics: PixelStatistics | None = None
    streamed: bool = True
    order: WindowOrder | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def images(self, indices: np.ndarray) -> np.ndarray:
        """Decodes the images of int indices (k,), in their order.

        Raises:
            DataError: a file has been removed or broken since it was verified.
        """
        return decoded_in_threads(self._decode, indices, self.spec.shape)

    def _decode(self, index: int) -> np.ndarray:
        place = self.places[index]
        records = self.records[place[0]]
        try:
            return fit(self.decoder(records.read(place[1:]))[0], self.spec)
        except BadImage as error:
            raise DataError(
                f"{records.builder.name}: image {index:,} can no longer be read from "
                f"{records.builder.data_dir}: {error}; restore its files"
            ) from None


def records_of(builder: Any) -> list[Records]:
    """Returns the records of each split of a builder, in the order of the splits' names."""
    return [Records(builder, name) for name in sorted(builder.info.splits)]


def places_of(ids: Sequence[str], records: Sequence[Records]) -> np.ndarray:
    """Returns the places of examples in several splits of a builder, int64 (n, 4).

    Args:
        ids: of the examples, as TFDS gives them.
        records: of the builder's splits.

    Raises:
        DataError: as `Records.places`.
    """
    owners = {os.path.basename(f): n for n, of in enumerate(records) for f in of.files}
    owner = np.array([owners[os.path.basename(text.rpartition("__")[0])] for text in ids], np.int64)
    places = np.zeros((len(ids), 4), np.int64)
    for number, of in enumerate(records):
        rows = np.flatnonzero(owner == number)
        if len(rows):
            places[rows, 0] = number
            places[rows, 1:] = of.places([ids[row] for row in rows.tolist()])
    return places
