"""Images that stay in the files of a TFDS builder: the same as in the decoded cache."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

tfds = pytest.importorskip("tensorflow_datasets")

from tests.datasets.conftest import make_recipe, whole  # noqa: E402 - after the skip
from zoo.batches import Batches  # noqa: E402
from zoo.datasets import cache as cache_module  # noqa: E402
from zoo.datasets import tfds_stream  # noqa: E402
from zoo.datasets.files import BadImage  # noqa: E402
from zoo.datasets.load import load  # noqa: E402
from zoo.datasets.splits import pixel_statistics  # noqa: E402
from zoo.errors import DataError  # noqa: E402

COUNT = 50


def photo(number: int) -> bytes:
    """A JPEG of soft noise, whose decoders differ by single levels."""
    pixels = np.random.default_rng(number).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((20, 16)).save(file, "JPEG", quality=90)
    return file.getvalue()


@pytest.fixture(scope="module", params=["tfrecord", "array_record"])
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A data_dir with a builder of JPEGs in three files a split, which TFDS reads in turns."""
    if request.param == "array_record":
        pytest.importorskip("array_record")
    place = tmp_path_factory.mktemp(request.param)
    features = tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "label": tfds.features.ClassLabel(names=["cat", "dog"]),
            "id": tfds.features.Text(),
        }
    )
    builder_dir = place / "photos" / "1.0.0"
    builder_dir.mkdir(parents=True)
    writers = tfds.core.file_adapters
    adapter = writers.ADAPTER_FOR_FORMAT[writers.FileFormat(request.param)]
    infos, first = [], 0
    for split, lengths in (("train", (21, 20, 9)), ("test", (4,))):
        template = tfds.core.ShardedFileTemplate(
            data_dir=builder_dir, dataset_name="photos", split=split,
            filetype_suffix=request.param,
        )  # fmt: skip
        for shard, length in enumerate(lengths):
            examples = [
                (n, features.serialize_example({"image": photo(n), "label": n % 2, "id": str(n)}))
                for n in range(first, first + length)
            ]
            file = template.sharded_filepath(shard_index=shard, num_shards=len(lengths))
            adapter.write_examples(file, iter(examples))
            first += length
        infos.append(
            tfds.core.SplitInfo(
                name=split, shard_lengths=list(lengths), num_bytes=0, filename_template=template
            )
        )
    tfds.folder_dataset.write_metadata(
        data_dir=builder_dir,
        features=features,
        split_infos=infos,
        description="Soft noise.",
        check_data=False,
    )
    return str(place)


def splits_of(data_dir: str, loading: str, **data: Any) -> Any:
    return load(
        make_recipe({"tfds": {"name": "photos", "data_dir": data_dir}}, loading=loading, **data)
    )


def test_streamed_is_resident(prepared: str) -> None:
    """Order, pixels, statistics, fingerprint, and so batches, to the bit."""
    resident, streamed = splits_of(prepared, "resident"), splits_of(prepared, "streamed")
    assert streamed.fingerprint == resident.fingerprint
    assert streamed.class_names == resident.class_names == ("cat", "dog")
    for name in ("train", "validation", "test"):
        one, other = getattr(resident, name), getattr(streamed, name)
        assert (one.streamed, other.streamed) == (False, True)
        assert (one.labels == other.labels).all()
        assert (whole(one) == whole(other)).all()
    sums = [pixel_statistics(splits.train).sums for splits in (resident, streamed)]
    assert (sums[0] == sums[1]).all()
    assert len(streamed.train) == 45
    made = [Batches(splits.train, 8, 3)(7) for splits in (resident, streamed)]
    assert (made[0][0] == made[1][0]).all()
    chosen = splits_of(prepared, "streamed", classes=["dog", "cat"])
    assert (chosen.train.labels == 1 - streamed.train.labels).all()


def test_where_the_disk_has_no_room(
    prepared: str, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`auto` streams, and keeps no decoded copy; files that are gone end a training."""
    monkeypatch.setattr(cache_module, "has_space", lambda _, needed: not needed)
    train = splits_of(prepared, "auto").train
    assert train.streamed
    assert (cache.rglob("train.npy").__next__()).stat().st_size < 45 * 4 * 8 + 200
    monkeypatch.setattr(tfds_stream.Records, "read", gone)
    with pytest.raises(DataError, match="image 1 can no longer be read from .*: no file"):
        train.images(np.array([1]))


def gone(*_: object) -> bytes:
    raise BadImage("no file")


def test_a_file_that_was_cut(tmp_path: Path) -> None:
    import tensorflow as tf

    file = tmp_path / "a.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        for text in (b"first", b"", b"third" * 100):
            writer.write(text)
    data = file.read_bytes()
    found = [data[start : start + size] for start, size in tfds_stream.walk(file)]
    assert found == [b"first", b"", b"third" * 100]
    for length in (0, 5, 20, 21, 22, len(data) - 1):
        file.write_bytes(data[:length])
        assert len(list(tfds_stream.walk(file))) == (length > 20) + (length > 40)


def test_formats_without_single_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfds_stream, "file_format", lambda _: "riegeli")
    builder = SimpleNamespace(name="photos")
    assert not tfds_stream.can_stream(builder)
    with pytest.raises(DataError, match="stored as riegeli: single images of it cannot"):
        tfds_stream.require_streaming(builder)
