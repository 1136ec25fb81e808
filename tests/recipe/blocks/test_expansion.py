"""A use of a block is what it would be written out; its problems are told where they were made."""

from __future__ import annotations

import re
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipe import mutations
from tests.recipe.blocks.recipes import TEXT, changed, problems
from tests.recipe.test_fuzz import refused
from zoo import plan
from zoo import recipe as recipes
from zoo.errors import RecipeError
from zoo.loading import Template, load, load_text
from zoo.recipe.blocks import expand
from zoo.recipe.yaml_reader import read_text

WRITTEN_OUT = """\
name: blocks
data: {source: digits, image_size: 16}
model:
  stack:
    - conv: {filters: 4}
    - group:
        repeat: 2
        stack:
          - residual:
              shortcut: pad
              stack: [conv: {filters: 4}, conv: {filters: 4, activation: linear}]
    - residual:
        shortcut: pad
        stack: [conv: {filters: 8, strides: 2}, conv: {filters: 8, activation: linear}]
    - residual:
        shortcut: pad
        stack: [conv: {filters: 8}, conv: {filters: 8, activation: linear}]
    - residual:
        - conv: {filters: 3, kernel_size: 1, activation: {leaky_relu: 0.1}}
        - conv: 3
        - conv: {filters: 12, kernel_size: 1, activation: linear}
    - group:
        repeat: 2
        stack:
          - residual:
              shortcut: pad
              stack: [conv: {filters: 12}, conv: {filters: 12, activation: linear}]
    - global_pool: average
train: {epochs: 1}
"""


def of(text: str) -> recipes.Recipe:
    return load_text(text, Path("r.yaml"))


def test_blocks_are_what_they_would_be_written_out() -> None:
    recipe, written = of(TEXT), of(WRITTEN_OUT)
    assert recipe == written
    assert recipes.dump(recipe) == recipes.dump(written)
    names = [layer.name for layer in plan.plan(recipe, 10).layers]
    assert names.count("conv10") == 1
    assert len(names) == len(set(names))


STAGES = (
    "conv: {filters: $n}",
    "conv: {filters: $n * 2, strides: $s}",
    "dropout: $r",
    "fc: {units: $n, repeat: $s}",
    "conv: $n",
    "residual: {stack: [{conv: {filters: $n, activation: $a}}, {conv: 2 * $n}]}",
    "group: {repeat: $s, stack: [{conv: {filters: $n * $s}}, {spatial_dropout: $r}]}",
)


@settings(max_examples=40, deadline=None)
@given(
    bodies=st.lists(st.lists(st.sampled_from(STAGES), min_size=1, max_size=3), max_size=3,
                    min_size=1),
    uses=st.lists(
        st.tuples(st.integers(0, 2), st.integers(1, 9), st.integers(1, 2), st.integers(1, 3)),
        min_size=1, max_size=5,
    ),
    inner=st.booleans(),
)  # fmt: skip
def test_law(bodies: list[list[str]], uses: list[Any], inner: bool) -> None:
    """Equal to the text in which each use is replaced by its block's, numbers put in by hand."""
    blocks, texts = [], []
    for number, body in enumerate(bodies):
        stages = list(body)
        if inner and number:
            stages.append(f"b{number - 1}: {{n: $n * 2, s: $s}}")
        blocks.append(
            f"    b{number}:\n      parameters: {{n: , s: 1, r: 0.25, a: elu}}\n      stack:\n"
            + "".join(f"        - {stage}\n" for stage in stages)
        )
        texts.append(body)

    def written(number: int, n: int, s: int) -> list[str]:
        def put(match: re.Match[str]) -> str:
            value = {"n": str(n), "s": str(s), "r": "0.25", "a": "elu"}
            factors = [value.get(part.strip(" $"), part) for part in match[0].split("*")]
            return factors[0] if len(factors) == 1 else str(eval("*".join(factors)))

        stages = [re.sub(r"(\d \* )?\$\w( \* [\d$s]+)?", put, stage) for stage in texts[number]]
        return stages + (written(number - 1, 2 * n, s) if inner and number else [])

    used, out = [], []
    for choice, n, s, repeat in uses:
        number = choice % len(bodies)
        used.append(f"    - b{number}: {{n: {n}, s: {s}, repeat: {repeat}}}\n")
        for _ in range(repeat):
            out += [f"    - {stage}\n" for stage in written(number, n, s)]
    head = "name: law\ndata: {source: digits, image_size: 64}\nmodel:\n"
    tail = "train: {epochs: 1}\n"
    short = head + "  blocks:\n" + "".join(blocks) + "  stack:\n" + "".join(used) + tail
    long = head + "  stack:\n" + "".join(out) + tail
    try:
        expected = plan.plan(of(long), 10)
    except RecipeError:
        assert problems(short)
        return
    layers = plan.plan(of(short), 10).layers
    assert [(x.name, x.kind, x.output_shape, x.parameters, x.options) for x in layers] == [
        (x.name, x.kind, x.output_shape, x.parameters, x.options) for x in expected.layers
    ]


