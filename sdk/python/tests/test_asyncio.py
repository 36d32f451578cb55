"""Trackers among tasks."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import nimbus
from nimbus import QueueFullError, UndeliveredError
from nimbus.testing import Recorder

from .support import Tracked, Test


class Tasks(Test):
    def run_in_loop(self, main: Any) -> Any:
        return asyncio.run(asyncio.wait_for(main, 60))

    def test_it_is_flushed_and_closed_without_a_thread_that_waits(self) -> None:
        s = self.scripted({"status": 503}, {"hold": True})

        async def main() -> None:
            async with Tracked(s.url) as x:
                x.track("a")
                flushing = asyncio.create_task(x.flush_async())
                threads = threading.active_count()
                await asyncio.to_thread(s.report, "requests=1&waiting=1")
                self.assertFalse(flushing.done())
                s.release()
                await flushing
                self.assertLessEqual(threads, threading.active_count())
                self.counts(x, delivered=1, waiting=0)
                x.track("b")
            with self.assertRaises(nimbus.ClosedError):
                x.track("late")
            await x.aclose()
            self.counts(x, delivered=2)

        self.run_in_loop(main())

    def test_flush_gives_up_with_its_time_or_its_task(self) -> None:
        s = self.scripted({"hold": True})

        async def main() -> None:
            x = self.tracker(s)
            x.many("a", "b")
            with self.assertRaises(UndeliveredError) as raised:
                await x.flush_async(timeout=0.05)
            self.assertEqual(raised.exception.count, 2)
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(x.flush_async(), 0.01)
            self.assertEqual(x._watchers, [])
            with self.assertRaises(UndeliveredError) as raised:
                await asyncio.gather(x.aclose(0), x.aclose())
            self.assertEqual(raised.exception.count, 2)
            self.counts(x, dropped=2, waiting=0)

        self.run_in_loop(main())

    # What would free the queue could not run, because the loop stands still.
    def test_a_call_in_a_loop_never_waits_for_room(self) -> None:
        s = self.scripted({"hold": True})
        x = self.tracker(s, queue_events=1, flush_events=1, when_full="block")
        x.track("a")
        s.report("waiting=1")
        x.track("b")

        async def main() -> None:
            with self.assertRaises(QueueFullError):
                x.track("c")

        self.run_in_loop(main())
        s.release()
        self.flush(x)

    def test_tasks_track_together(self) -> None:
        async def work(sent: Recorder, task: int) -> None:
            for k in range(50):
                sent.tracker.track("e", {"k": (task, k)})
                await asyncio.sleep(0)

        async def main(sent: Recorder) -> None:
            await asyncio.gather(*(work(sent, t) for t in range(20)))

        with Recorder(flush_events=7) as sent:
            self.run_in_loop(main(sent))
            self.assertEqual(len(sent.events()), 1000)


