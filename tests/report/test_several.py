"""Several runs beside each other: groups of seeds, the same images, what differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cli.calls import call, document, require_error
from tests.report import searches
from tests.report.pages import EVIL
from tests.report.trained import IMAGES, hits, trained, two_recipes
from tests.test_light import fresh
from zoo.errors import UsageError
from zoo.report.page import render
from zoo.report.several.groups import roman
from zoo.report.several.page import SeveralReport
from zoo.report.several.pairs import mcnemar_of, right
from zoo.report.several.trainings import letter_of
from zoo.rundir import Folds, Run


def test_seeds_of_two_recipes(tmp_path: Path) -> None:
    runs = two_recipes(tmp_path)
    report = SeveralReport(runs)
    assert [group.letters for group in report.groups] == ["A C D", "B E F"]
    assert [group.number for group in report.groups] == ["I", "II"]
    (pair,) = report.group_pairs
    assert pair.is_more_than_luck
    assert pair.difference == pytest.approx(-0.3)
    assert report.group_sentence(pair).startswith(
        "More than luck: recipe I (3 seeds) 0.9050 ± 0.0050"
    )
    page = report.page()
    assert "Recipe I, tiny: test accuracy 0.9050 ± 0.0050 over 3 seeds" in page.verdict[0].text
    assert page.verdict[1].text == report.group_sentence(pair)
    (changes,) = (changes for _, changes in report.changes())
    assert changes is not None
    assert [(change.path, change.first, change.second) for change in changes] == [
        ("model.stack[0].conv.filters", "4", "8")
    ]
    html = render(page)
    assert "model.stack[0].conv.filters" in html
    document = report.as_json()
    assert document["group_pairs"][0]["more_than_luck"] is True
    assert len(document["pairs"]) == 15
    assert document["runs"][0]["interval"][0] < 0.9 < document["runs"][0]["interval"][1]
    # The command that is told works: `--seeds` takes 2 or more.
    one, two = (SeveralReport(runs[:count]).page().verdict[2].text for count in (5, 4))
    assert "Train recipe II with more seeds" in one
    assert "--seeds" not in one
    assert two.endswith(" --seeds 2")


def test_pairs_are_counted_by_hand(tmp_path: Path) -> None:
    """A is right on images 0 to 179, B on 20 to 189: A alone on 20, B alone on 10."""
    runs = [trained(tmp_path / "a", hits(180)), trained(tmp_path / "b", hits(170, first=20), 1)]
    (pair,) = SeveralReport(runs).pairs
    assert pair.test is not None
    assert (pair.test.only_first, pair.test.only_second, pair.test.images) == (20, 10, IMAGES)
    assert pair.accuracies == (0.9, 0.85)
    assert pair.corrected == pair.test.p  # There is one pair.
    assert not pair.is_more_than_luck
    sentence = SeveralReport(runs).sentence(pair)
    assert sentence.startswith(
        "Not more than luck: of 200 test images the accuracy of A is 0.9000, of B 0.8500, a "
        "difference of −0.0500 (95 %: "
    )
    assert "A alone is right on 20, B alone on 10; McNemar's test (mid-p) gives p = 0.0" in sentence


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_test_of_two_models_is_that_of_their_counts(answers: list[tuple[bool, bool]]) -> None:
    ours, theirs = np.array(answers).T
    test = mcnemar_of(ours, theirs)
    assert test.only_first == sum(a and not b for a, b in answers)
    assert test.only_second == sum(b and not a for a, b in answers)
    assert test.difference == pytest.approx(theirs.mean() - ours.mean())
    assert test.p == mcnemar_of(theirs, ours).p


def test_with_any_number_of_classes_an_image_is_right_in_all_of_them() -> None:
    from zoo.rundir.predictions import of_probabilities

    labels = np.array([[1, 0], [1, 1], [0, 0]], np.uint8)
    probabilities = np.array([[0.5, 0.4], [0.9, 0.2], [0.1, 0.1]])
    predictions = of_probabilities("test", labels, probabilities, [], None, "f")
    assert right(predictions).tolist() == [True, False, True]


@pytest.mark.parametrize(
    "changed, reason",
    [
        ({"fingerprint": "e" * 64, "source": True}, ""),
        ({"fingerprint": "e" * 64, "names": True}, ""),
        ({"fingerprint": "e" * 64, "names": "others"}, "the names of the files differ"),
        ({"right": hits(90, 100)}, "not the same: 200 and 100"),
        ({"right": None}, "zoo evaluate "),
        ({"class_names": list("xyz")}, "Their classes differ"),
        ({"model_sha256": "0" * 64}, "zoo evaluate "),
    ],
)
def test_other_images_are_not_compared(
    changed: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    files = [f"test/{index}.png" for index in range(IMAGES)]
    mode = changed.pop("names", None)
    changed.pop("source", None)
    ours = files if mode else ()
    theirs = {"others": files[1:] + ["test/new.png"], True: files}.get(mode, ())
    right = changed.pop("right", hits(150))
    runs = [
        trained(tmp_path / "a", hits(180), names=ours),
        trained(tmp_path / "b", right, 1, names=theirs, **changed),
    ]
    (pair,) = SeveralReport(runs).pairs
    assert (pair.test is None) is bool(reason)
    assert reason in pair.reason
    assert render(SeveralReport(runs).page())


def test_data_of_other_sources_without_names_are_not_compared(tmp_path: Path) -> None:
    one = trained(tmp_path / "a", hits(180))
    other = trained(tmp_path / "b", hits(150), 1, fingerprint="e" * 64)
    text = other.recipe_file.read_text()
    other.recipe_file.write_text(text.replace("source: digits", "source: {tfds: {name: mnist}}"))
    (pair,) = SeveralReport([one, other]).pairs
    assert "Their data differ (fingerprints ffffffffffff and eeeeeeeeeeee)" in pair.reason


def test_runs_that_are_not_done_are_shown_and_not_compared(tmp_path: Path) -> None:
    runs = [
        trained(tmp_path / "a", hits(180)),
        trained(tmp_path / "b", None, 1, status="diverged", reason="loss", val_accuracy=None),
    ]
    report = SeveralReport(runs)
    assert report.pairs == []
    assert "B diverged" in report.page().verdict[2].text
    assert render(report.page())


def test_without_a_test_the_validation_is_compared(tmp_path: Path) -> None:
    runs = [trained(tmp_path / "a", None), trained(tmp_path / "b", None, 1, val_accuracy=0.8)]
    report = SeveralReport(runs)
    assert report.split == "validation"
    assert [training.letter for training in report.ranked] == ["A", "B"]
    assert "zoo evaluate" in report.page().verdict[1].text


def test_folds_are_no_seeds(tmp_path: Path) -> None:
    folds = Folds(tmp_path / "folds")
    for number in (1, 2):
        trained(
            folds.folder / f"fold-{number}", hits(170 + number),
            fold=f"data.fold={{index: {number}, of: 2}}",
        )  # fmt: skip
    folds.update(
        status="done", name="tiny", of=2, recipe_hash="0", backend="tensorflow",
        folds=[{"fold": number, "run": f"fold-{number}", "status": "done"} for number in (1, 2, 3)],
    )  # fmt: skip
    report = SeveralReport([folds, trained(tmp_path / "b", hits(150), filters=8)])
    assert [group.is_of_folds for group in report.groups] == [True, False]
    assert "fold 2 of 2" in report.trainings[1].name
    (pair,) = report.group_pairs
    assert pair.p is None
    assert "Folds share training images" in report.group_sentence(pair)
    assert render(SeveralReport([folds]).page())


def test_one_run_is_no_comparison(tmp_path: Path) -> None:
    run = trained(tmp_path / "a", hits(180))
    with pytest.raises(UsageError, match=r"a: is given twice"):
        SeveralReport([run, Run(tmp_path / "a" / ".." / "a")])
    with pytest.raises(UsageError, match="needs two runs. Received 1"):
        SeveralReport([run])


def test_names_of_users_are_escaped_and_a_bad_recipe_is_told(tmp_path: Path) -> None:
    runs = [trained(tmp_path / "a", hits(180), device=EVIL), trained(tmp_path / "b", hits(150), 1)]
    runs[1].recipe_file.write_text("name: [", encoding="utf-8")
    report = SeveralReport(runs)
    assert [group.letters for group in report.groups] == ["A", "B"]
    html = render(report.page())
    assert "<script>broken" not in html
    assert "left out of the comparison" in html
    assert ("device", [EVIL[:12] + "...", "cpu: two cores"]) in report.circumstances


def test_many_runs_make_a_page(tmp_path: Path) -> None:
    runs = [trained(tmp_path / str(i), hits(150 + i), seed=i) for i in range(12)]
    report = SeveralReport(runs)
    assert len(report.pairs) == 12 * 11 // 2
    assert report.trainings[-1].letter == "L"
    html = render(report.page())
    assert "56 more pairs in sentences" in html
    assert len(html.encode()) < 3e6


def test_an_epoch_that_somebody_wrote(tmp_path: Path) -> None:
    """A page has no place for each number up to it."""
    runs = [trained(tmp_path / str(i), hits(150), seed=i) for i in range(2)]
    rows = runs[0].rows()
    runs[0].write_rows([*rows, {**rows[-1], "epoch": 10**30}])
    assert len(render(SeveralReport(runs).page()).encode()) < 3e6


def test_letters_and_numerals() -> None:
    assert [letter_of(number) for number in (0, 25, 26, 52)] == ["A", "Z", "A2", "A3"]
    assert [roman(number) for number in (1, 4, 9, 14, 40, 99)] == [
        "I", "IV", "IX", "XIV", "XL", "XCIX",
    ]  # fmt: skip


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [trained(tmp_path / "a", hits(180)), trained(tmp_path / "b", hits(120), 1, 8)]
    result = call("report", *(str(run) for run in runs), "--json")
    assert result.exit_code == 0, result.output
    found = document(result)
    assert found["report"] == "report.html"
    assert found["bytes"] == (tmp_path / "report.html").stat().st_size
    assert found["pairs"][0]["words"].startswith("More than luck")
    require_error(call("report", str(runs[0]), str(runs[0])), 2, "is given twice")
    search = searches.search(tmp_path / "tune-a", [searches.row(0)])
    require_error(call("report", str(search), str(runs[0])), 2, "which has a report of its own")


def test_command_of_a_search(tmp_path: Path) -> None:
    search = searches.search(tmp_path / "tune-a", [searches.row(0)], best=searches.row(0))
    found = document(call("report", str(search), "--json"))
    assert Path(found["report"]) == search.report_file
    assert search.report_file.stat().st_size == found["bytes"]
    assert (found["status"], found["best"]["trial"]) == ("done", "coarse-000")


LIGHT = """\
import json, sys
import json
from pathlib import Path
from zoo.report.page import render
from zoo.report.subjects import report
from zoo.rundir.resolving import ALL, resolve
for paths in json.loads(sys.argv[1]):
    made, _ = report([resolve(path, ALL) for path in paths])
    made.as_json(), render(made.page())
