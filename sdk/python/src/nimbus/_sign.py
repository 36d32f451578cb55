"""Signatures of requests."""

from __future__ import annotations

import hashlib
import hmac


def sign(secret: str, timestamp: int, method: str, path: str, body: bytes) -> str:
    """Returns the signature of a request: the lower-case hex HMAC-SHA256, keyed with the project's secret, of
    ``{timestamp}:{METHOD}:{path}:{body}``.

    The timestamp is in Unix seconds; the server refuses one more than 300 s from its own clock. The method may be in any case. The path is
    that of the URL as it is sent (percent-encoded), without the query, from ``/v1`` on: of ``https://example.com/analytics/v1/events`` it is
    ``/v1/events``, because a server under a path is behind a proxy that takes the prefix away. The body is the exact bytes sent, so the
    compressed ones when the body is compressed.
    """
    mac = hmac.new(secret.encode(), f"{timestamp}:{method.upper()}:{path}:".encode(), hashlib.sha256)
    mac.update(body)
    return mac.hexdigest()


def signed_path(target: str) -> str:
    """The part of a request target that is signed. The last ``/v1/`` begins it, because the prefix of a gateway may have versions of its
    own."""
    path = target.partition("?")[0]
    return path[max(0, path.rfind("/v1/")):]


def signature_headers(key_id: str, secret: str, now: float, method: str, target: str, body: bytes) -> dict[str, str]:
    """The headers that sign a request at this time, in Unix seconds."""
    timestamp = int(now)
    return {
        "X-Api-Key-Id": key_id,
        "X-Api-Timestamp": str(timestamp),
        "X-Api-Signature": sign(secret, timestamp, method, signed_path(target), body),
    }
