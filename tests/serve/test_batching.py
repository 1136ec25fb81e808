"""The batcher with functions of numpy in place of a model."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import numpy as np
import pytest

from zoo.serve.batching import Batcher, BatchLimits
from zoo.serve.status import StatusError

Arrays = Mapping[str, np.ndarray]


class Model:
    """Doubles its input, records sizes of batches, and refuses negative numbers.

    Args:
        seconds: that it takes.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self, inputs: Arrays) -> dict[str, np.ndarray]:
        self.gate.wait(10)
        time.sleep(self.seconds)
        self.batches.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise ValueError("below zero")
        return {"y": inputs["x"] * 2}


def x(*values: float) -> dict[str, np.ndarray]:
    return {"x": np.array(values, np.float64)}


def run(
    limits: BatchLimits, test: Callable[[Batcher], Awaitable[Any]], ran: Callable[[int], None] = int
) -> Any:
    batcher = Batcher(limits, ran)
    try:
        return asyncio.run(test(batcher))  # type: ignore[arg-type]
    finally:
        batcher.close()


def test_requests_run_together_and_each_gets_its_own() -> None:
    model, seen = Model(0.002), []

    async def ask(batcher: Batcher) -> Any:
        asked = [batcher.submit("f", model, x(i, i + 0.5), True) for i in range(40)]
        return await asyncio.gather(*asked)

    answers = run(BatchLimits(64, 0.05), ask, seen.append)
    for i, answer in enumerate(answers):
        assert answer["y"].tolist() == [2 * i, 2 * i + 1]
    assert sum(model.batches) == 80
    assert len(model.batches) < 20
    assert max(model.batches) <= 64
    assert seen == model.batches


def test_functions_types_and_shapes_are_kept_apart() -> None:
    one, other = Model(), Model()

    async def ask(batcher: Batcher) -> Any:
        one.gate.clear()
        asked = [
            asyncio.ensure_future(batcher.submit(key, model, inputs, together))
            for key, model, inputs, together in [
                ("f", one, x(1), True),
                ("f", one, x(2), True),
                ("g", other, x(3), True),
                ("f", one, {"x": np.ones((1, 2))}, True),
                ("f", one, {"x": np.ones((1, 3))}, True),
                ("f", one, {"x": np.ones(1, np.float32)}, True),
                ("f", one, x(7), False),
            ]
        ]
        await asyncio.sleep(0.05)
        one.gate.set()
        return await asyncio.gather(*asked)

    answers = run(BatchLimits(64, 0.001), ask)
    assert [answer["y"].shape for answer in answers[3:5]] == [(1, 2), (1, 3)]
    assert answers[5]["y"].dtype == np.float32
    assert len(one.batches) in (5, 6)  # Whether the first two came together.
    assert other.batches == [1]


def test_one_bad_request_spoils_no_other() -> None:
    model = Model()

    async def ask(batcher: Batcher) -> Any:
        model.gate.clear()
        asked = [
            asyncio.ensure_future(batcher.submit("f", model, x(i if i != 3 else -1), True))
            for i in range(8)
        ]
        await asyncio.sleep(0.05)
        model.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = run(BatchLimits(64, 0.0), ask)
    assert isinstance(answers.pop(3), ValueError)
    assert [answer["y"].tolist() for answer in answers] == [[0], [2], [4], [8], [10], [12], [14]]


