"""A FastAPI service that tracks its requests and what its users do."""

import os
import time
from contextlib import asynccontextmanager
from typing import AsyncIterator, Optional

import nimbus
from fastapi import FastAPI, Header, Request, Response

tracker = nimbus.Tracker(
    url=os.environ["NIMBUS_URL"],
    project_id=os.environ["NIMBUS_PROJECT_ID"],
    key_id=os.environ["NIMBUS_KEY_ID"],
    secret=os.environ["NIMBUS_SECRET"],
    quiet=True,  # nobody's request fails for it
)


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    yield
    await tracker.aclose(timeout=10)  # delivers what was tracked before the service ends


app = FastAPI(lifespan=lifespan)


@app.middleware("http")
async def track_requests(request: Request, call_next) -> Response:
    """Tracks each request: its route rather than its path, which would be a value of its own for every order."""
    begun = time.perf_counter()
    response = await call_next(request)
    route = request.scope.get("route")
    tracker.track(
        "http_request",
        {
            "method": request.method,
            "route": route.path if route else None,
            "status": response.status_code,
            "ms": round((time.perf_counter() - begun) * 1000, 3),
        },
        user_id=request.headers.get("X-User"),
    )
    return response


@app.post("/orders/{number}", status_code=201)
async def order(number: int, x_user: Optional[str] = Header(None)) -> str:
    tracker.track("ordered", {"order": number}, user_id=x_user)  # only queues, so a coroutine may call it
    return "ordered"
