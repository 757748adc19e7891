"""Which fields an actor may read and write, as others ask it."""

from __future__ import annotations

import uuid

import pytest

from platform_core.access import ANONYMOUS, Actor, Always, FieldAccess, Granted, Never
from platform_core.resource import accessible_fields
from tests.core.resource.testapp.grants import MemoryGrantSource
from tests.core.resource.testapp.resources import BookResource, MemberResource

PROTECTED = ("birth_date", "card", "note", "favourite")


@pytest.fixture
def someone(source: MemoryGrantSource) -> Actor:
    """Return an actor who holds nothing yet."""
    return Actor(uuid.uuid4(), "user")


def test_without_rules_everything_is_as_the_serializer_says(someone: Actor) -> None:
    found = accessible_fields(BookResource, someone)
    assert {"id", "title", "is_lent"} <= set(found.readable)
    assert {"title", "shelf"} <= set(found.writable)
    assert not {"id", "is_lent", "version"} & set(found.writable)
    assert not found.readable_where
    assert not found.writable_where


def test_without_a_grant_a_field_is_closed(someone: Actor) -> None:
    found = accessible_fields(MemberResource, someone)
    assert not {"birth_date", "card", "favourite"} & {*found.readable, *found.writable}
    assert "fees" in found.readable
    assert "fees" not in found.writable
    assert list(found.readable_where) == ["note"]
    assert list(found.writable_where) == ["note"]
    assert found.is_readable_everywhere("name")
    assert not found.is_readable_everywhere("note")
    assert not found.is_readable_everywhere("birth_date")


def test_a_grant_everywhere_opens_it_everywhere(someone: Actor, source: MemoryGrantSource) -> None:
    source.grant(someone.id, "view_birth_date", "view_note", "change_fees", "view_favourite")  # type: ignore[arg-type]
    found = accessible_fields(MemberResource, someone)
    assert found.is_readable_everywhere("birth_date")
    assert found.is_readable_everywhere("note")
    assert "birth_date" not in found.writable
    assert {"fees", "favourite"} <= set(found.writable)


def test_a_grant_in_a_unit_opens_it_in_some_rows(someone: Actor, source: MemoryGrantSource) -> None:
    source.grant(someone.id, "view_birth_date", units=[uuid.uuid4()])  # type: ignore[arg-type]
    found = accessible_fields(MemberResource, someone)
    assert "birth_date" in found.readable
    assert "birth_date" in found.readable_where


def test_nobody_reads_and_writes_what_asks_for_anything() -> None:
    found = accessible_fields(MemberResource, ANONYMOUS)
    assert not set(PROTECTED) & {*found.readable, *found.writable}


def test_the_names_come_in_the_order_of_the_serializer(
    someone: Actor, source: MemoryGrantSource
) -> None:
    source.grant(someone.id, "view_card", "view_birth_date")  # type: ignore[arg-type]
    shown = MemberResource.serializer_class.Meta.fields  # type: ignore[attr-defined]
    found = accessible_fields(MemberResource, someone).readable
    assert list(found) == [name for name in shown if name in found]


def test_what_is_not_said_follows() -> None:
    closed = FieldAccess(view=Never())
    assert closed.change is closed.view
    assert isinstance(FieldAccess(change=Never()).view, Always)


def test_it_tells_both_rules() -> None:
    told = repr(FieldAccess(view=Granted("slug.view_x"), change=Never()))
    assert told == "FieldAccess(view=Granted('slug.view_x'), change=Never())"


@pytest.mark.parametrize("given", [{}, {"view": "slug.view_x"}, {"change": True}])
def test_what_is_no_rule_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(TypeError):
        FieldAccess(**given)  # type: ignore[arg-type]
    assert Granted("a.b") is not None
