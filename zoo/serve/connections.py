"""The open connections of a server: bounds on their number, and on how long each may take.

By hand: uvicorn has no limit of connections (`limit_concurrency` answers 503 to honest clients as
well), none per client, and no timeout before a request is complete or for an answer to be read.
"""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import Protocol

from zoo.serve.limits import ConnectionLimits

MAX_LINGERING = 64  # Refused connections that may read their answer.


class State(IntEnum):
    """What a connection is doing; above a limit, connections are closed in this order.

    Attributes:
        WAITING: for a request, or for the rest of its headers.
        RECEIVING: a body.
        SENDING: its last answer is not read yet.
        ANSWERING: a complete request is in work; such a connection is never closed.
    """

    WAITING = 0
    RECEIVING = 1
    SENDING = 2
    ANSWERING = 3


class Member(Protocol):
    """A connection, as `Connections` needs it: `connection.Connection`, or a fake in tests."""

    address: str
    state: State
    since: float

    def evict(self) -> None:
        """Closes the connection to make room."""

    def enforce(self, now: float) -> None:
        """Closes the connection if it took too long."""

    def unsent(self) -> int:
        """Bytes that the client has not read yet."""


class _Client:
    """The connections of one address, by state, those that entered it first at the front."""

    def __init__(self) -> None:
        self.by_state: dict[State, dict[Member, None]] = {state: {} for state in State}

    def __len__(self) -> int:
        return sum(map(len, self.by_state.values()))

    def oldest(self) -> Member | None:
        """The connection to close first; None if requests of all are in work."""
        for state in (State.WAITING, State.RECEIVING, State.SENDING):
            if members := self.by_state[state]:
                return next(iter(members))
        return None


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

    def __len__(self) -> int:
        return self._count

    def add(self, member: Member) -> bool:
        """Adds a new connection; False if there is no room, as requests of all are in work."""
        client = self._clients.get(member.address)
        if client is not None and len(client) >= self.limits.per_client:
            victim = client.oldest()
        elif self._count >= self.limits.total:
            largest = sorted(self._clients.values(), key=len, reverse=True)
            victim = next(filter(None, (client.oldest() for client in largest)), None)
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
        member.state = state
        member.since = asyncio.get_running_loop().time()

    def remove(self, member: Member) -> None:
        """Forgets a connection; does nothing if it is forgotten already."""
        client = self._clients.get(member.address)
        if client is None or member not in client.by_state[member.state]:
            return
        del client.by_state[member.state][member]
        self._count -= 1
        if not len(client):
            del self._clients[member.address]

    @property
    def _interval(self) -> float:
        """Seconds between two looks at all connections."""
        limits = self.limits
        return min(1.0, min(limits.header_seconds, limits.body_seconds, limits.send_seconds) / 4)

    def _look(self) -> None:
        """Enforces the limits of time, and of unread answers."""
        loop = asyncio.get_running_loop()
        members = [
            member
            for client in self._clients.values()
            for group in client.by_state.values()
            for member in group
        ]
        for member in members:
            member.enforce(loop.time())
        unsent = sorted((m.since, id(m), m, size) for m in members if (size := m.unsent()))
        total = sum(size for *_, size in unsent)
        for *_, member, size in unsent:
            if total <= self.limits.unsent_bytes:
                break
            self.remove(member)
            member.evict()
            total -= size
        self._sweep = loop.call_later(self._interval, self._look) if self._count else None
