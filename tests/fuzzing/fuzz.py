"""Schemathesis over the whole OpenAPI description, as one persona: what it was answered, and what it finds wrong."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import schemathesis
from django.db import connection, connections
from schemathesis.config import SchemathesisConfig
from schemathesis.core.parameters import ParameterLocation
from schemathesis.engine import events, from_schema
from schemathesis.engine.run import PhaseName
from schemathesis.hooks import GLOBAL_HOOK_DISPATCHER
from schemathesis.transport.serialization import Binary

from platform_core.exchange.writing import FORMATS
from platform_core.resource.openapi.routes import operations_in
from platform_core.testing.contract.fuzzing import leaving_nothing, one_connection, quiet
from platform_core.testing.contract.subjects import undone
from tests.access.operations import Operation, mounted_operations
from tests.access.requests import Request, request_for
from tests.access.world import World, new_world
from tests.fuzzing.in_process import Application, probes_without_sockets, unlimited
from tests.fuzzing.lenient import is_read_leniently, refuses_an_item

PHASES = ("examples", "coverage", "fuzzing", "stateful")
SEED = 20_11
_OTHER_CHECKS = ("positive_data_acceptance", "object_level_authorization")
"""Generated input is valid for the schema and not for the data; the access tables and two worlds judge rows of others."""
_REJECTIONS = [400, 401, 403, 404, 405, 406, 409, 410, 412, 413, 415, 422, 428, 429]
_HEADER_MISSING = [400, 401, 403, 406, 415, 422, 428]
"""What schemathesis expects, and 428 of RFC 6585: a precondition is required."""


@dataclass
class Outcome:
    """The statuses of each operation, and the first fault of each kind and operation."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    faults: dict[tuple[str, str], str] = field(default_factory=dict)

    @property
    def requests(self) -> int:
        """How many were sent."""
        return sum(counter.total() for counter in self.statuses.values())

    def reached(self) -> set[str]:
        """Return the operations that answered 2xx."""
        return {
            label
            for label, counter in self.statuses.items()
            if any(200 <= status < 300 for status in counter)
        }

    def add(self, other: Outcome) -> None:
        """Take in what another persona or phase met."""
        for label, counter in other.statuses.items():
            self.statuses[label].update(counter)
        self.faults.update(other.faults)


@schemathesis.serializer(*(one.media_type.partition(";")[0] for one in FORMATS.values()))
def _file(context: Any, value: Any) -> bytes:
    """Send a file as it is."""
    return value.data if isinstance(value, Binary) else str(value).encode()


def fuzz(
    document: Mapping[str, Any],
    persona: str,
    *,
    examples: int,
    phases: Sequence[str] = PHASES,
    chosen: Callable[[str], bool] = lambda _path: True,
) -> Outcome:
    """Ask the operations of ``document`` whose path is ``chosen``, as ``persona``; what is written is undone.

    ``examples`` are the requests of the fuzzing phase to each operation, and the sequences of the stateful phase.
    """
    paths = {path: item for path, item in document["paths"].items() if chosen(path)}
    with ExitStack() as stack:
        for block in (unlimited(), quiet(), leaving_nothing(), probes_without_sockets(), undone()):
            stack.enter_context(block)
        world = stack.enter_context(new_world())
        seeds = _seeds(document, set(paths), world)
        stack.enter_context(one_connection())  # Django's test client, which the seeds use, ends it
        run = _Run({**document, "paths": paths}, seeds, persona, world)
        return run.all(examples, phases)


def described_operations(document: Mapping[str, Any]) -> list[str]:
    """Return the operations of ``document``, each as schemathesis calls it."""
    return [
        f"{method.upper()} {path}"
        for path, item in document["paths"].items()
        for method, _operation in operations_in(item)
    ]


def _seeds(
    document: Mapping[str, Any], paths: set[str], world: World
) -> dict[str, tuple[Operation, Request]]:
    """Return a valid request for each operation, with the rows that it needs."""
    return {
        f"{one.method} {one.address}": (one, request_for(one, world))
        for one in mounted_operations(document)
        if one.address in paths
    }


