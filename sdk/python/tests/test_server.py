"""The tracker, the client, the package and the README, with the real server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import urllib.request
import zipfile
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import nimbus
from nimbus import APIError, Request, Response
from nimbus.api import AsyncClient, Client, types

from .support import PASSWORD, ROOT, SDK, Test, background, nimbus_server

README = (SDK / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def stored(client: Client, project: str) -> list[types.StoredEvent]:
    return list(client.iter_events(project_id=project, order="asc", limit=1000))


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        return bytes(answer.read())


def environment(keys: dict[str, str], **more: str) -> dict[str, str]:
    return {**os.environ, "NIMBUS_URL": keys["url"], "NIMBUS_PROJECT_ID": keys["project_id"], "NIMBUS_KEY_ID": keys["key_id"],
            "NIMBUS_SECRET": keys["secret"], **more}


class Crash(Test):
    def test_every_event_arrives_exactly_once_though_the_server_is_killed(self) -> None:
        server = nimbus_server()
        client, keys = server.tenant()
        x = self.tracker(keys.pop("url"), **keys, flush_events=20, flush_interval=0.005, min_backoff=0.02, max_backoff=0.2, when_full="block",
                         queue_events=100, request_timeout=20.0)
        total = 1500

        def track() -> None:
            for n in range(total):
                x.track("tick", {"n": n}, user_id=n % 10 + 1)

        tracking = threading.Thread(target=track)
        tracking.start()
        with x._lock:
            while x.stats().delivered < 300:
                self.assertTrue(x._changed.wait(60))
        server.stop(signal.SIGKILL)
        server.start()
        tracking.join(60)
        x.close(60)
        self.counts(x, delivered=total, dropped=0, rejected=0)
        self.assertGreater(x.stats().retries, 0)
        self.assertEqual(sorted(e["props"]["n"] for e in stored(client, keys["project_id"])), list(range(total)))


class Clients(Test):
    def client(self, url: str, **options: Any) -> Client:
        client = Client(url, **options)
        self.addCleanup(client.close)
        return client

    def test_each_way_to_call(self) -> None:
        client, keys = nimbus_server().tenant()
        project = keys["project_id"]
        sender = self.client(keys["url"], secret=keys["secret"])
        events: list[types.Event] = [{"name": "signed_up", "user_id": f"ü {k}", "props": {"plan": "pro"}} for k in range(5)]
        self.assertEqual(sender.ingest_events({"project_id": project, "events": events})["accepted"], 5)
        self.assertEqual(sender.list_events(project_id=project, limit=2)["items"][0]["name"], "signed_up")
        self.assertEqual(len(list(client.iter_events(project_id=project, name=("signed_up", "other"), limit=2))), 5)
        pages = list(client.received(project_id=project, limit=2))
        self.assertEqual(sum(len(p["items"]) for p in pages), 5)
        self.assertEqual([len(p["items"]) for p in client.received(project_id=project, cursor=pages[-1]["resume_cursor"])], [0])
        answer = client.query_metrics(project_id=project, bucket="1d")
        self.assertEqual(answer["bucket"], "1d")
        gone = client.create_project({"name": "Gone"})["project"]["id"]
        client.delete_project(gone)
        self.assertNotIn(gone, [p["id"] for p in client.iter_projects(limit=1)])
        self.assertIsInstance(client.export_audit(project), bytes)
        self.assertEqual(client.get_health()["status"], "ready")

    def test_errors_have_every_field(self) -> None:
        client, _ = nimbus_server().tenant()
        with self.assertRaises(APIError) as raised:
            client.create_project({"name": "", "description": "x" * 2000})
        e = raised.exception
        self.assertEqual((e.status, e.code, sorted(f.pointer for f in e.errors)), (422, "validation_failed", ["/description", "/name"]))
        self.assertTrue(e.request_id and e.title and e.detail and e.type and e.errors[0].code and e.errors[0].place == "body")
        with self.assertRaises(APIError) as raised:
            self.client(client._url).get_me()
        self.assertEqual(raised.exception.status, 401)

    def test_a_session_renews_itself_once(self) -> None:
        sessions: list[types.Session] = []
        first, _ = nimbus_server().tenant()
        assert first._session
        client = self.client(first._url, on_session=sessions.append)
        client.resume(first._session)
        client._renew_at = 0  # as if its token expired now
        calls = [threading.Thread(target=client.get_me) for _ in range(8)]
        for call in calls:
            call.start()
        for call in calls:
            call.join(60)
        self.assertEqual(len(sessions), 2)  # the one that was resumed, and one new
        self.assertNotEqual(sessions[0]["refresh_token"], sessions[1]["refresh_token"])
        client.logout()
        with self.assertRaises(APIError):
            client.get_me()

    def test_the_events_of_a_stream(self) -> None:
        client, keys = nimbus_server().tenant()
        stream = client.stream_events(keys["project_id"])
        self.assertEqual(next(stream)["type"], "hello")
        x = self.tracker(keys["url"], **{k: v for k, v in keys.items() if k != "url"})
        x.track("watched")
        self.flush(x)
        for frame in stream:
            if frame["type"] == "event":
                self.assertEqual(frame["event"]["name"], "watched")
                break
        waiting = background(lambda: list(stream))
        stream.close()
        waiting.result(60)
        with self.assertRaises(APIError) as raised:
            client.stream_events("3fa85f64-5717-4562-b3fc-2c963f66afa6")
        self.assertEqual(raised.exception.code, "not_found")

    def test_the_same_for_tasks(self) -> None:
        _, keys = nimbus_server().tenant()
        project = keys["project_id"]

        async def main() -> None:
            async with AsyncClient(keys["url"], secret=keys["secret"]) as client:
                sent = await asyncio.gather(*(client.ingest_events({"project_id": project, "events": [{"name": name}]}) for name in "abc"))
                self.assertEqual([r["accepted"] for r in sent], [1, 1, 1])
                self.assertEqual(len([e async for e in client.iter_events(project_id=project, limit=1)]), 3)
                self.assertEqual(sum([len(p["items"]) async for p in client.received(project_id=project)]), 3)
                async for frame in client.stream_events(project):
                    self.assertEqual(frame["type"], "hello")
                    break

        asyncio.run(main())

    # A page of a proxy is no answer, whatever its status; an expired token is renewed, and the call repeated.
    def test_answers_of_something_else(self) -> None:
        problem = {"content-type": "application/problem+json; charset=utf-8"}
        session: Any = {"access_token": "new", "refresh_token": "r2", "expires_in": 3600}
        asked: list[tuple[str, str]] = []

        def answer(request: Request) -> Response:
            token = request.headers.get("Authorization", "")
            asked.append((request.url.rpartition("/")[2], token))
            if token == "Bearer old":
                return Response(401, problem, b'{"code": "token_expired"}')
            if request.url.endswith("refresh"):
                return Response(200, {"content-type": "application/json"}, json.dumps(session).encode())
            return Response(200, {"content-type": "text/html"}, b"<h1>Welcome</h1>")

        client = Client("https://nimbus.example/below", transport=answer)
        old: Any = {**session, "access_token": "old", "refresh_token": "r1"}
        client.resume(old)
        with self.assertRaises(APIError) as raised:
            client.get_me()
        self.assertEqual((raised.exception.status, raised.exception.code, raised.exception.detail), (200, "", "<h1>Welcome</h1>"))
        self.assertEqual(asked, [("me", "Bearer old"), ("refresh", "Bearer r1"), ("me", "Bearer new")])
        with self.assertRaises(ValueError):
            Client("nimbus.example")


class Package(Test):
    def test_it_is_installed_from_the_server_as_the_readme_says(self) -> None:
        client, keys = nimbus_server().tenant()
        command = re.findall(r"```sh\n(pip install .*?)```", README, re.DOTALL)[0].replace("https://nimbus.example.com", keys["url"])
        folder, target = self.folder(), self.folder()
        with open(folder + "/pip", "w") as pip:
            pip.write(f'#!/bin/sh\nexec "{sys.executable}" -m pip "$@"\n')
        os.chmod(folder + "/pip", 0o755)
        index = json.loads(fetch(keys["url"] + "/sdk/"))
        for package in [p for p in index["packages"] if p["name"] == "nimbus-analytics"]:
            data = fetch(keys["url"] + package["path"])
            self.assertEqual(package["integrity"], "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode())
            self.assertEqual(package["sha256"], hashlib.sha256(data).hexdigest())
            command = command.replace(f"{package['path']}\n", f"{package['path']}#sha256={package['sha256']}\n")
        self.assertIn("#sha256=", command)
        env = environment(keys, PATH=folder + os.pathsep + os.environ["PATH"], PIP_TARGET=target, PIP_NO_CACHE_DIR="1", PIP_NO_INDEX="1",
                          PIP_DISABLE_PIP_VERSION_CHECK="1", PYTHONPATH=target)
        subprocess.run(["sh", "-c", command], env=env, check=True, capture_output=True)
        ran = subprocess.run([sys.executable, "-c", BLOCKS[0]], env=env, cwd=target, capture_output=True, text=True)
        self.assertEqual((ran.stdout, ran.stderr), ("events stored: 1\n", ""))
        self.assertEqual([(e["name"], e.get("user_id"), e["props"]) for e in stored(client, keys["project_id"])], [("signed_up", "user_123", {"plan": "pro"})])

    def test_what_is_built_is_the_package_and_the_same_each_time(self) -> None:
        built = []
        for _ in range(2):
            folder = self.folder()
            subprocess.run([sys.executable, str(SDK / "backend" / "nimbus_build.py"), folder], check=True)
            built.append({path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())})
        self.assertEqual(built[0], built[1])
        version = nimbus.__version__
        self.assertEqual(list(built[0]), ["index.json", f"nimbus_analytics-{version}-py3-none-any.whl", f"nimbus_analytics-{version}.tar.gz"])
        wheel = zipfile.ZipFile(io.BytesIO(built[0][f"nimbus_analytics-{version}-py3-none-any.whl"]))
        info = f"nimbus_analytics-{version}.dist-info"
        sources = sorted(p.relative_to(SDK / "src").as_posix() for p in (SDK / "src").rglob("*") if p.is_file() and "__pycache__" not in p.parts)
        self.assertEqual(sorted(wheel.namelist()), sorted([*sources, *(f"{info}/{name}" for name in ("LICENSE", "METADATA", "RECORD", "WHEEL"))]))
        self.assertEqual(wheel.read(f"{info}/LICENSE"), (ROOT / "LICENSE").read_bytes())
        # And the source builds the same wheel.
        folder = self.folder()
        with tarfile.open(fileobj=io.BytesIO(built[0][f"nimbus_analytics-{version}.tar.gz"])) as source:
            for name in source.getnames():
                source.extract(name, folder, filter="data") if hasattr(tarfile, "data_filter") else source.extract(name, folder)
        subprocess.run([sys.executable, f"{folder}/nimbus_analytics-{version}/backend/nimbus_build.py", folder + "/out"], check=True)
        with open(f"{folder}/out/nimbus_analytics-{version}-py3-none-any.whl", "rb") as again:
            self.assertEqual(again.read(), built[0][f"nimbus_analytics-{version}-py3-none-any.whl"])

    def test_the_packages_of_other_languages_stay_in_the_list(self) -> None:
        folder = self.folder()
        other = {"name": "@nimbus-analytics/sdk", "path": "/sdk/x.tgz"}
        index = os.path.join(folder, "index.json")
        with open(index, "w") as f:
            json.dump({"packages": [other, {"name": "nimbus-analytics", "path": "/sdk/old.whl"}]}, f)
        subprocess.run([sys.executable, str(SDK / "backend" / "nimbus_build.py"), folder], check=True)
        with open(index) as f:
            packages = json.load(f)["packages"]
        self.assertEqual((packages[0], [p["name"] for p in packages]), (other, [other["name"], "nimbus-analytics", "nimbus-analytics"]))


class Readme(Test):
    # What is pasted must work as it stands.
    def test_every_snippet_runs(self) -> None:
        client, keys = nimbus_server().tenant()
        email = client.get_me()["email"]

        class Store:
            def get(self, name: str) -> str:
                return ""

            def set(self, name: str, value: str) -> None:
                pass

        said = io.StringIO()
        x = self.tracker(keys["url"], **{k: v for k, v in keys.items() if k != "url"})
        names: dict[str, Any] = {**keys, "nimbus": nimbus, "tracker": x, "store": Store(), "email": email, "password": PASSWORD,
                                 "sign_up": lambda tracker, user: tracker.track("signed_up", user_id=user)}
        ran = 0
        for block in BLOCKS[1:]:
            if "await" in block:
                block = "import asyncio\nasync def main():\n" + "".join("    " + line + "\n" for line in block.splitlines()) + "asyncio.run(main())\n"
            with redirect_stdout(said):
                exec(block, names)  # noqa: S102
            ran += 1
        self.assertEqual(ran, 5)
        names["client"].close()
        self.flush(x)
        self.assertIn("signed_up {}", said.getvalue())
        self.assertIn("422 validation_failed", said.getvalue())
        self.assertEqual(sorted({e["name"] for e in stored(client, keys["project_id"])}), ["ran", "signed_up"])

    # The table of options is that of the source, comment by comment.
    def test_it_lists_the_options(self) -> None:
        want = ""
        for name, comment in re.findall(r"^    (\w+): .*?  # (.*)$", (SDK / "src/nimbus/_options.py").read_text(), re.MULTILINE):
            does, _, missing = comment.rpartition("; ")
            want += f"| `{name}` | {does} | {missing} |\n"
        fields = list(nimbus.Tracker.__dataclass_fields__)
        self.assertEqual(re.findall(r"^\| `(\w+)`", want, re.MULTILINE), fields)
        table = README.partition("| argument | what it sets | when it is not set |\n|---|---|---|\n")[2].partition("\n\n")[0]
        self.assertEqual(table + "\n", want)

    def test_the_versions_are_one(self) -> None:
        version = nimbus.__version__
        contract = re.findall(r"^  version: (\S+)$", (ROOT / "openapi" / "nimbus.yaml").read_text(), re.MULTILINE)[0]
        changes = re.findall(r"^## (\S+)$", (SDK / "CHANGELOG.md").read_text(), re.MULTILINE)[0]
        self.assertEqual((contract, changes), (version, version))
        self.assertEqual(set(re.findall(r"nimbus_analytics-([0-9.]+)-py3", README)), {version})
        self.assertEqual((SDK / "LICENSE").read_text(), (ROOT / "LICENSE").read_text())