def test_outputs_without_the_batch_are_no_batch() -> None:
    """A function whose outputs are not by row runs again for each request."""

    def total(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": inputs["x"].sum(keepdims=True)}

    async def ask(batcher: Batcher) -> Any:
        asked = [batcher.submit("f", total, x(i, i), True) for i in range(5)]
        return await asyncio.gather(*asked)

    answers = run(BatchLimits(64, 0.05), ask)
    assert [answer["y"].tolist() for answer in answers] == [[0], [2], [4], [6], [8]]


def test_a_large_request_runs_in_parts() -> None:
    model = Model()
    many = x(*range(150))
    answer = run(BatchLimits(64, 0.0), lambda batcher: batcher.submit("f", model, many, True))
    assert answer["y"].tolist() == [2 * i for i in range(150)]
    assert model.batches == [64, 64, 22]
    run(BatchLimits(64, 0.0), lambda batcher: batcher.submit("f", model, many, False))
    assert model.batches[3:] == [150]


def test_others_run_between_the_parts_of_a_large_request() -> None:
    """Small requests need not wait for a large one; a full queue refuses no later part of it."""
    model, other, finished = Model(0.002), Model(), []

    async def ask(batcher: Batcher) -> Any:
        async def one(name: str, of: Model, inputs: Arrays, weights: Any = None) -> Any:
            answer = await batcher.submit(of, of, inputs, True, weights)
            finished.append(name)
            return answer

        large = asyncio.ensure_future(one("large", model, x(*range(300))))
        await asyncio.sleep(0.01)
        small = [one("small", model, x(1)), one("small", model, x(2)), one("other", other, x(3))]
        again = await asyncio.gather(*small)
        return [await large, *again]

    answers = run(BatchLimits(4, 0.0, 3), ask)
    assert answers[0]["y"].tolist() == [2 * i for i in range(300)]
    assert [answer["y"].tolist() for answer in answers[1:]] == [[2], [4], [6]]
    assert finished[-1] == "large"
    assert sum(model.batches) == 302
    assert max(model.batches) == 4


def test_two_large_requests_take_turns() -> None:
    seen: list[float] = []

    def note(inputs: Arrays) -> dict[str, np.ndarray]:
        time.sleep(0.002)
        seen.append(inputs["x"][0])
        return {"y": inputs["x"]}

    async def ask(batcher: Batcher) -> Any:
        asked = [batcher.submit("f", note, x(*[i] * 16), True) for i in (1, 2)]
        return await asyncio.gather(*asked)

    answers = run(BatchLimits(4, 0.0), ask)
    assert [set(answer["y"]) for answer in answers] == [{1}, {2}]
    assert seen == [1, 2] * 4


@pytest.mark.parametrize(
    "weights, batches",
    [
        ([9] * 5, [2, 1, 1, 1]),  # The first shows whether the outputs are those of the rows.
        ([5, 5, 5, 5, 1, 4, 0, 0, 0, 1], [2, 2, 6]),
        ([0] * 9, [8, 1]),
        ([0, 0, 0, 99, 0, 0, 10, 1], [3, 1, 3, 1]),
    ],
)
def test_heavy_rows_run_in_smaller_parts(weights: list[int], batches: list[int]) -> None:
    model = Model()
    inputs = x(*range(len(weights)))

    def ask(batcher: Batcher) -> Awaitable[Any]:
        return batcher.submit("f", model, inputs, True, np.array(weights))

    assert run(BatchLimits(8, 0.0, weight=10), ask)["y"].tolist() == (inputs["x"] * 2).tolist()
    assert model.batches == batches


def test_a_light_request_waits_for_one_heavy_batch() -> None:
    model, finished = Model(), []

    async def ask(batcher: Batcher) -> Any:
        async def one(name: str, weight: int) -> None:
            await batcher.submit("f", model, x(weight), True, np.array([weight]))
            finished.append(name)

        model.gate.clear()
        heavy = [asyncio.ensure_future(one("heavy", 100)) for _ in range(4)]
        await asyncio.sleep(0.02)  # One runs, and three wait.
        light = [asyncio.ensure_future(one("light", 1)) for _ in range(2)]
        await asyncio.sleep(0.02)
        model.gate.set()
        await asyncio.gather(*heavy, *light)

    run(BatchLimits(64, 0.0, weight=100), ask)
    assert finished == ["heavy", "light", "light", "heavy", "heavy", "heavy"]


def test_heavy_requests_do_not_run_together() -> None:
    model = Model()

    async def ask(batcher: Batcher) -> Any:
        model.gate.clear()
        asked = [
            asyncio.ensure_future(batcher.submit("f", model, x(i), True, np.array([6])))
            for i in range(4)
        ]
        await asyncio.sleep(0.05)
        model.gate.set()
        return await asyncio.gather(*asked)

    run(BatchLimits(64, 0.0, weight=12), ask)
    assert max(model.batches) == 2


@pytest.mark.parametrize("weights", [None, np.full(10, 9)])
def test_parts_of_outputs_that_are_not_those_of_the_rows(weights: Any) -> None:
    def total(inputs: Arrays) -> dict[str, np.ndarray]:
        return {"y": inputs["x"].sum(keepdims=True)}

    limits = BatchLimits(4, 0.0, weight=5)
    ask = lambda batcher: batcher.submit("f", total, x(*range(10)), True, weights)  # noqa: E731
    assert run(limits, ask)["y"].tolist() == [45]


def test_parts_of_other_widths_are_run_as_one() -> None:
    def padded(inputs: Arrays) -> dict[str, np.ndarray]:
        width = int(inputs["x"].max())
        return {"y": np.ones((len(inputs["x"]), width))}

    ask = lambda batcher: batcher.submit("f", padded, x(1, 2, 3, 4, 5), True)  # noqa: E731
    assert run(BatchLimits(2, 0.0), ask)["y"].shape == (5, 5)


def test_an_error_in_a_later_part_ends_the_request() -> None:
    model = Model(0.002)

    async def ask(batcher: Batcher) -> Any:
        values = [1.0] * 40
        values[17] = -1.0
        bad = asyncio.ensure_future(batcher.submit("f", model, x(*values), True))
        good = batcher.submit("f", model, x(*range(21)), True)
        return await asyncio.gather(bad, good, return_exceptions=True)

    bad, good = run(BatchLimits(4, 0.0), ask)
    assert isinstance(bad, ValueError)
    assert good["y"].tolist() == [2 * i for i in range(21)]
    assert len(model.batches) < 5 + 6 + 3  # What came after the error was not run.


def test_a_cancelled_large_request_stops() -> None:
    model = Model()

    async def ask(batcher: Batcher) -> Any:
        model.gate.clear()
        large = asyncio.ensure_future(batcher.submit("f", model, x(*range(400)), True))
        await asyncio.sleep(0.05)  # The thread has its first part.
        large.cancel()
        await asyncio.sleep(0)
        model.gate.set()
        answer = await batcher.submit("f", model, x(1), True)
        assert batcher.waiting == 0
        return answer

    assert run(BatchLimits(4, 0.0), ask)["y"].tolist() == [2]
    assert len(model.batches) <= 3  # Of 101.


def test_the_end_finishes_a_large_request() -> None:
    model = Model(0.002)

    async def ask(batcher: Batcher) -> Any:
        large = asyncio.ensure_future(batcher.submit("f", model, x(*range(40)), True))
        await asyncio.sleep(0.005)
        await asyncio.to_thread(batcher.close)
        return await large

    assert run(BatchLimits(4, 0.0), ask)["y"].tolist() == [2 * i for i in range(40)]


def test_a_full_queue_refuses() -> None:
    model = Model()

    async def ask(batcher: Batcher) -> Any:
        model.gate.clear()
        first = asyncio.ensure_future(batcher.submit("f", model, x(0), False))
        await asyncio.sleep(0.05)  # The thread has it.
        waiting = [asyncio.ensure_future(batcher.submit("f", model, x(1), True)) for _ in range(3)]
        await asyncio.sleep(0)
        assert batcher.waiting == 3
        with pytest.raises(StatusError, match="submitted is full") as caught:
            await batcher.submit("f", model, x(1), True)
        model.gate.set()
        await asyncio.gather(first, *waiting)
        await batcher.submit("f", model, x(1), True)
        return caught.value.http

    assert run(BatchLimits(64, 0.0, 3), ask) == 503


def test_whoever_gives_up_disturbs_nobody() -> None:
    model = Model()

    async def ask(batcher: Batcher) -> Any:
        model.gate.clear()
        asked = [asyncio.ensure_future(batcher.submit("f", model, x(i), True)) for i in range(6)]
        await asyncio.sleep(0.05)
        for gone in asked[1::2]:
            gone.cancel()
        model.gate.set()
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = run(BatchLimits(64, 0.0), ask)
    assert [answer["y"].tolist() for answer in answers[::2]] == [[0], [4], [8]]
    assert all(isinstance(answer, asyncio.CancelledError) for answer in answers[1::2])


def test_a_lone_request_does_not_wait_for_others() -> None:
    model = Model()

    async def ask(batcher: Batcher) -> float:
        await batcher.submit("f", model, x(0), True)
        started = time.monotonic()
        for _ in range(5):
            await batcher.submit("f", model, x(0), True)
        return time.monotonic() - started

    assert run(BatchLimits(64, 2.0), ask) < 2.0


def test_the_end_finishes_what_waits() -> None:
    model = Model(0.01)

    async def ask(batcher: Batcher) -> Any:
        asked = [asyncio.ensure_future(batcher.submit(i, model, x(i), True)) for i in range(5)]
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close)
        with pytest.raises(StatusError, match="stopping"):
            await batcher.submit("f", model, x(1), True)
        return await asyncio.gather(*asked)

    answers = run(BatchLimits(64, 5.0), ask)
    assert [answer["y"].tolist() for answer in answers] == [[0], [2], [4], [6], [8]]


def test_a_loop_that_is_gone_disturbs_nobody() -> None:
    model = Model()
    batcher = Batcher(BatchLimits(64, 0.0))
    model.gate.clear()
    loop = asyncio.new_event_loop()
    task = loop.create_task(batcher.submit("f", model, x(1), True))
    loop.run_until_complete(asyncio.sleep(0.02))
    task.cancel()
    loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
    loop.close()
    model.gate.set()

    async def ask() -> Any:
        return await batcher.submit("f", model, x(2), True)

    assert asyncio.run(ask())["y"].tolist() == [4]
    batcher.close()
