"""A field that may not be read is absent by every road, and asking by its name tells no more than any other word."""

from __future__ import annotations

import base64
import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from platform_core.access import Actor
from tests.core.resource.conftest import ApiClient, Library
from tests.core.resource.testapp.grants import MemoryGrantSource
from tests.core.resource.testapp.models import Member, Visit
from tests.core.resource.testapp.resources import MemberResource

ClientOf = Callable[..., ApiClient]
ROADS = ("members", "slow-members")
VIEW = ("view_member", "view_visit", "view_book", "view_branch", "view_shelf")
BORN = dt.date(2001, 2, 3)
CLOSED = ("birth_date", "card", "favourite")


@pytest.fixture
def make(library: Library) -> Callable[..., Member]:
    """Return a function that makes a member of the northern branch."""

    def made(name: str = "Ada", **values: Any) -> Member:
        values.setdefault("branch", library.north)
        values.setdefault("birth_date", BORN)
        values.setdefault("card", uuid.uuid4().hex[:20])
        return Member.objects.create(name=name, **values)

    return made


def rows_of(client: ApiClient, path: str) -> list[dict[str, Any]]:
    response = client.call("get", path)
    assert response.status_code == 200, response.content
    found: list[dict[str, Any]] = response.json()["data"]
    return found


@pytest.mark.parametrize("road", ROADS)
def test_a_field_without_the_right_is_absent(
    road: str, client_of: ClientOf, make: Callable[..., Member]
) -> None:
    member = make(note="kept by somebody else", keeper=uuid.uuid4())
    client = client_of(*VIEW)
    one = client.call("get", f"{road}/{member.pk}/").json()
    assert rows_of(client, f"{road}/") == [one]
    assert not {*CLOSED, "note"} & one.keys()
    assert {"id", "name", "branch", "fees", "keeper", "sponsor", "version"} <= one.keys()


@pytest.mark.parametrize("road", ROADS)
def test_a_field_with_the_right_is_there_also_when_it_is_empty(
    road: str, client_of: ClientOf, make: Callable[..., Member]
) -> None:
    member, empty = make("Ada"), make("Bea", birth_date=None)
    client = client_of(*VIEW, "view_birth_date")
    assert [one["birth_date"] for one in rows_of(client, f"{road}/")] == ["2001-02-03", None]
    assert client.call("get", f"{road}/{member.pk}/").json()["birth_date"] == "2001-02-03"
    assert client.call("get", f"{road}/{empty.pk}/").json()["birth_date"] is None


@pytest.mark.parametrize("road", ROADS)
def test_a_rule_about_the_row_shows_the_field_in_some_rows(
    road: str, client_of: ClientOf, make: Callable[..., Member]
) -> None:
    client = client_of(*VIEW)
    make("Ada", note="mine", keeper=client.id)
    make("Bea", note="", keeper=client.id)
    make("Cleo", note="theirs", keeper=uuid.uuid4())
    make("Dora", note="nobody's")
    rows = rows_of(client, f"{road}/?fields=name,note")
    assert rows == [
        {"name": "Ada", "note": "mine"},
        {"name": "Bea", "note": ""},
        {"name": "Cleo"},
        {"name": "Dora"},
    ]
    assert rows_of(client, f"{road}/?fields=note") == [{"note": "mine"}, {"note": ""}, {}, {}]


@pytest.mark.parametrize("road", ROADS)
def test_a_grant_in_a_unit_shows_the_field_there(
    road: str,
    client_of: ClientOf,
    source: MemoryGrantSource,
    make: Callable[..., Member],
    library: Library,
) -> None:
    make("Ada")
    make("Bea", branch=library.south)
    client = client_of(*VIEW)
    source.grant(client.id, "view_birth_date", units=[library.south.pk])  # type: ignore[arg-type]
    assert ["birth_date" in one for one in rows_of(client, f"{road}/")] == [False, True]


