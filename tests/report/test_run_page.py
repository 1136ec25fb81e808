"""Reports of runs of every kind: whole, old, damaged, unfinished, of odd data."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT
from tests.report.pages import EVIL
from tests.report.run_folders import checked, made
from zoo.report.blocks import Table
from zoo.report.check.page import ChecksReport
from zoo.report.page import MAX_BYTES, render
from zoo.report.run.page import RunReport
from zoo.rundir import Run, archive
from zoo.rundir.report_schema import SamplesIndex

SECTIONS = [
    "Curves", "Checks", "Confusion", "Mistakes", "Classes", "Calibration", "What the network sees",
    "Data", "Network", "Recipe", "Machine",
]  # fmt: skip


def text_of(run: Run) -> str:
    """The words of a run's page, without those of scripts."""
    return words(render(RunReport(run).page()))


def words(page: str) -> str:
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", page, flags=re.DOTALL)
    plain = html.unescape(re.sub(r"<[^>]+>", " ", body)).replace("\xa0", " ")
    return re.sub(r"\s+", " ", plain)


def test_whole_run(tmp_path: Path) -> None:
    run = made(tmp_path)
    page = RunReport(run).page()
    assert [section.title for section in page.sections] == SECTIONS
    accuracy, limit, advice = page.verdict
    evaluation = run.evaluation()
    assert evaluation is not None
    assert f"{evaluation['accuracy']:.4f} on 200 test images" in accuracy.text
    assert "95 % interval" in accuracy.text
    assert limit.text == "C19 train/validation gap: overfit."
    assert advice.text == "Add data.augment."
    page_text = render(page)
    shown = words(page_text)
    assert "is missing" not in shown
    assert "are missing" not in shown
    for part in (
        "true: class 4", "conv1", "random_crop", "batch_size: 251", "Expected calibration error",
        "2 training images occur more than once", "mid grey is 0, black -2, white 2",
        "update ratio", "image 1", "keras 3.15.1", "8 × 8 in the middle; height 8 to 9",
    ):  # fmt: skip
        assert part in shown, part
    assert re.search(r"class \d \(0\.\d{4}\) class \d \(0\.\d{4}\) true: class \d", shown)
    assert "class 3 taken for class 4" in page_text
    assert page_text.count('class="plot"') == 5
    assert len(page_text) < MAX_BYTES


def test_numbers_are_those_of_the_evaluation(tmp_path: Path) -> None:
    """Hits, misses and intervals of a class, as counted from the confusion matrix."""
    from zoo.report.run import classes
    from zoo.report.run.source import RunSource
    from zoo.significance import wilson
    from zoo.text.numbers import metric

    run = made(tmp_path)
    evaluation = run.evaluation()
    assert evaluation is not None
    table = np.array(evaluation["confusion_matrix"])
    block: Any = classes.section(RunSource(run)).blocks[0]
    for i, row in enumerate(block.cells):
        hits = table[i, i]
        assert row[1].text == metric(hits / table[:, i].sum())
        assert row[2].text == metric(hits / table[i].sum())
        assert row[2].interval == wilson(hits, table[i].sum())
        f1 = 2 * hits / (table[i].sum() + table[:, i].sum())
        assert row[3].value == pytest.approx(f1)
        low, high = row[3].interval
        assert low < f1 < high


def test_reliability_is_that_of_evaluate(tmp_path: Path) -> None:
    from tests.report.run_folders import probabilities
    from zoo.evaluate import calibration_error
    from zoo.text.numbers import short

    labels, values = probabilities(200, 5)
    ece = calibration_error(values.astype(np.float32), labels)
    assert f"(ECE, 15 bins): {short(ece)}" in text_of(made(tmp_path))


def test_names_of_users_stay_text(tmp_path: Path) -> None:
    run = made(tmp_path, [EVIL, "b", "c"])
    page = render(RunReport(run).page())
    assert "<script>broken" not in page
    assert "<img src=x" not in page
    assert page.count("<script") == 4


