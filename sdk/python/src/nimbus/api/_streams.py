"""Answers that go on and on."""

from __future__ import annotations

import asyncio
import json
from typing import Any, AsyncIterator, Generic, Iterator, TypeVar

from ..transport import Lines

T = TypeVar("T")


class Stream(Generic[T]):
    """What a server sends, one after another, until ``close``: use it in ``for`` and in ``with``."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._frames = _frames(lines)

    def __iter__(self) -> Stream[T]:
        return self

    def __next__(self) -> T:
        frame: T = next(self._frames)
        return frame

    def close(self) -> None:
        """Ends it, also for a thread that waits for what comes next."""
        self._lines.close()

    def __enter__(self) -> Stream[T]:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _frames(lines: Iterator[bytes]) -> Iterator[Any]:
    """The data of Server-Sent Events."""
    data: list[bytes] = []
    for line in lines:
        line = line.rstrip(b"\r\n")
        if line.startswith(b"data:"):
            data.append(line[len(b"data:"):])
        elif not line and data:
            yield json.loads(b"\n".join(data))
            data = []


async def each(items: Iterator[T]) -> AsyncIterator[T]:
    """The items for a task: a thread waits for each of them."""
    over = object()
    try:
        while True:
            item = await asyncio.to_thread(next, items, over)
            if item is over:
                return
            yield item  # type: ignore[misc]
    finally:
        if isinstance(items, Stream):
            items.close()
