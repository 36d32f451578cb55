"""Events that outlive the program."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from nimbus import SpoolError, UndeliveredError
from nimbus.testing import Recorder

from .support import PROJECT, SDK, Test, background

CLOCK = datetime(2026, 1, 15, tzinfo=timezone.utc)
NOBODY = "http://127.0.0.1:1"
HEAD = len(b"nimbus-events 1\n")


def segments(folder: str) -> list[Path]:
    return sorted((Path(folder) / PROJECT).glob("*"))


class Spools(Test):
    def abandoned(self, folder: str, *names: str, **options: Any) -> None:
        """Leaves a spool with these events behind, none of which was delivered."""
        x = self.tracker(NOBODY, spool_dir=folder, **options)
        for name in names:
            x.track(name, {"text": "x" * 100}, ts=CLOCK)
        with self.assertRaises(UndeliveredError) as raised:
            x.close(0)
        self.assertEqual((raised.exception.count, raised.exception.spooled), (len(names), True))
        self.counts(x, waiting=len(names), dropped=0)
        self.assertEqual(x.drops, [])

    def resumed(self, folder: str) -> list[str]:
        """What a new tracker on the directory sends."""
        with Recorder(spool_dir=folder) as sent:
            names = [e.name for e in sent.events()]
        self.assertEqual(segments(folder), [], "delivered, and still there")
        return names

    def planted(self, segment: bytes) -> str:
        folder = self.folder()
        (Path(folder) / PROJECT).mkdir()
        (Path(folder) / PROJECT / "0.events").write_bytes(segment)
        return folder

    def test_it_is_sent_by_the_next_tracker(self) -> None:
        folder = os.path.join(self.folder(), "made", "on", "the", "way")
        self.abandoned(folder, "a", "b", spool_sync=0)
        self.assertEqual(self.resumed(folder), ["a", "b"])
        self.assertEqual(self.resumed(folder), [])

    # A crash tears the last record at any byte: every whole record before it is sent, and nothing else.
    def test_a_torn_one_gives_its_whole_records(self) -> None:
        folder = self.folder()
        self.abandoned(folder, "a", "b", "c")
        whole = segments(folder)[0].read_bytes()
        record = (len(whole) - HEAD) // 3
        with self.assertLogs("nimbus", "WARNING"):
            for cut in range(0, len(whole), 29):
                self.assertEqual(len(self.resumed(self.planted(whole[:cut]))), max(0, cut - HEAD) // record, cut)
            for at in range(0, len(whole), 37):  # and a byte that flips, as on a bad disk, ends the segment there
                bad = bytearray(whole)
                bad[at] ^= 0x20
                self.assertEqual(len(self.resumed(self.planted(bytes(bad)))), max(0, at - HEAD) // record, at)

    def test_it_keeps_the_events_of_projects_apart(self) -> None:
        folder = self.folder()
        self.abandoned(folder, "a", "b")
        with Recorder(spool_dir=folder, project_id="22222222-2222-4222-8222-222222222222") as other:
            self.assertEqual((other.events(), other.tracker.stats().tracked), ([], 0))
            self.assertEqual(self.resumed(folder), ["a", "b"])

    # As the workers of a web server do: none takes what another is sending, and what a dead one has left is sent once.
    def test_trackers_share_a_directory(self) -> None:
        folder = self.folder()
        self.abandoned(folder, "left")
        s = self.scripted({"hold": True})
        first = self.tracker(s, spool_dir=folder, flush_events=1)
        s.report("waiting=1")
        second = self.tracker(s, spool_dir=folder)
        second.track("own")
        self.counts(second, tracked=1)
        s.release()
        self.flush(first)
        self.flush(second)
        self.assertEqual(sorted(e["name"] for r in s.requests("requests=2") for e in r["events"]), ["left", "own"])
        self.assertEqual(segments(folder), [])

    # What is delivered leaves the disk, so that a spool has the size of what waits.
    def test_it_is_bounded_by_what_waits(self) -> None:
        folder = self.folder()
        with Recorder(spool_dir=folder) as sent:
            for _ in range(3):
                for _ in range(100):
                    sent.tracker.track("e", {"text": "x" * 15_000})
                sent.events()
                self.assertEqual(segments(folder), [])

    def test_what_cannot_be_spooled_is_refused(self) -> None:
        folder = self.folder() + "/spool"
        x = self.tracker(NOBODY, spool_dir=folder)
        shutil.rmtree(folder)  # a disk that went away
        with self.assertRaises(SpoolError):
            x.track("e")
        self.counts(x, refused=1, tracked=0)

    def test_operations_are_spooled_among_events(self) -> None:
        folder = self.folder()
        left = self.tracker(NOBODY, spool_dir=folder)
        left.track("a")
        left.set_people({"plan": "pro"}, user_id="ada")
        left.track("b")
        left.delete_person(user_id="bob")
        with self.assertRaises(UndeliveredError):
            left.close(0)
        with Recorder(spool_dir=folder) as sent:
            self.assertEqual([(o.op, o.user_id, o.props) for o in sent.operations()], [("set", "ada", {"plan": "pro"}), ("delete", "bob", None)])
            self.assertEqual([e.name for e in sent.events()], ["a", "b"])

    def test_what_was_dropped_leaves_it(self) -> None:
        folder = self.folder()
        x = self.tracker(self.scripted({"status": 400}), spool_dir=folder)
        x.many("a", "b")
        self.flush(x)
        self.counts(x, dropped=2)
        self.assertEqual(segments(folder), [])

    # A call that has returned means that the event will be stored, though the program is killed while it sends.
    def test_what_was_tracked_before_a_kill_is_stored_once(self) -> None:
        s, folder = self.scripted({"times": 3}, {"drop": "after"}, {"times": 5}, {"hold": True}), self.folder()
        program = f"""
import itertools, nimbus
tracker = nimbus.Tracker({s.url!r}, {PROJECT!r}, key_id="nk_test", secret="ns_test", spool_dir={folder!r}, flush_events=20, when_full="block")
for k in itertools.count():
    tracker.track("e", idempotency_key=str(k))
    print(k, flush=True)
"""
        env = {**os.environ, "PYTHONPATH": str(SDK / "src")}
        victim = subprocess.Popen([sys.executable, "-c", program], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        assert victim.stdout
        lines: list[str] = []
        with victim.stdout:
            lines.append(victim.stdout.readline())
            rest = background(lambda: lines.extend(victim.stdout or ()))
            s.report("waiting=1")
            victim.send_signal(signal.SIGKILL)
            rest.result(60)
        victim.wait()
        x = self.tracker(s, spool_dir=folder, logger=None)
        self.flush(x)
        stored = s.report()["stored"]
        tracked = [line.strip() for line in lines]
        self.assertEqual(len(set(stored)), len(stored))
        self.assertEqual(set(tracked) - set(stored), set())
        self.assertLessEqual(len(stored), len(tracked) + 1)  # the last may not have been said
        self.assertGreater(x.stats().tracked, 0)
