"""The calls that trackers and visitors have."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Callable, Optional, Sequence, Tuple, TypedDict

from ._encode import encode, members, names_nobody, nobody
from .errors import FieldError, NimbusError, RejectedError
from .event import Event, Id, Operation, Props

if TYPE_CHECKING:
    from typing_extensions import Unpack


class WhenOptions(TypedDict, total=False):
    """When it happened, if it was not just now, and what identifies it."""

    ts: Optional[datetime]
    idempotency_key: Optional[str]


class LinkOptions(WhenOptions, total=False):
    """And the id that is linked."""

    anonymous_id: Optional[Id]


class EventOptions(LinkOptions, total=False):
    """Who did it, and what orders events of the same ``ts``."""

    user_id: Optional[Id]
    seq: int


class ProfileOptions(LinkOptions, total=False):
    """Who, or what group, it is about."""

    user_id: Optional[Id]
    group: Optional[Tuple[str, Id]]


class Calls:
    """They say what happened, and what is known of people and groups. Those of a :class:`Tracker` say with ``user_id``, ``anonymous_id``
    or ``group`` of whom they speak; those of a :class:`Visitor` speak of the visitor, unless these say otherwise.

    Each takes what happened now and returns. Props are encoded before the call returns, so that they may be changed afterwards.

    They raise a :class:`RejectedError` for what the server would surely refuse, :class:`QueueFullError` where there is no room and
    ``when_full`` says so, :class:`ClosedError` after ``close``, and :class:`SpoolError`; nothing is sent then. With ``quiet`` they log it.
    """

    _registered: Register

    def _event(self, event: Event) -> None:
        raise NotImplementedError

    def _operation(self, operation: Operation) -> None:
        raise NotImplementedError

    def _refuse(self, error: NimbusError) -> None:
        raise NotImplementedError

    def track(self, name: str, props: Props | None = None, **options: Unpack[EventOptions]) -> None:
        """Queues an event."""
        self._event(Event(name, props=props, **options))

    def page(self, props: Props | None = None, **options: Unpack[EventOptions]) -> None:
        """Queues a ``$pageview``."""
        self._event(Event("$pageview", props=props, **options))

    def screen(self, name: str, props: Props | None = None, **options: Unpack[EventOptions]) -> None:
        """Queues a ``$screen``, that of an app, with its name as the prop ``name``."""
        self._event(Event("$screen", props=merged({"name": name}, props), **options))

    def identify(self, user_id: Id, props: Props | None = None, **options: Unpack[LinkOptions]) -> None:
        """Says who a person is. With an anonymous id, given or that of the visitor, it links the two: they are one person, now and in the
        past. Props become properties of the profile."""
        if nobody(user_id):  # beside an anonymous id it would count as absent; who asks to identify it must learn that it names nobody
            return self._refuse(names_nobody("/user_id"))
        self._operation(Operation("set", user_id=user_id, props={} if props is None else props, **options))

    def alias(self, user_id: Id, anonymous_id: Id, **options: Unpack[WhenOptions]) -> None:
        """Says that another anonymous id, such as that of an app, is the user's too."""
        if nobody(anonymous_id):
            return self._refuse(names_nobody("/anonymous_id"))
        self.identify(user_id, anonymous_id=anonymous_id, **options)

    def group(self, group_type: str, key: Id, props: Props | None = None, **options: Unpack[WhenOptions]) -> None:
        """Says what is known of a group, such as ``group("company", "acme", {"plan": "team"})``. Of a visitor it also says that they belong
        to it: later events have the prop ``company``."""
        self._operation(Operation("set", group=(group_type, key), props={} if props is None else props, **options))

    def set_people(self, props: Props, **options: Unpack[ProfileOptions]) -> None:
        """Makes these the person's properties."""
        self._operation(Operation("set", props=props, **options))

    def set_people_once(self, props: Props, **options: Unpack[ProfileOptions]) -> None:
        """Sets the properties that the person does not have yet."""
        self._operation(Operation("set_once", props=props, **options))

    def add_people(self, props: Props, **options: Unpack[ProfileOptions]) -> None:
        """Adds to numbers, which begin at 0."""
        self._operation(Operation("add", props=props, **options))

    def append_people(self, props: Props, **options: Unpack[ProfileOptions]) -> None:
        """Puts a value at the end of a list."""
        self._operation(Operation("append", props=props, **options))

    def union_people(self, props: Props, **options: Unpack[ProfileOptions]) -> None:
        """Adds to a list what it does not have."""
        self._operation(Operation("union", props=props, **options))

    def remove_people(self, props: Props, **options: Unpack[ProfileOptions]) -> None:
        """Takes out of a list what is equal."""
        self._operation(Operation("remove", props=props, **options))

    def unset_people(self, names: Sequence[str], **options: Unpack[ProfileOptions]) -> None:
        """Takes properties away."""
        self._operation(Operation("unset", names=(names,) if isinstance(names, str) else tuple(names), **options))

    def delete_person(self, **options: Unpack[ProfileOptions]) -> None:
        """Deletes the profile; events stay."""
        self._operation(Operation("delete", **options))

    def register(self, props: Props) -> None:
        """Gives all later events these props, unless they have their own."""
        try:
            self._registered.add(props)
        except RejectedError as e:
            self._refuse(e)

    def unregister(self, *names: str) -> None:
        """Takes away what ``register`` gave."""
        self._registered.remove(names)


class Register:
    """The props that events get."""

    def __init__(self, props: dict[str, Any] | None = None, keep: Callable[[dict[str, Any]], None] | None = None) -> None:
        self._lock = threading.Lock()  # of changes
        self._props = props or {}  # replaced, never changed
        self._keep = keep

    def add(self, props: Props) -> None:
        try:
            fixed = json.loads(encode(dict(props)))
        except (TypeError, ValueError, OverflowError, RecursionError) as e:
            raise RejectedError([FieldError("/props", "type", f"cannot be encoded: {e}")]) from None
        self._change(lambda all_props: all_props.update(fixed))

    def remove(self, names: Sequence[str]) -> None:
        self._change(lambda all_props: [all_props.pop(name, None) for name in names])

    def clear(self) -> None:
        self._change(lambda all_props: all_props.clear())

    def under(self, props: Any) -> Any:
        """Props with those that are registered below them."""
        return merged(self._props, props)

    def _change(self, how: Callable[[dict[str, Any]], object]) -> None:
        with self._lock:
            changed = dict(self._props)
            how(changed)
            self._props = changed
            if self._keep is not None:
                self._keep(changed)


def merged(below: Mapping[str, Any], props: Any) -> Any:
    """Props with others below them. Props that are no object stay as they are, and are refused for it."""
    if not below:
        return props
    if props is None:
        return below
    props = members(props)
    return {**below, **props} if isinstance(props, Mapping) else props