class _Run:
    """One run of schemathesis's engine in this process and inside one transaction."""

    def __init__(
        self,
        document: Mapping[str, Any],
        seeds: Mapping[str, tuple[Operation, Request]],
        persona: str,
        world: World,
    ) -> None:
        self.document, self.seeds, self.persona, self.world = document, seeds, persona, world
        self.outcome = Outcome()
        self.sent = 0
        self.is_stateful = False
        self.connection = connections["default"]

    def all(self, examples: int, phases: Sequence[str]) -> Outcome:
        """Run the phases and return what was met."""
        application = Application()
        schema = schemathesis.openapi.from_dict(
            dict(self.document),
            config=_configuration(examples, phases, self.world.headers[self.persona]),
        )
        schema.app = application
        schema.hooks.register_hook_with_name(self.with_valid_request, "before_add_examples")
        everywhere = GLOBAL_HOOK_DISPATCHER  # there is none of a schema's own for calls
        before_call = self.with_row_that_exists  # one object, by which it is taken away again
        everywhere.register_hook_with_name(before_call, "before_call")
        connection.inc_thread_sharing()
        try:
            for event in from_schema(schema).execute():
                if isinstance(event, events.PhaseStarted):
                    self.is_stateful = event.phase.name == PhaseName.STATEFUL_TESTING
                    application.keeps = self.is_stateful
                self._take(event)
        finally:
            connection.dec_thread_sharing()
            everywhere.unregister(before_call)
        return self.outcome

    def with_valid_request(self, context: Any, examples: list[Any]) -> None:
        """Add the valid request to the examples of its operation."""
        operation, request = self.seeds[context.operation.label]
        changes = request.own(self.persona) if request.own is not None else {}
        where = urlsplit(request.address)
        headers = {**request.headers, **changes.get("headers", {})}
        body = changes.get("body", request.body)
        known: dict[str, Any] = {}
        if body is not None:
            is_file = request.content_type != "application/json"
            known = {
                "body": json.dumps(body) if is_file else body,
                "media_type": request.content_type,
            }
        examples.append(
            context.operation.Case(
                path_parameters=_parameters(operation.address, where.path),
                query=dict(parse_qsl(where.query)),
                headers=headers,
                **known,
            )
        )

    def with_row_that_exists(self, context: Any, case: Any, kwargs: Any) -> None:
        """Let every second request name a row that exists, unless its path is meant to be wrong."""
        self.sent += 1
        if self.is_stateful:
            case.query.pop("dry_run", None)  # the next step would look for what was only tried
        if self.sent % 2:
            return
        if self.is_stateful:
            self._for_good(case)
            return
        meta = case.meta
        if meta is not None and not meta.is_negative_at(ParameterLocation.PATH):
            operation, request = self.seeds[case.operation.label]
            known = _parameters(operation.address, urlsplit(request.address).path)
            case.path_parameters = {**(case.path_parameters or {}), **known}

    def _for_good(self, case: Any) -> None:
        """Let a step of a sequence have its effect: no precondition, and a new row that nobody has sent."""
        operation, _request = self.seeds[case.operation.label]
        for name in ("If-Match", "If-None-Match"):
            case.headers.pop(name, None)
        if operation.action == "create":
            connections["default"] = self.connection
            case.body = request_for(operation, self.world).body

    def _take(self, event: Any) -> None:
        if isinstance(event, events.ScenarioFinished):
            for key, node in event.recorder.cases.items():
                met = event.recorder.interactions.get(key)
                if met is not None and met.response is not None:
                    self.outcome.statuses[node.value.operation.label][met.response.status_code] += 1
                for check in event.recorder.checks.get(key, ()):
                    if check.failure_info is not None:
                        self._fault(node.value, check, met and met.response)
        elif isinstance(event, events.NonFatalError | events.FatalError):
            told = getattr(event, "value", None) or getattr(event, "exception", None)
            label = getattr(event, "label", "") or "the run"
            self.outcome.faults.setdefault((label, type(told).__name__), f"{label}: {told!r}")

    def _fault(self, case: Any, check: Any, response: Any) -> None:
        failure = check.failure_info.failure
        if check.name == "negative_data_rejection" and (
            is_read_leniently(case, self.document) or refuses_an_item(case, response)
        ):
            return
        label = case.operation.label
        told = (
            f"{label}, as {self.persona}: {check.name}: {failure.title}: {failure.message}\n"
            f"  {case.as_curl_command()}"
        )
        self.outcome.faults.setdefault((label, check.name), told)


def _configuration(
    examples: int, phases: Sequence[str], headers: Mapping[str, str]
) -> SchemathesisConfig:
    return SchemathesisConfig.from_dict(
        {
            "seed": SEED,
            "base-url": "http://localhost",
            "headers": dict(headers),
            "continue-on-failure": True,
            "generation": {
                "max-examples": examples,
                "deterministic": True,
                "no-shrink": True,
                "database": "none",
            },
            "phases": {name: {"enabled": name in phases} for name in PHASES},
            "checks": {
                **{name: {"enabled": False} for name in _OTHER_CHECKS},
                "negative_data_rejection": {"expected-statuses": _REJECTIONS},
                "missing_required_header": {"expected-statuses": _HEADER_MISSING},
            },
            # There a token that does not count is answered 410, and a flow that was not begun, as without its key, 409;
            # the access tables say who is let in.
            "operations": [
                {
                    "include-path-regex": "/identity/auth/",
                    "checks": {
                        "ignored_auth": {"enabled": False},
                        "missing_required_header": {"expected-statuses": [*_HEADER_MISSING, 409]},
                    },
                }
            ],
        }
    )


def _parameters(address: str, path: str) -> dict[str, str]:
    """Return what stands in ``path`` in the places of the parameters of ``address``."""
    pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(address))
    found = re.fullmatch(pattern, path)
    return found.groupdict() if found else {}
