"""The tracker: a queue, which a thread of its own sends."""

from __future__ import annotations

import asyncio
import atexit
import json
import logging
import os
import secrets
import threading
from collections import deque
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Callable

from ._calls import Calls, Register
from ._clock import Clock
from ._encode import event_json, operation_json, props_json
from ._items import Item, Stats
from ._options import Options
from ._sender import Sender
from ._spool import Segment, Spool
from ._waiting import Waiting
from .errors import (
    BeforeSendError,
    ClosedError,
    NimbusError,
    NotDeliveredError,
    QueueFullError,
    SpoolError,
    UndeliveredError,
)
from .event import Event, Operation, read
from .visitor import Store, Visitor

# What close waits for the thread, in seconds, once it has broken off its request. One that still looks up the name of the server cannot be
# broken off, and is left behind.
_GRACE = 0.5

_KEY = b',"idempotency_key":"%s-%x"}'


class Tracker(Options, Calls, Waiting):
    """Sends events in the background. It is safe for concurrent use by threads and tasks; make one for the whole program, and close it at
    the end, or use it in ``with`` or ``async with``.

    An event whose call returned is delivered or reported to ``on_drop``. If the program dies first, the event is lost with it, unless there
    is a spool. No event is stored twice, however often it is sent. Events are sent in the order of the calls, one request at a time.

    After a fork the child has a queue and a thread of its own: what waited is the parent's. The thread starts with the first call.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.clock = self.clock or Clock()
        self._clock = self.clock
        self._log = self.logger or logging.getLogger("nimbus")
        self._registered = Register()
        self._closed = False  # to new events
        self._renew()
        if self._spool is not None:
            with self._lock:
                self._start()  # what an earlier run left there is due
        _open.add(self)

    def _renew(self) -> None:
        """Makes everything that a process has of its own."""
        self._lock = threading.RLock()
        self._wake, self._changed = threading.Condition(self._lock), threading.Condition(self._lock)
        self._watchers = []
        self._queue, self._in_flight = deque(), []
        self._bytes = 0  # of the queue
        self._last = self._flush_to = 0
        self._full = False  # the queue was full since the sender last made room
        self._reporting = 0  # calls that have yet to report what they dropped
        self._closer = 0  # the thread that closes
        self._ended = False  # close has
        self._stats = Stats()  # without waiting
        self._run = secrets.token_hex(12).encode()  # makes idempotency keys unique among all runs of all programs
        self._sender: Sender | None = None
        self._spool = Spool(Path(self.spool_dir) / self.project_id, self.spool_sync, self._log) if self.spool_dir else None

    def _after_fork(self) -> None:
        if self._spool is not None:
            self._spool.leave_to_parent()
        self._renew()
        if self._closed:  # by the parent, which may still be at it
            self._ended = True
            _open.discard(self)

    # --- Calls. ---

    def enqueue(self, event: Event) -> None:
        """``track`` for an :class:`Event`, which stays as it is."""
        self._event(replace(event))

    def change(self, operation: Operation) -> None:
        """Queues an :class:`Operation`, which stays as it is."""
        self._operation(replace(operation))

    def visitor(self, store: Store | None = None, session_timeout: float = 1800) -> Visitor:
        """The one person who uses this program, such as a command: their ids are in all that is tracked, and every event has a session.

        ``store`` keeps who they are beyond the life of the program. ``session_timeout`` ends a session after so many seconds without an event.
        """
        return Visitor(self, store, session_timeout)

    def stats(self) -> Stats:
        """The counts up to now."""
        with self._lock:
            return replace(self._stats, waiting=len(self._queue) + len(self._in_flight))

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock.time(), timezone.utc)

    def _event(self, event: Event) -> None:
        self._take(event, self._registered.under, self.before_send, event_json)

    def _operation(self, operation: Operation) -> None:
        self._take(operation, lambda props: props, self.before_send_operation, operation_json)

    def _take(self, what: Any, fill: Callable[[Any], Any], hook: Callable[[Any], Any] | None, write: Callable[[Any], bytes]) -> None:
        """Queues an event or an operation, with what the program makes of it."""
        what.ts = what.ts or self._now()
        try:
            what.props = fill(what.props)
            if hook is not None:
                what.props = _decoded(what.props)
                what = self._ask(hook, what)
            if what is not None:
                self._put(write(what), not what.idempotency_key)
        except NimbusError as e:
            self._refuse(e)

    def _ask(self, hook: Callable[[Any], Any], what: Any) -> Any:
        """What the program makes of an event. None when it drops it, which is counted and reported."""
        before = replace(what)
        why = BeforeSendError()
        try:
            sent = hook(what)
            if isinstance(sent, type(what)):
                return sent
            if sent is not None:
                raise TypeError(f"it returned a {type(sent).__name__}")
        except Exception as e:
            why = BeforeSendError(e)
        with self._lock:
            self._stats.tracked += 1
            self._stats.dropped += 1
        self._report(before, why)
        return None

    def _refuse(self, error: NimbusError) -> None:
        """Counts an event that never got into the queue."""
        with self._lock:
            self._stats.refused += 1
        if not self.quiet:
            raise error
        self._log.warning("nimbus: not tracked: %s", error)

    # --- The queue. ---

    def _put(self, text: bytes, keyless: bool) -> None:
        """Queues an event. Without a key of its own it gets one."""
        size = len(text) + (len(_KEY) + len(self._run) + 16 if keyless else 0)
        dropped: list[Item] = []
        filled = False
        try:
            with self._lock:
                filled = self._make_room(size, dropped)
                self._last += 1
                number = self._last
                if keyless:
                    text = text[:-1] + _KEY % (self._run, number)
                item = Item(text, number, self._clock.monotonic(), None)
                if self._spool is not None:
                    item.segment = self._keep(text)
                self._queue.append(item)
                self._bytes += len(text)
                self._stats.tracked += 1
                if self._sender is None:
                    self._start()
                elif len(self._queue) in (1, self.flush_events) or self._bytes >= self.flush_bytes:
                    self._wake.notify()
        except QueueFullError:
            filled = self._fills()
            raise
        finally:
            if filled and self.when_full != "block":  # under which a full queue is what was asked for
                self._log.warning("nimbus: the queue of events is full")
            if dropped:
                self._report_items(dropped, QueueFullError())
                with self._lock:
                    self._reporting -= 1
                    self._broadcast()
        if self.debug:
            self._log.info("nimbus: taken: %s", text.decode())

    def _keep(self, text: bytes) -> Segment:
        assert self._spool is not None
        try:
            return self._spool.append(text)
        except OSError as e:
            raise SpoolError(f"the event cannot be written to the spool: {e}") from e

    def _fills(self) -> bool:
        """Whether the queue has become full just now: it is said once each time."""
        with self._lock:
            filled, self._full = not self._full, True
            return filled

    def _make_room(self, size: int, dropped: list[Item]) -> bool:
        """Makes or awaits room for an event of this size, as ``when_full`` says, and adds what it drops for it: the caller, who holds the
        lock, reports it. Returns whether the queue became full by it."""
        filled = False
        until = None if self.full_timeout is None else self._clock.monotonic() + self.full_timeout
        while True:
            if self._closed:
                raise ClosedError
            if len(self._queue) < self.queue_events and self._bytes + size <= self.queue_bytes:
                return filled
            if not self._queue:  # one that is larger than the queue
                raise QueueFullError
            if self.when_full == "drop_oldest":
                filled = self._fills() or filled
                item = self._queue.popleft()
                self._bytes -= len(item.json)
                self._stats.dropped += 1
                if not dropped:
                    self._reporting += 1  # close waits until the caller has reported them
                dropped.append(item)
                self._broadcast()
                continue
            # An event loop that waited for room would stand still, and could not be what makes it.
            if self.when_full == "refuse" or asyncio._get_running_loop() is not None or until is not None and self._clock.monotonic() >= until:
                raise QueueFullError
            self._clock.wait(self._changed, until)

    def _start(self) -> None:
        """Starts the thread that sends, with what an earlier run has left in the spool. The caller holds the lock."""
        if self._spool is not None:
            earlier = []
            for text, segment in self._spool.adopt():
                self._last += 1
                earlier.append(Item(text, self._last, self._clock.monotonic(), segment))
                self._bytes += len(text)
            self._stats.tracked += len(earlier)
            self._queue.extend(earlier)
        sender = Sender(self)
        try:
            sender.start()
        except RuntimeError as e:  # the program ends, and starts no threads any more
            self._log.error("nimbus: events cannot be sent: %s", e)
        else:
            self._sender = sender

    def _report_items(self, items: list[Item], why: Exception) -> None:
        """Reports events, and removes them from the spool. The caller counts them."""
        for item in items:
            self._report(read(json.loads(item.json)), why)
        if self._spool is not None:
            self._spool.settle([item.segment for item in items if item.segment is not None])

    def _report(self, what: Event | Operation, why: Exception) -> None:
        """Tells the program that an event will not be stored."""
        try:
            if isinstance(what, Event):
                if self.on_drop is not None:
                    self.on_drop(what, why)
            elif self.on_drop_operation is not None:
                self.on_drop_operation(what, why)
        except Exception:
            self._log.exception("nimbus: on_drop raised an error")

    # --- The end. ---

    def flush(self, timeout: float | None = None) -> None:
        """Sends everything tracked before the call, without waiting for more, and returns when the server has answered for each of these
        events. Refused events were reported to ``on_drop``; they are no error here.

        When the time, in seconds, is up first it raises an :class:`UndeliveredError`; the events stay queued, and the tracker goes on trying.
        """
        self._await(self._make_due(), timeout)

    async def flush_async(self, timeout: float | None = None) -> None:
        """``flush`` for a task: no thread waits."""
        await self._await_async(self._make_due(), timeout)

    def close(self, timeout: float | None = None) -> None:
        """Refuses new events, delivers those that wait, and ends the tracker.

        When the time, in seconds, is up first it gives up: it breaks off the request in flight, reports each event left to ``on_drop`` with a
        :class:`NotDeliveredError`, and raises an :class:`UndeliveredError` with their number. With a spool they are not dropped but stay in
        it, for the next tracker on the directory. Closing again returns when the first ``close`` has.
        """
        if not self._begin_close():
            with self._lock:
                # A signal handler that closes what its own thread closes must return, or neither would go on.
                while not self._ended and self._closer != threading.get_ident():
                    self._changed.wait()
            return
        left = 0
        try:
            self._await(self._last, timeout)
        except UndeliveredError:
            pass
        finally:
            left = self._end_close()
        if left:
            raise UndeliveredError(left, self._spool is not None)

    async def aclose(self, timeout: float | None = None) -> None:
        """``close`` for a task."""
        if not self._begin_close():
            await self._watch(lambda: self._ended, None)
            return
        left = 0
        try:
            await self._await_async(self._last, timeout)
        except UndeliveredError:
            pass
        finally:
            left = await asyncio.shield(asyncio.get_running_loop().run_in_executor(None, self._end_close))
        if left:
            raise UndeliveredError(left, self._spool is not None)

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Tracker:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _begin_close(self) -> bool:
        """Whether this is the first close."""
        with self._lock:
            if self._closed:
                return False
            self._closed = True
            self._closer = threading.get_ident()
            self._flush_to = self._last
            self._wake.notify()
            self._broadcast()  # callers that wait for room
            return True

    def _end_close(self) -> int:
        """Ends the thread and reports what is left, whose number it returns. Counted only now: the answer may have come while the request
        was broken off."""
        if self._sender is not None:
            self._sender.stop()
            self._sender.join(_GRACE)
        with self._lock:
            while self._reporting:
                self._changed.wait()
            if self._sender is not None:
                self._sender.abandoned = True  # if it is still there, what it learns comes too late
            left = sorted(self._in_flight + list(self._queue), key=lambda item: item.number)  # a batch is in flight kind by kind
            if self._spool is None:
                self._in_flight, self._bytes = [], 0
                self._queue.clear()
                self._stats.dropped += len(left)
        try:
            if self._spool is None:
                self._report_items(left, NotDeliveredError())
            else:
                self._spool.close()
        finally:
            _open.discard(self)
            with self._lock:
                self._ended = True
                self._broadcast()
        return len(left)


def _decoded(props: Any) -> Any:
    """A copy of props as they are sent."""
    raw = props_json(props)
    return None if raw is None else json.loads(raw)


_open: set[Tracker] = set()


@atexit.register
def _at_exit() -> None:
    """Delivers what waits when a program ends without closing its trackers."""
    for tracker in list(_open):
        try:
            tracker.close(tracker.exit_timeout)
        except UndeliveredError as e:
            tracker._log.error("nimbus: the program has ended: %s", e)


def _in_child() -> None:
    for tracker in list(_open):
        tracker._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
