"""Tables of images: what is read, and what is refused, all at once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.datasets.folders.test_layout import touch
from tests.datasets.table_files import options, read, rows, table
from zoo.datasets.tables import table_layout
from zoo.errors import DataError
from zoo.recipe.subset import Fold

ABC = ["a", "b", "c"] * 10


def messages(error: DataError) -> list[str]:
    return [str(problem).rpartition("l.csv")[2] for problem in error.problems]


def test_splits_are_drawn_as_from_folders(tmp_path: Path) -> None:
    file = table(tmp_path, rows(ABC))
    layout = read(file)
    assert layout.class_names == ("a", "b", "c") == table_layout.class_names(options(file))
    assert [len(layout.splits[name]) for name in ("train", "validation", "test")] == [24, 3, 3]
    assert layout.root == tmp_path / "images"
    assert [file.label for file in layout.train] == [0] * 8 + [1] * 8 + [2] * 8
    shuffled = rows(ABC)
    random.Random(0).shuffle(shuffled)
    assert read(table(tmp_path, shuffled)) == layout
    assert read(file, split_seed=1) != layout
    assert [len(f) for f in read(file, test_split=0.5).splits.values()] == [13, 2, 15]


def test_a_column_of_splits(tmp_path: Path) -> None:
    values = ["Training", "train", "val", "test", "dev"] * 6
    lines = [f"{row},{value}" for row, value in zip(rows(ABC), values, strict=True)]
    file = table(tmp_path, lines, "path,class,set")
    layout = read(file, split="set")
    assert {name: len(files) for name, files in layout.splits.items()} == {
        "train": 12, "validation": 12, "test": 6,
    }  # fmt: skip
    layout = read(file, split="set", test="none", validation="none")
    assert [len(layout.splits[name]) for name in ("train", "validation")] == [11, 1]
    assert layout.test is None
    assert layout.notes[0] == (
        "left out rows of the splits val (6), test (6), dev (6), as the recipe says"
    )
    with pytest.raises(DataError, match=r"csv.test_split is given, but .*l.csv has rows of test"):
        read(file, split="set", test_split=0.1)


def test_all_other_classes(tmp_path: Path) -> None:
    """Of rows with one class, where the test has one more, and with any number of them."""
    classes = {"a": ("a",), "other": "all_others"}
    lines = [f"{row},{'test' if row.endswith('d') else 'train'}" for row in rows([*ABC[:28], "d"])]
    file = table(tmp_path, lines, "path,class,set")
    layout = table_layout.read(options(file, split="set"), classes)
    assert layout.class_names == ("a", "other")
    assert layout.test is not None
    assert [found.labels for found in layout.test] == [(1,)]
    labels = {found.path: found.labels for found in (*layout.train, *layout.validation)}
    assert labels == {f"{n:02}.png": (int(name != "a"),) for n, name in enumerate(ABC[:28])}
    many = table(tmp_path, rows(["a b", "b c", "a", "", "c"] * 6))
    layout = table_layout.read(options(many, label_separator="space"), classes)
    files = [found for split in layout.splits.values() for found in split]
    expected = [(0, 1), (1,), (0,), (), (1,)]
    assert {int(found.path[:2]): found.labels for found in files} == {
        number: expected[number % 5] for number in range(30)
    }


def test_named_splits(tmp_path: Path) -> None:
    lines = [f"{row},{number % 5}" for number, row in enumerate(rows(ABC))]
    file = table(tmp_path, lines, "path,class,fold")
    with pytest.raises(DataError, match=r"The column of splits holds 0 \(6\), 1 \(6\)"):
        read(file, split="fold")
    layout = read(file, split="fold", train=[0, 1, "2"], validation=3, test=4)
    assert [len(files) for files in layout.splits.values()] == [18, 6, 6]
    layout = read(file, split="fold", train=[0, 1], validation=3, test="none")
    assert [len(files) for files in layout.splits.values()] == [12, 6]
    assert layout.notes == ("left out rows of the splits 2 (6), 4 (6), as the recipe says",)


@pytest.mark.parametrize(
    "labels, names",
    [
        (["10", "9", "3"] * 10, ("3", "9", "10")),
        (["1.0", "0.0", "2"] * 10, ("0", "1", "2")),
        (["03", "3", "10"] * 10, ("3", "10")),
        (["03", "02", "10"] * 10, ("02", "03", "10")),
        (["0.5", "-1", "1e1"] * 10, ("-1", "0.5", "1e1")),
        (["3", "x", "10"] * 10, ("10", "3", "x")),
        (["3", "3.0", "x"] * 10, ("3", "x")),
        ([" a ", '"b"', "c\u0301"] * 10, ("a", "b", "\u0107")),
    ],
)
def test_labels_become_classes(tmp_path: Path, labels: list[str], names: tuple[str, ...]) -> None:
    assert read(table(tmp_path, rows(labels))).class_names == names


def test_all_problems_at_once(tmp_path: Path) -> None:
    table(tmp_path, ())
    touch(tmp_path, "images/a.jpg/x.png", "outside.png")
    lines = [
        "00.png,a,tets", "01.png,b,train", "./01.png,c,train", "02.png,a,train", "02.png,a,test",
        "03.png,,train", "xx/04.png,a,train", "../outside.png,b,train", "/etc/x.png,b,train",
        "C:\\x\\y.png,a,train", "https://a/b.png,a,train", ".\\06.png,b,train", ",a,train",
        "07.png,zzz,test", "08.png,a,train,5", "09.png,b", "a.jpg,a,train", "10.png,b,train",
        "10.png,b,train", "11.png,a,", "99.png,,train",
    ]  # fmt: skip
    file = table(tmp_path, lines, "path,class,split")
    with pytest.raises(DataError) as caught:
        read(file, split="split")
    assert caught.value.message.partition(": ")[2].partition(". ")[0] == (
        "17 problems in 21 rows: 2 unknown splits, 2 missing labels, 3 paths outside of root, "
        "3 unusable paths, 2 rows of another length, 2 contradictory rows, "
        "1 image of classes that train lacks, 2 missing files"
    )
    assert messages(caught.value) == [
        ":2: unknown split tets; did you mean test? Expected train, validation or test",
        ":21: no split. Expected train, validation or test",
        ":7: no label. Expected the name of a class",
        ":22: no label. Expected the name of a class",
        ":9: ../outside.png is not inside of the root: leads out by ..",
        ":10: /etc/x.png is not inside of the root: an absolute path",
        ":11: C:\\x\\y.png is not inside of the root: a path of another system",
        ":12: https://a/b.png is an address. Expected a file; download the images first",
        ":14: no path. Expected the path of an image",
        ":18: a.jpg is a folder. Expected the path of an image",
        ":16: 4 cells. Expected 3",
        ":17: 2 cells. Expected 3",
        ":4: 01.png has the label c, and b in line 3",
        ":6: 02.png is in test, and in train in line 5",
        ":15: test has an image of zzz, and train has none",
        ":8: xx/04.png does not exist in the root",
        ":22: 99.png does not exist in the root",
    ]


def test_many_problems_keep_their_lines(tmp_path: Path) -> None:
    lines = [f"{i}.png,{i % 2}" for i in range(3000) if i % 4]
    with pytest.raises(DataError) as caught:
        read(table(tmp_path, lines))
    found = messages(caught.value)
    assert caught.value.message.partition(": ")[2].startswith("2,235 problems in 2,250 rows: 2,2")
    assert found[19] == ":36: 46.png does not exist in the root"
    assert found[20:] == [": 2,215 more missing files, in lines 37-2251"]


def test_lines_that_are_far_apart(tmp_path: Path) -> None:
    lines = [f"{i % 30:02}.png,{i % 2}" if i % 2 else f"{i}.png,1" for i in range(3000)]
    with pytest.raises(DataError) as caught:
        read(table(tmp_path, lines))
    listed = messages(caught.value)[20:]
    assert listed[0].startswith(": 1,470 more missing files, in lines 62, 64, 66")
    assert len(listed) == 5
    assert listed[-1].endswith(" ... 3000")


@pytest.mark.parametrize(
    "changes, advice",
    [
        ({"image_suffix": None, "root": "images"}, "with data.source.csv.image_suffix: .png;"),
        ({"image_suffix": ".png", "root": "."}, r"with data.source.csv.root: \S+/images;"),
        ({"image_suffix": None, "root": "."}, r"root: \S+/images and data.\S+image_suffix: .png;"),
        (
            {"image_suffix": ".jpg", "root": "images"},
            "There is no 00.jpg, but 00.png: the endings d",
        ),
        (
            {"image_suffix": ".PNG", "root": "images"},
            "There is no 00.PNG, but 00.png: upper and lo",
        ),
        (
            {"image_suffix": "png", "root": "images"},
            "There is no 00png, but 00.png: a dot is missi",
        ),
        ({"image_suffix": "_a.png", "root": "images"}, r"looked for in \S+/images, see data"),
        ({"image_suffix": ".png", "root": "nowhere"}, r"folder of the images \S+/nowhere does not"),
    ],
)
def test_advice_on_missing_files(
    tmp_path: Path, changes: dict[str, str | None], advice: str
) -> None:
    file = table(tmp_path, rows(ABC, ""))
    with pytest.raises(DataError, match=advice):
        read(file, **changes)
    assert len(read(file, image_suffix=".png").train) == 24


def test_advice_on_an_accent_that_is_a_character_of_its_own(tmp_path: Path) -> None:
    composed, apart = "b\u00e4r.png", "ba\u0308r.png"
    file = table(tmp_path, [*rows(ABC), f"{composed},a"])
    touch(tmp_path / "images", apart)
    with pytest.raises(DataError, match=f"There is no {composed}, but {apart}: an accent is a"):
        read(file)


def test_missing_files_are_skipped_if_asked_for(tmp_path: Path) -> None:
    lines = [*rows(ABC), "40.png,a", "41.png,b"]
    layout = read(table(tmp_path, lines), skip_missing=True)
    assert sum(map(len, layout.splits.values())) == 30
    assert layout.notes == (
        "left out 2 of 32 rows, whose files do not exist: 40.png, 41.png",
    )  # fmt: skip
    with pytest.raises(DataError, match="30 missing files"):
        read(table(tmp_path, rows(ABC)), skip_missing=True, root=".")


def test_paths_in_other_spellings(tmp_path: Path) -> None:
    plain = read(table(tmp_path, [f"images/{row}" for row in rows(ABC)]), root=".")
    odd = [f"{tmp_path}/images/{row}" for row in rows(ABC)[:10]]
    odd += [f".\\images\\{row}" for row in rows(ABC)[10:20]]
    odd += [f"images//../images/{row}" for row in rows(ABC)[20:]]
    layout = read(table(tmp_path, odd), root=".")
    assert layout.splits == plain.splits
    assert layout.notes == ("10 paths with \\ read as with /",)
    windows = [f"{tmp_path}\\images\\{row}" for row in rows(ABC)]
    with pytest.raises(DataError, match="30 missing files|30 unusable paths"):
        read(table(tmp_path, [row.replace("/", "\\").lstrip("\\") for row in windows]), root=".")


def test_a_root_that_is_a_link_to_the_folder_of_the_paths(tmp_path: Path) -> None:
    plain = read(table(tmp_path, rows(ABC)))
    (tmp_path / "link").symlink_to(tmp_path / "images")
    whole = [f"{tmp_path}/images/{row}" for row in rows(ABC)]
    assert read(table(tmp_path, whole), root="link").splits == plain.splits


def test_links(tmp_path: Path) -> None:
    file = table(tmp_path / "a", rows(ABC))
    touch(tmp_path, "b/x.png", "b/y.png")
    (tmp_path / "a/images/x.png").symlink_to(tmp_path / "b/x.png")
    (tmp_path / "a/images/in.png").symlink_to("00.png")
    (tmp_path / "a/images/lost.png").symlink_to("nowhere")
    (tmp_path / "a/images/b").symlink_to(tmp_path / "b")
    file = table(tmp_path / "a", [*rows(ABC), "x.png,a", "in.png,a", "lost.png,b", "b/y.png,c"])
    with pytest.raises(DataError) as caught:
        read(file)
    assert [m.partition(" (")[0] for m in messages(caught.value)] == [
        f":32: x.png is a link to {tmp_path}/b/x.png, outside of the root",
        f":35: b is a link to {tmp_path}/b, outside of the root",
        ":34: lost.png: a link to nowhere, which does not exist",
    ]
    file = table(tmp_path / "a", [*rows(ABC), "x.png,a", "in.png,a", "b/y.png,c"])
    assert sum(map(len, read(file, follow_links=True).splits.values())) == 33


@pytest.mark.parametrize(
    "labels, message",
    [
        (["a"] * 30, "only one class, a. Expected at least two; is class the column"),
        (range(30), "each of the 30 images has a label of its own in class, such as 0, 1, 2"),
        (["1", "2", "nan"] * 10, r"10 missing labels"),
        ([], "no row of a training image. Expected a row for each image below the first line"),
    ],
)
def test_refused_labels(tmp_path: Path, labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(table(tmp_path, rows(labels)))


def test_what_is_told(tmp_path: Path) -> None:
    layout = read(table(tmp_path, [*rows(ABC), "00.png,a", "01.png,b"]))
    assert layout.notes == (
        "2 rows repeat an image with the same labels, which counts once: lines 32, 33",
    )
    (note,) = read(table(tmp_path, [*rows(ABC), "00.png,a"])).notes
    assert note == "1 row repeats an image with the same labels, which counts once: line 32"
    (note,) = read(table(tmp_path, rows(["cat", "dog", "NA"] * 10))).notes
    assert note.startswith(
        "10 images of the class NA: if that is how the table writes a missing la"
    )
    (note,) = read(table(tmp_path, rows(["a|b", "a", "b"] * 10))).notes
    assert "10 labels hold |: if an image has several labels" in note
    (note,) = read(table(tmp_path, rows(["a b", "a", "b"] * 10))).notes
    assert note == (
        "10 labels hold spaces: if an image has several labels, set "
        "data.source.csv.label_separator: space"
    )
    for word, apart in (("space", " "), ("pipe", "|"), ("and", "and")):
        file = table(tmp_path, rows([f"a{apart}b", "a", "b"] * 10))
        assert read(file, label_separator=word).notes == ()
    (note,) = read(file, label_separator="space").notes
    assert note.startswith("no image has several labels: data.source.csv.label_separator is ' '")
    (note,) = read(table(tmp_path, rows([str(i // 2) for i in range(29)] + ["99"]))).notes[:1]
    assert note == "16 classes for 30 images: is class the column of the classes?"


def test_slips(tmp_path: Path) -> None:
    touch(tmp_path / "images", *(f"{number:03}.png" for number in range(300)))
    names = [["truck", "ship", "type 1"][number % 3] for number in range(300)]
    names[7:9] = ["truk", "type 2"]
    lines = [f"{number:03}.png,{name}" for number, name in enumerate(names)]
    (note,) = read(table(tmp_path, lines)).notes[:-2]
    assert note == (
        "1 row of the class truk, and 100 images are of truck: a slip? See line 9; "
        "data.classes chooses and merges classes"
    )
    numbers = [f"{number:03}.png,{number % 2 if number else 'x'}" for number in range(300)]
    assert (
        "the class x, and the others are numbers: a slip?"
        in (read(table(tmp_path, numbers)).notes[0])
    )


def test_lists_of_labels(tmp_path: Path) -> None:
    file = table(tmp_path, rows(["x y", "y", ""] * 10))
    layout = read(file, label_separator=" ")
    assert layout.multi_label
    assert layout.class_names == ("x", "y")
    assert {file.labels for file in layout.train} == {(0, 1), (1,), ()}
    assert layout.notes == ("10 of 30 images have no label: none of the classes",)
    listed = table(tmp_path, rows(["\"['x', 'y']\"", "['y']", "[]"] * 10))
    assert read(listed, label_separator=",").splits == layout.splits
    added = [row for i in range(30) for row in (f"{i:02}.png,x", f"{i:02}.png,y")[i % 3 :]]
    layout = read(table(tmp_path, added), multi_label=True)
    assert {file.labels for file in layout.train} == {(0, 1), (1,)}
    assert layout.notes == ("10 rows add labels to images of rows above them",)
    with pytest.raises(DataError, match="If an image has several labels, a row for each, set"):
        read(table(tmp_path, added))


def test_columns_of_labels(tmp_path: Path) -> None:
    def columns(*cells: object) -> Path:
        return table(tmp_path, rows(cells), "path,b,a")

    layout = read(columns(*["1,0", "1.0,True", "false,0"] * 10), label=["b", "a"])
    assert layout.multi_label
    assert layout.class_names == ("b", "a")
    assert {file.labels for file in layout.train} == {(0,), (0, 1), ()}
    one_hot = columns(*["1,0", "0,1"] * 15)
    (note,) = read(one_hot, label=["b", "a"]).notes
    assert note.endswith("set data.source.csv.multi_label: false")
    layout = read(one_hot, label=["b", "a"], multi_label=False)
    assert [file.labels for file in layout.train] == [(0,)] * 12 + [(1,)] * 12
    minus = read(columns(*["1,-1", "-1,1"] * 15), label=["b", "a"])
    assert "-1 in the columns of labels is read as 0" in minus.notes
    with pytest.raises(DataError) as caught:
        read(columns("1,0", "1,-1", "2,0", ",1", *["1,1"] * 26), label=["b", "a"])
    assert messages(caught.value) == [
        ":3: -1 in a column of labels, and 0 in line 2: what -1 means is not known. Expected 0 and "
        "1",
        ":4: b: Expected 0 or 1. Received 2",
        ":5: b: Expected 0 or 1. Received nothing",
    ]
    with pytest.raises(DataError, match="1 in 2 columns"):
        read(columns(*["1,1"] * 30), label=["b", "a"], multi_label=False)
    with pytest.raises(DataError, match="no training image of the class a"):
        read(columns(*["1,0", "0,0"] * 15), label=["b", "a"])


def test_chosen_classes_and_groups(tmp_path: Path) -> None:
    lines = [f"{row},{row[:1]}p{number // 2}" for number, row in enumerate(rows(ABC))]
    file = table(tmp_path, lines, "path,class,patient")
    layout = read(file, group="patient")
    groups = [{file.group for file in files} for files in layout.splits.values()]
    assert [len(group & other) for group in groups for other in groups if group is not other] == (
        [0] * 6
    )
    assert "15 groups: " in layout.notes[0]
    lines[3] = lines[3].rpartition(",")[0] + ","
    with pytest.raises(DataError, match=r"1 missing group"):
        read(table(tmp_path, lines, "path,class,patient"), group="patient")
    given = [f"{row},p{n // 3},{'train' if n < 20 else 'test'}" for n, row in enumerate(rows(ABC))]
    with pytest.raises(DataError, match=r"1 group of 10 have images in several splits"):
        read(table(tmp_path, given, "path,class,patient,set"), group="patient", split="set")
    chosen = table_layout.read(options(file := table(tmp_path, rows(ABC))), ("c", "a"))
    assert chosen.class_names == ("c", "a")
    assert [file.label for file in chosen.train] == [0] * 8 + [1] * 8
    folds = [table_layout.read(options(file), None, Fold(index=i, of=3)) for i in (1, 2, 3)]
    held = [file.path for layout in folds for file in layout.validation]
    assert len(held) == len(set(held)) == 27


def test_classes_and_folds_of_many_labels(tmp_path: Path) -> None:
    """An image of classes that are left out stays, as one of no class; merged ones count once."""
    flags = [
        f"{row},{number % 2},{number % 3 // 2},{number % 5 // 4},p{number // 3}"
        for number, row in enumerate(rows(ABC))
    ]
    file = table(tmp_path, flags, "path,class,a,b,c,patient")
    given = {"label": ["a", "b", "c"]}
    plain = read(file, **given)
    layout = table_layout.read(options(file, **given), {"ab": ("a", "b"), "c": ("c",)})
    assert layout.class_names == ("ab", "c")
    assert {file.path for file in layout.train} == {file.path for file in plain.train}
    for number in range(30):
        (file_of,) = [f for split in layout.splits.values() for f in split
                      if f.path == f"{number:02}.png"]  # fmt: skip
        ab, c = bool(number % 2 or number % 3 // 2), number % 5 // 4
        assert file_of.labels == (*([0] * ab), *([1] * c))
    folds = [
        table_layout.read(options(file, **given, group="patient"), None, Fold(index=i, of=3))
        for i in (1, 2, 3)
    ]
    held = [{file.group for file in layout.validation} for layout in folds]
    assert sorted(group for groups in held for group in groups) == sorted(set().union(*held))
    assert all({file.group for file in layout.train}.isdisjoint(groups)
               for layout, groups in zip(folds, held, strict=True))  # fmt: skip


def test_class_names_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command asks several times; a table that changed is read again."""
    file = table(tmp_path, rows(ABC))
    assert table_layout.class_names(options(file)) == ("a", "b", "c")
    reads = []
    plain = table_layout.read_rows
    monkeypatch.setattr(table_layout, "read_rows", lambda *given: reads.append(1) or plain(*given))
    assert table_layout.class_names(options(file)) == ("a", "b", "c")
    assert reads == []
    assert table_layout.class_names(options(file), ("a", "b")) == ("a", "b", "c")
    assert len(reads) == 1
    table(tmp_path, rows([*ABC, "d"]))
    assert table_layout.class_names(options(file)) == ("a", "b", "c", "d")
