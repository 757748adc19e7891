"""Requests made from the OpenAPI document of a plugin: no server error, and no answer that is not described."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.configuration import set_hypothesis_home_dir
from rest_framework.test import force_authenticate
from schemathesis.checks import CheckFunction, not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from platform_core.access import ANONYMOUS, Actor
from platform_core.api_versions import split_address
from platform_core.testing.actors import credentials_of, new_user
from platform_core.testing.contract.nesting import nestings_of
from platform_core.testing.contract.subjects import PluginSubject, all_permissions, stage, undone
from platform_core.testing.factories import make

PERSONAS = ("anonymous", "nobody", "holder")
CHECKS: list[CheckFunction] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def check_fuzzed(
    plugin: PluginSubject, document: Mapping[str, Any], *, examples: int, who: str = "holder"
) -> int:
    """Assert that ``examples`` requests to each of the plugin's operations get answers that are described.

    Return the number of requests. They are made from the OpenAPI ``document``, always the same ones for the same
    document; sent to the real WSGI application as the persona ``who``; and what they write is undone. Every second
    request names a row that exists.
    """
    paths = {
        path: item
        for path, item in document["paths"].items()
        if (split_address(path) or ("", ""))[1] == plugin.slug
    }
    if not paths:
        return 0
    sent = 0
    faults: list[str] = []
    with stage() as grants, quiet(), one_connection(), leaving_nothing():
        actor = ANONYMOUS if who == "anonymous" else new_user()
        if who == "holder":
            grants.give(actor, *all_permissions())
        schema = schemathesis.openapi.from_dict({**document, "paths": paths})
        schema.app = _ActorHandler(actor)
        rows = {subject.url: str(make(subject.model).pk) for subject in plugin.resources}
        below = {
            one.url(f"{{{one.parent.parameter}}}"): {
                one.parent.parameter: str(make(one.parent.resource.model).pk)
            }
            for subject in plugin.resources
            for one in nestings_of(subject)
        }
        for found in schema.get_all_operations():
            operation: Any = found.ok()  # type: ignore[union-attr]  # an invalid document is refused before
            key = next((rows[url] for url in rows if operation.path.startswith(f"{url}{{id}}")), "")
            known = below.get(
                operation.path.removesuffix("bulk/create/"), {"id": key} if key else {}
            )
            count, told = _fuzz(operation, examples, known)
            sent += count
            faults += told
    if faults:
        raise AssertionError(f"{plugin.slug}, asked by {who}:\n" + "\n".join(faults))
    return sent


def _fuzz(operation: Any, examples: int, known: Mapping[str, str]) -> tuple[int, list[str]]:
    """Send ``examples`` requests to ``operation``, every second with the ``known`` parts of its path.

    Return how many were sent, and the first fault of each kind.
    """
    sent = 0
    faults: dict[str, str] = {}

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def run(case: Any) -> None:
        nonlocal sent
        sent += 1
        if known and sent % 2:
            case.path_parameters = {**case.path_parameters, **known}
        with undone():
            response = case.call(base_url="http://localhost")
        try:
            case.validate_response(response, checks=CHECKS)
        except FailureGroup as group:
            for failure in group.exceptions:
                told = f"{case.as_curl_command()}\n  {response.status_code}: {failure}"
                faults.setdefault(f"{failure.title}", f"{operation.label}: {told}")

    run()
    return sent, list(faults.values())


class _ActorHandler(WSGIHandler):
    """The WSGI application of the deployment, whose requests are one actor's."""

    def __init__(self, actor: Actor) -> None:
        super().__init__()
        self._actor = actor

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer as a server would, which tells where the request comes from."""
        return super().__call__({"REMOTE_ADDR": "127.0.0.1", **environ}, start_response)

    def get_response(self, request: Any) -> Any:
        if self._actor.is_authenticated:
            force_authenticate(request, *credentials_of(self._actor))
        return super().get_response(request)


@contextmanager
def one_connection() -> Iterator[None]:
    """Keep the connection, and so the transaction that is undone, from request to request."""
    ends = (request_started, request_finished)
    for signal in ends:
        signal.disconnect(close_old_connections)
    try:
        yield
    finally:
        for signal in ends:
            signal.connect(close_old_connections)


@contextmanager
def leaving_nothing() -> Iterator[None]:
    """Keep what Hypothesis remembers out of the folder in which the plugin's tests run."""
    with tempfile.TemporaryDirectory(prefix="platform-fuzz-") as folder:
        set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            set_hypothesis_home_dir(None)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep the thousands of refusals out of the log of the run."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
