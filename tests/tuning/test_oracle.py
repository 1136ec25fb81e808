"""What oracles draw: the same again, and inside their ranges."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.runs import environment
from tuning.oracle import Oracle, Waiting, import_keras_tuner, make, oracle_seed
from tuning.space import Choice, Range

KINDS = ("random", "bayesian", "hyperband")
RATE, UNITS, WORD, BETA, STEP = "train.rate", "model.units", "train.word", "train.beta", "train.e"
SPACE: dict[str, Range | Choice] = {
    RATE: Range(1e-6, 10.0, "log"),
    BETA: Range(0.5, 0.999),
    UNITS: Range(4, 64, "log", integer=True),
    STEP: Range(2, 17, integer=True, step=5),
    WORD: Choice(("SGD", {"Adam": {"beta_1": 0.5}}, None, True, 3)),
}
SMALL: dict[str, Range | Choice] = {WORD: Choice((1, 2, 3))}


def draws(kind: str, seed: int, trials: int = 14, space: Any = SPACE) -> list[dict[str, Any]]:
    """Values drawn one after the other; each score is told before the next draw."""
    oracle = make(kind, space, {}, seed, 4)
    return [values for _, values in draw_and_tell(oracle, trials)]


def draw_and_tell(oracle: Oracle, trials: int) -> list[tuple[str, dict[str, Any]]]:
    values_drawn = []
    for number in range(trials):
        drawn = oracle.draw()
        assert drawn is not None
        values_drawn.append(drawn)
        oracle.tell(drawn[0], None if number % 4 == 3 else (number * 7 % 5) / 5)
    return values_drawn


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_again(kind: str) -> None:
    assert draws(kind, 12345) == draws(kind, 12345)


def test_random_values_are_those_of_keras_tuner() -> None:
    """Its search loop makes a trial of each draw; the same seed then gives the same values."""
    conditions = {STEP: {WORD: ("SGD",)}}
    oracle: Any = make("random", SPACE, conditions, 77, 4)
    given = [draw for draw in (oracle.draw() for _ in range(60)) if draw is not None]
    its_own: Any = make("random", SPACE, conditions, 77, 4)
    its_own.learns = True  # As others are drawn.
    expected = draw_and_tell(its_own, 60)
    assert [values for _, values in given] == [values for _, values in expected]
    assert [list(values) for _, values in given] == [list(values) for _, values in expected]
    assert len({name for name, _ in given}) == 60
    assert {STEP in values for _, values in given} == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_differ(kind: str) -> None:
    """Also 0, which KerasTuner takes for no seed."""
    zero, one = (oracle_seed(seed, "coarse", SPACE) for seed in (0, 1))
    assert draws(kind, zero) == draws(kind, zero)
    rates = [{values[RATE] for values in draws(kind, seed)} for seed in (zero, one)]
    assert rates[0].isdisjoint(rates[1])


@pytest.mark.parametrize("kind", KINDS)
def test_values_lie_in_their_ranges(kind: str) -> None:
    for values in draws(kind, 7):
        assert values.keys() == SPACE.keys()
        for path, value in values.items():
            space = SPACE[path]
            if isinstance(space, Choice):
                assert space.index(value) is not None
                assert any(value is listed for listed in space.values)
            else:
                assert space.min_value <= value <= space.max_value
        assert type(values[UNITS]) is int
        assert values[STEP] in (2, 7, 12, 17)
        assert all(float(f"{values[path]:.4g}") == values[path] for path in (RATE, BETA))


def test_log_draws_each_decade_alike() -> None:
    rates = [values[RATE] for values in draws("random", 3, 70, {RATE: SPACE[RATE]})]
    decades = [sum(10.0**low <= rate < 10.0 ** (low + 1) for rate in rates) for low in range(-6, 1)]
    assert min(decades) >= 2


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1), st.sampled_from(["fine", "coarse"]))
def test_streams_do_not_meet(one: int, other: int, stage: str) -> None:
    """KerasTuner counts up from a seed: streams nearer than a search is long would share draws."""
    first, second = oracle_seed(one, "coarse", SPACE), oracle_seed(other, stage, SPACE)
    assert 0 < first < 2**62
    if (one, "coarse") == (other, stage):
        assert first == second
    else:
        assert abs(first - second) > 10**6


def test_importing_keras_tuner_prints_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without JAX it imports TensorFlow, whose C++ library writes lines about itself."""
    text = "import os\nos.write(2, b'oneDNN custom operations are on.')\n"
    (tmp_path / "keras_tuner.py").write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setitem(sys.modules, "keras_tuner", None)
    monkeypatch.delitem(sys.modules, "keras_tuner")
    monkeypatch.delenv("ZOO_VERBOSE_START", raising=False)
    assert import_keras_tuner().__file__ == str(tmp_path / "keras_tuner.py")
    assert capfd.readouterr().err == ""


