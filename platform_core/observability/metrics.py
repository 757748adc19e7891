"""Metrics for Prometheus, labelled by the plugin whose route answered: requests, seconds, statements."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
FOLDER = "metrics"
SECONDS = "platform_request_seconds"
STATEMENTS = "platform_request_statements"
STATEMENT_SECONDS = "platform_statement_seconds"
DEPRECATED = "platform_deprecated_calls"
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Recorder:
    """Adds requests to the metrics; made once a process, when its first application is.

    Whether the processes of a server share their numbers is decided when prometheus_client is first imported, which is
    therefore done here.
    """

    def __init__(self) -> None:
        from prometheus_client import Counter, Histogram

        self._seconds = Histogram(
            SECONDS, "Seconds a request took.", ["plugin", "status"], buckets=_BUCKETS
        )
        self._statements = Counter(STATEMENTS, "SQL statements of requests.", ["plugin"])
        self._statement_seconds = Counter(STATEMENT_SECONDS, "Seconds of statements.", ["plugin"])
        self._deprecated = Counter(
            DEPRECATED, "Calls that used what is deprecated.", ["plugin", "what", "caller"]
        )
        self._children: dict[tuple[str, int], tuple[Any, Any, Any]] = {}

    def add(
        self, plugin: str, status: int, seconds: float, statements: int, statement_seconds: float
    ) -> None:
        """Add a request that ``plugin`` answered with ``status``."""
        key = (plugin, status // 100)
        found = self._children.get(key)
        if found is None:
            found = self._children[key] = (
                self._seconds.labels(plugin, f"{status // 100}xx"),
                self._statements.labels(plugin),
                self._statement_seconds.labels(plugin),
            )
        found[0].observe(seconds)
        if statements:
            found[1].inc(statements)
            found[2].inc(statement_seconds)

    def add_deprecated(self, plugin: str, what: str, caller: str) -> None:
        """Add a call by a ``caller`` of some kind that used ``what``, which the plugin declares as deprecated."""
        self._deprecated.labels(plugin, what, caller).inc()


_making = threading.Lock()


def made_once(make: Callable[[], Any]) -> Callable[[], Any]:
    """Return what makes a metric when it is first asked for it: once, though several threads ask at the same time."""
    kept = cache(make)

    def found() -> Any:
        with _making:
            return kept()

    return found


@cache
def recorder() -> Recorder:
    """Return the recorder of this process."""
    return Recorder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """What is so at the moment of asking: values by the values of ``labels``."""

    name: str
    help: str
    labels: tuple[str, ...] = ()
    values: Mapping[tuple[str, ...], float]


@require_safe
def metrics_view(request: HttpRequest, gauges: Iterable[Gauge] = ()) -> HttpResponse:
    """Answer the metrics of all processes of the server in Prometheus' text format, and what is so now."""
    from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

    folder = os.environ.get(FOLDER_VARIABLE)
    registry = _collected(folder) if folder else REGISTRY
    text = generate_latest(registry) + generate_latest(_gauging(gauges))
    response = HttpResponse(text, content_type=CONTENT_TYPE_LATEST)
    response["Cache-Control"] = "no-store"
    return response


def _gauging(gauges: Iterable[Gauge]) -> CollectorRegistry:
    """Return ``gauges`` for one answer only: a metric of the library would be kept in the files of all processes."""
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

    families = []
    for one in gauges:
        family = GaugeMetricFamily(one.name, one.help, labels=one.labels)
        for values, amount in one.values.items():
            family.add_metric(values, amount)
        families.append(family)
    registry = CollectorRegistry()
    registry.register(_Given(families))
    return registry


class _Given:
    """A collector of what was found before."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        """Return it."""
        return self._families


def _collected(folder: str) -> CollectorRegistry:
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=folder)  # type: ignore[no-untyped-call]
    return registry


_leases: list[int] = []
"""Held, shared, for as long as this process or one forked from it lives."""


def share_metrics(data_dir: Path) -> None:
    """Let the processes of a server add up their metrics in files below ``data_dir``.

    What a server of the past has left there is removed, unless a process still serves. Where ``PROMETHEUS_MULTIPROC_DIR``
    is set, whoever set it looks after that folder.
    """
    if os.environ.get(FOLDER_VARIABLE):
        return
    folder = data_dir / FOLDER
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lease = os.open(data_dir / f"{FOLDER}.lease", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
    fcntl.flock(lease, fcntl.LOCK_SH)
    _leases.append(lease)
    os.environ[FOLDER_VARIABLE] = str(folder)


def totals(data_dir: Path) -> Mapping[str, Mapping[str, float]]:
    """Return what each plugin's routes have cost since the server started: requests, seconds, statements.

    The files are those of the running server, or of the last one. Empty where none has counted yet.
    """
    folder = data_dir / FOLDER
    found: dict[str, dict[str, float]] = {}
    if not folder.is_dir():
        return found
    names = {
        f"{SECONDS}_count": "requests",
        f"{SECONDS}_sum": "seconds",
        f"{STATEMENTS}_total": "statements",
        f"{STATEMENT_SECONDS}_total": "statement_seconds",
    }
    with _own_variable(folder):
        for metric in _collected(str(folder)).collect():
            for sample in metric.samples:
                name = names.get(sample.name)
                if name is not None:
                    of_plugin = found.setdefault(
                        sample.labels["plugin"], dict.fromkeys(names.values(), 0.0)
                    )
                    of_plugin[name] += sample.value
    return found


@contextmanager
def _own_variable(folder: Path) -> Iterator[None]:
    """Set the variable that prometheus_client looks at, for the block."""
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    try:
        yield
    finally:
        if before is None:
            del os.environ[FOLDER_VARIABLE]
        else:
            os.environ[FOLDER_VARIABLE] = before