@pytest.mark.parametrize(
    "old, new, line, path, use",
    [
        (
            "activation: linear}", "activation: liner}", 12,
            "model.blocks.basic.stack[0].residual.stack[1].conv.activation",
            "used at model.stack[1].basic, line 23",
        ),
        (
            "strides: $strides}", "stride: $strides}", 11,
            "model.blocks.basic.stack[0].residual.stack[0].conv.stride",
            "used at model.stack[1].basic, line 23",
        ),
        (
            "leaky_relu: 0.1", "leaky_relu: {slope: 0.1}", 26,
            "model.stack[4].bottleneck.activation.leaky_relu.slope",
            "$activation at model.blocks.bottleneck.stack[0].residual[0].conv.activation, line 17",
        ),
        (
            "filters: 8", "filters: 0", 24, "model.stack[2].basic.filters",
            "$filters at model.blocks.basic.stack[0].residual.stack[0].conv.filters, line 11",
        ),
        (
            "width: 3", "width: 400000", 26, "model.stack[4].bottleneck.width",
            "$wide at model.blocks.bottleneck.stack[0].residual[2].conv.filters, line 19",
        ),
        (
            "leaky_relu: 0.1", "leaky_relo: 0.1", 26, "model.stack[4].bottleneck.activation",
            "$activation at model.blocks.bottleneck.stack[0].residual[0].conv.activation, line 17",
        ),
        (
            "times: 2", "times: 0", 26, "model.stack[4].bottleneck.times",
            "$times at model.blocks.bottleneck.stack[1].basic.repeat, line 20",
        ),
        (
            "shortcut: pad", "shortcut: identity", 8, "model.blocks.basic.stack[0].residual",
            "used at model.stack[2].basic, line 24",
        ),
        (
            "basic: {filters: $wide", "basic: {filters: -1", 20,
            "model.blocks.bottleneck.stack[1].basic.filters",
            "$filters at model.blocks.basic.stack[0].residual.stack[0].conv.filters, line 11, "
            "used at model.stack[4].bottleneck, line 26",
        ),
    ],
)  # fmt: skip
def test_a_problem_is_told_in_the_block_and_at_its_use(
    old: str, new: str, line: int, path: str, use: str
) -> None:
    """Once, however many uses show it."""
    (problem,) = problems(changed((old, new)))
    assert (problem.line, problem.path, problem.use) == (line, path, use)
    assert f"r.yaml:{line}: {path} ({use}): " in str(problem)
    assert problem.as_json()["use"] == use


def test_problems_of_several_uses_are_told_each() -> None:
    text = changed(
        ("filters: 4, repeat", "filters: 0, repeat"), ("basic: 8", "basic: {strides: 3}")
    )
    assert [(p.line, p.path) for p in problems(text)] == [
        (23, "model.stack[1].basic.filters"),
        (25, "model.stack[3].basic"),
    ]


def test_what_is_never_used_is_told() -> None:
    told: list[str] = []
    text = changed(("basic: {filters: $wide", "conv: {filters: $wide"), (", repeat: $times", ""))
    file = Path(recipe_file(text))
    load(str(file), ["model.stack=[{bottleneck: 4}]"], lambda problem: told.append(str(problem)))
    assert [line.split(": ", 1)[1].split(":")[0] for line in told] == [
        "model.blocks.bottleneck.parameters.times",
        "model.blocks.basic",
    ]