def test_a_stage_does_not_draw_what_another_drew() -> None:
    """The same range under another stage's name, and another range: other quantiles."""
    narrow = {RATE: Range(1e-3, 1.0, "log")}
    drawn = []
    for stage, space in (("coarse", narrow), ("fine", narrow), ("fine", {RATE: SPACE[RATE]})):
        values_drawn = draws("random", oracle_seed(0, stage, space), 10, space)
        drawn.append({round(space[RATE].position(values[RATE]), 2) for values in values_drawn})
    assert len(drawn[0] & drawn[1]) <= 2
    assert len(drawn[1] & drawn[2]) <= 2


@pytest.mark.parametrize("kind", ["random", "hyperband"])
def test_an_entry_is_drawn_where_its_parent_allows_it(kind: str) -> None:
    space = {
        "momentum": Range(0.5, 0.9),
        "word": Choice(("SGD", "Adam", "Lion")),
        "nesterov": Choice((True, False)),
        "decay": Range(0.1, 0.2),
    }
    conditions = {
        "momentum": {"word": ("SGD",)},
        "nesterov": {"word": ("SGD", "Lion")},
        "decay": {"nesterov": (True,), "word": ("SGD",)},
    }
    oracle = make(kind, space, conditions, 5, 4)
    seen = set()
    for _, values in draw_and_tell(oracle, 25):
        expected = {"word"}
        expected |= {"momentum"} if values["word"] == "SGD" else set()
        expected |= {"nesterov"} if values["word"] in ("SGD", "Lion") else set()
        both = values["word"] == "SGD" and values["nesterov"]
        assert values.keys() == expected | ({"decay"} if both else set())
        seen |= values.keys()
    assert seen == space.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_trials_without_a_score_do_not_end_a_search(kind: str) -> None:
    oracle = make(kind, SPACE, {}, 5, 4)
    for _ in range(12):
        drawn = oracle.draw()
        assert drawn is not None
        oracle.tell(drawn[0], None)
    drawn = oracle.draw()
    assert drawn is not None
    oracle.tell(drawn[0], 0.5)
    assert oracle.draw() is not None


@pytest.mark.parametrize("kind", KINDS)
def test_discarded_values_are_replaced_by_others(kind: str) -> None:
    oracle = make(kind, SPACE, {}, 5, 4)
    seen = []
    for _ in range(12):
        drawn = oracle.draw()
        assert drawn is not None
        seen.append(drawn[1][RATE])
        oracle.discard(drawn[0])
    # Hyperband may try the best of those that are all as bad again, for longer.
    assert len(set(seen)) >= (9 if kind == "hyperband" else 12)
    assert oracle.draw() is not None


@pytest.mark.parametrize("kind", ["random", "hyperband"])
def test_a_small_list_is_exhausted(kind: str) -> None:
    oracle = make(kind, SMALL, {}, 5, 4)
    values_drawn = []
    for _ in range(3):
        drawn = oracle.draw()
        assert drawn is not None
        values_drawn.append(drawn[1][WORD])
        oracle.tell(drawn[0], 0.5)
    assert sorted(values_drawn) == [1, 2, 3]
    if kind == "random":
        assert oracle.draw() is None


def modelled_draws(score_of: Any) -> list[float]:
    """What the Bayesian oracle draws after its random draws; scores are negated losses."""
    oracle = make("bayesian", {BETA: Range(0.0, 1.0)}, {}, 5, 4)
    drawn = []
    for _ in range(6):
        name, values = oracle.draw() or ("", {})
        drawn.append(values[BETA])
        oracle.tell(name, score_of(values[BETA]))
    return drawn[3:]


