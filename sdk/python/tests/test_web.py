"""The examples, by the commands of their READMEs, against the real server."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import nimbus

from .support import ROOT, SDK, Test, background, nimbus_server
from .test_server import environment, stored

EXAMPLES = [ROOT / "examples" / name for name in ("python-django", "python-fastapi")]


def install() -> Path:
    """A virtual environment with what the examples need, which is kept for the next time. What is tested is this source, not a wheel."""
    pinned = b"".join((example / "requirements.txt").read_bytes() for example in EXAMPLES)
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    folder = ROOT / ".cache" / f"python-examples-{python}-{hashlib.sha256(pinned).hexdigest()[:12]}"
    if not (folder / "done").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, *(a for e in EXAMPLES for a in ("-r", str(e / "requirements.txt")))], check=True)
        (folder / "done").touch()
    return folder / "bin"


INSTALLED = background(install)  # beside the other tests


class Examples(Test):
    def runs(self, example: Path, listening: str) -> None:
        readme = (example / "README.md").read_text()
        self.assertIn(f"/sdk/nimbus_analytics-{nimbus.__version__}-py3-none-any.whl", readme)
        command, curl = re.findall(r"^((?:gunicorn|uvicorn) .*)\n(curl .*)$", readme, re.MULTILINE)[0]
        client, keys = nimbus_server().tenant()
        env = environment(keys, PATH=f"{INSTALLED.result(300)}{os.pathsep}{os.environ['PATH']}", PYTHONPATH=str(SDK / "src"), PYTHONDONTWRITEBYTECODE="1")
        server = subprocess.Popen(["sh", "-c", "exec " + command.replace("9000", "0")], cwd=example, env=env, stderr=subprocess.PIPE, text=True)
        self.addCleanup(server.kill)
        assert server.stderr
        said = []
        with server.stderr:
            for line in server.stderr:
                said.append(line)
                found = re.search(listening, line)
                if found:
                    break
            else:
                self.fail("".join(said))
            path = re.findall(r"127.0.0.1:9000(\S+)$", curl)[0]
            for url in (path, path, path, "/nowhere"):
                request = urllib.request.Request(found[1] + url, method="POST", headers={"X-User": "ada"})
                try:
                    urllib.request.urlopen(request, timeout=60).close()
                except urllib.error.HTTPError as e:
                    self.assertEqual((e.code, url), (404, "/nowhere"))
                    e.close()
            server.send_signal(signal.SIGTERM)
            said += server.stderr
        server.wait(60)
        got = [(e["name"], e.get("user_id"), e["props"].get("order") or e["props"]["status"]) for e in stored(client, keys["project_id"])]
        self.assertEqual(sorted(got, key=str), sorted([*[("http_request", "ada", 201)] * 3, ("http_request", "ada", 404), *[("ordered", "ada", 42)] * 3], key=str),
                         "".join(said))

    def test_django(self) -> None:
        self.runs(EXAMPLES[0], r"Listening at: (http://\S+)")

    def test_fastapi(self) -> None:
        self.runs(EXAMPLES[1], r"running on (http://\S+)")
