"""Classes and splits of a data set in shards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.datasets.shards.tars import data_set, png, read, write
from zoo.datasets.image_files import Files
from zoo.datasets.shards import layout as module
from zoo.datasets.shards.layout import read_class_names
from zoo.errors import DataError, RecipeError
from zoo.recipe.shards_source import Shards
from zoo.recipe.subset import Fold

TRAIN = {"train-0.tar": "abab" * 4, "train-1.tar": "bbaa" * 4}


def names(files: Files | None) -> list[str]:
    assert files is not None
    return [file.path for file in files]


def test_splits_and_classes(tmp_path: Path) -> None:
    layout = read(data_set(tmp_path / "d", {**TRAIN, "val-0.tar": "ab", "test-0.tar": "ba"}))
    assert layout.class_names == ("a", "b")
    assert names(layout.train)[:2] == ["train-0.tar/0000.png", "train-0.tar/0001.png"]
    assert [file.label for file in layout.test or ()] == [1, 0]
    assert not layout.notes
    assert layout.store.read("val-0.tar/0032.png") == png(32)


def test_splits_are_drawn_and_keep_the_order_of_the_shards(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", TRAIN)
    layout = read(root)
    assert (len(layout.train), len(layout.validation), layout.test) == (29, 3, None)
    for files in (layout.train, layout.validation):
        assert names(files) == sorted(names(files))
    for name in TRAIN:
        (root / name).rename(root / name.replace("train-", "x"))
    drawn = read(root, test_split=0.25)
    assert [len(files) for files in drawn.splits.values()] == [22, 2, 8]
    assert len(read(root).test or ()) == 3
    with pytest.raises(DataError, match=r"test_split is given, but .* has shards of test"):
        read(root, train="x0.tar", test="x1.tar", test_split=0.1)


@pytest.mark.parametrize(
    "labels, expected",
    [
        (["10", "9", "2"], ("2", "9", "10")),
        (["n02", "n01"], ("n01", "n02")),
        (["3.0", "03", "1"], ("1", "3")),
    ],
)
def test_names_of_labels(tmp_path: Path, labels: list[str], expected: tuple[str, ...]) -> None:
    root = data_set(tmp_path / "d", {"0.tar": labels * 4})
    assert read(root, test=None).class_names == expected
    options = Shards.model_validate({"path": str(root)})
    assert read_class_names(options, tmp_path / "cache") == expected


def test_names_by_number(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", {"train-0.tar": [2, 0, 1] * 4, "val-0.tar": [1, 2]})
    (root / "names.txt").write_text("cat\n dog \nemu\n\n", encoding="utf-8")
    for given in ("names.txt", ["cat", "dog", "emu"]):
        layout = read(root, class_names=given)
        assert layout.class_names == ("cat", "dog", "emu")
        assert [layout.train[i].label for i in range(3)] == [2, 0, 1]
    # Labels that are names themselves, in an order of the recipe's own.
    by_name = data_set(tmp_path / "e", {"train-0.tar": "ab" * 8, "val-0.tar": "a"})
    assert [f.label for f in read(by_name, class_names=["b", "a"]).train[:2]] == [1, 0]
    with pytest.raises(DataError, match="no training image of the class c"):
        read(by_name, class_names=["b", "a", "c"])


@pytest.mark.parametrize(
    "text, part",
    [("cat\ncat\n", "names twice: cat"), ("cat\n", "1 line"), (None, "cannot be read")],
)
def test_wrong_names(tmp_path: Path, text: str | None, part: str) -> None:
    root = data_set(tmp_path / "d", TRAIN)
    if text is not None:
        (root / "names.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=part):
        read(root, class_names="names.txt")


def test_everything_wrong_is_told_at_once(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", {"train-0.tar": "aabb", "val-0.tar": "ab"})
    members = [("1.png", png(1)), ("2.cls", "a"), ("3.png", png(3)), ("3.cls", "")]
    write(root / "train-1.tar", members)
    (root / "train-2.tar").write_bytes((root / "train-0.tar").read_bytes()[:1400])
    with pytest.raises(DataError) as raised:
        read(root)
    text = str(raised.value)
    assert "4 problems in its shards: 1 image without a label, 1 label without an image" in text
    for place in ("train-1.tar/1.png", "train-1.tar/2.cls", "train-1.tar/3.cls", "train-2.tar"):
        assert f"{root}/{place}: " in text
    assert raised.value.exit_code == 3


def test_unknown_labels(tmp_path: Path) -> None:
    labels = {"train-0.tar": [0, 1] * 4, "val-0.tar": [0, 7, 7], "test-0.tar": [9]}
    root = data_set(tmp_path / "d", labels)
    text = "unknown label 7, of 2 images in validation. Expected 0, 1"
    with pytest.raises(DataError, match=text) as raised:
        read(root)
    assert len(raised.value.problems) == 2
    with pytest.raises(DataError, match="Expected 0 to 1, for 2 names"):
        read(root, class_names=["cat", "dog"])


def test_chosen_and_merged_classes(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", {"train-0.tar": "abcd" * 4, "val-0.tar": "abcx"})
    options = Shards.model_validate({"path": str(root)})
    chosen = module.read(options, {"one": ["d", "a"], "two": "b"}, cache_dir=tmp_path / "cache")
    assert chosen.class_names == ("one", "two")
    assert [file.label for file in chosen.train[:4]] == [0, 1, 0, 0]
    assert names(chosen.train) == sorted(names(chosen.train))
    assert len(chosen.validation) == 2
    merged = {"a": "a", "other": "all_others"}
    with_rest = module.read(options, merged, cache_dir=tmp_path / "cache")
    assert [file.label for file in with_rest.train[:4]] == [0, 1, 1, 1]
    assert [file.label for file in with_rest.validation] == [0, 1, 1, 1]
    with pytest.raises(RecipeError):
        module.read(options, ["a", "nosuch"], cache_dir=tmp_path / "cache")


def test_folds_keep_the_order_of_the_shards(tmp_path: Path) -> None:
    options = Shards.model_validate({"path": str(data_set(tmp_path / "d", TRAIN))})
    folds = [
        module.read(options, fold=Fold(index=i, of=2), cache_dir=tmp_path / "cache") for i in (1, 2)
    ]
    assert folds[0].pool == folds[1].pool
    assert sorted(names(folds[0].validation) + names(folds[1].validation)) == names(folds[0].pool)
    assert names(folds[0].train) == sorted(names(folds[0].train))


def test_one_class_and_captions(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="only one class, a"):
        read(data_set(tmp_path / "d", {"0.tar": "aaaa"}))
    with pytest.raises(DataError, match="a label of its own"):
        read(data_set(tmp_path / "e", {"0.tar": [f"caption {n}" for n in range(12)]}))


def test_what_is_whole_of_cut_shards(tmp_path: Path) -> None:
    root = data_set(tmp_path / "d", TRAIN)
    data = (root / "train-1.tar").read_bytes()
    (root / "train-1.tar").write_bytes(data[: len(data) // 3])
    with pytest.raises(DataError, match="1 shard cut short or damaged"):
        read(root)
    layout = read(root, skip=True)
    assert 16 < len(layout.train) + len(layout.validation) < 32
    assert "read what is whole of train-1.tar: cut short " in layout.notes[0]


def test_lists_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each shard; a changed one is listed anew, and a damaged list is not used."""
    from zoo.datasets.shards import index

    scanned: list[str] = []

    def counting(file: Path, wanted: object) -> object:
        scanned.append(file.name)
        return scan(file, wanted)

    scan = index.scan
    monkeypatch.setattr(index, "scan", counting)
    root = data_set(tmp_path / "d", TRAIN)
    first = read(root)
    assert sorted(scanned) == list(TRAIN)
    assert read(root).train == first.train
    assert len(scanned) == 2
    os.utime(root / "train-1.tar", (1, 1))
    read(root)
    assert scanned[2:] == ["train-1.tar"]
    for kept in (tmp_path / "cache" / "shards").iterdir():
        kept.write_bytes(kept.read_bytes()[:-3] + b'x"}')
    read(root)
    assert len(scanned) == 5


def test_groups_stay_whole(tmp_path: Path) -> None:
    """Whichever shards their images lie in."""
    root = tmp_path / "d"
    for shard in range(2):
        members: list[tuple[str, bytes | str]] = []
        for patient in range(10):
            for part in ((".png", png(1)), (".cls", "ab"[patient % 2])):
                members.append((f"p{patient}_{shard}{part[0]}", part[1]))
        write(root / f"train-{shard}.tar", members)
    layout = read(root, group="(p[0-9]+)_", validation_split=0.4)
    patients = [{f.path.split("/")[1][:2] for f in files} for files in layout.splits.values()]
    assert patients[0].isdisjoint(patients[1])
    assert len(layout.validation) == 8
    assert names(layout.train) == sorted(names(layout.train))
    with pytest.raises(DataError, match=r"4 of 20 .* or change data\.source\.shards\.group"):
        read(root, group="(p[2-9])_")
    (root / "train-1.tar").rename(root / "val-1.tar")
    with pytest.raises(DataError, match="10 groups"):
        read(root, group="(p[0-9]+)_")
