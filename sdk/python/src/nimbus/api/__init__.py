"""Calls everything that a Nimbus server offers: to ask questions, to read events, to manage projects.

::

    client = Client("https://nimbus.example.com", secret=secret)
    for event in client.iter_events(project_id=project_id):
        print(event["name"])

A :class:`Client` has a method for each operation of the contract, and an :class:`AsyncClient` the same for tasks. Answers are dictionaries,
whose types are in :mod:`nimbus.api.types`; an answer other than a success is raised as a :class:`nimbus.APIError`. The types and methods are
generated from openapi/nimbus.yaml, so that they say exactly what the server says.

To send events, use :class:`nimbus.Tracker`.
"""

from . import types
from .client import AsyncClient, Client

__all__ = ["AsyncClient", "Client", "types"]