def test_all_roads_show_exactly_what_the_rules_allow(
    client_of: ClientOf,
    source: MemoryGrantSource,
    make: Callable[..., Member],
    library: Library,
) -> None:
    """Every combination of grants over rows of two branches, kept by the actor, somebody else, or nobody."""
    clients = [client_of(*VIEW) for _ in range(8)]
    for index, client in enumerate(clients):
        assert client.id is not None
        for bit, name in enumerate(("view_birth_date", "view_note", "view_card")):
            if index >> bit & 1:
                units = None if bit == 2 else [(library.north, library.south)[bit].pk]
                source.grant(client.id, name, units=units)
    keepers = [None, uuid.uuid4(), *(one.id for one in clients)]
    members = [
        make(f"{index:02}", branch=branch, keeper=keeper)
        for branch in (library.north, library.south)
        for index, keeper in enumerate(keepers)
    ]
    for client in clients:
        actor = Actor(client.id, "user")
        expected = {
            str(one.pk): {
                name
                for name, access in MemberResource.field_rules.items()
                if access.view.test(actor, one)
            }
            for one in members
        }
        for road in ROADS:
            for _ in range(2):  # the second time by the statement kept from the first
                found = {
                    one["id"]: one.keys() & MemberResource.field_rules.keys()
                    for one in rows_of(client, f"{road}/?limit=200")
                }
                assert found == expected
            one = members[-1]
            shown = client.call("get", f"{road}/{one.pk}/").json()
            assert shown.keys() & MemberResource.field_rules.keys() == expected[str(one.pk)]


