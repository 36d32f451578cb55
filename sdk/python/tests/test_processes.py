"""Forks, and programs that end."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

from .support import PROJECT, SDK, Session, Test


def program(session: Session, code: str, *arguments: str, status: int = 0, **options: Any) -> str:
    """Runs a program with a tracker, and returns what it says."""
    of = {"key_id": "nk_test", "secret": "ns_test", "flush_interval": 3600.0, "min_backoff": 0.001, "max_backoff": 0.005, **options}
    text = f"import os, signal, sys, threading, time, nimbus\ntracker = nimbus.Tracker({session.url!r}, {PROJECT!r}, **{of!r})\n{code}"
    env = {**os.environ, "PYTHONPATH": str(SDK / "src")}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", text, *arguments], env=env, timeout=60, capture_output=True, text=True)
    assert done.returncode == status, (done.returncode, done.stderr)
    return done.stdout + done.stderr


class Processes(Test):
    def stored(self, s: Session) -> list[str]:
        report = s.report()
        names = [e["name"] for r in report["requests"] for e in r["events"] or ()]
        self.assertEqual(len(set(report["stored"])), len(report["stored"]))
        self.assertEqual(len(report["stored"]), len(names), "something was sent twice")
        return sorted(names)

    # As a web server does that loads the program and then forks its workers. Each process sends what it has tracked itself, and events of
    # two processes are never taken for one.
    def test_after_a_fork_each_process_sends_its_own(self) -> None:
        for folder in (None, self.folder()):
            s = self.scripted()
            said = program(s, """
tracker.register({"of": "both"})
tracker.track("parent before")
children = []
for n in range(3):
    child = os.fork()
    if not child:
        tracker.track(f"child {n}")
        tracker.track(f"child {n}")
        grandchild = os.fork()
        if not grandchild:
            tracker.track(f"grandchild {n}")
            sys.exit()
        os.waitpid(grandchild, 0)
        tracker.close(60)
        print(tracker.stats().delivered, flush=True)
        os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
tracker.track("parent after")
tracker.close(60)
print(tracker.stats().delivered)
""", spool_dir=folder)
            self.assertEqual(said.split(), ["2", "2", "2", "2"])
            self.assertEqual(self.stored(s), sorted(["parent before", "parent after", *(f"child {n}" for n in (0, 0, 1, 1, 2, 2)),
                                                     *(f"grandchild {n}" for n in range(3))]))
            self.assertEqual({e["props"]["of"] for r in s.requests() for e in r["events"]}, {"both"})

    # Other threads hold the locks of the tracker at any moment of the fork, and are not there to release them.
    def test_a_fork_at_any_moment_leaves_a_tracker_that_works(self) -> None:
        s = self.scripted()
        program(s, """
over = threading.Event()
def busy():
    while not over.is_set():
        tracker.track("busy")
        tracker.stats()
        time.sleep(0.0005)
threads = [threading.Thread(target=busy) for _ in range(4)]
for t in threads: t.start()
for n in range(10):
    child = os.fork()
    if not child:
        tracker.track("child")
        tracker.close(30)
        os._exit(0 if tracker.stats().delivered == 1 else 1)
    assert os.waitpid(child, 0)[1] == 0
over.set()
for t in threads: t.join()
tracker.close(30)
""", flush_interval=0.001, queue_events=100_000)
        self.assertEqual(self.stored(s).count("child"), 10)

    # The parent is killed, and the child lives: it must not hold what the parent has left, for the next tracker to take up.
    def test_a_child_does_not_hold_the_spool_of_its_parent(self) -> None:
        s, folder = self.scripted({"hold": True}), self.folder()
        said = program(s, """
tracker.track("parent")
ready, said = os.pipe()
child = os.fork()
if not child:
    tracker.track("child")
    os.write(said, b".")
    os.close(1); os.close(2)
    time.sleep(600)
os.read(ready, 1)
print(child, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""", status=-9, spool_dir=folder)
        try:
            x = self.tracker(s, spool_dir=folder)
            self.counts(x, tracked=1)
        finally:
            os.kill(int(said), 9)

    # The child has nothing to deliver, and waits for nothing.
    def test_a_fork_while_the_parent_closes(self) -> None:
        s = self.scripted({"hold": True})
        self.assertEqual(program(s, """
tracker.track("a")
closing = threading.Thread(target=tracker.close, daemon=True)
closing.start()
while not tracker._closed: time.sleep(0.001)
child = os.fork()
if not child:
    try:
        tracker.track("late")
    except nimbus.ClosedError:
        print("closed", flush=True)
    sys.exit()
assert os.waitpid(child, 0)[1] == 0
os._exit(0)
"""), "closed\n")

    def test_a_program_that_ends_without_close_delivers(self) -> None:
        s = self.scripted({"status": 503})
        program(s, "tracker.track('a'); tracker.track('b')")
        self.assertEqual(len(s.report()["stored"]), 2)

    def test_a_program_that_ends_waits_no_longer_than_it_may_and_says_what_is_lost(self) -> None:
        s = self.scripted({"hold": True, "times": 9})
        said = program(s, "tracker.on_drop = lambda e, why: print(e.name, type(why).__name__)\ntracker.track('a')\nraise SystemExit(3)",
                       status=3, exit_timeout=0.05)
        self.assertIn("a NotDeliveredError", said)
        self.assertIn("1 events are not delivered", said)

    def test_a_tracker_that_tracks_nothing_starts_no_thread(self) -> None:
        self.assertEqual(program(self.scripted(), "print(threading.active_count())").split(), ["1"])