def test_old_run_says_what_adds_the_rest() -> None:
    folder = ROOT / "tests" / "old_files" / "done"
    shown = text_of(Run(folder))
    assert f"zoo evaluate {folder}" in shown
    for part in ("The predictions are missing", "Training images are missing"):
        assert part in shown
    assert "true \\ predicted" in shown  # evaluation.json has the counts.


ENDINGS = {
    "interrupted": ("The training was interrupted", "zoo train --resume"),
    "running": ("The training has not ended yet", "zoo train --resume"),
    "diverged": ("The training diverged", "the loss is NaN"),
    "failed": ("The training failed", "the loss is NaN"),
}


@pytest.mark.parametrize("status", ENDINGS)
@pytest.mark.parametrize("rows", [True, False])
def test_unfinished_run(status: str, rows: bool, tmp_path: Path) -> None:
    run = made(tmp_path)
    info = json.loads(run.info_file.read_text())
    for key in ("epochs", "steps", "best_epoch", "val_accuracy", "val_loss", "model_sha256"):
        del info[key]
    info |= {"status": status, "reason": "the loss is NaN"}
    run.info_file.write_text(json.dumps(info))
    shutil.rmtree(run.folder / "report")
    run.evaluation_file.unlink()
    run.checks_file.unlink()
    if not rows:
        run.metrics_file.unlink()
    shown = text_of(run)
    for part in ENDINGS[status]:
        assert part in shown
    assert ("best validation accuracy so far 0.7800, in epoch 3" in shown) is rows
    assert ("no epoch was validated" in shown) is not rows


def test_without_test_split(tmp_path: Path) -> None:
    data = {"fingerprint": "f" * 64, "train": 900, "validation": 100, "test": None}
    run = made(tmp_path, split="validation", images=100, data=data)
    shown = text_of(run)
    assert "The best epoch was chosen by these images" in shown
    assert "Counts of validation images" in shown
    shutil.rmtree(run.folder / "report")
    assert f"zoo evaluate {run} --split validation" in text_of(run)


def test_any_number_of_classes(tmp_path: Path) -> None:
    run = made(tmp_path, multi_label=True)
    shown = text_of(run)
    assert "each class has its own counts" in shown
    assert "with a probability next to 0.5" in shown
    assert "share of images with the class" in shown


def test_thousand_classes(tmp_path: Path) -> None:
    run = made(tmp_path, [f"a class with a long name {i}" for i in range(1000)], images=3000)
    page = render(RunReport(run).page())
    assert "true \\ predicted" not in page
    assert "The most frequent mistakes" in page
    assert len(page) < MAX_BYTES


def test_another_model(tmp_path: Path) -> None:
    """What was kept of a model that the run has no more is not shown."""
    run = made(tmp_path)
    run.update(model_sha256="b" * 64)
    shown = text_of(run)
    assert "The predictions are missing" in shown
    assert "0.8000 on 100 validation images" in shown


@pytest.mark.parametrize("name", ["test.zip", "test-images.zip", "training.zip"])
@pytest.mark.parametrize("content", [None, b"", b"PK\3\4 cut"])
def test_missing_and_damaged_files(name: str, content: bytes | None, tmp_path: Path) -> None:
    run = made(tmp_path)
    file = run.folder / "report" / name
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    shown = text_of(run)
    assert "are missing" in shown
    assert ("since a file is damaged" in shown) is (content is not None)
    if content is not None:
        assert name in shown


@pytest.mark.parametrize("name", ["test-images.zip", "training.zip"])
@pytest.mark.parametrize("content", [None, b"x" * 300_000])
def test_images_that_are_gone_or_too_large(
    name: str, content: bytes | None, tmp_path: Path
) -> None:
    """A page stays small, whatever a run from elsewhere holds."""
    run = made(tmp_path)
    file = run.folder / "report" / name
    with zipfile.ZipFile(file) as before:
        members = {entry: before.read(entry) for entry in before.namelist()}
    with zipfile.ZipFile(file, "w") as after:
        for entry, old in members.items():
            if entry == "index.json" or content is not None:
                after.writestr(entry, old if entry == "index.json" else content or b"")
    page = render(RunReport(run).page())
    assert len(page) < MAX_BYTES
    assert "since a file is damaged" in page