def test_a_list_with_conditional_fields_is_one_query(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    client = client_of(*VIEW)
    for index in range(5):
        make(str(index), keeper=client.id)
    rows_of(client, "members/")
    with CaptureQueriesContext(connection) as captured:
        rows_of(client, "members/")
    assert len(captured.captured_queries) == 1


def test_what_nobody_may_read_is_not_even_selected(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    make()
    with CaptureQueriesContext(connection) as captured:
        rows_of(client_of(*VIEW), "members/")
    assert not any("birth_date" in one["sql"] for one in captured.captured_queries)


# The same answer as to a word that means nothing

NAMED = [
    ("members", "fields", "{}", "birth_date"),
    ("members", "fields", "name,{}", "card"),
    ("members", "fields", "{},name", "favourite"),
    ("members", "expand", "{}", "favourite"),
    ("members", "expand", "branch,{}", "favourite"),
    ("members", "expand", "sponsor.{}", "favourite"),
    ("members", "ordering", "{}", "birth_date"),
    ("members", "ordering", "-{}", "birth_date"),
    ("members", "ordering", "name,{}", "birth_date"),
    ("members", "ordering", "{}", "note"),
    ("members", "ordering", "name,-{}", "note"),
    ("members", "birth_date", "2001-02-03", None),
    ("members", "birth_date", "nonsense", None),
    ("members", "birth_date__gte", "2001-02-03", None),
    ("members", "birth_date__isnull", "true", None),
    ("members", "card", "1", None),
    ("members", "card__in", "1,2", None),
    ("members", "favourite", str(uuid.UUID(int=7)), None),
    ("members", "favourite__isnull", "true", None),
    ("members", "favourite__title", "x", None),
    ("members", "sponsor__birth_date", "2001-02-03", None),
    ("visits", "member__birth_date", "2001-02-03", None),
    ("visits", "member__birth_date__gte", "2001-02-03", None),
    ("visits", "member__birth_date__isnull", "false", None),
    ("visits", "member__favourite", str(uuid.UUID(int=7)), None),
    ("visits", "member__favourite__title", "x", None),
    ("visits", "expand", "member.{}", "favourite"),
]
UNKNOWN = "quite_unknown"


@pytest.mark.parametrize(("road", "parameter", "value", "name"), NAMED)
def test_to_name_it_is_answered_as_to_name_what_does_not_exist(
    road: str,
    parameter: str,
    value: str,
    name: str | None,
    client_of: ClientOf,
    make: Callable[..., Member],
) -> None:
    sponsor = make("Sponsor", card="1")
    Visit.objects.create(member=make("Ada", sponsor=sponsor), day=BORN)
    client = client_of(*VIEW)
    asked, unknown = parameter, parameter
    if name is None:
        unknown = UNKNOWN
    named = client.call("get", f"{road}/", QUERY_STRING=f"{asked}={value.format(name)}")
    other = client.call("get", f"{road}/", QUERY_STRING=f"{unknown}={value.format(UNKNOWN)}")
    assert named.status_code == other.status_code == 422
    assert _told(named, asked) == _told(other, unknown)


def _told(response: Any, parameter: str) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    del body["request_id"]
    assert [one["parameter"] for one in body["errors"]] == [parameter]
    return {**body, "errors": [{**one, "parameter": ""} for one in body["errors"]]}


@pytest.mark.parametrize(("road", "parameter", "value", "name"), NAMED)
def test_with_the_right_the_same_questions_are_answered(
    road: str, parameter: str, value: str, name: str | None, client_of: ClientOf, make: Any
) -> None:
    make(card="1")
    rights = [f"view_{one}" for one in ("birth_date", "card", "favourite", "note")]
    response = client_of(*VIEW, *rights).call(
        "get", f"{road}/", QUERY_STRING=f"{parameter}={value.format(name)}"
    )
    refused = value == "nonsense"
    assert response.status_code == (422 if refused else 200), response.content
    if refused:
        assert response.json()["code"] == "invalid_parameter"


def test_the_search_is_unknown_when_nothing_may_be_searched(
    client_of: ClientOf, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(card="42")
    monkeypatch.setattr(MemberResource, "search_fields", ("card",))
    client = client_of(*VIEW)
    response = client.call("get", "members/?search=42")
    assert response.status_code == 422
    assert response.json()["code"] == "unknown_parameter"


# What filters and searches match


def test_a_filter_matches_only_rows_in_which_the_field_is_readable(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    client = client_of(*VIEW)
    mine = make("Ada", note="plays chess", keeper=client.id)
    theirs = make("Bea", note="plays chess", keeper=uuid.uuid4())
    for sponsor in (mine, theirs):
        member = make("Cleo", sponsor=sponsor)
        Visit.objects.create(member=sponsor, day=BORN)
        Visit.objects.create(member=member, day=BORN)
    for road in ROADS:
        found = rows_of(client, f"{road}/?note__icontains=chess&include=count")
        assert [one["name"] for one in found] == ["Ada"]
    counted = client.call("get", "members/?note__icontains=chess&include=count").json()
    assert counted["count"] == 1
    sponsored = rows_of(client, "members/?sponsor__note__icontains=chess")
    assert [one["sponsor"] for one in sponsored] == [str(mine.pk)]
    visits = rows_of(client, "visits/?member__note__icontains=chess")
    assert [one["member"] for one in visits] == [str(mine.pk)]


def test_a_filter_beyond_a_relation_asks_for_the_field_at_its_end(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    for birth_date in (BORN, None):
        Visit.objects.create(member=make(birth_date=birth_date), day=BORN)
    client = client_of(*VIEW, "view_birth_date")
    for value in ("true", "false"):
        found = rows_of(client, f"visits/?member__birth_date__isnull={value}&expand=member")
        assert [one["member"]["birth_date"] is None for one in found] == [value == "true"]


def test_a_search_looks_only_where_the_actor_may_read(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    client = client_of(*VIEW)
    make("Ada", card="chess", note="", keeper=client.id)
    make("Bea", note="chess", keeper=client.id)
    make("Cleo", note="chess", keeper=uuid.uuid4())
    make("Chess")
    names = [one["name"] for one in rows_of(client, "members/?search=chess")]
    assert names == ["Bea", "Chess"]
    holder = client_of(*VIEW, "view_card", "view_note")
    names = [one["name"] for one in rows_of(holder, "members/?search=chess")]
    assert names == ["Ada", "Bea", "Chess", "Cleo"]


def test_a_cursor_of_somebody_who_may_is_of_no_use_to_who_may_not(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    for index in range(3):
        make(str(index))
    holder, other = client_of(*VIEW, "view_birth_date"), client_of(*VIEW)
    following = holder.call("get", "members/?ordering=birth_date&limit=1").json()["next"]
    path = following.removeprefix("http://testserver")
    assert holder.call("get", path).status_code == 200
    assert other.call("get", path).json()["code"] == "unknown_ordering"
    cursor = following.partition("cursor=")[2].partition("&")[0]
    assert other.call("get", f"members/?cursor={cursor}").json()["code"] == "invalid_cursor"


def test_cursors_carry_no_field_that_is_not_shown(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    for index in range(3):
        make(str(index), note="secret words", keeper=uuid.uuid4())
    response = client_of(*VIEW).call("get", "members/?limit=1").json()
    cursor = response["next"].partition("cursor=")[2].partition("&")[0]
    carried = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    assert carried == ["name", "0", response["data"][0]["id"]]


# Neighbours, the past, and states


def test_an_expanded_object_shows_what_its_own_resource_would(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    client = client_of(*VIEW)
    for keeper in (client.id, uuid.uuid4()):
        Visit.objects.create(member=make(note="words", keeper=keeper), day=BORN)
    members = [one["member"] for one in rows_of(client, "visits/?expand=member")]
    assert [one.keys() & {*CLOSED, "note"} for one in members] in (
        [{"note"}, set()],
        [set(), {"note"}],
    )
    for one in members:
        assert one == client.call("get", f"members/{one['id']}/").json()


@pytest.mark.parametrize("road", ROADS)
def test_a_reference_that_is_absent_is_not_opened(
    road: str,
    client_of: ClientOf,
    source: MemoryGrantSource,
    make: Callable[..., Member],
    library: Library,
) -> None:
    book = library.book("Chess")
    make("Ada", favourite=book)
    make("Bea", favourite=book, branch=library.south)
    client = client_of(*VIEW)
    source.grant(client.id, "view_favourite", units=[library.south.pk])  # type: ignore[arg-type]
    ada, bea = rows_of(client, f"{road}/?expand=favourite")
    assert "favourite" not in ada
    assert bea["favourite"]["title"] == "Chess"
    shown = client.call("get", f"{road}/{ada['id']}/?expand=favourite").json()
    assert "favourite" not in shown


@pytest.mark.parametrize("road", ROADS)
def test_the_past_of_a_field_is_as_closed_as_its_present(
    road: str, client_of: ClientOf, make: Callable[..., Member]
) -> None:
    client = client_of(*VIEW)
    mine, theirs = make(note="a", keeper=client.id), make(note="a", keeper=uuid.uuid4())
    for member in (mine, theirs):
        member.note, member.birth_date = "b", None
        member.save()
    for member, shown in ((mine, {"note"}), (theirs, set[str]())):
        where = f"{road}/{member.pk}/history"
        snapshots = [one["snapshot"] for one in rows_of(client, f"{where}/")]
        assert [one.keys() & {*CLOSED, "note"} for one in snapshots] == [shown, shown]
        changes = client.call("get", f"{where}/diff/?from=1&to=2").json()["changes"]
        assert {one["field"] for one in changes} == shown
    holder = client_of(*VIEW, "view_birth_date", "view_note")
    changes = holder.call("get", f"{road}/{theirs.pk}/history/diff/?from=1&to=2").json()["changes"]
    assert {one["field"] for one in changes} == {"birth_date", "note"}


def test_history_of_a_row_out_of_sight_stays_out_of_sight(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    member = make(keeper=uuid.uuid4())
    client = client_of("view_birth_date")
    for path in ("history/", "history/diff/?from=1&to=1"):
        assert client.call("get", f"members/{member.pk}/{path}").status_code == 404


def test_tags_differ_with_what_is_shown_and_agree_on_the_version(
    client_of: ClientOf, make: Callable[..., Member]
) -> None:
    where = f"members/{make().pk}/"
    tags = [
        client.call("get", where)["ETag"]
        for client in (client_of(*VIEW), client_of(*VIEW, "view_birth_date"))
    ]
    assert tags[0] != tags[1]
    assert {tag.strip('"').partition("-")[0] for tag in tags} == {"1"}
    other = client_of(*VIEW)
    assert other.call("get", where, HTTP_IF_NONE_MATCH=tags[0]).status_code == 304
    assert other.call("get", where, HTTP_IF_NONE_MATCH=tags[1]).status_code == 200
