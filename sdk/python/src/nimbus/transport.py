"""How requests are sent: by the standard library, with connections that are kept, or by whatever a program gives instead."""

from __future__ import annotations

import base64
import codecs
import http.client
import select
import socket
import ssl
import threading
import time
import urllib.request
from typing import Callable, Mapping, NamedTuple
from urllib.parse import unquote, urljoin, urlsplit

# socket imports it for the first host name. A process that is forked while a thread imports a module can never import it itself.
codecs.lookup("idna")

# Bounds an answer in bytes. The server names at most 12,000 mistakes of a batch, each by a pointer of at most 512 characters, which take 4
# KB when all are escaped. A lower bound would cut off such an answer, and the batch would be sent again without end.
_MAX_ANSWER = 64 << 20
_MAX_REDIRECTS = 10


class Request(NamedTuple):
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    timeout: float
    """In seconds, for all of it."""


class Response(NamedTuple):
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    """Their names are in lower case."""
    body: bytes


# Sends a request and returns the answer, or raises an exception when there is none. It must not follow redirects that turn a POST into a
# GET, which would arrive without the events.
Transport = Callable[[Request], Response]


class HTTPTransport:
    """Sends requests with ``http.client``. It is safe for concurrent use, and keeps a connection for each request of a moment.

    It uses the proxies that the environment names (``HTTPS_PROXY``, ``NO_PROXY`` …), and follows redirects on the same host that keep the
    body (307, 308). ``context`` is for servers with certificates of their own. A longer answer than ``max_answer`` bytes is an error.
    """

    def __init__(self, context: ssl.SSLContext | None = None, max_answer: int | None = _MAX_ANSWER) -> None:
        self._context = context
        self._max_answer = max_answer
        self._lock = threading.Lock()
        self._idle: list[tuple[str, http.client.HTTPConnection]] = []
        self._busy: set[http.client.HTTPConnection] = set()
        self._cancelled = False

    def __call__(self, request: Request) -> Response:
        deadline = time.monotonic() + request.timeout
        url = request.url
        for _ in range(_MAX_REDIRECTS + 1):
            response = self._exchange(request, url, deadline)
            to = urljoin(url, response.headers.get("location", ""))
            if response.status not in (307, 308) or to == url and "location" not in response.headers or not _same_host(url, to):
                return response
            url = to
        raise ConnectionError(f"{_MAX_REDIRECTS} redirects in a row")

    def stream(self, request: Request) -> tuple[Response, Lines]:
        """Sends a request whose answer does not end, and returns its head and its lines. Of an answer that is no success the body is in the
        response. ``timeout`` bounds the wait for the head, and between two lines; closing the lines ends it."""
        scheme, host, target, proxy = _route(request.url)
        headers = dict(request.headers)
        if proxy and scheme == "http":
            target = request.url
            headers.update(_proxy_headers(proxy))
        connection = self._connect(scheme, host, proxy)
        try:
            connection.timeout = request.timeout
            connection.request(request.method, target, request.body or None, headers)
            sock: socket.socket = connection.sock  # http.client lets go of it when the answer has no length
            answer = connection.getresponse()
            lines = Lines(connection, sock, answer)
            response = Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, b"")
            if answer.status != 200:
                response = response._replace(body=_read(connection, answer, time.monotonic() + request.timeout, self._max_answer))
                lines.close()
        except BaseException:
            connection.close()
            raise
        return response, lines

    def cancel(self) -> None:
        """Breaks off the requests under way, and refuses others."""
        with self._lock:
            self._cancelled = True
            busy = list(self._busy)
        for connection in busy:
            if connection.sock is not None:
                _break_off(connection.sock)

    def close(self) -> None:
        """Closes the connections that are kept."""
        with self._lock:
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _exchange(self, request: Request, url: str, deadline: float) -> Response:
        scheme, host, target, proxy = _route(url)
        key = f"{scheme} {host} {proxy}"
        headers = dict(request.headers)
        if proxy and scheme == "http":
            target = url
            headers.update(_proxy_headers(proxy))
        connection = self._take(key) or self._connect(scheme, host, proxy)
        with self._lock:
            if self._cancelled:
                raise ConnectionError("cancelled")
            self._busy.add(connection)
        kept = False
        try:
            _limit(connection, deadline)
            try:
                connection.request(request.method, target, request.body or None, headers)
            except (BrokenPipeError, ConnectionResetError):
                pass  # a server may answer before it has read everything, as with a 413
            _limit(connection, deadline)
            answer = connection.getresponse()
            body = _read(connection, answer, deadline, self._max_answer)
            kept = not answer.will_close
            return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, body)
        finally:
            with self._lock:
                self._busy.discard(connection)
                kept = kept and not self._cancelled
                if kept:
                    self._idle.append((key, connection))
            if not kept:
                connection.close()

    def _take(self, key: str) -> http.client.HTTPConnection | None:
        """A connection that is kept and that the server has not closed."""
        while True:
            with self._lock:
                at = next((k for k, (of, _) in enumerate(self._idle) if of == key), None)
                if at is None:
                    return None
                connection = self._idle.pop(at)[1]
            if connection.sock is not None and not _readable(connection.sock):
                return connection
            connection.close()  # what can be read between two requests is its end

    def _connect(self, scheme: str, host: str, proxy: str) -> http.client.HTTPConnection:
        if scheme == "http":
            return http.client.HTTPConnection(urlsplit(proxy).netloc.rpartition("@")[2] if proxy else host)
        if self._context is None:
            self._context = ssl.create_default_context()
        if not proxy:
            return http.client.HTTPSConnection(host, context=self._context)
        connection = http.client.HTTPSConnection(urlsplit(proxy).netloc.rpartition("@")[2], context=self._context)
        connection.set_tunnel(host, headers=_proxy_headers(proxy))
        return connection


