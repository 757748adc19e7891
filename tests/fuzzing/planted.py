"""Resources and a route with the faults that fuzzing has to find."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.http import HttpRequest, HttpResponse

from platform_core.contributions import PUBLIC, Route
from platform_core.resource import Resource
from platform_education.resources import AcademicYearResource
from tests.access.serving import served


class FailsOnOddInput(AcademicYearResource):
    """Fault: an ordinary search is answered, one of a single character fails."""

    def list(self) -> Any:
        if len(self.request.GET.get("search", "..")) < 2:
            raise ZeroDivisionError
        return super().list()


class Undescribed(AcademicYearResource):
    """Fault: a status that the description does not have."""

    def list(self) -> Any:
        return HttpResponse(status=418) if "search" in self.request.GET else super().list()


class OtherBody(AcademicYearResource):
    """Fault: a body that is not as described."""

    def shown(self, queryset: Any) -> Any:
        return {**super().shown(queryset), "title": 7}


class LetsWrongInputIn(AcademicYearResource):
    """Fault: a parameter that cannot be is ignored."""

    def list(self) -> Any:
        self.request._request.GET = {}  # type: ignore[assignment]
        return super().list()


class ForgetsDeletion(AcademicYearResource):
    """Fault: what was deleted is still there."""

    def delete_object(self, obj: Any) -> None:
        """Delete nothing."""


FAULTS: dict[str, tuple[type[Resource] | None, str, str]] = {
    "a server error on odd input": (FailsOnOddInput, "coverage", "not_a_server_error"),
    "a status that is not described": (Undescribed, "coverage", "status_code_conformance"),
    "a body against its schema": (OtherBody, "examples", "response_schema_conformance"),
    "invalid input accepted": (LetsWrongInputIn, "coverage", "negative_data_rejection"),
    "a door that needs no key": (None, "examples", "ignored_auth"),
    "a row after its deletion": (ForgetsDeletion, "stateful", "use_after_free"),
}
"""By name: what has the fault, the phase that finds it, and the check that tells it."""


def _hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("{}", content_type="application/json")


def _described() -> dict[str, Any]:
    content = {"application/json": {"schema": {"type": "object"}}}
    answers = {"200": {"description": "Done", "content": content}}
    operation = {"responses": answers, "security": [{"bearer": []}]}
    return {"paths": {"": {"get": operation}}}


@contextmanager
def with_fault(resource: type[Resource] | None) -> Iterator[dict[str, Any]]:
    """Serve ``resource``, or a route that says it needs a token and does not; yield the document."""
    route = Route(path="hello/", name="hello", access=PUBLIC, view=_hello, describe=_described)
    if resource is None:
        with served(AcademicYearResource, routes=(route,)) as document:
            yield document
        return
    with served(resource) as document:
        yield document


def chosen_for(phase: str) -> Callable[[str], bool]:
    """Return what tells whether a path is needed to see a fault in ``phase``."""
    places = {
        "coverage": ("academic-years/",),
        "examples": ("academic-years/{id}/", "hello/"),
        "stateful": ("academic-years/", "academic-years/{id}/"),
    }
    return lambda path: path.endswith(places[phase])
