"""One person at one device."""

from __future__ import annotations

import json
import secrets
import threading
from typing import TYPE_CHECKING, Any, Protocol

from ._calls import Calls, Register, merged
from ._encode import names_nobody, nobody
from .errors import NimbusError
from .event import Event, Id, Operation, Props

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from ._calls import LinkOptions, WhenOptions
    from .tracker import Tracker

# How long a session lasts in seconds, whatever happens in it. The server cuts it there too.
_SESSION_LENGTH = 24 * 3600


class Store(Protocol):
    """Keeps what a visitor is known by, beyond the life of the program: short texts by name."""

    def get(self, name: str) -> str:
        """Returns an empty text when there is none."""

    def set(self, name: str, value: str) -> None:
        """An empty value forgets it."""


class _Memory:
    """A store that ends with the program."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def get(self, name: str) -> str:
        return self._kept.get(name, "")

    def set(self, name: str, value: str) -> None:
        self._kept[name] = value


class Visitor(Calls):
    """Tracks for one person at one device: in a command, or in an app on a desktop. Every event and every operation gets their ids, and each
    event the prop ``session_id``. It is safe for concurrent use. Make it with ``tracker.visitor()``."""

    def __init__(self, tracker: Tracker, store: Store | None, session_timeout: float) -> None:
        self._tracker = tracker
        self._store: Store = _Memory() if store is None else store
        self._timeout = session_timeout
        self._lock = threading.RLock()  # of what is read and then written in the store
        try:
            kept = json.loads(self._store.get("super"))
        except ValueError:
            kept = None  # what was damaged is as if it were not there
        self._registered = Register(kept if isinstance(kept, dict) else None, lambda props: self._store.set("super", json.dumps(props)))

    def identify(self, user_id: Id, props: Props | None = None, **options: Unpack[LinkOptions]) -> None:
        """Says who the visitor is; later events carry the id. When it was another one before, the visitor is reset first: the ids of the one
        before are not theirs. An id that names nobody is refused, and the person before is forgotten."""
        if nobody(user_id):
            self._store.set("user", "")
            return self._refuse(names_nobody("/user_id"))
        if self._store.get("user") not in ("", str(user_id)):
            self.reset()
        self._store.set("user", str(user_id))
        super().identify(user_id, props, **options)

    def group(self, group_type: str, key: Id, props: Props | None = None, **options: Unpack[WhenOptions]) -> None:
        """Says what is known of a group, and that the visitor belongs to it."""
        super().group(group_type, key, props, **options)
        self.register({group_type: str(key)})

    def anonymous_id(self) -> str:
        """The id of the person before they are known."""
        return self._at(False)[1]

    def session_id(self) -> str:
        """The id of the session, which ends after ``session_timeout`` without an event and after 24 hours."""
        return self._at(False)[2]

    def reset(self) -> None:
        """Forgets the person, the groups and what was registered, and begins a new session: for logging out."""
        with self._lock:
            for name in ("user", "anon", "session"):
                self._store.set(name, "")
        self._registered.clear()

    def _event(self, event: Event) -> None:
        user, anonymous, session = self._at(True)
        event.user_id, event.anonymous_id = _or(event.user_id, user), _or(event.anonymous_id, anonymous)
        event.props = merged({"session_id": session}, self._registered.under(event.props))
        self._tracker._event(event)

    def _operation(self, operation: Operation) -> None:
        if not operation.group:
            user, anonymous, _ = self._at(False)
            operation.user_id, operation.anonymous_id = _or(operation.user_id, user), _or(operation.anonymous_id, anonymous)
        self._tracker._operation(operation)

    def _refuse(self, error: NimbusError) -> None:
        self._tracker._refuse(error)

    def _at(self, event: bool) -> tuple[str, str, str]:
        """Who the visitor is, and their session, which an event keeps open."""
        now = self._tracker._clock.time()
        with self._lock:
            user, anonymous = self._store.get("user"), self._store.get("anon")
            if not anonymous:
                anonymous = secrets.token_hex(16)
                self._store.set("anon", anonymous)
            session, last, begun = (self._store.get("session").split(" ") + ["", ""])[:3]
            same = bool(session) and now - _seconds(last) <= self._timeout and now - _seconds(begun) <= _SESSION_LENGTH
            if not same:
                session, begun = secrets.token_hex(16), repr(now)
            if event or not same:
                self._store.set("session", f"{session} {now!r} {begun}")
        return user, anonymous, session


def _or(value: Any, otherwise: str) -> Any:
    """An id unless it names nobody, else another one."""
    return otherwise if nobody(value) else value


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0  # damaged, it is long ago
