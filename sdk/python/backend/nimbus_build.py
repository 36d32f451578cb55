"""Builds the package: a backend of PEP 517 that needs nothing but Python, and the program with which a server gets what it serves.

    python3 backend/nimbus_build.py sdk/dist    # writes the wheel and the source, and names them in index.json

The same sources, Python and zlib give the same bytes.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NAME = "nimbus-analytics"
_FILE = NAME.replace("-", "_")
_WHEN = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can say


def _version() -> str:
    found = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/nimbus/_version.py").read_text(), re.MULTILINE)
    assert found
    return found[1]


def _metadata() -> str:
    return f"""Metadata-Version: 2.1
Name: {NAME}
Version: {_version()}
Summary: Track events and ask questions: the tracker and client of Nimbus
License: MIT
Project-URL: Source, https://github.com/bahagh/nimbus/tree/main/sdk/python
Project-URL: Changelog, https://github.com/bahagh/nimbus/blob/main/sdk/python/CHANGELOG.md
Keywords: analytics,events,tracking,nimbus
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Requires-Python: >=3.9
License-File: LICENSE
Description-Content-Type: text/markdown

{(ROOT / "README.md").read_text(encoding="utf-8")}"""


def _sources() -> list[tuple[str, bytes]]:
    """The files of the package, by their path in it."""
    return [(path.relative_to(ROOT / "src").as_posix(), path.read_bytes())
            for path in sorted((ROOT / "src").rglob("*")) if path.suffix in (".py", ".typed")]


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    info = f"{_FILE}-{_version()}.dist-info"
    files = _sources()
    files.append((f"{info}/LICENSE", (ROOT / "LICENSE").read_bytes()))
    files.append((f"{info}/METADATA", _metadata().encode()))
    files.append((f"{info}/WHEEL", b"Wheel-Version: 1.0\nGenerator: nimbus_build\nRoot-Is-Purelib: true\nTag: py3-none-any\n"))
    record = "".join(f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b'=').decode()},{len(data)}\n" for name, data in files)
    files.append((f"{info}/RECORD", f"{record}{info}/RECORD,,\n".encode()))
    filename = f"{_FILE}-{_version()}-py3-none-any.whl"
    with zipfile.ZipFile(Path(wheel_directory) / filename, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as wheel:
        for name, data in files:
            entry = zipfile.ZipInfo(name, _WHEN)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # as on Unix, wherever it is built
            wheel.writestr(entry, data)
    return filename


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    base = f"{_FILE}-{_version()}"
    own = ["CHANGELOG.md", "LICENSE", "README.md", "pyproject.toml", "backend/nimbus_build.py"]
    files = [("PKG-INFO", _metadata().encode())] + [(name, (ROOT / name).read_bytes()) for name in own]
    files += [("src/" + name, data) for name, data in _sources()]
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files:
            entry = tarfile.TarInfo(f"{base}/{name}")
            entry.size, entry.mode = len(data), 0o644
            tar.addfile(entry, io.BytesIO(data))
    (Path(sdist_directory) / f"{base}.tar.gz").write_bytes(gzip.compress(raw.getvalue(), 9, mtime=0))
    return f"{base}.tar.gz"


def pack(out: Path) -> None:
    """Writes what the server serves, and names it in index.json beside the packages of other languages."""
    out.mkdir(parents=True, exist_ok=True)
    for old in [*out.glob(f"{_FILE}-*.whl"), *out.glob(f"{_FILE}-*.tar.gz")]:
        old.unlink()
    index = out / "index.json"
    packages = []
    if index.exists():
        packages = [p for p in json.loads(index.read_text())["packages"] if p["name"] != NAME]
    for filename in (build_wheel(str(out)), build_sdist(str(out))):
        data = (out / filename).read_bytes()
        packages.append({
            "name": NAME, "version": _version(), "path": f"/sdk/{filename}",
            "integrity": "sha512-" + base64.b64encode(hashlib.sha512(data).digest()).decode(),
            "sha256": hashlib.sha256(data).hexdigest(),  # what pip checks: …whl#sha256=…
        })
    index.write_text(json.dumps({"packages": packages}, indent=2) + "\n")


if __name__ == "__main__":
    pack(Path(sys.argv[1]))