print(sorted({"keras", "tensorflow", "jax", "torch", "matplotlib"} & sys.modules.keys()))
"""


def test_reports_load_no_framework(tmp_path: Path) -> None:
    runs = [str(trained(tmp_path / str(i), hits(150), i)) for i in range(2)]
    search = searches.search(tmp_path / "tune-a", [searches.row(index) for index in range(3)])
    done = fresh(LIGHT, json.dumps([runs, [str(search)]]))
    assert done.stdout == "[]\n", done.stderr


@pytest.mark.parametrize("other, told", [("cpu: two cores", True), ("gpu: one", False)])
def test_a_device_that_all_share_is_told_once(tmp_path: Path, other: str, told: bool) -> None:
    """And a tiny p-value is below a number, not equal to a sign."""
    runs = [trained(tmp_path / "a", hits(200)), trained(tmp_path / "b", hits(100), 1, device=other)]
    report = SeveralReport(runs)
    page = report.page()
    assert (("device", "cpu: two cores") in page.facts) == told
    text = render(page)
    assert "gives p &lt; 0.0001" in text or "gives p < 0.0001" in text
    assert "p = <" not in text.replace("&lt;", "<")


@pytest.mark.parametrize("rates, log", [((0.1, 0.001), True), ((0.0, 0.0), False)])
def test_learning_rates_of_zero_have_no_logarithm(
    tmp_path: Path, rates: tuple[float, ...], log: bool
) -> None:
    """As in runs of one epoch whose schedule ends at zero: Chromium complained of -Infinity."""
    runs = [trained(tmp_path / str(i), hits(200), i) for i in range(2)]
    for run in runs:
        run.write_rows(
            {"epoch": epoch, "loss": 1.0, "learning_rate": rate}
            for epoch, rate in enumerate(rates, 1)
        )
    text = render(SeveralReport(runs).page())
    assert ('"type": "log"' in text) is log
