"""Waiting for what is queued, as a thread and as a task."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from typing import Callable

from ._clock import Clock
from ._items import Item
from ._spool import Spool
from .errors import UndeliveredError


class Waiting:
    """The part of a tracker that waits. ``_lock`` guards all of it."""

    _clock: Clock
    _lock: threading.RLock  # a signal handler may track while its thread tracks
    _wake: threading.Condition  # the sender should look again
    _changed: threading.Condition  # events have left
    _watchers: list[Callable[[], None]]  # called with it, for tasks
    _queue: deque[Item]  # oldest first
    _in_flight: list[Item]  # being sent; older than the queue
    _last: int  # number of the newest event
    _flush_to: int  # events up to this number are due now
    _spool: Spool | None

    def _broadcast(self) -> None:
        """Wakes all who wait for room or for delivery. The caller holds the lock."""
        self._changed.notify_all()
        for wake in self._watchers:
            wake()

    def _make_due(self) -> int:
        with self._lock:
            self._flush_to = max(self._flush_to, self._last)
            self._wake.notify()
            return self._last

    def _left(self, number: int) -> int:
        """How many events up to this number wait."""
        with self._lock:
            if not self._in_flight and (not self._queue or self._queue[0].number > number):
                return 0
            return sum(i.number <= number for i in self._in_flight) + sum(i.number <= number for i in self._queue)

    def _await(self, number: int, timeout: float | None) -> None:
        """Waits until no event up to this number waits any more."""
        until = None if timeout is None else self._clock.monotonic() + timeout
        with self._lock:
            while True:
                left = self._left(number)
                if not left:
                    return
                if until is not None and self._clock.monotonic() >= until:
                    raise UndeliveredError(left, self._spool is not None)
                self._clock.wait(self._changed, until)

    async def _await_async(self, number: int, timeout: float | None) -> None:
        if not await self._watch(lambda: not self._left(number), timeout):
            left = self._left(number)
            if left:
                raise UndeliveredError(left, self._spool is not None)

    async def _watch(self, over: Callable[[], bool], timeout: float | None) -> bool:
        """Waits until it is so, or the time is up."""
        loop = asyncio.get_running_loop()
        changed = asyncio.Event()

        def wake() -> None:
            try:
                loop.call_soon_threadsafe(changed.set)
            except RuntimeError:
                pass  # the loop has ended

        async def wait() -> None:
            while not over():
                await changed.wait()
                changed.clear()

        with self._lock:
            self._watchers.append(wake)
        try:
            await asyncio.wait_for(wait(), timeout)
        except asyncio.TimeoutError:
            return False
        finally:
            with self._lock:
                self._watchers.remove(wake)
        return True
