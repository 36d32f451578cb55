"""What a tracker is made of."""

from __future__ import annotations

import logging
import os
import uuid
from dataclasses import dataclass
from typing import Callable, Optional, Union
from urllib.parse import urlsplit

from ._clock import Clock
from .event import Event, Operation
from .transport import Transport

# The limits of the server, and the least of flush_bytes and queue_bytes: the largest event has room in it.
_MAX_BATCH_EVENTS = 10_000
_MAX_BATCH_BYTES = 10 << 20
LEAST_BYTES = 64 << 10

_POLICIES = ("drop_oldest", "refuse", "block")


# Each comment says what the argument sets; and what it means not to set it. README.md has the same table, which a test compares.
@dataclass(repr=False, eq=False)
class Options:
    """The arguments of :class:`Tracker`. ``url``, ``project_id`` and one kind of credentials are required.

    The credentials are those of the project. ``key_id`` and ``secret`` together sign every request. ``secret`` alone is sent as it is, for
    networks that are trusted. ``write_key`` is for programs that users can take apart, in which a secret is no secret.
    """

    url: str  # the server, such as https://nimbus.example.com; required
    project_id: str  # the project's UUID; required
    key_id: str = ""  # the id of the key pair, nk_…, to sign each request with the secret; the secret is sent instead
    secret: str = ""  # the project's secret, ns_…; a write_key is required
    write_key: str = ""  # the project's public key, for programs that cannot keep a secret, nw_…; a secret is required
    flush_events: int = 500  # a batch is due at so many events, and has no more, up to 10,000 and queue_events; 500
    flush_bytes: int = 1 << 20  # the same in bytes, 64 KiB to 10 MiB and up to a third of queue_bytes; 1 MiB
    flush_interval: float = 1.0  # send an event after so many seconds, whatever else waits; 1
    queue_events: int = 10_000  # how many events may wait, besides those being sent; 10,000
    queue_bytes: int = 32 << 20  # how many bytes they may have, at least 64 KiB; 32 MiB
    when_full: str = "drop_oldest"  # what a call does when the queue is full: drop_oldest, refuse or block; drop_oldest
    full_timeout: Optional[float] = None  # how many seconds a call waits for room under block; for as long as it takes
    request_timeout: float = 30.0  # how many seconds one attempt may take; 30
    min_backoff: float = 0.2  # the longest first pause before another attempt in seconds, doubled each time; 0.2
    max_backoff: float = 30.0  # the longest pause of all in seconds; 30
    max_attempts: Optional[int] = None  # how often to try before giving events up; for as long as it takes
    compress_above: Optional[int] = 1 << 10  # compress bodies of more bytes than this, None for never; 1 KiB
    exit_timeout: float = 2.0  # how many seconds a program that ends without close waits for delivery, 0 for not at all; 2
    spool_dir: Union[str, "os.PathLike[str]", None] = None  # keeps undelivered events in this directory, by project; there is no spool
    spool_sync: float = 1.0  # how often in seconds the spool is forced to disk, 0 for before each call returns; 1
    quiet: bool = False  # log what a call refuses, instead of raising it: nothing that is tracked can break the program; it is raised
    debug: bool = False  # log what is taken, with all it says, and what is stored, at level INFO; only failures are logged
    before_send: Optional[Callable[[Event], Optional[Event]]] = None  # returns the event to send, or None to drop it; all are sent as they are
    before_send_operation: Optional[Callable[[Operation], Optional[Operation]]] = None  # the same for operations; all are sent as they are
    on_drop: Optional[Callable[[Event, Exception], None]] = None  # gets each event that will not be stored, with the reason; they are only logged
    on_drop_operation: Optional[Callable[[Operation, Exception], None]] = None  # the same for operations; they are only logged
    logger: Optional[logging.Logger] = None  # gets failures and losses, and no event; the logger "nimbus"
    transport: Optional[Transport] = None  # sends the requests; one of the standard library, with the proxies of the environment
    clock: Optional[Clock] = None  # the time; the real one

    def __post_init__(self) -> None:
        """Checks the options, and raises a ValueError that names every mistake."""
        bad: list[str] = []
        self.url = str(self.url).rstrip("/")
        if not _is_server(self.url):
            bad.append(f"url {self.url!r} is not the http or https URL of a server")
        try:
            self.project_id = str(uuid.UUID(str(self.project_id)))
        except ValueError:
            bad.append(f"project_id {self.project_id!r} is not a UUID")
        if self.write_key and (self.key_id or self.secret):
            bad.append("there are a write_key and a key_id or secret; one of them is needed")
        elif not self.write_key and not self.secret:
            bad.append("there are no credentials: give key_id and secret, or secret, or write_key")
        if not 1 <= self.flush_events <= _MAX_BATCH_EVENTS:
            bad.append(f"flush_events {self.flush_events} is not 1 to {_MAX_BATCH_EVENTS}")
        if not LEAST_BYTES <= self.flush_bytes <= _MAX_BATCH_BYTES:
            bad.append(f"flush_bytes {self.flush_bytes} is not {LEAST_BYTES} to {_MAX_BATCH_BYTES}")
        if self.queue_events < 1:
            bad.append(f"queue_events {self.queue_events} is not positive")
        if self.queue_bytes < LEAST_BYTES:
            bad.append(f"queue_bytes {self.queue_bytes} is less than {LEAST_BYTES}, in which the largest event has room")
        if self.when_full not in _POLICIES:
            bad.append(f"when_full {self.when_full!r} is none of {', '.join(_POLICIES)}")
        for name in ("flush_interval", "full_timeout", "request_timeout", "min_backoff", "exit_timeout", "spool_sync"):
            if (getattr(self, name) or 0) < 0:
                bad.append(f"{name} is negative")
        if self.max_backoff < self.min_backoff:
            bad.append("max_backoff is below min_backoff")
        if self.max_attempts is not None and self.max_attempts < 1:
            bad.append(f"max_attempts {self.max_attempts} is not positive")
        if bad:
            raise ValueError("; ".join(bad))
        # A queue that is full must be due: in the other two thirds the largest event has room.
        self.flush_events = min(self.flush_events, self.queue_events)
        self.flush_bytes = min(self.flush_bytes, self.queue_bytes // 3)


def _is_server(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.query and not parts.fragment and parts.port != 0
    except ValueError:
        return False
