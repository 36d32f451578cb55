"""What operations need of HTTP: credentials, sessions that renew themselves, and errors."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime, timezone
from typing import Any, AsyncIterator, Callable, Iterator, Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from .._options import _is_server
from .._version import USER_AGENT
from ..errors import APIError, NimbusError
from ..transport import HTTPTransport, Request, Response, Transport
from . import types
from ._streams import Stream, each
from .operations import AsyncOperations, Operations

# How long before it expires an access token is renewed, in seconds: early enough for a request that is under way then.
_MARGIN = 30.0


class Client(Operations):
    """Every operation of the server at this URL, which may have a path. It is safe for concurrent use by threads.

    The credentials are the ``secret`` of a project, or those of an account: after ``login`` or ``register`` calls carry its access token, which is
    renewed in time.

    ``on_session`` gets each new session, from ``login`` and whenever the tokens are renewed, before it is used. A program that keeps sessions
    must keep the last, because a refresh token works once; ``resume`` goes on with it. ``timeout`` bounds each request, in seconds.
    """

    def __init__(self, url: str, *, secret: str = "", timeout: float = 30.0, transport: Transport | None = None,
                 on_session: Callable[[types.Session], None] | None = None) -> None:
        self._url = url.rstrip("/")
        if not _is_server(self._url):
            raise ValueError(f"url {url!r} is not the http or https URL of a server")
        self._credentials = {"X-Api-Key": secret} if secret else {}
        self._timeout = timeout
        self._transport = HTTPTransport(max_answer=None) if transport is None else transport
        self._on_session = on_session
        self._renewing = threading.Lock()
        self._session: types.Session | None = None
        self._renew_at = 0.0

    def close(self) -> None:
        """Closes the connections that are kept."""
        if isinstance(self._transport, HTTPTransport):
            self._transport.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def resume(self, session: types.Session | None) -> None:
        """Goes on with a session that ``on_session`` has kept; None forgets the one there is. The age of its access token is not known: when
        it has expired, the first call finds out and renews it."""
        if session is not None:
            if self._on_session is not None:
                self._on_session(session)
            lifetime = float(session["expires_in"])
            self._renew_at = time.monotonic() + lifetime - min(_MARGIN, lifetime / 2)
        self._session = session

    def received(self, *, project_id: str, cursor: str | None = None, limit: int | None = None, name: Sequence[str] | None = None,
                 user_id: str | None = None) -> Iterator[types.EventPage]:
        """The pages of an incremental export: the events of a project, each once, as they were received, until there are no more for now. Keep
        the ``resume_cursor`` of a page once its events are dealt with, and give it as ``cursor`` to go on behind it, whenever that is."""
        while True:
            page = self.list_events(project_id=project_id, name=name, user_id=user_id, limit=limit, cursor=cursor, order="received")
            yield page
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def _call(self, operation: str, method: str, path: str, query: Mapping[str, Any], headers: Mapping[str, str | None], body: Any,
              answer: str, ok: Sequence[int] = ()) -> Any:
        url = self._url + path + _query(query)
        raw = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        of = {"User-Agent": USER_AGENT, **{name: value for name, value in headers.items() if value is not None}}
        if body is not None:
            of["Content-Type"] = "application/json"
        if answer == "stream":
            return self._stream(method, url, of)
        response = self._authorized(operation, method, url, of, raw)
        result = _result(response, answer, ok)
        if operation in ("register", "login", "refresh"):
            self.resume(result)
        elif operation == "logout":
            self.resume(None)
        return result

    def _authorized(self, operation: str, method: str, url: str, headers: dict[str, str], body: bytes) -> Response:
        session = self._session
        if session is None or operation in ("register", "login"):
            return self._send(method, url, {**headers, **self._credentials}, body)
        if operation in ("refresh", "logout"):
            return self._send(method, url, {**headers, "Authorization": "Bearer " + session["refresh_token"]}, body)
        token = self._token(session)
        response = self._send(method, url, {**headers, "Authorization": "Bearer " + token}, body)
        if response.status == 401 and APIError(401, response.headers, response.body).code == "token_expired":
            # Our clock and the server's differ, or the session was resumed.
            response = self._send(method, url, {**headers, "Authorization": "Bearer " + self._renew(token)}, body)
        return response

    def _token(self, session: types.Session) -> str:
        token = session["access_token"]
        return token if time.monotonic() < self._renew_at else self._renew(token)

    def _renew(self, old: str) -> str:
        """Replaces the session of this access token. Of concurrent callers one does it, since the refresh token works once."""
        with self._renewing:
            session = self._session
            if session is None or session["access_token"] == old:
                session = self.refresh()
            return session["access_token"]

    def _send(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Response:
        try:
            return self._transport(Request(method, url, headers, body, self._timeout))
        except NimbusError:
            raise
        except Exception as e:
            raise ConnectionError(f"{method} {urlsplit(url).path}: {e or e!r}") from e

    def _stream(self, method: str, url: str, headers: dict[str, str]) -> Stream[Any]:
        if not isinstance(self._transport, HTTPTransport):
            raise TypeError("a stream needs the transport of the standard library")
        if self._session is not None:
            headers["Authorization"] = "Bearer " + self._token(self._session)
        else:
            headers.update(self._credentials)
        headers["Accept"] = "text/event-stream"
        response, lines = self._transport.stream(Request(method, url, headers, b"", self._timeout))
        if response.status != 200 or _media_type(response) != "text/event-stream":
            lines.close()
            raise APIError(response.status, response.headers, response.body)
        return Stream(lines)


class AsyncClient(AsyncOperations):
    """The same for tasks: ``async with AsyncClient(url, …) as client: await client.get_me()``. Its arguments are those of a :class:`Client`."""

    def __init__(self, url: str, *, secret: str = "", timeout: float = 30.0, transport: Transport | None = None,
                 on_session: Callable[[types.Session], None] | None = None) -> None:
        self._client: Client = Client(url, secret=secret, timeout=timeout, transport=transport, on_session=on_session)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._client.close()

    def resume(self, session: types.Session | None) -> None:
        """See :meth:`Client.resume`."""
        self._client.resume(session)

    async def received(self, *, project_id: str, cursor: str | None = None, limit: int | None = None, name: Sequence[str] | None = None,
                       user_id: str | None = None) -> AsyncIterator[types.EventPage]:
        """See :meth:`Client.received`."""
        async for page in each(self._client.received(project_id=project_id, cursor=cursor, limit=limit, name=name, user_id=user_id)):
            yield page


def _media_type(response: Response) -> str:
    return response.headers.get("content-type", "").partition(";")[0].strip().lower()


def _result(response: Response, answer: str, ok: Sequence[int]) -> Any:
    """What an operation answers. A success is what the contract says, whatever the status: a proxy's page may come with a 200."""
    fine = 200 <= response.status < 300 or response.status in ok
    media = _media_type(response)
    if answer == "location" and 300 <= response.status < 400:
        return response.headers.get("location", "")
    if fine and answer == "none" and response.status in (202, 204):
        return None
    if fine and answer == "json" and media == "application/json":
        return json.loads(response.body)
    if fine and answer == "text" and media in ("text/csv", "application/x-ndjson"):
        return response.body
    raise APIError(response.status, response.headers, response.body)


def _query(parameters: Mapping[str, Any]) -> str:
    pairs = []
    for name, value in parameters.items():
        if value is not None:
            many = value if isinstance(value, (list, tuple)) else (value,)
            pairs += [(name, _text(one)) for one in many]
    return "?" + urlencode(pairs) if pairs else ""


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).isoformat().replace("+00:00", "Z")
    return str(value)
