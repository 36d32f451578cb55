"""A Django site, in one file, that tracks its requests and what its visitors do."""

import os
import secrets
import sys
import time

import django.core.management
import nimbus
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(
    SECRET_KEY=os.environ.get("SECRET_KEY") or secrets.token_hex(),
    ALLOWED_HOSTS=["127.0.0.1", "localhost"],
    ROOT_URLCONF=__name__,
    MIDDLEWARE=[f"{__name__}.track_requests"],
)

# One for the program. It may be made before gunicorn forks its workers: each has a queue and a thread of its own, and delivers what it has
# tracked before it ends.
tracker = nimbus.Tracker(
    url=os.environ["NIMBUS_URL"],
    project_id=os.environ["NIMBUS_PROJECT_ID"],
    key_id=os.environ["NIMBUS_KEY_ID"],
    secret=os.environ["NIMBUS_SECRET"],
    quiet=True,  # nobody's request fails for it
    exit_timeout=10,
)


def track_requests(get_response):
    """A middleware that tracks each request: its route rather than its path, which would be a value of its own for every order."""

    def middleware(request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        response = get_response(request)
        tracker.track(
            "http_request",
            {
                "method": request.method,
                "route": request.resolver_match.route if request.resolver_match else None,
                "status": response.status_code,
                "ms": round((time.perf_counter() - begun) * 1000, 3),
            },
            user_id=request.headers.get("X-User"),
        )
        return response

    return middleware


def order(request: HttpRequest, number: int) -> HttpResponse:
    tracker.track("ordered", {"order": number}, user_id=request.headers.get("X-User"))
    return HttpResponse("ordered\n", status=201)


urlpatterns = [path("orders/<int:number>", order)]
application = get_wsgi_application()

if __name__ == "__main__":
    django.core.management.execute_from_command_line(sys.argv)
