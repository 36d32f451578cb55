"""What every SDK does for one person at one device, by the names of testvectors/behaviours.json."""

from __future__ import annotations

from typing import Any

from nimbus.testing import ManualClock, Recorder

from .support import Test


class Kept(dict):  # type: ignore[type-arg]
    """A store."""

    def get(self, name: str) -> str:  # type: ignore[override]
        return str(super().get(name, ""))

    def set(self, name: str, value: str) -> None:
        self[name] = value


class Visitors(Test):
    def recorder(self, **options: Any) -> Recorder:
        recorder = Recorder(**options)
        self.addCleanup(self.end, recorder.tracker)
        return recorder

    def test_visitor_has_ids(self) -> None:
        sent = self.recorder()
        v = sent.tracker.visitor()
        v.track("before", {"n": 1})
        v.set_people_once({"source": "ad"})
        v.identify("ada", {"plan": "pro"})
        v.page()
        v.add_people({"views": 1})
        anonymous, session = v.anonymous_id(), v.session_id()
        self.assertTrue(anonymous and session)
        self.assertEqual([(e.user_id, e.anonymous_id, e.props and e.props["session_id"]) for e in sent.events()],
                         [(None, anonymous, session), ("ada", anonymous, session)])
        self.assertEqual([(o.op, o.user_id, o.anonymous_id) for o in sent.operations()],
                         [("set_once", None, anonymous), ("set", "ada", anonymous), ("add", "ada", anonymous)])

    def test_visitor_lasts(self) -> None:
        sent, store = self.recorder(), Kept()
        first = sent.tracker.visitor(store)
        first.register({"version": "1.2"})
        first.identify("ada")
        first.track("e")
        sent.tracker.visitor(store).track("e")
        a, b = sent.events()
        self.assertEqual((b.user_id, b.anonymous_id, b.props), ("ada", a.anonymous_id, a.props))
        self.assertEqual(b.props and b.props["version"], "1.2")

    def test_visitor_is_of_a_group(self) -> None:
        sent = self.recorder()
        v = sent.tracker.visitor()
        v.group("company", "acme", {"plan": "team"})
        v.track("e")
        self.assertEqual([e.props and e.props["company"] for e in sent.events()], ["acme"])
        self.assertEqual([(o.user_id, o.anonymous_id, o.group, o.props) for o in sent.operations()], [(None, None, ("company", "acme"), {"plan": "team"})])

    def test_reset_begins_anew(self) -> None:
        sent = self.recorder()
        v = sent.tracker.visitor()
        v.register({"version": "1.2"})
        v.identify("ada")
        v.track("e")
        v.reset()
        v.track("e")
        before, after = sent.events()
        self.assertEqual((before.user_id, after.user_id), ("ada", None))
        self.assertNotEqual(before.anonymous_id, after.anonymous_id)
        assert before.props and after.props
        self.assertNotEqual(before.props["session_id"], after.props["session_id"])
        self.assertEqual(("version" in before.props, "version" in after.props), (True, False))

    def test_another_person_begins_anew(self) -> None:
        sent = self.recorder()
        v = sent.tracker.visitor()
        for user in ("ada", "ada", "bob"):
            v.identify(user)
        first, again, other = sent.operations()
        self.assertEqual(first.anonymous_id, again.anonymous_id)
        self.assertNotEqual(first.anonymous_id, other.anonymous_id)
        self.assertEqual(other.user_id, "bob")

    def test_session_ends_when_idle(self) -> None:
        clock = ManualClock()
        v = self.recorder(clock=clock).tracker.visitor()
        v.track("e")
        first = v.session_id()
        clock.advance(30 * 60)
        v.track("e")
        self.assertEqual(v.session_id(), first, "it ended after 30 minutes, and not after more")
        clock.advance(20 * 60)
        self.assertEqual(v.session_id(), first)
        clock.advance(20 * 60)
        second = v.session_id()
        self.assertNotEqual(second, first, "asking for it kept it open")
        v.track("e")
        self.assertEqual(v.session_id(), second)

    def test_session_ends_after_a_day(self) -> None:
        clock = ManualClock()
        v = self.recorder(clock=clock).tracker.visitor()
        v.track("e")
        first = v.session_id()
        for _ in range(24 * 3):
            clock.advance(20 * 60)
            v.track("e")
        self.assertEqual(v.session_id(), first)
        clock.advance(60)
        self.assertNotEqual(v.session_id(), first)
