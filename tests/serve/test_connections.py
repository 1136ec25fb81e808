"""Slow clients, and the bounds on connections."""

from __future__ import annotations

import asyncio
import http.client
import select
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import Client, served, wait_for
from zoo.serve.connection import RESET
from zoo.serve.connections import TURNS, YOUNG_SECONDS, Connections, State, client_key
from zoo.serve.limits import ConnectionLimits, RequestLimits

HEAD = b"POST /v1/models/half_plus_three:predict HTTP/1.1\r\nHost: localhost\r\n"
BODY = b'{"instances": [1.0, 2.0, 5.0]}'
GOOD = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


class Fake:
    """A connection of `Connections`."""

    def __init__(self, address: str = "a", state: State = State.WAITING, unsent: int = 0) -> None:
        self.address, self.state, self.since = address, state, 0.0
        self.evicted, self.turns = False, 0
        self.unsent = unsent

    def evict(self) -> None:
        self.evicted = True

    def enforce(self, now: float) -> None:
        self.looked = now

    def size(self) -> int:
        return self.unsent

    def take(self) -> None:
        self.turns += 1


def test_the_longest_waiting_makes_room() -> None:
    async def run() -> None:
        connections = Connections(ConnectionLimits(total=5, per_client=3))
        first, second, third, fourth = (Fake() for _ in range(4))
        assert all(map(connections.add, (first, second, third)))
        connections.move(first, State.ANSWERING)
        assert connections.add(fourth)
        assert [one.evicted for one in (first, second, third)] == [False, True, False]
        connections.move(first, State.WAITING)  # It waits from now on, and the third for longer.
        assert connections.add(Fake())
        assert (first.evicted, third.evicted) == (False, True)
        assert len(connections) == 3

    asyncio.run(run())


def test_states_are_closed_in_order() -> None:
    async def run() -> None:
        connections = Connections(ConnectionLimits(total=9, per_client=4))
        states = (State.ANSWERING, State.SENDING, State.RECEIVING, State.WAITING)
        members = [Fake(state=state) for state in states]
        assert all(map(connections.add, members))
        for member in members:
            member.since -= YOUNG_SECONDS
        order = []
        for _ in range(3):
            new = Fake(state=State.ANSWERING)
            assert connections.add(new)
            order.append([m.state for m in members if m.evicted])
        assert order[0] == [State.WAITING]
        assert [len(states) for states in order] == [1, 2, 3]
        assert not members[0].evicted
        assert not connections.add(Fake())  # All are in work.
        assert connections.add(Fake("b"))

    asyncio.run(run())


def test_new_connections_are_closed_last() -> None:
    """A flood of connections leaves each the time to send its request."""

    async def run() -> None:
        connections = Connections(ConnectionLimits(total=9, per_client=3))
        unread, sent, new = Fake(state=State.SENDING), Fake(state=State.QUEUED), Fake()
        for member in (unread, sent, new):
            assert connections.add(member)
            await asyncio.sleep(0.001)
        for member in (unread, sent):
            assert connections.add(Fake())
            assert (member.evicted, new.evicted) == (True, False)

    asyncio.run(run())


def test_one_client_cannot_take_all_places() -> None:
    """Above the total, the client with the most connections loses one."""

    async def run() -> None:
        connections = Connections(ConnectionLimits(total=4, per_client=4))
        few, many = [Fake("few")], [Fake("many") for _ in range(3)]
        assert all(map(connections.add, (*few, *many)))
        assert connections.add(Fake("new"))
        assert [one.evicted for one in (*few, *many)] == [False, True, False, False]
        connections.remove(many[1])
        connections.remove(many[1])
        assert len(connections) == 3

    asyncio.run(run())


def test_answers_that_nobody_reads_are_bounded() -> None:
    async def run() -> None:
        limits = ConnectionLimits(unsent_bytes=10, header_seconds=0.02)
        connections = Connections(limits)
        members = [Fake(unsent=6) for _ in range(3)]
        for member in members:
            connections.add(member)
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.05)
        assert [member.evicted for member in members] == [True, True, False]
        assert hasattr(members[2], "looked")

    asyncio.run(run())


def test_few_further_requests_are_in_work() -> None:
    """Connections take turns with what their clients sent; closed ones lose theirs."""

    class Asker(Fake):
        def take(self) -> None:
            super().take()
            self.connections.move(self, State.ANSWERING)

    async def run() -> None:
        connections = Connections(ConnectionLimits())
        members = [Asker() for _ in range(3 * TURNS)]
        for member in members:
            member.connections = connections
            connections.add(member)
            connections.move(member, State.QUEUED)
            connections.await_turn(member)
            connections.await_turn(member)
        connections.remove(members[0])
        await asyncio.sleep(0.01)
        assert [member.turns for member in members] == [0] + [1] * TURNS + [0] * (2 * TURNS - 1)
        connections.move(members[1], State.WAITING)
        connections.remove(members[2])
        await asyncio.sleep(0.01)
        assert sum(member.turns for member in members) == TURNS + 2
        for _ in range(3):
            for member in members:
                connections.move(member, State.WAITING)
            await asyncio.sleep(0.01)
        assert [member.turns for member in members[1:]] == [1] * (len(members) - 1)

    asyncio.run(run())


@pytest.mark.parametrize(
    "host, key",
    [("10.1.2.3", "10.1.2.3"), ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
     ("2001:db8:1:2:9::", "2001:db8:1:2::/64"), ("::ffff:10.1.2.3", "10.1.2.3"),
     ("fe80::1%eth0", "fe80::/64"), ("", "")],
)  # fmt: skip
def test_what_counts_as_one_client(host: str, key: str) -> None:
    assert client_key(host) == key


