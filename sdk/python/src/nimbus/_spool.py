"""A log of the events of a project that wait, for the next run of the program.

It consists of segments: files that are only appended to, and are removed when the last of their events is settled. A segment is a line that
names the format, and a line for each event: its CRC-32 in hex, a blank, its JSON. Whoever has a segment holds its lock (flock), which ends
with the process at the latest. So any number of processes, such as the workers of a web server, share a directory, and a tracker takes up
the segments that nobody holds.

A crash may tear the last line of a segment; reading stops there. An event that was settled in a segment that was not yet removed is sent
again by the next run, which its idempotency key makes harmless.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import threading
import time
import zlib
from pathlib import Path
from typing import Iterable

try:
    import fcntl
except ImportError:  # no flock, as on Windows
    fcntl = None  # type: ignore[assignment]

_HEAD = b"nimbus-events 1\n"
_SEGMENT_BYTES = 1 << 20  # a full segment; the most that is sent again for one event
_SUFFIX = ".events"
_CHECKSUM = 9  # characters of the CRC-32 and the blank


class Segment:
    """A file of the spool that this process holds."""

    __slots__ = ("path", "fd", "size", "left")

    def __init__(self, path: Path, fd: int) -> None:
        self.path = path
        self.fd = fd
        self.size = 0
        self.left = 0  # events not settled


class Spool:
    """It is safe for concurrent use. Every method may raise OSError."""

    def __init__(self, directory: Path, sync: float, log: logging.Logger) -> None:
        if fcntl is None:
            raise OSError("a spool needs file locks (flock), which this platform does not have")
        self._dir = directory  # of one project: a segment does not say whose events it has
        self._sync = sync
        self._log = log
        self._lock = threading.Lock()
        self._held: set[Segment] = set()
        self._current: Segment | None = None
        self._timer: threading.Timer | None = None
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def adopt(self) -> list[tuple[bytes, Segment]]:
        """Takes up the segments that nobody holds, and returns their events, oldest first."""
        found = []
        for name in sorted(os.listdir(self._dir)):  # a name begins with the time
            if not name.endswith(_SUFFIX):
                continue
            segment = _hold(self._dir / name)
            if segment is None:
                continue
            events, torn = _events(segment.path.read_bytes())
            if torn:
                self._log.warning("nimbus: the end of a spool segment is torn, as by a crash: %d bytes of %s", torn, segment.path)
            segment.left = len(events)
            with self._lock:
                self._held.add(segment)
                if not events:
                    self._remove(segment)
            found += [(e, segment) for e in events]
        return found

    def append(self, event: bytes) -> Segment:
        """Writes an event. After an error it is not in the spool."""
        line = b"%08x %s\n" % (zlib.crc32(event), event)
        with self._lock:
            segment = self._current
            if segment is None or segment.size >= _SEGMENT_BYTES:
                segment = self._current = self._start()
            try:
                _write(segment.fd, line)
                if not self._sync:
                    os.fsync(segment.fd)
            except OSError:
                self._current = None  # behind half a line nothing could be read again
                os.ftruncate(segment.fd, segment.size)
                raise
            segment.size += len(line)
            segment.left += 1
            if self._sync and self._timer is None:
                self._timer = threading.Timer(self._sync, self._flush)
                self._timer.daemon = True
                try:
                    self._timer.start()
                except RuntimeError:  # the program ends, and starts no threads any more
                    self._timer = None
                    os.fsync(segment.fd)
            return segment

    def settle(self, segments: Iterable[Segment]) -> None:
        """Forgets an event of each of these segments. A segment without others is removed."""
        with self._lock:
            for segment in segments:
                segment.left -= 1
                if not segment.left:
                    if segment is self._current:
                        self._current = None
                    self._remove(segment)

    def close(self) -> None:
        """Forces everything to disk and lets others have it."""
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            for segment in self._held:
                os.fsync(segment.fd)
                os.close(segment.fd)
            self._held.clear()
            self._current = None

    def leave_to_parent(self) -> None:
        """In a process that was forked: lets go of the files, whose locks the parent keeps."""
        for segment in self._held:
            os.close(segment.fd)
        self._held = set()

    def _start(self) -> Segment:
        """Starts a segment. It gets its name when it is locked, or another process could take it up, and its name is on disk before its
        first event."""
        path = self._dir / f"{time.time_ns():020d}-{secrets.token_hex(4)}{_SUFFIX}"
        unnamed = path.with_suffix(".new")
        segment = Segment(path, os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600))
        try:
            fcntl.flock(segment.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(segment.fd, _HEAD)
            os.rename(unnamed, path)
            folder = os.open(self._dir, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            os.close(segment.fd)
            unnamed.unlink(missing_ok=True)
            raise
        segment.size = len(_HEAD)
        self._held.add(segment)
        return segment

    def _remove(self, segment: Segment) -> None:
        try:
            os.unlink(segment.path)
        except OSError as e:
            self._log.error("nimbus: a spool segment stays; its events will be sent again, and stored once: %s", e)
        self._held.discard(segment)
        os.close(segment.fd)

    def _flush(self) -> None:
        """Forces to disk what was written since the last time, without making anybody wait who appends."""
        with self._lock:
            self._timer = None
            if self._current is None:
                return
            fd = os.dup(self._current.fd)
        try:
            os.fsync(fd)
        except OSError as e:
            self._log.error("nimbus: the spool cannot be forced to disk: %s", e)
        finally:
            os.close(fd)


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data):]


def _hold(path: Path) -> Segment | None:
    """Locks a segment. None when somebody else holds it, or has removed it meanwhile."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.path.samestat(os.fstat(fd), os.stat(path)):
            return Segment(path, fd)
    except (BlockingIOError, FileNotFoundError):
        pass
    os.close(fd)
    return None


def _events(raw: bytes) -> tuple[list[bytes], int]:
    """The whole events of a segment, and how many bytes behind them are none."""
    if not raw.startswith(_HEAD):
        return [], len(raw)
    events = []
    at = len(_HEAD)
    while at < len(raw):
        end = raw.find(b"\n", at)
        event = raw[at + _CHECKSUM:end]
        # The checksum finds what a crash tore; bytes of another program must not break the batch they are sent in.
        if end < 0 or raw[at:at + _CHECKSUM] != b"%08x " % zlib.crc32(event) or not _is_json(event):
            break
        events.append(event)
        at = end + 1
    return events, len(raw) - at


def _is_json(event: bytes) -> bool:
    try:
        return isinstance(json.loads(event), dict)
    except ValueError:
        return False
