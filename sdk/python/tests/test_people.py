"""What every SDK does about people, by the names of testvectors/behaviours.json."""

from __future__ import annotations

from datetime import datetime, timezone
from functools import partial
from typing import Any

from nimbus import APIError, BeforeSendError, Event, Operation, RejectedError
from nimbus.event import read
from nimbus.testing import Recorder

from .support import PROJECT, Test, names, vectors


def brief(operation: Operation) -> str:
    """An operation on one line, without its time and key."""
    o = operation
    parts = [o.op, o.user_id, o.anonymous_id, *(o.group or ()), None if o.props is None else dict(o.props), ",".join(o.names)]
    return " ".join(str(p) for p in parts if p not in (None, ""))


class People(Test):
    def recorder(self, **options: Any) -> Recorder:
        recorder = Recorder(**options)
        self.addCleanup(self.end, recorder.tracker)
        return recorder

    def test_tracks_pages_and_screens(self) -> None:
        sent = self.recorder()
        x = sent.tracker
        x.page({"page": "/"}, user_id="u")
        x.screen("Cart", {"items": 2})
        x.screen("Home")
        self.assertEqual([(e.name, e.user_id, e.props) for e in sent.events()],
                         [("$pageview", "u", {"page": "/"}), ("$screen", None, {"name": "Cart", "items": 2}), ("$screen", None, {"name": "Home"})])

    def test_sends_operations(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        one = {"n": 1}
        x.set_people(one, user_id="ada")
        x.set_people_once(one, anonymous_id="a")
        x.add_people(one, user_id="ada")
        x.append_people(one, user_id="ada")
        x.union_people(one, user_id="ada")
        x.remove_people(one, user_id="ada")
        x.unset_people(["n", "m"], user_id="ada")
        x.delete_person(user_id="ada")
        x.group("company", "acme", one)
        x.add_people(one, group=("company", "acme"))
        x.group("company", "new")
        x.change(Operation("set", user_id="bob", props={"n": 2}))
        self.flush(x)
        [r] = s.requests("requests=1")
        self.assertTrue(r["path"].endswith("/v1/people/operations"))
        self.assertEqual((r["project_id"], r["signature"]), (PROJECT, "valid"))
        self.assertEqual([brief(read(o)) for o in r["operations"]], [  # type: ignore[arg-type]
            "set ada {'n': 1}", "set_once a {'n': 1}", "add ada {'n': 1}", "append ada {'n': 1}", "union ada {'n': 1}", "remove ada {'n': 1}",
            "unset ada n,m", "delete ada", "set company acme {'n': 1}", "add company acme {'n': 1}", "set company new {}", "set bob {'n': 2}"])

    def test_gives_each_operation_a_time_and_a_key(self) -> None:
        s = self.scripted()
        x = self.tracker(s)
        before, at = datetime.now(timezone.utc), datetime(2026, 1, 15, 10, 30, tzinfo=timezone.utc)
        x.delete_person(user_id="u")
        x.delete_person(user_id="u")
        x.delete_person(user_id="u", ts=at, idempotency_key="mine")
        after = datetime.now(timezone.utc)
        self.flush(x)
        got = s.report("requests=1")
        o = [read(raw) for raw in got["requests"][0]["operations"]]
        assert o[0].ts is not None
        self.assertTrue(before <= o[0].ts <= after)
        self.assertEqual((o[2].ts, o[2].idempotency_key), (at, "mine"))
        self.assertEqual(len(set(got["stored"])), 3)

    def test_identify_links_two_ids(self) -> None:
        sent = self.recorder()
        sent.tracker.identify("u", {"plan": "pro"}, anonymous_id="a")
        sent.tracker.identify("u")
        sent.tracker.alias("u", "phone")
        self.assertEqual([brief(o) for o in sent.operations()], ["set u a {'plan': 'pro'}", "set u {}", "set u phone {}"])

    def test_sends_a_request_of_each_kind(self) -> None:
        s = self.scripted()
        x = self.tracker(s, flush_events=6000, queue_events=6000)
        each = 2500
        for k in range(each):
            x.track(str(k))
            x.delete_person(user_id=f"u{k}")
        self.flush(x)
        requests = s.requests()
        self.assertEqual([(len(r["events"] or ()), len(r["operations"] or ())) for r in requests], [(each, 0), (0, 1000), (0, 1000), (0, 500)])
        self.assertEqual([o["user_id"] for r in requests for o in r["operations"] or ()], [f"u{k}" for k in range(each)])
        self.assertEqual(names(requests[0]), " ".join(map(str, range(each))))

    def test_retries_operations(self) -> None:
        s = self.scripted({"status": 503}, {"drop": "after"})
        x = self.tracker(s)
        x.add_people({"n": 1}, user_id="u")
        x.delete_person(user_id="v")
        self.flush(x)
        got = s.report()
        self.assertEqual((len({r["text"] for r in got["requests"]}), len(got["requests"]), len(got["stored"])), (1, 3, 2))
        self.counts(x, delivered=2, duplicates=2, retries=2)

    def test_reports_operations(self) -> None:
        s = self.scripted(
            {"status": 200, "body": {"accepted": 1, "duplicates": 0, "rejected": 1, "errors": [
                {"index": 1, "pointer": "/operations/1/ts", "code": "maximum", "detail": "must not be so far ahead"}]}},
            {"status": 422, "body": {"type": "t", "title": "t", "status": 422, "detail": "d", "request_id": "r", "code": "all_operations_rejected",
                                     "errors": [{"index": 0, "pointer": "/operations/0/ts", "code": "maximum", "detail": "y"}]}},
            {"status": 403})
        x = self.tracker(s)
        for batch in (("good", "bad"), ("alone",), ("final",), ("next",)):
            for user in batch:
                x.delete_person(user_id=user)
            self.flush(x)
        got = []
        for o, why in x.changes:
            assert isinstance(why, (RejectedError, APIError))
            got.append((o.user_id, why.fields[0].pointer if isinstance(why, RejectedError) else why.code))
        self.assertEqual(got, [("bad", "/ts"), ("alone", "/ts"), ("final", "scripted")])
        self.counts(x, tracked=5, delivered=2, rejected=2, dropped=1)
        self.assertEqual(x.drops, [])

    def test_refuses_a_bad_operation_at_once(self) -> None:
        sent = self.recorder()
        fine = 0
        for v in vectors("operations.json"):
            for raw, verdict in zip(v["operations"], v["verdicts"]):
                got = []
                try:
                    sent.tracker.change(read(raw))  # type: ignore[arg-type]
                    fine += 1
                except RejectedError as e:
                    got = [(f.pointer, f.code) for f in e.fields]
                self.assertEqual(got, [(f["pointer"], f["code"]) for f in verdict], v["name"])
        self.assertEqual(len(sent.operations()), fine)
        self.assertGreater(sent.tracker.stats().refused, 0)

    def test_junk_identifies_nobody(self) -> None:
        sent = self.recorder()
        x, words = sent.tracker, vectors("junk.json")
        v = x.visitor()
        for word in words["junk"]:
            for call in (partial(x.identify, word, anonymous_id="a"), partial(x.alias, "u", word), partial(x.alias, word, "a"), partial(v.identify, word)):
                with self.assertRaises(RejectedError) as raised:
                    call()
                self.assertEqual(raised.exception.fields[0].code, "nobody", word)
            v.track("e", user_id=word)
        for word in words["fine"]:
            x.identify(word)
        self.assertEqual([o.user_id for o in sent.operations()], words["fine"])
        self.assertEqual({(e.user_id, e.anonymous_id) for e in sent.events()}, {(None, v.anonymous_id())})

    def test_before_send_changes(self) -> None:
        def change(event: Event) -> Event:
            event.name = event.name.lower()
            if event.props:
                event.props = {k: "***" if v == "secret" else v for k, v in event.props.items()}
            return event

        def prefix(o: Operation) -> Operation:
            o.user_id = f"x-{o.user_id}"
            return o

        sent = self.recorder(before_send=change, before_send_operation=prefix)
        x = sent.tracker
        x.track("Paid", {"card": "secret"})
        x.track("PLAIN")
        x.set_people({"n": 1}, user_id="u")
        with self.assertRaises(RejectedError):  # what it makes is checked
            x.track("")
        self.assertEqual([brief(o) for o in sent.operations()], ["set x-u {'n': 1}"])
        self.assertEqual([(e.name, e.props) for e in sent.events()], [("paid", {"card": "***"}), ("plain", None)])

    def test_before_send_drops(self) -> None:
        s = self.scripted()
        x = self.tracker(s, before_send=lambda e: e if e.name != "secret" else None, before_send_operation=lambda o: None)
        x.many("a", "secret", "b")
        x.delete_person(user_id="u")
        self.flush(x)
        self.assertEqual([names(r) for r in s.requests()], ["a b"])
        self.assertEqual([(e.name, type(why)) for e, why in x.drops], [("secret", BeforeSendError)])
        self.assertEqual([(o.user_id, type(why)) for o, why in x.changes], [("u", BeforeSendError)])
        self.counts(x, tracked=4, dropped=2, delivered=2)

    def test_before_send_that_throws_drops(self) -> None:
        def throw(event: Event) -> Any:
            event.name = "changed"
            if not event.props:
                return True
            raise KeyError(event.props["card"])

        sent = self.tracker(self.scripted(), before_send=throw)
        sent.track("a", {"card": "1"})
        sent.track("b")
        self.flush(sent)
        self.assertEqual([(e.name, type(why), type(why.__cause__)) for e, why in sent.drops],
                         [("a", BeforeSendError, KeyError), ("b", BeforeSendError, TypeError)])
        self.assertIn("KeyError('1')", str(sent.drops[0][1]))
        self.counts(sent, tracked=2, dropped=2, refused=0)

    def test_registers_props(self) -> None:
        sent = self.recorder()
        x = sent.tracker
        numbers = [1]
        x.register({"version": "1.2", "list": numbers})
        numbers[0] = 2
        x.track("e")
        x.track("e", {"total": 2**53 + 1, "version": "own"})
        x.unregister("version", "absent")
        x.track("e", {"n": 1})
        x.unregister("list")
        x.track("e")
        x.set_people({}, user_id="u")
        with self.assertRaises(RejectedError):
            x.register({"bad": object()})
        self.assertEqual([e.props for e in sent.events()], [
            {"version": "1.2", "list": [1]}, {"version": "own", "list": [1], "total": 2**53 + 1}, {"list": [1], "n": 1}, None])
        self.assertEqual([brief(o) for o in sent.operations()], ["set u {}"])

    def test_debug_says_what_happens(self) -> None:
        s = self.scripted()
        x = self.tracker(s, debug=True)
        x.track("signed_up")
        x.delete_person(user_id="u")
        self.flush(x)
        for want in ('taken: {"name":"signed_up"', 'taken: {"op":"delete"', "nimbus: 1 events stored", "nimbus: 1 operations stored"):
            self.assertIn(want, x.log())
