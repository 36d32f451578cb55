"""What is tracked: events, and operations on profiles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union
from uuid import UUID

# Whom an event or an operation is about. A number is taken for its text.
Id = Union[str, int, UUID]

# A JSON object of at most 32 KiB, nested 8 deep. Beside what JSON has, values may be dates and times, UUIDs, decimals, enums, sets and
# dataclasses.
Props = Mapping[str, Any]


@dataclass
class Event:
    """Something that happened, as the server stores it. Only the name is required."""

    name: str
    """What happened, 1 to 200 characters."""
    ts: Optional[datetime] = None
    """When, with a time zone; to the microsecond, not before 1971. None is now."""
    user_id: Optional[Id] = None
    """Who did it, once known."""
    anonymous_id: Optional[Id] = None
    """Who did it, before it is known."""
    idempotency_key: Optional[str] = None
    """Stored once by it, ts, name and person. None is one of its own."""
    seq: int = 0
    """Orders events of the same ts."""
    props: Optional[Props] = None


@dataclass
class Operation:
    """A change of what is known of a person or of a group: their profile.

    It names a person by ``user_id``, by ``anonymous_id`` or by both, which says that they are one person; or it names a group. A profile is
    what all operations on it make in the order of their ``ts``, whenever they arrive.
    """

    op: str
    """``set``, ``set_once``, ``add``, ``append``, ``union``, ``remove``, ``unset`` or ``delete``."""
    user_id: Optional[Id] = None
    anonymous_id: Optional[Id] = None
    group: Optional[Tuple[str, Id]] = None
    """What it is about instead: the type, such as ``company``, and the key of one of that type."""
    ts: Optional[datetime] = None
    """When it became true; the rules are those of an event's."""
    idempotency_key: Optional[str] = None
    """Stored once by it, op and who or what it is about."""
    props: Optional[Props] = None
    """Not of ``unset`` and ``delete``."""
    names: Sequence[str] = ()
    """Of ``unset``: the properties that go, 1 to 100."""


def read(raw: Dict[str, Any]) -> Union[Event, Operation]:
    """Makes an event, or an operation, of the JSON that was sent or is to be sent."""
    ts = datetime.fromisoformat(raw["ts"].replace("Z", "+00:00")) if raw.get("ts") else None
    user, anonymous, key, props = (raw.get(k) for k in ("user_id", "anonymous_id", "idempotency_key", "props"))
    if "op" not in raw:
        return Event(raw["name"], ts, user, anonymous, key, raw.get("seq", 0), props)
    group = (raw["group"]["type"], raw["group"]["key"]) if "group" in raw else None
    return Operation(raw["op"], user, anonymous, group, ts, key, props, tuple(raw.get("names", ())))
