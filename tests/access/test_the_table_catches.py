"""Faults that the access tables have to catch: a rule loosened or tightened, a door without a gate, a line forgotten."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

from platform_core.access import (
    Always,
    Never,
    PermissionRegistry,
    Rule,
    installed_permissions,
    using_permissions,
)
from platform_core.contributions import PUBLIC, SIGNED_IN, Route
from platform_core.resource import Resource
from platform_education.resources import AcademicYearResource, StudentResource
from tests.access.asking import check_answers
from tests.access.operations import Operation, mounted_operations
from tests.access.requests import NoRequest, request_for
from tests.access.serving import served
from tests.access.tables import FOLDER, PERSONAS, check_coverage, read_table, read_tables
from tests.access.world import new_world

YEARS = [one for one in read_tables() if (one.slug, one.group) == ("education", "academic-years")]


@contextmanager
def ruled(permission: str, rule: Rule) -> Iterator[None]:
    """Decide ``permission`` by ``rule`` inside the block."""
    installed = installed_permissions()
    known = [
        dataclasses.replace(one, rule=rule) if one.name == permission else one for one in installed
    ]
    assert known != list(installed)
    with using_permissions(PermissionRegistry(known, installed.grant_source)):
        yield


@contextmanager
def mounted(
    *resources: type[Resource], routes: tuple[Route, ...] = ()
) -> Iterator[list[Operation]]:
    """Serve these alone inside the block; yield the operations of education that are mounted then."""
    with served(*resources, routes=routes) as described:
        yield [one for one in mounted_operations(described) if one.slug == "education"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("permission", "rule", "told"),
    [
        ("education.view_academicyear", Always(), "GET academic-years/ answers 200 to no_role, not 403"),
        ("education.change_academicyear", Always(), "PATCH academic-years/{id}/ answers 200 to viewer, not 403"),
        ("education.delete_academicyear", Never(), "DELETE academic-years/{id}/ answers 403 to admin, not 204"),
        ("education.restore_academicyear", Never(), "bulk/restore/ answers 403 to admin, not 200"),
    ],
)  # fmt: skip
def test_a_rule_that_is_looser_or_tighter_than_the_table_is_caught(
    permission: str, rule: Rule, told: str
) -> None:
    with (
        mounted(AcademicYearResource) as operations,
        ruled(permission, rule),
        pytest.raises(AssertionError) as caught,
    ):
        check_answers(YEARS, operations)
    assert told in str(caught.value)


class Unscoped(StudentResource):
    """Fault: rows of any unit are shown to whoever may see some."""

    def visible(self) -> Any:
        return self.get_queryset()


class Ungated(AcademicYearResource):
    """Fault: nobody is turned away, and nothing is decided."""

    def admit(self) -> None:
        """Let everybody in."""

    def require(self, action: str, obj: Any) -> None:
        """Allow everything."""

    def visible(self) -> Any:
        return self.get_queryset()

    def verified(self, action: str, pk: Any, rules: Any = ()) -> Any:
        return self.row(self.model.all_objects.all(), pk)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("faulty", "group", "told"),
    [
        (Unscoped, "students", "GET students/{id}/history/ answers 200 to other_owner, not 404"),
        (Ungated, "academic-years", "POST academic-years/ answers 201 to anonymous, not 401"),
    ],
)
def test_a_resource_without_its_gate_is_caught(
    faulty: type[Resource], group: str, told: str
) -> None:
    lines = [one for one in read_tables() if (one.slug, one.group) == ("education", group)]
    with mounted(faulty) as operations, pytest.raises(AssertionError) as caught:
        check_answers(lines, operations)
    assert told in str(caught.value)


def _hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def _described() -> dict[str, Any]:
    done = {"200": {"description": "Done"}}
    return {"paths": {"": {"get": {"responses": done}, "put": {"responses": done}}}}


@pytest.mark.django_db
def test_a_route_without_a_gate_is_caught() -> None:
    line = dataclasses.replace(
        YEARS[0],
        path="hello/",
        answers=dict.fromkeys(PERSONAS, "200")
        | dict.fromkeys(("anonymous", "expired", "suspended"), "401"),
    )
    gated = Route(path="hello/", name="hello", access=SIGNED_IN, view=_hello, describe=_described)
    with mounted(routes=(gated,)) as operations:
        check_answers([line], operations)
    with (
        mounted(routes=(dataclasses.replace(gated, access=PUBLIC),)) as operations,
        pytest.raises(AssertionError, match="hello/ answers 200 to anonymous, not 401"),
    ):
        check_answers([line], operations)


@pytest.mark.django_db
def test_what_nobody_said_how_to_ask_for_is_told() -> None:
    gated = Route(path="hello/", name="hello", access=SIGNED_IN, view=_hello, describe=_described)
    with mounted(routes=(gated,)) as operations, new_world() as world:
        put = next(one for one in operations if one.method == "PUT")
        with pytest.raises(NoRequest, match=r"Add it to ROUTES in tests/access/requests\.py"):
            request_for(put, world)


def test_lines_and_operations_without_each_other_are_caught() -> None:
    with mounted(AcademicYearResource) as operations:
        check_coverage(YEARS, operations)
        with pytest.raises(AssertionError, match=r"education\.txt lacks:  POST academic-years/ "):
            check_coverage([one for one in YEARS if str(one) != "POST academic-years/"], operations)
        with pytest.raises(AssertionError, match=r"GET academic-years/, which is not mounted"):
            check_coverage(YEARS, [one for one in operations if str(one) != "GET academic-years/"])
        with pytest.raises(AssertionError, match="more than once"):
            check_coverage([*YEARS, YEARS[0]], operations)


@pytest.mark.parametrize(
    ("find", "put", "told"),
    [
        ("  suspended  ", "  ", "the columns are"),
        ("  401        401      401  ", "  401        401  ", "answers for 8 personas"),
        ("  200    200\n", "  200    ok\n", "has ok, which is no answer"),
    ],
)
def test_a_table_that_leaves_something_out_is_caught(
    tmp_path: Path, find: str, put: str, told: str
) -> None:
    text = (FOLDER / "identity.txt").read_text(encoding="utf-8")
    copy = tmp_path / "identity.txt"
    copy.write_text(text.replace(find, put, 1), encoding="utf-8")
    with pytest.raises(AssertionError, match=told):
        read_table(copy)
