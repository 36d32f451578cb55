"""What happens between the program and the server: proxies, pauses, redirects, and the end."""

from __future__ import annotations

import base64
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import threading
import unittest.mock
from datetime import datetime, timedelta, timezone
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import nimbus
from nimbus import APIError, QueueFullError, RejectedError, Request, Response, UndeliveredError
from nimbus._sender import Sender
from nimbus.testing import ManualClock, Recorder

from .support import LeapingClock, Test, background, names

STORED = Response(200, {}, b'{"accepted": 1, "duplicates": 0, "rejected": 0}')


class Between(Test):
    def serve(self, answer: Any, context: ssl.SSLContext | None = None) -> tuple[str, list[tuple[str, str]]]:
        """A server that always answers this, and the targets and proxy credentials of its requests."""
        seen: list[tuple[str, str]] = []
        raw = json.dumps(answer).encode()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                seen.append((self.path, self.headers["Proxy-Authorization"]))
                self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(200)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}", seen

    # Proxies and portals answer as they please. Only a 4xx can be a refusal.
    def test_only_a_4xx_is_a_refusal(self) -> None:
        s = self.scripted(*({"status": status} for status in (202, 204, 300, 304)))
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        self.counts(x, delivered=1, retries=4)

    # A proxy's 413 is about the size too: halves may pass, and an event that does not must not block all others.
    def test_a_413_of_a_proxy_splits_and_ends(self) -> None:
        page = {"status": 413, "body": "<h1>Request Entity Too Large</h1>"}
        s = self.scripted(page, {}, page)
        x = self.tracker(s)
        x.many("a", "b")
        self.flush(x)
        self.assertEqual([(e.name, why.status, why.code) for e, why in x.drops if isinstance(why, APIError)], [("b", 413, "")])
        self.assertEqual(len(s.report()["stored"]), 1)

    # After a 301, 302 or 303 a POST is repeated as a GET, without the events.
    def test_a_redirect_that_loses_the_events_is_not_followed(self) -> None:
        s = self.scripted(*({"status": status, "headers": {"Location": "events?moved"}} for status in (301, 302, 303)))
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        self.counts(x, delivered=1, retries=3)
        self.assertEqual({r["method"] for r in s.requests()}, {"POST"})
        self.assertIn("301 Moved Permanently: redirected to events?moved", x.log())

    def test_a_redirect_that_keeps_the_events_is_followed(self) -> None:
        s = self.scripted({"status": 307, "headers": {"Location": "events?moved"}}, {"status": 308, "headers": {"Location": "events?moved"}})
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        self.counts(x, delivered=1, retries=0)
        self.assertEqual([(r["query"], names(r)) for r in s.requests()], [("", "a"), ("moved", "a"), ("moved", "a")])

    # A secret goes to nobody else.
    def test_a_redirect_to_another_host_is_not_followed(self) -> None:
        other = self.scripted()
        elsewhere = other.url.replace("127.0.0.1", "localhost") + "/v1/events"
        x = self.tracker(self.scripted({"status": 307, "headers": {"Location": elsewhere}}), secret="ns_test")
        x.track("a")
        self.flush(x)
        self.counts(x, delivered=1, retries=1)
        self.assertEqual(other.requests(), [])

    def test_redirects_in_a_circle_end(self) -> None:
        s = self.scripted({"status": 307, "times": 11, "headers": {"Location": "events"}})
        x = self.tracker(s)
        x.track("a")
        self.flush(x)
        self.counts(x, delivered=1, retries=1)

    # The longest answer of the server is read to its end: a part of it would be no answer, and the batch would be sent again without end.
    def test_an_answer_is_read_whole(self) -> None:
        mistakes = [{"index": 0, "pointer": "/events/0/props/" + "x" * 1000, "code": "duplicate_member", "detail": "d"}] * 12_000
        url, _ = self.serve({"accepted": 0, "duplicates": 0, "rejected": 1, "errors": mistakes})
        x = self.tracker(url, max_attempts=1)
        x.track("e")
        self.flush(x)
        [(_, why)] = x.drops
        assert isinstance(why, RejectedError)
        self.assertEqual(len(why.fields), 12_000)

    def test_a_connection_is_kept_and_renewed(self) -> None:
        s = self.scripted({}, {"headers": {"Connection": "close"}})
        x = self.tracker(s)
        with unittest.mock.patch("socket.create_connection", wraps=socket.create_connection) as connect:
            for _ in range(4):
                x.track("a")
                self.flush(x)
        self.counts(x, delivered=4, retries=0)
        self.assertEqual(connect.call_count, 2)

    def test_the_proxy_of_the_environment_is_used(self) -> None:
        s = self.scripted()
        proxy, seen = self.serve({"accepted": 1, "duplicates": 0, "rejected": 0})
        proxy = proxy.replace("http://", "http://ada:p%20w@")
        with unittest.mock.patch.dict(os.environ, {"http_proxy": proxy, "no_proxy": "127.0.0.1"}):
            direct, through = self.tracker(s), self.tracker("http://nimbus.example/below")
            for x in (direct, through):
                x.track("a")
                self.flush(x)
        self.assertEqual(seen, [("http://nimbus.example/below/v1/events", "Basic " + base64.b64encode(b"ada:p w").decode())])
        self.assertEqual(len(s.requests()), 1)


    # With a certificate of one's own, which nobody else believes.
    def test_https(self) -> None:
        folder = self.folder()
        key, certificate = folder + "/key.pem", folder + "/cert.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        url, seen = self.serve({"accepted": 1, "duplicates": 0, "rejected": 0}, context)
        url = url.replace("http://127.0.0.1", "https://localhost")
        x = self.tracker(url, transport=nimbus.HTTPTransport(ssl.create_default_context(cafile=certificate)))
        for _ in range(2):
            x.track("a")
            self.flush(x)
        stranger = self.tracker(url, max_attempts=1)
        stranger.track("a")
        self.flush(stranger)
        self.counts(x, delivered=2, retries=0)
        self.counts(stranger, dropped=1)
        self.assertIn("CERTIFICATE_VERIFY_FAILED", stranger.log())
        self.assertEqual(len(seen), 2)


