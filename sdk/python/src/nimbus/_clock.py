"""The clock that everything here goes by."""

from __future__ import annotations

import threading
import time


class Clock:
    """The real time. Tests may give a tracker another one: :class:`nimbus.testing.ManualClock`."""

    def time(self) -> float:
        """Seconds since 1970, for times of events and signatures."""
        return time.time()

    def monotonic(self) -> float:
        """Seconds since some moment, for waits: nobody sets this clock."""
        return time.monotonic()

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        """Waits for a notification of the condition, which the caller holds, or for the moment by ``monotonic``. It may wake early."""
        condition.wait(None if until is None else max(0.0, until - self.monotonic()))
