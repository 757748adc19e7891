"""``/livez`` and ``/readyz``: is the process alive, and may traffic come."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from ipaddress import ip_address

import orjson
import structlog
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse
from django.http.request import split_domain_port
from django.http.response import HttpResponseBase
from django.views.decorators.http import require_safe
from psycopg import Error as PsycopgError
from psycopg_pool import PoolTimeout

from platform_core.audit.backlog import MOST, backlog
from platform_core.backups import listing
from platform_core.conf.base import LOOPBACK_HOSTS
from platform_core.contributions import HealthResult
from platform_core.events.overview import parked_owners
from platform_core.observability.metrics import Gauge, metrics_view
from platform_core.observability.redaction import redacted
from platform_core.registry import installed
from platform_core.registry.ledger import database_problems
from platform_core.runtime_settings.reading import not_in_force
from platform_core.tasks.backend import engine
from platform_core.tasks.catalogue import queues
from platform_core.tasks.measuring import job_gauges
from platform_core.webhooks.measuring import webhook_gauges

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One line of a readiness answer; ``plugin`` owns the check."""

    name: str
    plugin: str
    healthy: bool
    critical: bool
    detail: str = ""


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process can answer at all; touches nothing else."""
    return _answer(200, {"status": "alive"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when the database, the ledger and every critical probe are well, else 503.

    Owners, details and the digest are told to processes of this machine only.
    """
    results = list(check_health())
    ready = all(result.healthy or not result.critical for result in results)
    from_here = asked_from_here(request)
    body: dict[str, object] = {
        "status": "ready" if ready else "not_ready",
        "checks": [asdict(one) if from_here else _without_details(one) for one in results],
    }
    if from_here:
        body["digest"] = installed().digest()
    response = _answer(200 if ready else 503, body)
    if not ready:
        response["Retry-After"] = "2"
    return response


def asked_from_here(request: HttpRequest) -> bool:
    """Tell whether a process of this machine asks for itself: not a proxy for somebody else, nor a browser for a page.

    A page can give its own name this machine's address, but then the browser sends that name as the Host.
    """
    if any(header in request.headers for header in _PROXIED):
        return False
    host = request.headers.get("Host")
    if host is not None and split_domain_port(host)[0] not in LOOPBACK_HOSTS:
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:  # the socket of a file has no address
        return False


_PROXIED = (
    "Forwarded",
    "Via",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Real-IP",
)
"""What proxies add; a client behind one cannot take them away."""


def _without_details(result: CheckResult) -> dict[str, object]:
    return {"name": result.name, "healthy": result.healthy, "critical": result.critical}


class HealthMiddleware:
    """Answer ``/livez`` and ``/readyz`` before anything looks at the Host: probes ask the address of a process.

    ``/metrics`` is there for processes of this machine only; to anybody else it does not exist.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.views = {"/livez": livez, "/readyz": readyz}

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a probe, and hand everything else on."""
        if request.path_info == "/metrics" and asked_from_here(request):
            return metrics_view(request, gauges())
        return self.views.get(request.path_info, self.get_response)(request)


def check_health() -> Iterator[CheckResult]:
    """Yield the core's checks, then each plugin's; a probe that raises is unhealthy and hurts no other."""
    yield _run("database", "platform_core", _database, critical=True)
    yield _run("plugins", "platform_core", _ledger, critical=True)
    yield _run("tasks", "platform_core", _tasks, critical=False)
    yield _run("settings", "platform_core", _settings, critical=False)
    yield _run("audit", "platform_core", _audit, critical=False)
    if settings.PLATFORM.deployment.core.backup_at:
        yield _run("backup", "platform_core", _backup, critical=False)
    if settings.PLATFORM.resolution.held_back:
        yield _run("quarantine", "platform_core", _held_back, critical=False)
    if installed().entries["subscriptions"]:
        yield _run("events", "platform_core", _parked_events, critical=False)
    yield _run("mail", "platform_core", _mail, critical=False)
    for entry in installed().entries["health_probes"]:
        probe = entry.item
        yield _run(probe.name, entry.owner, probe.check, critical=probe.critical)


