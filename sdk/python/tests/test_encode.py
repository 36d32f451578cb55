"""What is written, and what is refused at once."""

from __future__ import annotations

import enum
import json
import unittest
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import nimbus
from nimbus import Event, RejectedError
from nimbus.testing import Recorder

from .support import PROJECT, Test, vectors


class Colour(enum.Enum):
    RED = "red"


class Size(str, enum.Enum):
    LARGE = "large"


@dataclass
class Order:
    total: Decimal
    items: list[str]


def said(raw: Any) -> Event:
    """An event of the vectors. A number is an id here, and None is nothing."""
    if any(not isinstance(raw.get(k, ""), str) for k in ("name", "user_id", "anonymous_id", "idempotency_key")) or None in raw.values():
        raise ValueError
    return Event(**{"name": "", **raw, "ts": datetime.fromisoformat(raw["ts"].replace("Z", "+00:00")) if "ts" in raw else None})


class Encoding(Test):
    def recorder(self, **options: Any) -> Recorder:
        recorder = Recorder(**options)
        self.addCleanup(self.end, recorder.tracker)
        return recorder

    def refused(self, x: nimbus.Tracker, event: Event) -> list[tuple[str, str]] | None:
        try:
            x.enqueue(event)
        except RejectedError as e:
            return [("/props" if f.pointer.startswith("/props") else f.pointer, f.code) for f in e.fields]
        return None

    # What the tracker refuses the server refuses too, for the same reason; what it can know it refuses at once.
    def test_it_refuses_what_the_shared_vectors_say(self) -> None:
        x = self.recorder().tracker
        local = 0
        for v in vectors("verdicts.json"):
            for raw, verdict in zip(v["events"], v["verdicts"]):
                try:
                    e = said(raw)
                except (AttributeError, TypeError, ValueError):
                    continue  # nothing that a call can say
                got = self.refused(x, e)
                want = [("/props" if f["pointer"].startswith("/props") else f["pointer"], f["code"]) for f in verdict]
                if v["name"] == "no name":
                    want = [("/name", "length")]  # a call has one
                if got is not None:
                    local += 1
                    self.assertEqual(got, want, v["name"])
                else:
                    self.assertFalse(v.get("local"), v["name"])
        self.assertGreater(local, 10)

    def test_props_of_every_kind(self) -> None:
        cycle: dict[str, Any] = {}
        cycle["self"] = cycle
        deep: Any = []
        for _ in range(5000):
            deep = [deep]
        there = uuid.UUID(int=1)
        for props, want in (
            ({"a": Decimal("9.50"), "b": there, "c": Colour.RED, "d": Size.LARGE}, {"a": 9.5, "b": str(there), "c": "red", "d": "large"}),
            ({"a": {1}, "b": (1, 2), "c": OrderedDict(x=1), "d": date(2026, 1, 2)}, {"a": [1], "b": [1, 2], "c": {"x": 1}, "d": "2026-01-02"}),
            ({"at": datetime(2026, 1, 2, 3, tzinfo=timezone(timedelta(hours=2)))}, {"at": "2026-01-02T01:00:00Z"}),
            ({"at": datetime(2026, 1, 2, 3)}, {"at": "2026-01-02T03:00:00"}),  # of an unknown zone, and not made one of ours
            (Order(Decimal(1), ["mug"]), {"total": 1.0, "items": ["mug"]}),
            ({"order": Order(Decimal(1), [])}, {"order": {"total": 1.0, "items": []}}),
            ({"text": "\u2028 \" \\ é 🎉 \ud83d"}, {"text": "\u2028 \" \\ é 🎉 \ufffd"}),
            ({"brackets in text": "[[[[[[[[[[{{{"}, {"brackets in text": "[[[[[[[[[[{{{"}),
            ({"a": "\\u0000"}, {"a": "\\u0000"}),
            ({1: True, "big": 2**80}, {"1": True, "big": 2**80}),
            ({}, {}),
            (None, None),
            ([1], "type"), ("text", "type"), (3, "type"), ({"n": float("nan")}, "type"), ({"f": print}, "type"), ({"b": b"raw"}, "type"),
            (cycle, "type"), ({("a",): 1}, "type"), ({"a\0": 1}, "nul_character"), ({"a": "\\\0"}, "nul_character"),
            ({"a": deep}, "too_deep"), ({"a": [[[[[[[[]]]]]]]]}, "too_deep"), ({"a": "é" * 20_000}, "too_large"),
        ):
            with self.subTest(want):
                sent = self.recorder()
                got: Any
                try:
                    sent.tracker.track("e", props)  # type: ignore[arg-type]
                    got = sent.events()[0].props
                except RejectedError as e:
                    self.assertEqual([f.pointer for f in e.fields], ["/props"])
                    got = e.fields[0].code
                self.assertEqual(got, want)

    def test_who_it_is_may_be_a_number_or_a_uuid(self) -> None:
        sent = self.recorder()
        sent.tracker.track("e", user_id=42, anonymous_id=uuid.UUID(int=7))
        sent.tracker.track("e", user_id=None, anonymous_id="")
        a, b = sent.events()
        self.assertEqual((a.user_id, a.anonymous_id, b.user_id, b.anonymous_id), ("42", str(uuid.UUID(int=7)), None, None))
        for bad in (True, 1.5, object()):
            with self.assertRaises(RejectedError) as raised:
                sent.tracker.track("e", user_id=bad)  # type: ignore[arg-type]
            self.assertEqual([(f.pointer, f.code) for f in raised.exception.fields], [("/user_id", "type")])

    def test_a_time_needs_a_zone(self) -> None:
        x = self.recorder().tracker
        for ts, code in ((datetime(2026, 1, 2), "format"), ("2026-01-02", "format"), (datetime(1970, 1, 1, tzinfo=timezone.utc), "minimum"),
                         (datetime.max.replace(tzinfo=timezone(-timedelta(hours=2))), "format")):
            self.assertEqual(self.refused(x, Event("e", ts=ts)), [("/ts", code)], ts)  # type: ignore[arg-type]
        self.assertEqual(self.refused(x, Event(7)), [("/name", "type")])  # type: ignore[arg-type]

    def test_an_event_that_is_queued_stays_as_it_is(self) -> None:
        sent = self.recorder()
        event = Event("e")
        sent.tracker.enqueue(event)
        self.assertEqual((event, len(sent.events())), (Event("e"), 1))

    def test_an_argument_that_is_none_is_an_error(self) -> None:
        with self.assertRaises(TypeError):
            self.recorder().tracker.track("e", userId="u")  # type: ignore[call-arg]


class Options(unittest.TestCase):
    def test_every_mistake_is_named(self) -> None:
        with self.assertRaises(ValueError) as raised:
            nimbus.Tracker(url="nimbus.example.com", project_id="p", flush_events=10_001, flush_bytes=1, queue_events=-1, queue_bytes=1,
                           min_backoff=3600, max_attempts=0, when_full="wait", spool_sync=-1)
        for name in ("url", "project_id", "credentials", "flush_events", "flush_bytes", "queue_events", "queue_bytes", "max_backoff",
                     "max_attempts", "when_full", "spool_sync"):
            self.assertIn(name, str(raised.exception))
        with self.assertRaises(ValueError):
            nimbus.Tracker(url="http://h", project_id=PROJECT, secret="s", write_key="w")

    def test_a_tracker_does_not_print_its_secret(self) -> None:
        with Recorder(secret="ns_secret") as sent:
            self.assertNotIn("ns_secret", repr(sent.tracker) + json.dumps(str(sent.tracker)))
