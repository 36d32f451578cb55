"""What the tests share: the server that misbehaves (test/sdktest), one for all of them, and trackers that send to it."""

from __future__ import annotations

import atexit
import functools
import io
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import unittest
import urllib.request
import uuid
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Callable

import nimbus
from nimbus import Clock
from nimbus.api import Client

ROOT = Path(__file__).resolve().parents[3]
SDK = ROOT / "sdk" / "python"
logging.getLogger("nimbus").addHandler(logging.NullHandler())  # what tests provoke is not printed

PASSWORD = "Correct-Horse-7"
PROJECT = "3fa85f64-5717-4562-b3fc-2c963f66afa6"


def vectors(name: str) -> Any:
    return json.loads((ROOT / "testvectors" / name).read_text())


@functools.lru_cache(maxsize=None)
def misbehaving() -> str:
    """The URL of the server, which ends with this process."""
    folder = tempfile.mkdtemp(prefix="nimbus-sdktest-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    binary = os.path.join(folder, "server")
    env = {**os.environ, "CGO_ENABLED": "0"}  # as everything else is compiled
    subprocess.run(["go", "build", "-trimpath", "-o", binary, "./test/sdktest/cmd"], cwd=ROOT, env=env, check=True)
    server = subprocess.Popen([binary, "-until-eof"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    assert server.stdin and server.stdout

    def end() -> None:
        assert server.stdin and server.stdout
        server.stdin.close()
        server.wait()
        server.stdout.close()

    atexit.register(end)
    return server.stdout.readline().strip()


def exchange(method: str, url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data, method=method), timeout=130) as answer:
        raw = answer.read()
    return json.loads(raw) if raw else None


class Session:
    """The server as one test has scripted it."""

    def __init__(self, script: Any) -> None:
        self.url = exchange("POST", misbehaving() + "/__script", script)["url"]

    def report(self, query: str = "") -> Any:
        """What has arrived; query says what to wait for: ``requests=2`` answered, ``waiting=1`` held."""
        return exchange("GET", f"{self.url}/__requests?{query}")

    def requests(self, query: str = "") -> Any:
        return self.report(query)["requests"]

    def release(self) -> None:
        exchange("POST", f"{self.url}/__release", "")


class Tracked(nimbus.Tracker):
    """A tracker, and what it has reported. It sends only when told to, and tries again at once, unless options say otherwise."""

    def __init__(self, url: str, **options: Any) -> None:
        self.drops: list[tuple[Any, Exception]] = []
        self.changes: list[tuple[Any, Exception]] = []  # the operations that were dropped
        self.said = io.StringIO()
        logger = logging.Logger("test", logging.INFO)
        logger.addHandler(logging.StreamHandler(self.said))
        of = {"project_id": PROJECT, "flush_interval": 3600.0, "min_backoff": 0.001, "max_backoff": 0.005, "logger": logger,
              "on_drop": lambda event, why: self.drops.append((event, why)),
              "on_drop_operation": lambda operation, why: self.changes.append((operation, why))}
        if not options.keys() & {"secret", "write_key"}:
            of.update(key_id="nk_test", secret="ns_test")
        super().__init__(url=url, **{**of, **options})

    def many(self, *names: str) -> None:
        for name in names:
            self.track(name)

    def log(self) -> str:
        return self.said.getvalue()


class Test(unittest.TestCase):
    """A test with a tracker."""

    maxDiff = None

    def scripted(self, *replies: Any, **script: Any) -> Session:
        return Session({"replies": replies, **script} if replies else script)

    def tracker(self, session: Session | str, **options: Any) -> Tracked:
        tracker = Tracked(session if isinstance(session, str) else session.url, **options)
        self.addCleanup(self.end, tracker)
        return tracker

    @staticmethod
    def end(tracker: nimbus.Tracker) -> None:
        try:
            tracker.close(0)  # what is left does not matter
        except nimbus.UndeliveredError:
            pass

    def flush(self, tracker: nimbus.Tracker) -> None:
        tracker.flush(60)
        self.adds_up(tracker)

    def adds_up(self, tracker: nimbus.Tracker) -> None:
        s = tracker.stats()
        self.assertEqual(s.tracked, s.delivered + s.rejected + s.dropped + s.waiting, s)

    def counts(self, tracker: nimbus.Tracker, **want: int) -> None:
        stats = tracker.stats()
        self.assertEqual({name: getattr(stats, name) for name in want}, want)

    def folder(self) -> str:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        return folder.name


def names(request: Any) -> str:
    return " ".join(e["name"] for e in request["events"])


def background(call: Callable[[], Any]) -> Future[Any]:
    """Calls it in a thread of its own."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except BaseException as e:
            future.set_exception(e)

    threading.Thread(target=run, daemon=True).start()
    return future


class LeapingClock(Clock):
    """A clock on which every wait for a moment is over at once: hours of back-off take no time."""

    def __init__(self) -> None:
        self.now = 946_684_800.0  # 2000-01-01

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now

    def wait(self, condition: threading.Condition, until: float | None) -> None:
        if until is None:
            condition.wait()
        else:
            self.now = max(self.now, until)


@functools.lru_cache(maxsize=None)
def program() -> str:
    """The server: the one that NIMBUS_BIN names, or a new one."""
    if os.environ.get("NIMBUS_BIN"):
        return os.environ["NIMBUS_BIN"]
    folder = tempfile.mkdtemp(prefix="nimbus-py-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    binary = os.path.join(folder, "nimbus")
    subprocess.run(["sh", "scripts/pack-python.sh"], cwd=ROOT, check=True)
    subprocess.run(["go", "build", "-trimpath", "-o", binary, "./cmd/nimbus"], cwd=ROOT, env={**os.environ, "CGO_ENABLED": "0"}, check=True)
    return binary


class Nimbus:
    """A server with a database of its own, at one address however often it is started."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="nimbus-py-")
        os.chmod(self._folder, 0o755)  # PostgreSQL runs as another account under root
        self._child: subprocess.Popen[str] | None = None
        self.url = ""
        self.start()

    def start(self) -> None:
        env = {k: v for k, v in os.environ.items() if not k.startswith("NIMBUS_") or k == "NIMBUS_POSTGRES_BIN"}
        env.update(NIMBUS_ADDR=self.url.replace("http://", "") or "127.0.0.1:0", NIMBUS_ADMIN_ADDR="off", NIMBUS_BCRYPT_COST="4",
                   NIMBUS_RATE_LIMIT_ENABLED="false", NIMBUS_DATA_DIR=self._folder + "/data")
        child = self._child = subprocess.Popen([program(), "serve"], cwd=self._folder, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        assert child.stderr
        said = []
        for line in child.stderr:
            said.append(line)
            found = re.search(r"msg=ready url=(http://\S+:\d+)", line)
            if found:
                self.url = found[1]
                threading.Thread(target=child.stderr.read, daemon=True).start()  # or the pipe fills
                return
        raise AssertionError("the server has ended:\n" + "".join(said))

    def stop(self, signal_: int = signal.SIGTERM) -> None:
        assert self._child and self._child.stderr
        self._child.send_signal(signal_)
        self._child.wait()
        self._child.stderr.close()

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def tenant(self) -> tuple[Client, dict[str, str]]:
        """The account of a new project, and the arguments of its trackers."""
        client = Client(self.url)
        atexit.register(client.close)
        client.register({"email": f"{uuid.uuid4()}@example.com", "password": PASSWORD})
        made = client.create_project({"name": "Web shop"})
        return client, {"url": self.url, "project_id": made["project"]["id"], "key_id": made["api_key_id"], "secret": made["api_key_secret"]}


@functools.lru_cache(maxsize=None)
def nimbus_server() -> Nimbus:
    """One for all tests; it ends with this process."""
    server = Nimbus()
    atexit.register(server.remove)
    return server
