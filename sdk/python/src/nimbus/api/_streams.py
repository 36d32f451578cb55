"""Answers that go on and on."""

from __future__ import annotations

import asyncio
import json
from typing import Any, AsyncIterator, Iterator, TypeVar

T = TypeVar("T")


def frames(lines: Iterator[bytes]) -> Iterator[Any]:
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
        close = getattr(items, "close", None)
        if close is not None:
            await asyncio.to_thread(close)