def test_a_variant_need_not_use_the_blocks_of_its_base() -> None:
    told: list[str] = []
    recipe_file(TEXT)
    Path("v.yaml").write_text("name: v\nextends: r.yaml\nmodel: {stack: [basic: 3]}\n", "utf-8")
    load("v.yaml", (), lambda problem: told.append(str(problem)))
    assert told == []


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def recipe_file(text: str) -> str:
    Path("r.yaml").write_text(text, encoding="utf-8")
    return "r.yaml"


def test_stages_as_a_parameter() -> None:
    """A value of a parameter may be a list of stages, with blocks among them."""
    text = """\
name: r
data: {source: digits}
model:
  blocks:
    basic: {parameters: {filters: 4}, stack: [conv: $filters]}
    twice: {parameters: {body: }, stack: [group: {repeat: 2, stack: $body}]}
  stack:
    - twice: {body: [basic, {dropout: 0.5}, {basic: 2}]}
    - basic
train: {epochs: 1}
"""
    names = [layer.name for layer in plan.plan(of(text), 10).layers if layer.kind == "conv"]
    assert names == ["conv1", "conv2", "conv3", "conv4", "conv5"]
    (problem,) = problems(text.replace("{basic: 2}", "{basic: 0}"))
    assert (problem.line, problem.path) == (8, "model.stack[0].twice.body[2].basic")


def test_chains_of_blocks_end() -> None:
    """Each a block that holds the one before: as deep as a recipe may be, and no deeper."""
    names = "".join(f"    b{n}: {{stack: [b{n - 1}]}}\n" for n in range(1, 3_000))
    text = (
        "name: r\ndata: {source: digits}\nmodel:\n  blocks:\n    b0: {stack: [dropout: 0.1]}\n"
        f"{names}  stack: [USE]\ntrain: {{epochs: 1}}\n"
    )
    assert of(text.replace("USE", "b9")).model.stack[0].word == "dropout"
    (problem,) = problems(text.replace("USE", "b2999"))
    assert "levels of maps, lists or blocks" in problem.message


def test_values_of_values_end() -> None:
    """Parameters that double what they are given: not a billion values."""
    doubled = "".join(
        f"    b{n}: {{parameters: {{x: }}, stack: [b{n - 1}: {{x: [$x, $x]}}]}}\n"
        for n in range(1, 35)
    )
    text = (
        "name: r\ndata: {source: digits}\nmodel:\n  blocks:\n"
        f"    b0: {{parameters: {{x: }}, stack: [dropout: $x]}}\n{doubled}"
        "  stack: [b34: 1]\ntrain: {epochs: 1}\n"
    )
    (problem,) = problems(text)
    assert "more than 100,000 values" in problem.message


def test_the_data_are_left_as_they_are() -> None:
    data = read_text(TEXT).data
    before = deepcopy(data)
    assert expand(data).data["model"]["stack"] != before["model"]["stack"]
    assert data == before
    plain = read_text(WRITTEN_OUT).data
    assert expand(plain).data is plain


def test_written_and_read_again() -> None:
    """A search's own recipe keeps its blocks; a parameter that is empty stays so."""
    text = TEXT.replace("activation: relu, times", "activation: none, times")
    template = Template(recipe_file(TEXT))
    assert read_text(template.dump()).data["model"] == read_text(TEXT).data["model"]
    assert read_text(text).data["model"]["blocks"]["bottleneck"]["parameters"]["width"] is None
    assert of(template.dump()) == template.recipe


@pytest.mark.parametrize("step", [97, pytest.param(1, marks=pytest.mark.laws)])
def test_words_in_blocks_are_judged_as_elsewhere(step: int) -> None:
    """Every word, with every odd value: the same sentence in a block as in the network's stack."""
    cases = [case for case in mutations.every_word() if case[0][:3] == ("model", "stack", 0)]
    for path, word, value in cases[::step]:
        data = mutations.with_word(path, word, value)
        text = yaml.safe_dump(data["model"]["stack"], allow_unicode=True)
        if "$" in text:
            continue
        inside = deepcopy(data)
        inside["model"] = {
            "blocks": {"own": {"stack": data["model"]["stack"]}},
            "stack": [{"own": {"repeat": 1}}],
        }
        plainly, answer = refused(data), refused(inside)
        assert (plainly is None) == (answer is None), (path, word, value)
        assert plainly is None or sentence(plainly) in (answer or ""), (path, word, value)


def sentence(answer: str) -> str:
    """What a message says, without its place."""
    return answer.splitlines()[0].split(": ", 1)[1][:40]