def test_names_of_files_that_are_not_utf8(tmp_path: Path) -> None:
    run = made(tmp_path, ["cat " + "x" * 300, "dog"])
    index = archive.Archive(run.samples_file, SamplesIndex, "").index
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    index["samples"][0]["name"] = name
    with zipfile.ZipFile(run.samples_file) as file:
        members = {entry: file.read(entry) for entry in file.namelist() if entry != "index.json"}
    archive.write(run.samples_file, index, members)
    shown = text_of(run)
    assert "caf\\udce9.png" in shown
    assert "damaged" not in shown
    assert f"cat {'x' * 25}…{'x' * 30} taken for dog" in shown  # Two ends of a long name.


def test_of_many_classes_those_with_the_lowest_f1_are_shown(tmp_path: Path) -> None:
    page = RunReport(made(tmp_path, [f"class {i}" for i in range(1100)], images=4000)).page()
    (table,) = [
        block
        for section in page.sections
        for block in section.blocks
        if isinstance(block, Table) and block.caption.startswith("Precision")
    ]
    assert len(table.rows) == 1000
    assert "The 1,000 classes of the lowest F1, of 1,100." in render(page)


@pytest.mark.parametrize("name", ["metrics.jsonl", "checks.json", "evaluation.json", "recipe.yaml"])
def test_damaged_neighbours(name: str, tmp_path: Path) -> None:
    run = made(tmp_path)
    (run.folder / name).write_text("{\n")
    assert f"{name}" in text_of(run)


def test_check_folder(tmp_path: Path) -> None:
    page = ChecksReport(checked(tmp_path)).page()
    assert page.verdict[1].text == "C05 loss wiring: the loss is wrong: mend the head."
    text = render(page)
    assert text.count('class="plot"') == 5
    assert text.count('alt="kernel ') == 7
    shown = words(text)
    for part in ("INFO: so is more", "done in float32", "Do not apply to this network: C21."):
        assert part in shown
    old = ChecksReport(checked(tmp_path, measured=None)).page()
    assert "holds no measurements" in words(render(old))


def test_no_framework_is_loaded(tmp_path: Path) -> None:
    made(tmp_path)
    checked(tmp_path)
    code = (
        "import sys\n"
        "from zoo.cli import app\n"
        "for run in sys.argv[1:]:\n"
        "    app(['report', run], standalone_mode=False)\n"
        "heavy = {'keras', 'tensorflow', 'jax', 'torch', 'sklearn', 'scipy', 'matplotlib', 'PIL'}\n"
        "loaded = heavy & {name.partition('.')[0] for name in sys.modules}\n"
        "if loaded: sys.exit(f'loads {loaded}')\n"
    )
    folders = [str(folder) for folder in (tmp_path / "tiny").iterdir()]
    done = subprocess.run(
        [sys.executable, "-c", code, *folders], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stderr.strip() == "", done.stderr
    assert done.stdout.count("report.html (") == 2


def test_suggested_rate_where_the_recipes_is_in_doubt(tmp_path: Path) -> None:
    run = checked(tmp_path)
    report = ChecksReport(run)
    assert "scan suggests" not in report.lines[2].text
    for entry in report.checks["findings"]:
        entry["verdict"] = "WARN"
    assert report.lines[2].text.startswith("Learning rate 0.003, as the scan suggests.")


@pytest.mark.parametrize(
    "validation, words", [(16, "Few images: accuracy is 0.5200 on 16"), (2000, "small")]
)
def test_few_validation_images_blame_no_network(
    tmp_path: Path, validation: int, words: str
) -> None:
    run = made(tmp_path)
    data = {**run.info()["data"], "validation": validation}
    run.update(data=data)
    found = {
        "id": "C19", "name": "train/validation gap", "verdict": "INFO", "value": 0.0,
        "threshold": "gap <= 0.5", "advice": "too few images", "details": {"train_accuracy": 0.52},
    }  # fmt: skip
    run.write_checks({"verdict": "INFO", "findings": [found]})
    _, limit, advice = RunReport(run).page().verdict
    assert words in limit.text
    assert ("More images" in advice.text) == (validation == 16)
    assert ("model.stack" in advice.text) == (validation == 2000)
