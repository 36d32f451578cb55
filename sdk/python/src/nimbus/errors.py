"""What goes wrong: errors of calls, and the reasons that ``on_drop`` gets."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http.client import responses as reasons
from typing import Any, Mapping, Sequence

# The longest wait that a server, or whatever answers in its place, can make us keep, in seconds.
_LONGEST_RETRY_AFTER = 600


class NimbusError(Exception):
    """Every error of this package."""


@dataclass(frozen=True)
class FieldError:
    """What is wrong with one field."""

    pointer: str
    """JSON pointer (RFC 6901) of the field; of a parameter, / and its name."""
    code: str
    """Stable and documented."""
    detail: str
    """What the field must be."""
    place: str = ""
    """Where a field of a request is: body, query, path or header."""
    index: int | None = None
    """The position of the event in its batch."""

    @classmethod
    def _read(cls, raw: Mapping[str, Any]) -> FieldError:
        index = raw.get("index")
        return cls(str(raw.get("pointer", "")), str(raw.get("code", "")), str(raw.get("detail", "")), str(raw.get("in", "")),
                   index if isinstance(index, int) else None)


class RejectedError(NimbusError, ValueError):
    """An event or an operation that will never be stored. The pointers of ``fields`` begin at the event: ``/name``."""

    def __init__(self, fields: Sequence[FieldError]) -> None:
        self.fields = tuple(fields)
        super().__init__("refused: " + "; ".join(f"{f.pointer} {f.detail}".strip() for f in self.fields))


class QueueFullError(NimbusError):
    """There was no room: for the new event, or under ``drop_oldest`` for the oldest."""

    def __init__(self) -> None:
        super().__init__("the queue is full")


class ClosedError(NimbusError):
    """The tracker was closed before the call."""

    def __init__(self) -> None:
        super().__init__("the tracker is closed")


class NotDeliveredError(NimbusError):
    """The tracker was closed, and its time was up, before the server had answered for the event.

    It may have been stored all the same, if only the answer was missing.
    """

    def __init__(self) -> None:
        super().__init__("the tracker was closed before the event was delivered")


class BeforeSendError(NimbusError):
    """``before_send`` or ``before_send_operation`` returned nothing, or raised the error that is the ``__cause__``."""

    def __init__(self, cause: Exception | None = None) -> None:
        self.__cause__ = cause
        super().__init__("dropped before it was sent, by the program" if cause is None else f"dropped, because before_send raised {cause!r}")


class GivenUpError(NimbusError):
    """The last of ``max_attempts`` failed; ``__cause__`` is how."""


class SpoolError(NimbusError):
    """The spool could not keep an event, which is then refused."""


class UndeliveredError(NimbusError):
    """``flush`` or ``close`` ended before everything was delivered."""

    def __init__(self, count: int, spooled: bool) -> None:
        self.count = count
        """How many events and operations."""
        self.spooled = spooled
        """They are in the spool, and the next tracker on it sends them."""
        left = "are not delivered yet and stay in the spool" if spooled else "are not delivered"
        super().__init__(f"{count} events {left}")


class APIError(NimbusError):
    """An answer other than a success: the problem document (RFC 9457) that the server wrote. Switch on ``code``.

    An answer that Nimbus did not write, such as the page of a proxy, has its status, an empty ``code``, and the beginning of what was
    answered, or where it redirects to, as ``detail``. What tells them apart is that Nimbus answers with a problem document
    (``Content-Type: application/problem+json``) that has a code.
    """

    def __init__(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """Reads an answer. The names of headers are in lower case."""
        problem = _problem(headers, body)
        self.status = status
        """Of HTTP."""
        self.code = str(problem.get("code", ""))
        """Stable and documented; empty in an answer of something else."""
        self.type = str(problem.get("type", ""))
        """A link to the description of the code."""
        self.title = str(problem.get("title", "")) or reasons.get(status, "")
        """The kind of error, the same for every error of this code."""
        self.detail = str(problem.get("detail", ""))
        """What went wrong this time, and what to do."""
        self.request_id = str(problem.get("request_id", "")) or headers.get("x-request-id", "")
        """For asking the operator."""
        self.errors = _field_errors(problem)
        """Every bad field."""
        self.problem = problem
        """The whole document, such as ``version`` of ``version_conflict``; empty in an answer of something else."""
        self.server_time = _date(headers.get("date", ""))
        """The server's clock; None when it does not say."""
        self.retry_after = _retry_after(headers.get("retry-after", ""), self.server_time or datetime.now(timezone.utc))
        """How many seconds the server asks to wait, 600 at most; 0 when it does not say."""
        if not self.code:
            to = headers.get("location", "")
            self.detail = f"redirected to {to}" if to else body[:200].decode("utf-8", "ignore")
        super().__init__(self._text())

    def _text(self) -> str:
        text = f"{self.status} {self.code or self.title}"
        if self.detail:
            text += ": " + self.detail
        shown = 3
        for f in self.errors[:shown]:
            text += f"; {f.pointer} {f.detail}"
        if len(self.errors) > shown:
            text += f"; and {len(self.errors) - shown} more"
        return text + (f" (request {self.request_id})" if self.request_id else "")

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later: after a 408, a 429, a 5xx, and any answer that Nimbus did not write.

        An ingress answers 404 while a server is deployed, a firewall 403, a login proxy 401.
        """
        return not self.code or not 400 <= self.status < 500 or self.status in (408, 429)

    @property
    def _final(self) -> bool:
        """Whether a retry is useless. A 413 is final from a proxy too: it would refuse the same events again, and they would
        block all others."""
        return not self.temporary or self.status == 413


def _problem(headers: Mapping[str, str], body: bytes) -> dict[str, Any]:
    if headers.get("content-type", "").partition(";")[0].strip().lower() != "application/problem+json":
        return {}
    try:
        problem = json.loads(body)
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) and problem.get("code") and isinstance(problem["code"], str) else {}


def _field_errors(answer: Mapping[str, Any]) -> tuple[FieldError, ...]:
    errors = answer.get("errors")
    return tuple(FieldError._read(e) for e in errors if isinstance(e, dict)) if isinstance(errors, list) else ()


def _date(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError):  # 3.9 raises TypeError for what it cannot read
        return None
    return at if at.tzinfo else at.replace(tzinfo=timezone.utc)


def _retry_after(value: str, now: datetime) -> float:
    """Reads the header: seconds, or a date, which proxies send and which is compared with the clock of the same answer."""
    if value.isascii() and value.isdigit():
        return float(_LONGEST_RETRY_AFTER if len(value.lstrip("0")) > 3 else min(int(value), _LONGEST_RETRY_AFTER))
    at = _date(value)
    return max(0.0, min((at - now).total_seconds(), _LONGEST_RETRY_AFTER)) if at else 0.0
