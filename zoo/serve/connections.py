"""The open connections of a server: bounds on their number, and on how long each may take.

By hand: uvicorn has no limit of connections (`limit_concurrency` answers 503 to honest clients as
well), none per client, and no timeout before a request is complete or for an answer to be read.
"""

from __future__ import annotations

import asyncio
import ipaddress
from enum import IntEnum
from itertools import islice
from typing import Protocol

from zoo.serve.limits import ConnectionLimits

# A new connection is not closed before its request can come, if others have waited for longer.
YOUNG_SECONDS = 1.0
TURNS = 8  # Further requests of connections that are in work at a time.
MAX_LINGERING = 64  # Refused connections that may read their answer.


class State(IntEnum):
    """What a connection is doing; above a limit, connections are closed in this order.

    Those that do it for less than `YOUNG_SECONDS` are closed last, the oldest of all states first.

    Attributes:
        WAITING: for a request, or for the rest of its headers.
        RECEIVING: a body.
        SENDING: its last answer is not read yet.
        QUEUED: it has sent further requests, and waits for its turn.
        ANSWERING: a complete request is in work; such a connection is never closed.
    """

    WAITING = 0
    RECEIVING = 1
    SENDING = 2
    QUEUED = 3
    ANSWERING = 4


class Member(Protocol):
    """A connection, as `Connections` needs it: `connection.Connection`, or a fake in tests."""

    address: str
    state: State
    since: float

    def evict(self) -> None:
        """Closes the connection to make room."""

    def enforce(self, now: float) -> None:
        """Closes the connection if it took too long."""

    def size(self) -> int:
        """Bytes that it holds in memory."""

    def take(self) -> None:
        """Goes on with what the client sent."""


class _Client:
    """The connections of one address, by state, those that entered it first at the front."""

    def __init__(self) -> None:
        self.by_state: dict[State, dict[Member, None]] = {state: {} for state in State}
        self.count = 0

    def oldest(self, now: float) -> Member | None:
        """The connection to close first; None if requests of all are in work.

        Args:
            now: the event loop's time.
        """
        states = (State.WAITING, State.RECEIVING, State.SENDING, State.QUEUED)
        members = [next(iter(self.by_state[state])) for state in states if self.by_state[state]]
        for member in members:
            if now - member.since >= YOUNG_SECONDS:
                return member
        return min(members, key=lambda member: member.since, default=None)


class Connections:
    """The open connections of a server.

    Above a limit the connection that waited longest makes room for the new one, so that a client
    who holds many open cannot shut others out.

    Args:
        limits: of their number and times.
    """

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self.lingering = 0
        self._clients: dict[str, _Client] = {}
        self._count = 0
        self._sweep: asyncio.TimerHandle | None = None
        self._turns: dict[Member, None] = {}  # Those that wait for one, in their order.
        self._in_turn: set[Member] = set()  # Those whose request is in work.
        self._next_turn: asyncio.Handle | None = None

    def __len__(self) -> int:
        return self._count

    def add(self, member: Member) -> bool:
        """Adds a new connection; False if there is no room, as requests of all are in work."""
        now = asyncio.get_running_loop().time()
        client = self._clients.get(member.address)
        if client is not None and client.count >= self.limits.per_client:
            victim = client.oldest(now)
        elif self._count >= self.limits.total:
            largest = sorted(self._clients.values(), key=lambda one: one.count, reverse=True)
            victim = next(filter(None, (client.oldest(now) for client in largest)), None)
        else:
            self._put(member)
            return True
        if victim is None:
            return False
        self.remove(victim)
        victim.evict()
        self._put(member)
        return True

    def _put(self, member: Member) -> None:
        loop = asyncio.get_running_loop()
        member.since = loop.time()
        client = self._clients.setdefault(member.address, _Client())
        client.by_state[member.state][member] = None
        client.count += 1
        self._count += 1
        if self._sweep is None:
            self._sweep = loop.call_later(self._interval, self._look)

    def move(self, member: Member, state: State) -> None:
        """Sets what a connection does from now on."""
        client = self._clients.get(member.address)
        if client is None or member not in client.by_state[member.state]:
            return  # It was closed to make room.
        del client.by_state[member.state][member]
        client.by_state[state][member] = None
        if state is not State.ANSWERING:
            self._end_turn(member)
        member.state = state
        member.since = asyncio.get_running_loop().time()

    def remove(self, member: Member) -> None:
        """Forgets a connection; does nothing if it is forgotten already."""
        client = self._clients.get(member.address)
        if client is None or member not in client.by_state[member.state]:
            return
        del client.by_state[member.state][member]
        self._turns.pop(member, None)
        self._end_turn(member)
        client.count -= 1
        self._count -= 1
        if not client.count:
            del self._clients[member.address]

    def await_turn(self, member: Member) -> None:
        """Lets a connection go on with what its client has sent, after those that wait already.

        Few of them have a request in work at a time, so that requests of others, which are taken
        at once, need not wait for all.
        """
        self._turns[member] = None
        self._schedule_turns()

    def _schedule_turns(self) -> None:
        if self._turns and self._next_turn is None and len(self._in_turn) < TURNS:
            self._next_turn = asyncio.get_running_loop().call_soon(self._give_turns)

    def _give_turns(self) -> None:
        self._next_turn = None
        for member in list(islice(self._turns, TURNS - len(self._in_turn))):
            if member not in self._turns:
                continue  # It was closed meanwhile.
            del self._turns[member]
            member.take()
            if member.state is State.ANSWERING:
                self._in_turn.add(member)
        self._schedule_turns()

    def _end_turn(self, member: Member) -> None:
        if member in self._in_turn:
            self._in_turn.remove(member)
            self._schedule_turns()

    @property
    def _interval(self) -> float:
        """Seconds between two looks at all connections."""
        limits = self.limits
        return min(1.0, min(limits.header_seconds, limits.body_seconds, limits.send_seconds) / 4)

    def _look(self) -> None:
        """Enforces the limits of time and of memory."""
        loop = asyncio.get_running_loop()
        members = [
            member
            for client in self._clients.values()
            for group in client.by_state.values()
            for member in group
        ]
        for member in members:
            member.enforce(loop.time())
        waiting = sorted((m.since, id(m), m, size) for m in members if (size := m.size()))
        total = sum(size for *_, size in waiting)
        for *_, member, size in waiting:
            if total <= self.limits.unsent_bytes:
                break
            self.remove(member)
            member.evict()
            total -= size
        self._sweep = loop.call_later(self._interval, self._look) if self._count else None


def client_key(host: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 network of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv4Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, 64), strict=False))