def gauges() -> list[Gauge]:
    """Return what the metrics tell of this moment: readiness, each check; jobs and audit where the database answers."""
    results = list(check_health())
    ready = all(one.healthy or not one.critical for one in results)
    found = [
        Gauge(name="platform_ready", help="Whether /readyz answers 200.", values={(): ready}),
        Gauge(
            name="platform_check_healthy",
            help="Whether a check of health is well.",
            labels=("plugin", "check", "critical"),
            values={
                (one.plugin, one.name, str(one.critical).lower()): one.healthy for one in results
            },
        ),
    ]
    try:
        return [*found, *job_gauges(), *webhook_gauges(), *_audit_gauges()]
    except (DatabaseError, PsycopgError, PoolTimeout):
        return found


def _run(
    name: str, plugin: str, check: Callable[[], HealthResult], *, critical: bool
) -> CheckResult:
    try:
        result = check()
    except Exception as error:  # one plugin's probe must not take the answer of all others
        log.exception("health probe raised", probe=name, plugin=plugin)
        result = HealthResult(healthy=False, detail=f"The probe raised {type(error).__name__}.")
    return CheckResult(
        name=name,
        plugin=plugin,
        healthy=result.healthy,
        critical=critical,
        detail=redacted(result.detail),
    )


def _database() -> HealthResult:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except (DatabaseError, PsycopgError, PoolTimeout):
        return HealthResult(healthy=False, detail="The database does not answer.")
    return HealthResult(healthy=True)


def _ledger() -> HealthResult:
    try:
        problems = database_problems()
    except (DatabaseError, PsycopgError, PoolTimeout):
        return HealthResult(healthy=False, detail="The database does not answer.")
    return HealthResult(healthy=not problems, detail=" ".join(map(str, problems)))


def _tasks() -> HealthResult:
    try:
        well = engine().alive() > 0 or not engine().is_waiting(queues())
    except (DatabaseError, PsycopgError, PoolTimeout):
        return HealthResult(healthy=False, detail="The database does not answer.")
    detail = "" if well else "Jobs wait, and no worker runs: platformctl worker."
    return HealthResult(healthy=well, detail=detail)


def _settings() -> HealthResult:
    """Tell which values that were set at run time do not count, since an upgrade perhaps."""
    try:
        left_out = not_in_force()
    except (DatabaseError, PsycopgError, PoolTimeout):
        return HealthResult(healthy=False, detail="The database does not answer.")
    detail = " ".join(f"{one.stored.variable}: {one.why}" for one in left_out)
    return HealthResult(healthy=not left_out, detail=detail)


def _audit() -> HealthResult:
    try:
        found = backlog()
    except (DatabaseError, PsycopgError, PoolTimeout):
        return HealthResult(healthy=False, detail="The database does not answer.")
    detail = (
        f"{found}: platformctl audit seal does it now, or says why not." if found.is_late else ""
    )
    return HealthResult(healthy=not found.is_late, detail=detail)


def _audit_gauges() -> list[Gauge]:
    found = backlog()
    return [
        Gauge(
            name="platform_audit_unsealed_events",
            help=f"Events of the audit trail without a seal, counted up to {MOST}.",
            values={(): found.events},
        ),
        Gauge(
            name="platform_audit_unsealed_seconds",
            help="How long the oldest of them has waited.",
            values={(): found.seconds},
        ),
    ]


def _held_back() -> HealthResult:
    held = settings.PLATFORM.resolution.held_back
    return HealthResult(healthy=False, detail=" ".join(str(one) for one in held))


def _parked_events() -> HealthResult:
    """Tell whose subscribers failed too often: somebody has to look, while everything else goes on."""
    owners = parked_owners()
    if not owners:
        return HealthResult(healthy=True)
    count, names = sum(owners.values()), ", ".join(owners)
    what = "event is" if count == 1 else "events are"
    detail = f"{count} {what} parked for {names}: see platformctl events list."
    return HealthResult(healthy=False, detail=detail)


def _mail() -> HealthResult:
    """Tell that mails were given up lately: whoever waits for a code has none."""
    from platform_core.mail.overview import recent_failures  # needs loaded models

    try:
        detail = recent_failures()
    except (DatabaseError, PsycopgError, PoolTimeout):
        return HealthResult(healthy=False, detail="The database does not answer.")
    return HealthResult(healthy=not detail, detail=detail)


def _backup() -> HealthResult:
    folder = settings.PLATFORM.deployment.data_dir / listing.FOLDER
    detail = listing.overdue(folder, datetime.now(UTC))
    return HealthResult(healthy=not detail, detail=detail)


def _answer(status: int, body: object) -> HttpResponse:
    response = HttpResponse(orjson.dumps(body), status=status, content_type="application/json")
    response["Cache-Control"] = "no-store"
    return response
