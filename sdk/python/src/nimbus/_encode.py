"""Writes events and operations as the server reads them, and names whatever it would surely refuse.

What only the server can judge, such as its clock, is left to it. testvectors/verdicts.json and operations.json hold both sides to the
same rules.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Set
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from .errors import FieldError, RejectedError
from .event import Event, Operation

MAX_CHARS = 200
MAX_TYPE = 64
MAX_NAMES = 100
MAX_PROPS = 32 << 10
MAX_DEPTH = 8
_EARLIEST = datetime(1971, 1, 1, tzinfo=timezone.utc)

# An operation begins with it wherever it is kept: it tells it from an event, which begins with its name.
OPERATION_HEAD = b'{"op":'

# Ids that many people have: what programs write when there is none. The server has the same list, and testvectors/junk.json holds
# both to it.
JUNK = frozenset((
    "", "null", "(null)", "<null>", "nil", "<nil>", "none", "undefined", "nan", "na", "n/a", "unknown", "not set", "(not set)",
    "anon", "anonymous", "guest", "user", "system", "backend", "not_authenticated", "unidentified",
    "id", "user_id", "userid", "anonymous_id", "distinct_id", "distinctid", "email",
    "0", "-1", "true", "false", "[]", "{}", "[object object]",
    "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
))
JUNK_DETAIL = "is what programs send when they have no id, so it names nobody"

_WITH_VALUES = ("set", "set_once", "add", "append", "union", "remove")


class Refusal:
    """Collects what is wrong with an event."""

    def __init__(self) -> None:
        self.fields: list[FieldError] = []

    def add(self, pointer: str, code: str, detail: str) -> None:
        self.fields.append(FieldError(pointer, code, detail))

    def check(self) -> None:
        if self.fields:
            raise RejectedError(self.fields)


def nobody(value: object) -> bool:
    """Whether an id is none."""
    return value is None or (value if isinstance(value, str) else str(value)).strip().lower() in JUNK


def names_nobody(pointer: str) -> RejectedError:
    return RejectedError([FieldError(pointer, "nobody", JUNK_DETAIL)])


def _plain(value: Any) -> Any:
    """What JSON has in place of what it does not have."""
    if isinstance(value, datetime):
        return time_text(value) if value.tzinfo else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Set):
        return list(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
    raise TypeError(f"a {type(value).__name__} has no JSON")


_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain)
_SURROGATE = re.compile("[\ud800-\udfff]")


def encode(value: Any) -> bytes:
    """Writes JSON. Halves of surrogate pairs, which no UTF-8 has, become U+FFFD."""
    text = _encoder.encode(value)
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _SURROGATE.sub("\ufffd", text).encode()


def time_text(ts: datetime) -> str:
    return ts.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")


def event_json(e: Event) -> bytes:
    bad = Refusal()
    if isinstance(e.name, str):
        _check_text(bad, "/name", e.name, no_control=True)
    else:
        bad.add("/name", "type", "must be a string")
    parts = [b'{"name":', encode(e.name) if isinstance(e.name, str) else b'""']
    _ts(parts, bad, e.ts)
    _ids(parts, bad, e)
    if not isinstance(e.seq, int) or isinstance(e.seq, bool):
        bad.add("/seq", "type", "must be an integer")
    elif e.seq < 0:
        bad.add("/seq", "minimum", "must be at least 0")
    elif e.seq:
        parts.append(b',"seq":%d' % e.seq)
    _props(parts, bad, e.props)
    bad.check()
    parts.append(b"}")
    return b"".join(parts)


def operation_json(o: Operation) -> bytes:
    bad = Refusal()
    user, anonymous = (_text_id(v) for v in (o.user_id, o.anonymous_id))
    _check_subject(bad, o, user, anonymous)
    parts = [OPERATION_HEAD, encode(o.op)]
    _ts(parts, bad, o.ts)
    _ids(parts, bad, o)
    if o.group:
        parts.append(b',"group":' + encode({"type": o.group[0], "key": _text_id(o.group[1])}))
    start = len(parts)
    _props(parts, bad, o.props)
    _check_op(bad, o, len(parts) > start or o.props is not None)
    for name in o.names:
        _check_text(bad, "/names", name)
    if o.names:
        parts.append(b',"names":' + encode(list(o.names)))
    bad.check()
    parts.append(b"}")
    return b"".join(parts)


def props_json(props: Any) -> bytes | None:
    """Props as JSON, None when there are none."""
    bad = Refusal()
    parts: list[bytes] = []
    _props(parts, bad, props)
    bad.check()
    return parts[0][len(b',"props":'):] if parts else None


def members(props: Any) -> Any:
    """Props as a mapping where they are one, or a dataclass; what is neither stays as it is, and is refused for it."""
    if dataclasses.is_dataclass(props) and not isinstance(props, type):
        return _plain(props)
    return props


def _ts(parts: list[bytes], bad: Refusal, ts: datetime | None) -> None:
    try:
        if ts is None or ts.tzinfo is None:
            raise ValueError
        text = time_text(ts)
        if ts < _EARLIEST:
            bad.add("/ts", "minimum", "must not be before 1971-01-01T00:00:00Z")
        parts.append(b',"ts":"%s"' % text.encode())
    except (AttributeError, OverflowError, TypeError, ValueError):
        bad.add("/ts", "format", "must be a datetime with a time zone, such as datetime.now(timezone.utc)")


def _ids(parts: list[bytes], bad: Refusal, what: Event | Operation) -> None:
    for member in ("user_id", "anonymous_id", "idempotency_key"):
        value = getattr(what, member)
        if value is None or value == "":
            continue
        text = _text_id(value)
        if text is None:
            bad.add("/" + member, "type", "must be a string, a whole number or a UUID")
            continue
        _check_text(bad, "/" + member, text)
        parts.append(b',"%s":%s' % (member.encode(), encode(text)))


def _text_id(value: Any) -> str | None:
    """The text of an id; None when it can be no id."""
    if isinstance(value, str):
        return value.value if isinstance(value, Enum) else value
    return str(value) if isinstance(value, (int, UUID)) and not isinstance(value, bool) else None


def _check_text(bad: Refusal, pointer: str, text: str, no_control: bool = False) -> None:
    """Holds a name or an id to its rules."""
    _check_length(bad, pointer, text, MAX_CHARS)
    found = (_CONTROL if no_control else _NUL).search(text)
    if found and found[0] == "\0":
        bad.add(pointer, "nul_character", "must not contain the character U+0000")
    elif found:
        bad.add(pointer, "control_character", "must not contain control characters")


_CONTROL = re.compile("[\0-\x1f\x7f-\x9f]")
_NUL = re.compile("\0")


def _check_length(bad: Refusal, pointer: str, text: str, most: int) -> None:
    if not 1 <= len(text) <= most:
        bad.add(pointer, "length", f"must be 1 to {most} characters long")


def _props(parts: list[bytes], bad: Refusal, props: Any) -> None:
    """Appends the member props, unless there are none."""
    if props is None:
        return
    props = members(props)
    if not isinstance(props, Mapping):
        bad.add("/props", "type", "must be an object")
        return
    try:
        raw = encode(props)
    except RecursionError:
        bad.add("/props", "too_deep", f"must be nested at most {MAX_DEPTH} levels deep")
        return
    except Exception as e:  # also what the program's own mappings raise
        bad.add("/props", "type", f"cannot be encoded: {e}")
        return
    if len(raw) > MAX_PROPS:
        bad.add("/props", "too_large", f"must be at most {MAX_PROPS} bytes of JSON")
    elif _too_deep(raw):
        bad.add("/props", "too_deep", f"must be nested at most {MAX_DEPTH} levels deep")
    elif b"\\u0000" in raw and b"\\u0000" in _ESCAPED_BACKSLASH.sub(b"", raw):
        bad.add("/props", "nul_character", "must not contain the character U+0000")
    parts.append(b',"props":' + raw)


_ESCAPED_BACKSLASH = re.compile(rb"\\\\")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')


def _too_deep(raw: bytes) -> bool:
    if raw.count(b"{") + raw.count(b"[") <= MAX_DEPTH:
        return False
    depth = 0
    for c in _STRING.sub(b"", raw):
        if c in b"{[":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif c in b"}]":
            depth -= 1
    return False


def _check_subject(bad: Refusal, o: Operation, user: str | None, anonymous: str | None) -> None:
    """Holds an operation to naming somebody, or a group."""
    if o.group and (user or anonymous):
        bad.add("/group", "conflict", "cannot be combined with user_id or anonymous_id: an operation is about a person or a group")
    elif o.group:
        kind, key = o.group[0], _text_id(o.group[1]) or ""
        _check_length(bad, "/group/type", kind, MAX_TYPE)
        _check_text(bad, "/group/key", key)
        if kind and nobody(kind):
            bad.add("/group/type", "nobody", JUNK_DETAIL)
        elif key and nobody(key):
            bad.add("/group/key", "nobody", JUNK_DETAIL)
    elif not user and not anonymous:
        bad.add("", "required", "needs a user_id, an anonymous_id or a group")
    elif nobody(user) and nobody(anonymous):
        if user:
            bad.add("/user_id", "nobody", JUNK_DETAIL)
        if anonymous:
            bad.add("/anonymous_id", "nobody", JUNK_DETAIL)


def _check_op(bad: Refusal, o: Operation, has_props: bool) -> None:
    """Holds an operation to what it needs and may have."""
    if o.op in _WITH_VALUES:
        if not has_props:
            bad.add("/props", "required", f"is required with {o.op}")
        elif o.op == "add" and isinstance(o.props, Mapping) and not all(_number(v) for v in o.props.values()):
            bad.add("/props", "type", "must be numbers with add")
    elif o.op not in ("unset", "delete"):
        bad.add("/op", "enum", "is no operation on a profile")
        return
    elif has_props:
        bad.add("/props", "conflict", f"is not allowed with {o.op}")
    if o.op == "unset":
        if not o.names:
            bad.add("/names", "required", "is required with unset: the properties that go")
        elif len(o.names) > MAX_NAMES:
            bad.add("/names", "max_items", f"must have at most {MAX_NAMES} items")
    elif o.names:
        bad.add("/names", "conflict", "is only allowed with unset")


def _number(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