class Waits(Test):
    # An outage of hours loses nothing: the pauses grow to their bound and stay there, and no two programs pause alike.
    def test_an_outage_is_sat_out(self) -> None:
        clock, failures, when = LeapingClock(), 400, []

        def answer(request: Request) -> Response:
            when.append(clock.now)
            return STORED if len(when) > failures else Response(503, {}, b"")

        x = self.tracker("http://nimbus.test", transport=answer, clock=clock, min_backoff=1.0, max_backoff=60.0)
        x.track("e")
        x.flush()
        self.counts(x, delivered=1, retries=failures)
        pauses = [b - a for a, b in zip(when, when[1:])]
        bound = 1.0
        for pause in pauses:
            self.assertLessEqual(pause, bound + 1e-6)
            bound = min(2 * bound, 60.0)
        self.assertGreater(sum(pauses), 3600)
        self.assertGreater(len(set(pauses)), failures // 2)

    def test_an_event_waits_no_longer_than_its_interval(self) -> None:
        clock = ManualClock()
        sent = Recorder(clock=clock, flush_interval=10.0)
        self.addCleanup(self.end, sent.tracker)
        for _ in range(2):  # the first decides, whatever comes after it
            sent.tracker.track("e")
            clock.advance(4)
        sent.tracker.track("e")
        self.assertEqual(sent.requests, 0)
        clock.advance(2)
        with sent.tracker._lock:
            while sent.tracker.stats().waiting:
                self.assertTrue(sent.tracker._changed.wait(60))
        self.assertEqual((sent.requests, clock.time() % 1000), (1, 10))

    # However small the queue is, it is sent before an event has no room, and not only when the interval ends.
    def test_a_full_queue_waits_for_nothing(self) -> None:
        for small in ({"queue_events": 10}, {"queue_bytes": 64 << 10}):
            for policy in ("refuse", "drop_oldest", "block"):
                with Recorder(flush_interval=3600.0, when_full=policy, **small) as sent:
                    t = sent.tracker
                    for k in range(100):
                        t.track("e", {"text": "x" * (320 * k)})
                        with t._lock:  # the sender has done what it wants to
                            while len(t._queue) >= t.flush_events or t._bytes >= t.flush_bytes or t._in_flight:
                                self.assertTrue(t._changed.wait(60))
                    self.counts(t, dropped=0, refused=0, tracked=100)
                    self.assertGreater(t.stats().delivered, 0)

    def test_what_is_larger_than_the_queue_is_refused_under_every_policy(self) -> None:
        for policy in ("refuse", "drop_oldest", "block"):
            with Recorder(queue_bytes=64 << 10, when_full=policy) as sent:
                with self.assertRaises(QueueFullError):
                    sent.tracker.unset_people(["🎉" * 200] * 100, user_id="u")
                self.counts(sent.tracker, refused=1, tracked=0)

    # What is learned from a 413 makes batches smaller, and never larger than the queue allows.
    def test_a_batch_that_was_too_large_makes_none_larger(self) -> None:
        with Recorder(queue_bytes=64 << 10, flush_interval=3600.0) as sent:
            sent.fail(413)
            for size in (1, 10_000):
                for _ in range(3):
                    sent.tracker.track("e", {"text": "x" * size})
                sent.events()
            self.assertEqual((sent.requests, sent.tracker.stats().delivered), (3 + 2, 6))  # one and its halves; two events and one

    def test_an_attempt_that_hangs_is_broken_off_and_repeated(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, request_timeout=0.05)
        x.track("e")
        self.flush(x)
        self.counts(x, delivered=1, retries=1)
        self.assertIn("timed out", x.log())

    def test_close_waits_for_a_server_only_as_long_as_it_may(self) -> None:
        x = self.tracker(self.scripted({"status": 503, "times": 1000}), max_backoff=3600.0, min_backoff=3600.0)
        x.track("e")
        with self.assertRaises(UndeliveredError) as raised:
            x.close(0.05)
        self.assertEqual(raised.exception.count, 1)

    # Nothing here can break off a transport of the program's own: close leaves it behind, and what it learns later changes nothing.
    def test_close_does_not_wait_for_what_cannot_be_broken_off(self) -> None:
        asked, go_on = threading.Event(), threading.Event()

        def answer(request: Request) -> Response:
            asked.set()
            go_on.wait(60)
            return STORED

        x = self.tracker("http://nimbus.test", transport=answer)
        x.track("e")
        background(x.flush)
        asked.wait(60)
        sender = x._sender
        with self.assertRaises(UndeliveredError):
            x.close(0)
        go_on.set()
        assert sender
        sender.join(60)
        self.counts(x, dropped=1, delivered=0, waiting=0)
        self.assertEqual(len(x.drops), 1)

    # A second caller of close may rely on the same as the first: everything is reported, and the spool is free.
    def test_a_second_close_waits_for_the_first(self) -> None:
        reporting, reported = threading.Event(), threading.Event()

        def drop(event: nimbus.Event, why: Exception) -> None:
            reporting.set()
            reported.wait(60)

        x = self.tracker("http://127.0.0.1:1", on_drop=drop)
        x.track("e")
        first = background(lambda: x.close(0))
        reporting.wait(60)
        second = background(x.close)
        self.assertFalse(second.done())
        reported.set()
        self.assertIsInstance(first.exception(60), UndeliveredError)
        self.assertIsNone(second.result(60))

    # As a handler of SIGTERM may, while the main thread closes.
    def test_a_signal_handler_may_close_what_its_thread_closes(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s)
        x.track("e")

        def handle(*_: object) -> None:
            x.close()
            s.release()

        def send() -> None:
            s.report("waiting=1")
            os.kill(os.getpid(), signal.SIGUSR1)

        self.addCleanup(signal.signal, signal.SIGUSR1, signal.signal(signal.SIGUSR1, handle))
        background(send)
        x.close(60)
        self.counts(x, delivered=1)

    # An answer that comes while close gives up counts: its error names exactly the events that were reported.
    def test_an_event_delivered_while_close_gives_up_is_not_called_undelivered(self) -> None:
        over = threading.Event()

        def answer(request: Request) -> Response:
            over.wait(60)
            return STORED

        x = self.tracker("http://nimbus.test", transport=answer)
        x.track("e")
        with unittest.mock.patch.object(Sender, "stop", lambda sender: over.set()):
            x.close(0)
        self.counts(x, delivered=1, dropped=0, waiting=0)
        self.assertEqual(x.drops, [])

    # A batch that is being sent in halves when close gives up is reported whole: no event is passed over for another.
    def test_halves_that_are_broken_off_are_all_reported(self) -> None:
        s = self.scripted({"status": 413}, {"hold": True})
        x = self.tracker(s)
        x.many("a", "b")
        background(x.flush)
        s.report("waiting=1")
        with self.assertRaises(UndeliveredError) as raised:
            x.close(0)
        self.assertEqual((raised.exception.count, [e.name for e, _ in x.drops]), (2, ["a", "b"]))

    # A call that makes room has reported what it dropped before close returns.
    def test_close_waits_for_what_a_call_reports(self) -> None:
        reporting, reported = threading.Event(), threading.Event()

        def drop(event: nimbus.Event, why: Exception) -> None:
            if isinstance(why, QueueFullError):
                reporting.set()
                reported.wait(60)

        s = self.scripted({"hold": True})
        x = self.tracker(s, queue_events=1, flush_events=1, on_drop=drop)
        x.track("in flight")
        s.report("waiting=1")
        x.track("dropped")
        tracked = background(lambda: x.track("waits"))
        reporting.wait(60)
        closed = background(lambda: x.close(0))
        self.assertFalse(closed.done())
        reported.set()
        error = closed.exception(60)
        assert isinstance(error, UndeliveredError)
        self.assertEqual(error.count, 2)
        tracked.result(60)

    def test_a_callback_that_throws_breaks_nothing(self) -> None:
        def drop(event: nimbus.Event, why: Exception) -> None:
            raise KeyError("mine")

        s = self.scripted({"status": 400})
        x = self.tracker(s, on_drop=drop)
        for name in "ab":
            x.track(name)
            self.flush(x)
        self.counts(x, dropped=1, delivered=1)
        self.assertIn("KeyError: 'mine'", x.log())

    def test_quiet_calls_raise_nothing(self) -> None:
        x = self.tracker(self.scripted(), quiet=True)
        x.track("")
        x.identify("null")
        x.register({"bad": object()})
        self.flush(x)
        x.close(60)
        x.track("late")
        self.counts(x, refused=4, tracked=0)
        self.assertEqual(x.log().count("not tracked"), 4)

    def test_many_threads_track_and_nothing_is_lost_or_doubled(self) -> None:
        with Recorder(flush_events=7, flush_interval=0.001, min_backoff=0.001, max_backoff=0.001) as sent:
            def work(thread: int) -> None:
                for k in range(200):
                    sent.tracker.track("e", {"k": (thread, k)})
                    if random.random() < 0.02:
                        sent.fail(503, 0)

            for done in [background(partial(work, t)) for t in range(8)]:
                done.result(60)
            got = [tuple(e.props["k"]) for e in sent.events() if e.props]
        self.assertEqual(sorted(got), [(t, k) for t in range(8) for k in range(200)])


class Recording(Test):
    # The recorder is what users test with, so it has to fail as the real thing does.
    def test_it_stores_each_event_once_and_fails_as_told(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=timezone.utc)
        with Recorder(min_backoff=0.001) as sent:
            sent.fail(503, 0)
            for key in ("1", "2", "1"):
                sent.tracker.track("e", ts=at, idempotency_key=key)
            self.assertEqual((len(sent.events()), sent.requests), (2, 3))
            self.counts(sent.tracker, delivered=3, duplicates=1)
            sent.fail(400)
            sent.tracker.track("lost")
            self.assertEqual((len(sent.events()), sent.tracker.stats().dropped), (2, 1))

    # A test that passes with the recorder must not find two events to be one with the server, nor one to be two.
    def test_it_knows_an_event_as_the_server_does(self) -> None:
        at = datetime(2026, 1, 1, tzinfo=timezone.utc)
        first: dict[str, Any] = {"name": "e", "ts": at, "user_id": "u", "idempotency_key": "k"}
        for change, same in (({}, True), ({"ts": at.astimezone(timezone(timedelta(hours=1)))}, True), ({"props": {"a": 1}}, True), ({"anonymous_id": "a"}, True),
                             ({"ts": at + timedelta(microseconds=1)}, False), ({"name": "other"}, False), ({"user_id": "other"}, False),
                             ({"user_id": None, "anonymous_id": "u"}, False), ({"idempotency_key": "other"}, False)):
            with Recorder() as sent:
                sent.tracker.enqueue(nimbus.Event(**first))
                sent.tracker.enqueue(nimbus.Event(**{**first, **change}))
                self.assertEqual(len(sent.events()) == 1, same, change)
