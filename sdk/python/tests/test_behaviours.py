"""What every SDK does, by the names of testvectors/behaviours.json."""

from __future__ import annotations

import shutil
import unittest
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

import nimbus
from nimbus import APIError, ClosedError, NotDeliveredError, QueueFullError, RejectedError, UndeliveredError

from .support import PROJECT, LeapingClock, Test, background, names, vectors
from .test_people import People
from .test_visitor import Visitors

PAGE: dict[str, Any] = {"headers": {"Content-Type": "text/html"}, "body": "<h1>default backend - 404</h1>"}


def problem(status: int, code: str, **more: Any) -> Any:
    return {"status": status, "body": {"type": "t", "title": "t", "status": status, "detail": "d", "request_id": "r", "code": code, **more}}


def at(text: str) -> datetime:
    """A time of the server, whose fractions have up to nine digits."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(whole + "+00:00") + timedelta(microseconds=int((fraction + "000000")[:6]))


class Behaviours(Test):
    def test_sends_what_was_tracked(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        ts = datetime(2026, 1, 15, 10, 30, 0, 123456, timezone.utc)
        props = {"page": "/ü", "n": 1.5, "deep": {"list": [1]}, "none": None}
        x.track("page_view", props, ts=ts, user_id="u", anonymous_id="a", seq=7, idempotency_key="k")
        x.enqueue(nimbus.Event("plain", ts=ts))
        self.flush(x)
        [r] = s.requests("requests=1")
        self.assertEqual(r["project_id"], PROJECT)
        self.assertTrue(r["path"].endswith("/v1/events"))
        self.assertEqual(r["headers"]["content-type"], "application/json")
        self.assertRegex(r["headers"]["user-agent"], "^nimbus-python/")
        when = "2026-01-15T10:30:00.123456Z"
        self.assertEqual(r["events"][0], {"name": "page_view", "ts": when, "props": props, "user_id": "u", "anonymous_id": "a", "seq": 7,
                                          "idempotency_key": "k"})
        self.assertEqual(set(r["events"][1]), {"name", "ts", "idempotency_key"})

    def test_sends_in_order(self) -> None:
        s = self.scripted({}, {"status": 503})
        x = self.tracker(s, flush_events=7)
        want = [str(k) for k in range(30)]
        for key in want:
            x.track("e", idempotency_key=key)
        self.flush(x)
        self.assertEqual(s.report()["stored"], want)

    def test_takes_ts_at_the_call(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, flush_events=1)
        x.track("first")
        s.report("waiting=1")
        before = datetime.now(timezone.utc)
        x.track("second")
        after = datetime.now(timezone.utc)
        s.release()
        self.flush(x)
        second = s.requests("requests=2")[1]
        ts = at(second["events"][0]["ts"])
        self.assertTrue(before <= ts <= after < at(second["received_at"]), (before, ts, after))

    def test_gives_each_event_an_idempotency_key(self) -> None:
        s = self.scripted()
        x, other = self.tracker(s), self.tracker(s)
        x.many("a", "a", "a")
        other.many("a", "a", "a")
        x.track("b", idempotency_key="mine")
        self.flush(x)
        self.flush(other)
        stored = s.report("requests=2")["stored"]
        self.assertEqual(len(set(stored)), 7)
        self.assertIn("mine", stored)

    def test_props_are_taken_at_the_call(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        props = {"n": 1, "deep": {"list": [1]}}
        x.track("e", props)
        props["n"], props["deep"]["list"][0] = 2, 2  # type: ignore[index]
        self.flush(x)
        self.assertEqual(s.requests("requests=1")[0]["events"][0]["props"], {"n": 1, "deep": {"list": [1]}})

    def test_flushes_by_count(self) -> None:
        s = self.scripted()
        self.tracker(s, flush_events=3).many(*"abcdefg")
        self.assertEqual([names(r) for r in s.requests("requests=2")][:2], ["a b c", "d e f"])

    def test_flushes_by_bytes(self) -> None:
        s = self.scripted()
        limit = 64 << 10
        x = self.tracker(s, flush_bytes=limit, compress_above=None)
        for _ in range(5):
            x.track("e", {"text": "x" * 30_000})
        for r in s.requests("requests=2")[:2]:
            self.assertEqual(len(r["events"]), 2)
            self.assertLessEqual(r["body_bytes"], limit)

    def test_flushes_by_time(self) -> None:
        s = self.scripted()
        begun = datetime.now(timezone.utc)
        self.tracker(s, flush_interval=0.05).track("alone")
        [r] = s.requests("requests=1")
        self.assertEqual(names(r), "alone")
        self.assertGreaterEqual(at(r["received_at"]) - begun, timedelta(seconds=0.05))

    def test_flush_with_no_events_sends_nothing(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        self.flush(x)
        x.close(60)
        self.assertEqual(s.requests(), [])

    def test_flush_waits_for_the_answer(self) -> None:
        s = self.scripted({"status": 503}, {"hold": True})
        x = self.tracker(s)
        x.track("a")
        done = background(x.flush)
        s.report("requests=1&waiting=1")
        self.assertFalse(done.done())
        s.release()
        done.result(60)
        self.counts(x, delivered=1, retries=1, requests=2, waiting=0)

    def test_flush_gives_up_with_its_caller(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s)
        x.many("a", "b")
        done = background(lambda: x.flush(0.05))
        s.report("waiting=1")
        with self.assertRaises(UndeliveredError) as raised:
            done.result(60)
        self.assertEqual((raised.exception.count, raised.exception.spooled), (2, False))
        self.counts(x, waiting=2, dropped=0)
        s.release()
        self.flush(x)
        self.assertEqual(len(s.report()["stored"]), 2)

    def test_close_flushes(self) -> None:
        s = self.scripted({"status": 503})
        x = self.tracker(s)
        x.many("a", "b")
        x.close(60)
        x.close(60)
        self.assertEqual(len(s.report()["stored"]), 2)

    def test_close_says_how_many_were_not_delivered(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, flush_events=2)
        x.many("a", "b", "c")
        s.report("waiting=1")
        with self.assertRaises(UndeliveredError) as raised:
            x.close(0)
        self.assertEqual((raised.exception.count, raised.exception.spooled), (3, False))
        self.assertEqual([(e.name, type(why)) for e, why in x.drops], [(name, NotDeliveredError) for name in "abc"])
        self.counts(x, dropped=3, waiting=0)

    def test_track_after_close_is_refused(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        x.close(60)
        with self.assertRaises(ClosedError):
            x.track("late")
        self.counts(x, tracked=0, refused=1)
        self.assertEqual(s.requests(), [])

    def retries(self, *replies: Any) -> None:
        s = self.scripted(*replies)
        x = self.tracker(s)
        x.many("a", "b")
        self.flush(x)
        got = s.report()
        self.assertGreaterEqual(len(got["requests"]), 2)
        self.assertEqual(len(got["stored"]), 2)
        for r in got["requests"]:
            self.assertEqual((names(r), r["signature"]), ("a b", "valid"))
        self.counts(x, delivered=2, retries=len(got["requests"]) - 1, dropped=0)

    def test_retries_on_503(self) -> None:
        self.retries({"status": 503})

    def test_retries_on_500(self) -> None:
        self.retries({"status": 500}, {"status": 502}, {"status": 504})

    def test_retries_on_429(self) -> None:
        self.retries({"status": 429})

    def test_retries_on_408(self) -> None:
        self.retries({"status": 408})

    def test_retries_on_network_error(self) -> None:
        self.retries({"drop": "before", "times": 2})

    def test_a_lost_answer_doubles_nothing(self) -> None:
        s = self.scripted({"drop": "after", "times": 2})
        x = self.tracker(s)
        x.many("a", "b")
        self.flush(x)
        got = s.report()
        self.assertEqual((len(got["requests"]), len(got["stored"])), (3, 2))
        self.counts(x, delivered=2, duplicates=2)

    def is_final(self, status: int, code: str) -> None:
        s = self.scripted(problem(status, code))
        x = self.tracker(s)
        x.many("a", "b")
        self.flush(x)
        self.assertEqual([(e.name, why.code, why.status) for e, why in x.drops if isinstance(why, APIError)],
                         [("a", code, status), ("b", code, status)])
        self.counts(x, dropped=2)
        self.assertEqual(len(s.requests()), 1)
        self.assertIn(code, x.log())

    def test_does_not_retry_on_400(self) -> None:
        self.is_final(400, "malformed_json")

    def test_does_not_retry_on_401(self) -> None:
        self.is_final(401, "invalid_key")

    def test_does_not_retry_on_403(self) -> None:
        self.is_final(403, "insufficient_scope")

    def test_final_on_a_problem_json_404(self) -> None:
        self.is_final(404, "not_found")

    def test_does_not_retry_on_422(self) -> None:
        self.is_final(422, "validation_failed")

    def test_retries_a_404_that_nimbus_did_not_write(self) -> None:
        self.retries(*({"status": status, **PAGE} for status in (404, 400, 401, 403, 415)),
                     {"status": 404, "headers": {"Content-Type": "application/json"}, "body": {"code": "not_found", "status": 404}},
                     {"status": 404, "body": {"type": "about:blank", "title": "Not found", "status": 404}})

    def test_goes_on_after_a_final_error(self) -> None:
        s = self.scripted({"status": 400})
        x = self.tracker(s)
        for name in "ab":
            x.track(name)
            self.flush(x)
        got = s.report()
        self.assertEqual((len(got["stored"]), names(got["requests"][1])), (1, "b"))

    def test_respects_retry_after(self) -> None:
        s = self.scripted({"status": 503, "headers": {"Retry-After": "1"}}, {"status": 429, "headers": {"Retry-After": "1"}})
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        when = [at(r["received_at"]) for r in s.requests("requests=3")]
        for k in range(2):
            self.assertGreaterEqual(when[k + 1] - when[k], timedelta(seconds=1))

    def pause(self, retry_after: str, date: str = "") -> float:
        """How long a tracker waits after a 503, but for the random part."""
        clock = LeapingClock()
        when: list[float] = []

        def answer(request: nimbus.Request) -> nimbus.Response:
            when.append(clock.now)
            if len(when) == 1:
                return nimbus.Response(503, {"retry-after": retry_after, "date": date}, b"")
            return nimbus.Response(200, {}, b'{"accepted": 1, "duplicates": 0, "rejected": 0}')

        x = self.tracker("http://nimbus.test", transport=answer, clock=clock, min_backoff=0.001, max_backoff=0.001)
        x.track("e")
        x.flush()  # with a limit it would leap to the end of it
        return when[1] - when[0]

    def test_respects_a_retry_after_date(self) -> None:
        begin = datetime.now(timezone.utc).replace(microsecond=0)

        def date(seconds: int) -> str:
            return format_datetime(begin + timedelta(seconds=seconds), usegmt=True)

        for retry_after, now, want in ((date(6), date(0), 6), (date(3606), date(3600), 6), (date(-3600), date(0), 0), ("soon", "", 0), ("-5", "", 0)):
            self.assertAlmostEqual(self.pause(retry_after, now), want, delta=0.002, msg=retry_after)

    def test_bounds_retry_after(self) -> None:
        for retry_after, want in (("7", 7), ("0600", 600), ("601", 600), ("9" * 5000, 600), (format_datetime(datetime(2100, 1, 1, tzinfo=timezone.utc)), 600)):
            self.assertAlmostEqual(self.pause(retry_after), want, delta=0.002, msg=retry_after[:30])

    def test_retries_a_200_that_does_not_add_up(self) -> None:
        self.retries({"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 0}}, {"status": 200, "body": []},
                     {"status": 200, "body": {"accepted": None, "duplicates": 2}})

    def test_sends_uncompressed_after_415(self) -> None:
        for answer in ({"status": 415}, {"status": 415, "body": "<h1>No</h1>"}):
            s = self.scripted(answer)
            x = self.tracker(s, compress_above=1, min_backoff=3600, max_backoff=3600)
            for _ in range(2):
                x.many("a", "b")
                self.flush(x)
            got = s.report()
            self.assertEqual([(r["headers"].get("content-encoding"), r["signature"]) for r in got["requests"]],
                             [("gzip", "valid"), (None, "valid"), (None, "valid")])
            self.assertEqual((len(got["stored"]), x.drops), (4, []))

    def test_gives_up_after_max_attempts(self) -> None:
        s = self.scripted({"status": 503, "times": 3})
        x = self.tracker(s, max_attempts=3)
        x.many("a", "b")
        self.flush(x)
        self.assertEqual([why.status for _, why in x.drops if isinstance(why, APIError)], [503, 503])
        self.assertEqual(len(s.requests()), 3)
        self.counts(x, dropped=2, retries=2)

    def test_preserves_id_on_retry(self) -> None:
        s = self.scripted({"status": 503}, {"drop": "before"})
        x = self.tracker(s)
        x.many("a", "b")
        self.flush(x)
        texts = [r["text"] for r in s.requests("requests=2")]
        self.assertEqual(texts, [texts[0]] * 3)
        self.assertIn('"idempotency_key"', texts[0])

    def test_survives_an_answer_that_is_no_problem(self) -> None:
        s = self.scripted({"status": 502, "body": "<h1>Bad gateway</h1>"}, {"status": 200, "body": "<h1>Welcome</h1>"},
                          {"status": 200, "body": {}}, {"status": 403, "body": "<h1>No</h1>"})
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        got = s.report()
        self.assertEqual((len(got["requests"]), len(got["stored"]), x.drops), (5, 1, []))
        self.assertIn("403 Forbidden: <h1>No</h1>", x.log())

    def test_splits_on_413(self) -> None:
        s = self.scripted(max_body_bytes=80_000)
        x = self.tracker(s, compress_above=None)
        want = [str(k) for k in range(8)]
        for key in want:
            x.track("e", {"text": "x" * 30_000}, idempotency_key=key)
        self.flush(x)
        got = s.report()
        self.assertEqual((got["stored"], x.drops), (want, []))
        self.assertEqual([len(r["events"] or ()) for r in got["requests"]], [8, 4, 2, 2, 4, 2, 2])

    def test_drops_a_single_event_on_413(self) -> None:
        s = self.scripted(max_body_bytes=20_000)
        x = self.tracker(s, compress_above=None)
        x.track("a")
        x.track("large", {"text": "x" * 30_000})
        x.track("b")
        self.flush(x)
        self.assertEqual([(e.name, why.code) for e, why in x.drops if isinstance(why, APIError)], [("large", "body_too_large")])
        self.counts(x, delivered=2, dropped=1)
        self.assertEqual(len(s.report()["stored"]), 2)

    def test_signs_each_request(self) -> None:
        s = self.scripted()
        x = self.tracker(s.url + "/below/a%20path/")
        for _ in range(2):
            x.track("a")
            self.flush(x)
        for r in s.requests("requests=2"):
            self.assertEqual((r["signature"], r["headers"].get("x-api-key"), r["status"]), ("valid", None, 200))
            self.assertTrue(r["path"].endswith("/below/a%20path/v1/events"), r["path"])

    def test_re_signs_each_attempt(self) -> None:
        s = self.scripted({"status": 503, "headers": {"Retry-After": "1"}})
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        first, second = s.requests("requests=2")
        self.assertEqual((first["signature"], second["signature"]), ("valid", "valid"))
        self.assertLess(first["headers"]["x-api-timestamp"], second["headers"]["x-api-timestamp"])

    def test_corrects_its_clock_once(self) -> None:
        s = self.scripted(clock_ahead_seconds=3600)
        x = self.tracker(s, min_backoff=3600, max_backoff=3600)
        for _ in range(2):
            x.track("a")
            self.flush(x)
        self.assertEqual([r["signature"] for r in s.requests()], ["stale", "valid", "valid"])

    def test_does_not_correct_its_clock_forever(self) -> None:
        s = self.scripted({**problem(401, "stale_timestamp"), "times": 2})
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        self.assertEqual([why.code for _, why in x.drops if isinstance(why, APIError)], ["stale_timestamp"])
        self.assertEqual(len(s.requests()), 2)

    def sends(self, header: str, value: str, **credentials: str) -> None:
        s = self.scripted()
        x = self.tracker(s, **credentials)
        x.track("a")
        self.flush(x)
        [r] = s.requests("requests=1")
        self.assertEqual((r["headers"].get(header), r["signature"], r["status"]), (value, "absent", 200))

    def test_sends_the_secret(self) -> None:
        self.sends("x-api-key", "ns_test", secret="ns_test")

    def test_sends_the_write_key(self) -> None:
        self.sends("x-write-key", "nw_test", write_key="nw_test")

    def compresses(self, text: str, encoding: str | None) -> None:
        s = self.scripted()
        x = self.tracker(s)
        x.track("e", {"text": text})
        self.flush(x)
        [r] = s.requests("requests=1")
        self.assertEqual((r["headers"].get("content-encoding"), r["body_bytes"] < len(r["text"]), len(r["events"])),
                         (encoding, encoding is not None, 1))

    def test_compresses_large_bodies(self) -> None:
        self.compresses("long " * 400, "gzip")

    def test_does_not_compress_small_bodies(self) -> None:
        self.compresses("short", None)

    def test_gzip_body_is_signed_as_sent(self) -> None:
        s = self.scripted({"status": 503})
        x = self.tracker(s, compress_above=1)
        x.many("a", "b", "c")
        self.flush(x)
        for r in s.requests("requests=2"):
            self.assertEqual((r["signature"], r["headers"]["content-encoding"], len(r["events"])), ("valid", "gzip", 3))

    def test_reports_rejections(self) -> None:
        s = self.scripted({"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 1, "errors": [
            {"index": 1, "pointer": "/events/1/props/a", "code": "too_deep", "detail": "must be nested less"},
            {"index": 1, "pointer": "/events/1/ts", "code": "maximum", "detail": "must not be so far ahead"}]}})
        x = self.tracker(s)
        x.many("good", "bad")
        self.flush(x)
        [(event, why)] = x.drops
        self.assertEqual(event.name, "bad")
        assert isinstance(why, RejectedError)
        self.assertEqual([(f.pointer, f.code, f.detail) for f in why.fields],
                         [("/props/a", "too_deep", "must be nested less"), ("/ts", "maximum", "must not be so far ahead")])
        self.counts(x, delivered=1, rejected=1, dropped=0)
        self.assertIn("refused: /props/a must be nested less", x.log())

    def test_reports_rejections_of_a_whole_batch(self) -> None:
        s = self.scripted(problem(422, "all_events_rejected", accepted=0, duplicates=0, rejected=2, errors=[
            {"index": 0, "pointer": "/events/0/name", "code": "length", "detail": "x"},
            {"index": 1, "pointer": "/events/1/ts", "code": "maximum", "detail": "y"}]))
        x = self.tracker(s)
        x.many("a", "b")
        self.flush(x)
        self.assertEqual([(f.pointer, f.code) for _, why in x.drops if isinstance(why, RejectedError) for f in why.fields],
                         [("/name", "length"), ("/ts", "maximum")])
        self.counts(x, rejected=2, dropped=0, requests=1)

    def test_reports_duplicates_as_delivered(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        for _ in range(2):
            x.track("a", idempotency_key="once")
        self.flush(x)
        self.counts(x, delivered=2, duplicates=1)
        self.assertEqual(s.report()["stored"], ["once"])

    def test_refuses_a_bad_event_at_once(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        with self.assertRaises(RejectedError) as raised:
            x.track("", {"text": "x" * 40_000})
        self.assertEqual([(f.pointer, f.code) for f in raised.exception.fields], [("/name", "length"), ("/props", "too_large")])
        self.flush(x)
        self.counts(x, tracked=0, refused=1)
        self.assertEqual(s.requests(), [])

    def test_drop_oldest_counts(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, queue_events=2, flush_events=2)
        x.many("a", "b")
        s.report("waiting=1")
        x.many("c", "d", "e", "f")
        self.assertEqual([(e.name, type(why)) for e, why in x.drops], [("c", QueueFullError), ("d", QueueFullError)])
        self.counts(x, dropped=2, tracked=6, waiting=4)
        s.release()
        self.flush(x)
        self.assertEqual([names(r) for r in s.requests("requests=2")], ["a b", "e f"])
        self.assertEqual(x.log().count("queue of events is full"), 1)

    def test_full_queue_is_an_error(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, queue_events=1, flush_events=1, when_full="refuse")
        x.track("a")
        s.report("waiting=1")
        x.track("b")
        for _ in range(2):
            with self.assertRaises(QueueFullError):
                x.track("c")
        self.counts(x, refused=2, tracked=2, dropped=0)
        self.assertEqual(x.log().count("queue of events is full"), 1)
        s.release()
        self.flush(x)
        x.track("d")

    def test_full_queue_blocks(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, queue_events=1, flush_events=1, when_full="block", full_timeout=0.02)
        x.track("a")
        s.report("waiting=1")
        x.track("b")
        with self.assertRaises(QueueFullError):
            x.track("c")
        x.full_timeout = None
        done = [background(lambda: x.track("d")) for _ in range(5)]
        s.release()
        for d in done:
            d.result(60)
        self.flush(x)
        self.assertEqual(names(s.requests("requests=7")[2]), "d")
        self.counts(x, delivered=7, refused=1, dropped=0)
        self.assertNotIn("full", x.log())

    def test_counts_add_up(self) -> None:
        s = self.scripted({"status": 400}, {"status": 503}, {"drop": "after"}, {"hold": True})
        x = self.tracker(s, flush_events=2, queue_events=2)
        x.many("a", "b")
        self.flush(x)
        done = background(lambda: x.many(*"e" * 48))
        while not done.done():
            self.adds_up(x)
        s.report("waiting=1")
        s.release()
        self.flush(x)
        self.counts(x, tracked=50, waiting=0, dropped=len(x.drops))

    def test_survives_a_crash(self) -> None:
        s = self.scripted({"drop": "after"}, {"hold": True})
        folder, copied = self.folder(), self.folder() + "/spool"
        first = self.tracker(s, spool_dir=folder, flush_events=2)
        first.many(*"abcde")
        s.report("requests=1&waiting=1")
        shutil.copytree(folder, copied)  # what a crash leaves is the directory as it is now; the tracker holds the locks for as long as it lives
        second = self.tracker(s, spool_dir=copied, flush_events=2)
        self.flush(second)
        stored = s.report()["stored"]
        self.assertEqual((len(stored), len(set(stored))), (5, 5))
        self.counts(second, tracked=5, delivered=5, duplicates=2)


class EveryBehaviour(unittest.TestCase):
    def test_each_has_a_test_and_each_test_is_in_the_list(self) -> None:
        listed = {b["name"] for b in vectors("behaviours.json") if "python" in b.get("sdks", ["python"])}
        tested = {name[len("test_"):] for case in (Behaviours, People, Visitors) for name in vars(case) if name.startswith("test_")}
        self.assertEqual(tested, listed)