def _same_host(url: str, to: str) -> bool:
    """Whether credentials may go there: to the same host, and not from https to http."""
    a, b = urlsplit(url), urlsplit(to)
    return a.hostname == b.hostname and (b.scheme == "https" or a.scheme == b.scheme == "http")


def _route(url: str) -> tuple[str, str, str, str]:
    """Scheme, host with port, request target, and proxy of a URL."""
    parts = urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme, "")
    if proxy and urllib.request.proxy_bypass(parts.netloc):
        proxy = ""
    if proxy and "://" not in proxy:
        proxy = "http://" + proxy
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    return parts.scheme, parts.netloc.rpartition("@")[2], target, proxy


def _proxy_headers(proxy: str) -> dict[str, str]:
    credentials = urlsplit(proxy).netloc.rpartition("@")[0]
    if not credentials:
        return {}
    return {"Proxy-Authorization": "Basic " + base64.b64encode(unquote(credentials).encode()).decode()}


def _readable(sock: socket.socket) -> bool:
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(sock, select.POLLIN)
        return bool(poll.poll(0))
    return bool(select.select([sock], [], [], 0)[0])


def _limit(connection: http.client.HTTPConnection, deadline: float) -> None:
    """Gives the next step of an exchange what is left of the time."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the server takes too long")
    connection.timeout = left
    if connection.sock is not None:
        connection.sock.settimeout(left)


class Lines:
    """The lines of an answer. ``close`` ends it, also for a thread that waits for the next."""

    def __init__(self, connection: http.client.HTTPConnection, sock: socket.socket, answer: http.client.HTTPResponse) -> None:
        self._connection, self._sock, self._answer = connection, sock, answer
        self._reading = threading.RLock()
        self._closed = False

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> bytes:
        with self._reading:
            try:
                line = self._answer.readline()
            except (OSError, http.client.HTTPException):
                if not self._closed:
                    raise
                line = b""
            if not line:
                self.close()
                raise StopIteration
            return line

    def close(self) -> None:
        self._closed = True
        _break_off(self._sock)
        with self._reading:  # which ends with the connection
            self._answer.close()
            self._connection.close()


def _break_off(sock: socket.socket) -> None:
    try:
        socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not that of ssl: it would change what a thread is reading from
    except OSError:
        pass  # it is broken off already


def _read(connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, deadline: float, most: int | None) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        chunk = answer.read(64 << 10)
        if not chunk:
            if answer.length:  # it was cut off, which read does not say when it is given a size
                raise http.client.IncompleteRead(b"".join(chunks), answer.length)
            break
        chunks.append(chunk)
        size += len(chunk)
        if most is not None and size > most:
            raise ConnectionError(f"an answer of more than {most} bytes")
        if connection.sock is not None:  # http.client lets go of a connection that ends with the answer
            _limit(connection, deadline)
    return b"".join(chunks)
