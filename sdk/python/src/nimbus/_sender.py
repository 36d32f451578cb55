"""The thread that delivers the batches of one tracker."""

from __future__ import annotations

import gzip
import json
import random
import threading
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple, Sequence

from ._options import LEAST_BYTES
from ._sign import signature_headers
from ._version import USER_AGENT
from .errors import APIError, FieldError, GivenUpError, NimbusError, RejectedError, _field_errors
from .transport import HTTPTransport, Request

if TYPE_CHECKING:
    from ._items import Item
    from .tracker import Tracker

_MAX_OPERATIONS = 1000  # of a request


class _Kind(NamedTuple):
    """What a request carries: of either, only its own."""

    path: str
    code: str  # of the problem that names what is wrong with each of them
    noun: str


_EVENTS = _Kind("/v1/events", "all_events_rejected", "events")
_OPERATIONS = _Kind("/v1/people/operations", "all_operations_rejected", "operations")


class _Result(NamedTuple):
    duplicates: int
    errors: Sequence[FieldError]


class Sender(threading.Thread):
    """It ends when the tracker is closed and empty, or with ``stop``."""

    def __init__(self, tracker: Tracker) -> None:
        super().__init__(name="nimbus", daemon=True)
        self.abandoned = False  # close has reported what was in flight; guarded by the tracker's lock
        self._tracker = tracker
        self._clock = tracker._clock
        self._transport = HTTPTransport() if tracker.transport is None else tracker.transport
        self._log = tracker._log
        self._stopping = False
        self._limit = tracker.flush_bytes  # bytes of a body; less than configured once the server has found one too large
        self._skew = 0.0  # the server's clock minus ours in seconds, as far as it has said
        self._plain = False  # something on the way does not take compressed bodies

    def stop(self) -> None:
        with self._tracker._lock:
            self._stopping = True
            self._tracker._wake.notify_all()
        cancel = getattr(self._transport, "cancel", None)
        if cancel is not None and self.is_alive() and self._tracker.transport is None:
            cancel()

    def run(self) -> None:
        while True:
            batch = self._next()
            if not batch:
                break
            for items in _by_kind(batch):
                if self._stopping:  # else the one before may be in flight still, and they are settled in order
                    break
                try:
                    self._deliver(items)
                except Exception as e:  # a mistake of ours must not end the thread, which would lose every later event in silence
                    self._log.exception("nimbus: a batch could not be sent")
                    self._settle(items, (), e, 0)
        if isinstance(self._transport, HTTPTransport):
            self._transport.close()

    def _next(self) -> list[Item]:
        """Waits for a batch that is due and takes it from the queue. Returns none when the tracker is closed and empty."""
        t = self._tracker
        with t._lock:
            while not self._stopping:
                until = None
                if t._queue:
                    front = t._queue[0]
                    until = front.queued + t.flush_interval
                    if (front.number <= t._flush_to or len(t._queue) >= t.flush_events or t._bytes >= self._limit
                            or self._clock.monotonic() >= until):
                        return self._take()
                elif t._closed:
                    return []
                self._clock.wait(t._wake, until)
        return []

    def _take(self) -> list[Item]:
        """Moves the oldest items from the queue to those in flight: as many as a request may carry, at least one. There they are kind by
        kind, the one first that was there first: so a program that always tracks both sends two requests and not one for each item. The
        order of operations among events means nothing to the server, which goes by their time. The caller holds the lock."""
        t = self._tracker
        taken: list[Item] = []
        size = len(_head(_OPERATIONS, t.project_id)) + len(_TAIL)
        while t._queue and len(taken) < t.flush_events:
            size += len(t._queue[0].json) + 1
            if taken and size > self._limit:
                break
            item = t._queue.popleft()
            t._bytes -= len(item.json)
            taken.append(item)
        first = taken[0].is_operation
        taken.sort(key=lambda item: item.is_operation != first)
        t._in_flight = taken
        t._full = False
        t._broadcast()  # there is room
        return list(taken)

    def _deliver(self, items: list[Item]) -> None:
        """Sends the items until the server has answered for each, or it is stopped. Settled items leave those in flight."""
        try:
            result = self._attempts(items)
        except APIError as e:
            kind = _kind_of(items)
            if e.status == 413 and len(items) > 1:
                half = len(items) // 2
                self._log.warning("nimbus: the batch of %d %s is too large, so it is sent in halves: %s", len(items), kind.noun, e)
                self._limit = min(self._limit, max(sum(len(i.json) for i in items) // 2, LEAST_BYTES))
                self._deliver(items[:half])
                if not self._stopping:  # else the first half may be in flight still, and halves are settled in order
                    self._deliver(items[half:])
            else:
                self._settle(items, e.errors if e.code == kind.code else (), e, 0)
        except NimbusError as e:
            self._settle(items, (), e, 0)
        else:
            if result is not None:  # else they stay in flight, and close reports them
                self._settle(items, result.errors, None, result.duplicates)

    def _settle(self, items: list[Item], errors: Sequence[FieldError], lost: Exception | None, duplicates: int) -> None:
        """Reports the refused and the lost items and takes all of them from those in flight. Items with errors are rejected; the others are
        delivered or, where they are lost, dropped."""
        t = self._tracker
        with t._lock:
            if self.abandoned:
                return
        fields: dict[int, list[FieldError]] = {}
        noun = _kind_of(items).noun
        for e in errors:
            if e.index is None or not 0 <= e.index < len(items):
                continue  # not of an event, or not an answer of Nimbus
            prefix = f"/{noun}/{e.index}"
            pointer = e.pointer[len(prefix):] if e.pointer.startswith(prefix) else e.pointer
            fields.setdefault(e.index, []).append(FieldError(pointer, e.code, e.detail))
        bad = {k: RejectedError(f) for k, f in fields.items()}
        stored = []
        for k, item in enumerate(items):
            why = bad.get(k) or lost
            if why is None:
                stored.append(item)
            else:
                t._report_items([item], why)
        self._log_settled(noun, len(items), bad, lost)
        if t._spool is not None:
            t._spool.settle([i.segment for i in stored if i.segment is not None])
        with t._lock:
            if self.abandoned:
                return
            t._stats.rejected += len(bad)
            if lost is None:
                t._stats.delivered += len(items) - len(bad)
                t._stats.duplicates += duplicates
            else:
                t._stats.dropped += len(items) - len(bad)
            t._in_flight = t._in_flight[len(items):]  # halves are settled in order
            t._broadcast()

    def _log_settled(self, noun: str, count: int, bad: dict[int, RejectedError], lost: Exception | None) -> None:
        if lost is not None:
            self._log.error("nimbus: %d %s will not be stored: %s", count, noun, lost)
        elif bad:
            self._log.error("nimbus: %d of %d %s will not be stored: %s", len(bad), count, noun, bad[min(bad)])
        stored = 0 if lost is not None else count - len(bad)
        if self._tracker.debug and stored:
            self._log.info("nimbus: %d %s stored", stored, noun)

    def _attempts(self, items: list[Item]) -> _Result | None:
        """Sends the items as one batch and retries until the answer is a success or final. None when it is stopped. Raises an APIError, or a
        GivenUpError after the last attempt."""
        t = self._tracker
        body, encoding = self._body(items)
        bound = t.min_backoff
        corrected = False
        attempt = 0
        while True:
            attempt += 1
            wait = random.uniform(0, bound)  # full jitter: clients that failed at the same moment must not retry at the same moment
            try:
                return self._attempt(items, body, encoding, attempt > 1)
            except APIError as e:
                failure: Exception = e
                if e.status == 415 and encoding:
                    self._plain = True
                    body, encoding = self._body(items)
                    self._log.warning("nimbus: compressed bodies are not taken, so they are sent plain: %s", e)
                    continue
                if e._final:
                    if e.code != "stale_timestamp" or corrected or e.server_time is None:
                        raise
                    corrected = True  # if that does not help, nothing will
                    self._skew = (e.server_time - datetime.fromtimestamp(self._clock.time(), timezone.utc)).total_seconds()
                    self._log.warning("nimbus: the clock of this machine is wrong by %.0f s; signing by the server's", self._skew)
                    continue
                if e.retry_after:
                    wait = e.retry_after + random.uniform(0, t.min_backoff)
            except Exception as e:  # whatever a transport raises: there is no answer
                failure = e
            if self._stopping:
                return None
            noun = _kind_of(items).noun
            if t.max_attempts is not None and attempt >= t.max_attempts:
                if isinstance(failure, APIError):
                    raise failure
                raise GivenUpError(f"given up after {attempt} attempts: {failure!r}") from failure
            bound = min(2 * bound, t.max_backoff)
            self._log.warning("nimbus: %d %s are not delivered yet; attempt %d failed, again in %.1f s: %s",
                              len(items), noun, attempt, wait, failure or repr(failure))
            if not self._pause(wait):
                return None

    def _pause(self, seconds: float) -> bool:
        """Whether it has passed without a stop."""
        until = self._clock.monotonic() + seconds
        with self._tracker._lock:
            while not self._stopping and self._clock.monotonic() < until:
                self._clock.wait(self._tracker._wake, until)
            return not self._stopping

    def _body(self, items: list[Item]) -> tuple[bytes, str]:
        """Encodes the items as a request body. It is made once, so that every attempt sends the same bytes; only after a 415 it is made
        again, without compression."""
        t = self._tracker
        body = _head(_kind_of(items), t.project_id) + b",".join([i.json for i in items]) + _TAIL
        if self._plain or t.compress_above is None or len(body) <= t.compress_above:
            return body, ""
        return gzip.compress(body, 1, mtime=0), "gzip"

    def _attempt(self, items: list[Item], body: bytes, encoding: str, again: bool) -> _Result:
        """Sends a body once and reads the answer."""
        t = self._tracker
        kind = _kind_of(items)
        headers = {"Content-Type": "application/json", "User-Agent": USER_AGENT}
        if encoding:
            headers["Content-Encoding"] = encoding
        if t.write_key:
            headers["X-Write-Key"] = t.write_key
        elif not t.key_id:
            headers["X-Api-Key"] = t.secret
        else:
            headers.update(signature_headers(t.key_id, t.secret, self._clock.time() + self._skew, "POST", kind.path, body))
        with t._lock:
            t._stats.requests += 1
            t._stats.retries += again
        response = self._transport(Request("POST", t.url + kind.path, headers, body, t.request_timeout))
        if response.status != 200:
            raise APIError(response.status, response.headers, response.body)
        try:
            answer = json.loads(response.body)
            duplicates = int(answer["duplicates"])
            if int(answer["accepted"]) + duplicates + int(answer.get("rejected", 0)) == len(items):
                return _Result(duplicates, _field_errors(answer))
        except (ValueError, TypeError, KeyError, AttributeError):
            pass
        # Something else than Nimbus answered, and whether the events are stored is not known: they are sent again.
        raise ConnectionError(f"a 200 that does not account for {len(items)} {kind.noun}: {response.body[:200]!r}")


_TAIL = b"]}"


def _head(kind: _Kind, project_id: str) -> bytes:
    return b'{"project_id":"%s","%s":[' % (project_id.encode(), kind.noun.encode())


def _kind_of(items: list[Item]) -> _Kind:
    return _OPERATIONS if items[0].is_operation else _EVENTS


def _by_kind(items: list[Item]) -> list[list[Item]]:
    """Cuts items, which are sorted by kind, into what one request may carry."""
    batches: list[list[Item]] = []
    for item in items:
        last = batches[-1] if batches else None
        if last and last[0].is_operation == item.is_operation and (not item.is_operation or len(last) < _MAX_OPERATIONS):
            last.append(item)
        else:
            batches.append([item])
    return batches
