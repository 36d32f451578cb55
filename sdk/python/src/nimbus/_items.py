"""What waits, and what became of the rest."""

from __future__ import annotations

from dataclasses import dataclass

from ._encode import OPERATION_HEAD
from ._spool import Segment


@dataclass
class Stats:
    """Counts events and operations together. At every moment tracked = delivered + rejected + dropped + waiting."""

    tracked: int = 0
    """Accepted by a call, or found in the spool."""
    delivered: int = 0
    """The server has committed them."""
    rejected: int = 0
    """The server refused them for what they are."""
    dropped: int = 0
    """Will not be delivered: no room, a final error, dropped by ``before_send``, or closed."""
    waiting: int = 0
    refused: int = 0
    """Not accepted by a call: invalid, no room, or closed."""
    duplicates: int = 0
    """Of the delivered: were there already."""
    requests: int = 0
    """Sent."""
    retries: int = 0
    """Of the requests: repetitions."""


class Item:
    """An event that waits."""

    __slots__ = ("json", "number", "queued", "segment")

    def __init__(self, json: bytes, number: int, queued: float, segment: Segment | None) -> None:
        self.json = json
        self.number = number
        self.queued = queued
        self.segment = segment

    @property
    def is_operation(self) -> bool:
        return self.json.startswith(OPERATION_HEAD)