@pytest.fixture(scope="module")
def quick(model_folder: Callable[[str], Path]) -> Iterator[Client]:
    """A server that takes 16 connections and waits half a second for everything."""
    limits = ConnectionLimits(16, 12, 0.5, 0.5, 0.5, 0.5)
    with served(
        model_folder("half_plus_three"),
        connection_limits=limits,
        request_limits=RequestLimits(body_seconds=0.5),
    ) as client:
        yield client


def connect(client: Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.port), timeout=20)


def read_all(connection: socket.socket) -> bytes:
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


SLOW = (
    (b"", b""),
    (b"POST", b" 408 "),
    (HEAD, b" 408 "),
    (b"\r\n", b" 408 "),
    (HEAD + b"Content-Length: 30\r\n\r\n", b" 408 "),
    (HEAD + b"Content-Length: 30\r\n\r\n{", b" 408 "),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{}", b" 408 "),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", b" 408 "),
    (HEAD + b"Expect: 100-continue\r\nContent-Length: 30\r\n\r\n", b" 408 "),
    (GOOD, b"[3.5,4.0,5.5]"),  # Then it is idle.
    (GOOD + HEAD, b" 408 "),
)


def test_slow_requests_end(quick: Client) -> None:
    with ExitStack() as stack:
        connections = [stack.enter_context(connect(quick)) for _ in SLOW]
        for connection, (sent, _) in zip(connections, SLOW, strict=True):
            connection.sendall(sent)
        for connection, (sent, answer) in zip(connections, SLOW, strict=True):
            received = read_all(connection)
            assert answer in received, sent
            assert bool(received) == bool(answer)
            if b" 408 " in answer:
                assert b"did not come within 0.5 s" in received
                assert received.count(b"HTTP/1.1 200") == sent.count(BODY)


def test_many_slow_clients_shut_nobody_out(quick: Client) -> None:
    """New clients are answered while more connections than the server takes are held open."""
    with ExitStack() as stack:
        for number in range(40):
            connection = stack.enter_context(connect(quick))
            connection.sendall((b"", HEAD, HEAD + b"Content-Length: 30\r\n\r\n{")[number % 3])
            if number % 5 == 4:
                answer = quick.post("/v1/models/half_plus_three:predict", BODY)
                assert answer.json == {"predictions": [3.5, 4.0, 5.5]}


def test_a_client_that_reads_nothing_is_closed(quick: Client) -> None:
    with connect(quick) as connection:
        connection.settimeout(0.1)
        with suppress(TimeoutError):
            connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2000)
        poll = select.poll()
        poll.register(connection, 0)  # For the end of the connection alone; there is always input.
        ((_, event),) = poll.poll(20_000)
        assert event & select.POLLERR  # It was reset.
    assert quick.get("/healthz").code == 200


def test_few_requests_are_taken_from_a_client_that_reads_nothing(half: Client) -> None:
    count, page = 1000, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
    state = half.server.server_state
    before = state.total_requests
    with connect(half) as connection:
        connection.sendall(page * count)
        wait_for(lambda: any(one.flow.write_paused for one in state.connections))
        for _ in range(20):
            assert half.get("/healthz").code == 200  # The event loop turns meanwhile.
        assert state.total_requests - before - 20 < 50
        response, answers = b"", 0
        while answers < count:
            response = response[-14:] + connection.recv(1 << 20)
            answers += response.count(b"HTTP/1.1 200 OK")
    assert state.total_requests - before - 20 == count


def test_requests_of_clients_that_are_gone_leave_the_queue(half: Client) -> None:
    gate = threading.Event()
    servable = half.app.versions.get()
    run = servable.runners["serving_default"]
    ran: list[int] = []

    def wait(inputs: Any) -> Any:
        ran.append(len(next(iter(inputs.values()))))
        gate.wait(20)
        return run(inputs)

    servable.runners["serving_default"] = wait
    try:
        with ExitStack() as stack:
            first, *others = [stack.enter_context(connect(half)) for _ in range(9)]
            first.sendall(GOOD)
            wait_for(lambda: ran == [3])
            for connection in others:
                connection.sendall(GOOD)
            wait_for(lambda: half.app.batcher.waiting == 8)
            for connection in others[:-1]:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                connection.close()
            wait_for(lambda: half.app.batcher.waiting == 1)
            gate.set()
            for connection in (first, others[-1]):
                response = http.client.HTTPResponse(connection)
                response.begin()
                assert response.read() == b'{"predictions":[3.5,4.0,5.5]}'
    finally:
        gate.set()
        servable.runners["serving_default"] = run
    assert ran == [3, 3]
    wait_for(lambda: half.app.predictions.memory.used == 0)


def test_busy_connections_are_kept_and_new_ones_refused(quick: Client) -> None:
    gate = threading.Event()
    servable = quick.app.versions.get()
    run = servable.runners["serving_default"]
    servable.runners["serving_default"] = lambda inputs: gate.wait(20) and run(inputs)
    try:
        with ExitStack() as stack:
            busy = [stack.enter_context(connect(quick)) for _ in range(12)]
            for connection in busy:
                connection.sendall(GOOD)
            memory = quick.app.predictions.memory
            wait_for(lambda: memory.used == 12 * len(BODY))
            refused = quick.get("/healthz")
            assert refused.code == 503
            assert refused.headers["retry-after"] == "1"
            assert "in use by requests in work" in refused.error
            gate.set()
            for connection in busy:
                response = http.client.HTTPResponse(connection)
                response.begin()
                assert response.read() == b'{"predictions":[3.5,4.0,5.5]}'
    finally:
        gate.set()
        servable.runners["serving_default"] = run
    assert quick.get("/healthz").code == 200
