"""Sends events to a Nimbus server, in the background and without loss.

::

    with nimbus.Tracker(url=url, project_id=project_id, key_id=key_id, secret=secret) as tracker:
        tracker.track("signed_up", {"plan": "pro"}, user_id="user_123")

``track`` queues and returns. Batches are sent by a thread, and again until the server has committed them. Repeating is always safe, because
each event carries an idempotency key and the time of the call. An event is delivered, or reported with the reason, or kept in the spool:
none is lost in silence. README.md says what happens in each case of failure.

:mod:`nimbus.api` calls everything else that the server offers: questions, events, projects. :mod:`nimbus.testing` tests what a program
tracks, without a server.

:func:`sign` signs requests of any other client. A secret in a program that users can take apart is no secret: use a write key there.
"""

from ._clock import Clock
from ._items import Stats
from ._sign import sign
from ._version import __version__
from .errors import (
    APIError,
    BeforeSendError,
    ClosedError,
    FieldError,
    GivenUpError,
    NimbusError,
    NotDeliveredError,
    QueueFullError,
    RejectedError,
    SpoolError,
    UndeliveredError,
)
from .event import Event, Id, Operation, Props
from .tracker import Tracker
from .transport import HTTPTransport, Request, Response, Transport
from .visitor import Store, Visitor

__all__ = [
    "APIError", "BeforeSendError", "Clock", "ClosedError", "Event", "FieldError", "GivenUpError", "HTTPTransport", "Id", "NimbusError",
    "NotDeliveredError", "Operation", "Props", "QueueFullError", "RejectedError", "Request", "Response", "SpoolError", "Stats", "Store",
    "Tracker", "Transport", "UndeliveredError", "Visitor", "__version__", "sign",
]
