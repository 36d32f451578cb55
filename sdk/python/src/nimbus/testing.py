"""Tests what a program tracks, without a server.

::

    with Recorder() as sent:
        sign_up(sent.tracker, "ada")
        assert [e.user_id for e in sent.events()] == ["ada"]
"""

from __future__ import annotations

import gzip
import json
import threading
from typing import Any, Hashable

from ._clock import Clock
from .event import Event, Operation, read
from .tracker import Tracker
from .transport import Request, Response

# Ends a test whose events cannot be delivered, in seconds.
_TIMEOUT = 10.0


class Recorder:
    """Stands in for the server: a transport that stores each event and each operation once and answers like the server, and ``tracker``,
    which sends to it. Arguments are those of :class:`nimbus.Tracker`.

    Events with the same idempotency key, ts, name and person are the same event; of operations the ts does not matter. It checks neither
    credentials nor what it gets. What the tracker itself refuses never gets here.
    """

    def __init__(self, **options: Any) -> None:
        self._lock = threading.Lock()
        self._stored: list[Event | Operation] = []
        self._seen: set[Hashable] = set()
        self._failures: list[int] = []
        self.requests = 0
        """How many requests have arrived."""
        of = {"url": "http://nimbus.test", "project_id": "3fa85f64-5717-4562-b3fc-2c963f66afa6", "transport": self}
        if "secret" not in options and "write_key" not in options:
            of["secret"] = "ns_test"
        self.tracker = Tracker(**{**of, **options})

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: object) -> None:
        self.tracker.close(_TIMEOUT)

    def events(self) -> list[Event]:
        """Flushes the tracker, and returns what was stored, in the order it arrived."""
        return [e for e in self._all() if isinstance(e, Event)]

    def operations(self) -> list[Operation]:
        """Does what ``events`` does, for operations."""
        return [o for o in self._all() if isinstance(o, Operation)]

    def fail(self, *statuses: int) -> None:
        """Answers the next requests with these statuses, one each, and stores nothing of them; 0 breaks the connection."""
        with self._lock:
            self._failures += statuses

    def __call__(self, request: Request) -> Response:
        body = gzip.decompress(request.body) if request.headers.get("Content-Encoding") == "gzip" else request.body
        sent = json.loads(body)
        with self._lock:
            self.requests += 1
            if self._failures:
                status = self._failures.pop(0)
                if not status:
                    raise ConnectionResetError("broken off by the recorder")
                problem = {"status": status, "code": "test", "title": "a failure that the test asked for"}
                return Response(status, {"content-type": "application/problem+json"}, json.dumps(problem).encode())
            fresh = 0
            items = [read(raw) for raw in sent.get("events", ()) or sent.get("operations", ())]
            for item in items:
                identity = _identity(sent["project_id"], item)
                if not item.idempotency_key or identity not in self._seen:
                    fresh += 1
                    self._seen.add(identity)
                    self._stored.append(item)
        answer = {"accepted": fresh, "duplicates": len(items) - fresh, "rejected": 0, "errors": []}
        return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())

    def _all(self) -> list[Event | Operation]:
        self.tracker.flush(_TIMEOUT)
        with self._lock:
            return list(self._stored)


def _identity(project: str, item: Event | Operation) -> Hashable:
    """What makes two events, or two operations, the same to the server."""
    who = ("user", item.user_id) if item.user_id else ("anonymous", item.anonymous_id)
    what = (item.name, item.ts) if isinstance(item, Event) else (item.op, item.group)
    return (project, type(item), *what, *who, item.idempotency_key)


class ManualClock(Clock):
    """A clock that only ``advance`` moves. It begins at some moment in seconds since 1970."""

    def __init__(self, begin: float = 1_700_000_000.0) -> None:
        self._now = begin
        self._lock = threading.Lock()
        self._waits: list[threading.Condition] = []

    def time(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        with self._lock:
            if until is not None and self._now >= until:
                return
            self._waits.append(condition)
        try:
            condition.wait()
        finally:
            with self._lock:
                self._waits.remove(condition)

    def advance(self, seconds: float) -> None:
        """Moves it, and wakes whoever waits for that moment."""
        with self._lock:
            self._now += seconds
            waits = list(self._waits)
        for condition in waits:
            with condition:
                condition.notify_all()