def test_bayesian_goes_where_it_was_good() -> None:
    values_drawn = modelled_draws(lambda beta: -5 - (beta - 0.8) ** 2)
    assert min(abs(beta - 0.8) for beta in values_drawn) < 0.1


def test_a_trial_without_a_score_is_as_bad_as_the_worst() -> None:
    """Among negated losses 0 would be the best, and draws would go where trials diverge."""
    values_drawn = modelled_draws(lambda beta: None if beta > 0.5 else -5 - abs(beta - 0.2))
    assert min(abs(beta - 0.2) for beta in values_drawn) < 0.1


def test_hyperband_trains_the_good_ones_longer() -> None:
    oracle = make("hyperband", {RATE: SPACE[RATE]}, {}, 5, 9)
    score, epochs = {}, {}
    for number in range(40):
        name, values = oracle.draw() or ("", {})
        rate = values[RATE]
        if number % 7 == 6:
            oracle.discard(name)
            continue
        epochs.setdefault(rate, []).append(oracle.epochs(name))
        score.setdefault(rate, number * 7 % 10 / 10)
        oracle.tell(name, score[rate])
    assert all(1 <= count <= 9 for counts in epochs.values() for count in counts if count)
    again = {rate for rate, counts in epochs.items() if len(counts) > 1}
    once = [score[rate] for rate, counts in epochs.items() if len(counts) == 1]
    assert all(counts == sorted(set(counts)) for counts in epochs.values())
    assert len(again) >= 3
    assert min(score[rate] for rate in again) > sorted(once)[len(once) // 2]


def test_hyperband_waits_for_what_it_needs() -> None:
    """Of a small list there is nothing new to draw before the trials of a rung have ended."""
    oracle = make("hyperband", SMALL, {}, 5, 9)
    first = [oracle.draw() for _ in range(3)]
    assert None not in first
    with pytest.raises(Waiting):
        oracle.draw()


@pytest.mark.parametrize("kind", ["random", "bayesian"])
def test_others_leave_epochs_to_the_stage(kind: str) -> None:
    oracle = make(kind, SPACE, {}, 5, 9)
    ((name, _),) = draw_and_tell(oracle, 1)
    assert oracle.epochs(name) is None


def in_a_process(code: str, path: str = "") -> str:
    """What code prints in a process of its own, with TensorFlow as Keras's backend."""
    variables = environment(KERAS_BACKEND="tensorflow")
    variables["PYTHONPATH"] = os.pathsep.join(filter(None, (path, variables["PYTHONPATH"])))
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=variables, cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "trains, jax, backend",
    [(False, True, "numpy"), (False, False, "tensorflow"), (True, True, "tensorflow")],
)
def test_backend_that_keras_tuner_is_imported_with(
    tmp_path: Path, trains: bool, jax: bool, backend: str
) -> None:
    """Keras's backend numpy needs JAX, which may be missing, and cannot train the winner."""
    (tmp_path / "keras_tuner.py").write_text("import os; print(os.environ['KERAS_BACKEND'])")
    code = (
        "import os\nfrom tuning import cli, oracle\n"
        + "oracle.train_nothing()\n" * (not trains)
        + f"oracle.find_spec = lambda name: {jax} or None\n"
        "oracle.import_keras_tuner(); print(os.environ['KERAS_BACKEND'])\n"
    )
    assert in_a_process(code, str(tmp_path)).split() == [backend, "tensorflow"]


def test_the_command_draws_without_tensorflow() -> None:
    code = (
        "import sys\n"
        "from tuning.oracle import make, train_nothing\nfrom tuning.space import Range\n"
        "train_nothing()\n"
        "print(make('random', {'a': Range(0, 1)}, {}, 5, 1).draw()[1])\n"
        "import keras; print(keras.backend.backend(), 'tensorflow' in sys.modules)\n"
    )
    values, backend = in_a_process(code).splitlines()
    assert values.startswith("{'a': 0.")
    assert backend == "numpy False"
