"""A field that may not be set is refused as a read-only one, and no write tells what may not be read."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from tests.core.resource.conftest import ApiClient, Library, codes
from tests.core.resource.testapp.grants import MemoryGrantSource
from tests.core.resource.testapp.models import Member
from tests.core.resource.testapp.resources import MemberResource

pytestmark = pytest.mark.django_db

ClientOf = Callable[..., ApiClient]
Make = Callable[..., Member]
ROADS = ("members", "slow-members")
WRITE = tuple(f"{verb}_member" for verb in ("view", "add", "change", "delete", "restore"))
SEEN = ("view_branch", "view_book", "view_shelf")
FIELDS = ("birth_date", "card", "favourite", "note", "fees")
EVERYTHING = tuple(f"{verb}_{field}" for verb in ("view", "change") for field in FIELDS)
CLOSED = {"birth_date", "card", "favourite", "note"}


@pytest.fixture
def make(library: Library) -> Make:
    """Return a function that makes a member of the northern branch."""

    def made(name: str = "Ada", **values: Any) -> Member:
        values.setdefault("branch", library.north)
        values.setdefault("card", uuid.uuid4().hex[:20])
        return Member.objects.create(name=name, **values)

    return made


@pytest.fixture
def writer(client_of: ClientOf) -> ApiClient:
    """Return a client that may write members, but none of the protected fields."""
    return client_of(*WRITE, *SEEN)


VALUES = [
    ("birth_date", "2001-02-03"),
    ("birth_date", None),
    ("birth_date", "nonsense"),
    ("card", "1"),
    ("fees", 5),
    ("favourite", None),
    ("favourite", "nonsense"),
    ("note", "words"),
]


@pytest.mark.parametrize("road", ROADS)
@pytest.mark.parametrize(("field", "value"), VALUES)
def test_what_may_not_be_set_is_refused_as_read_only(
    road: str, field: str, value: Any, writer: ApiClient, make: Make
) -> None:
    member = make(birth_date=dt.date(2001, 2, 3), card="1", note="words", fees=4)
    before = Member.objects.values().get(pk=member.pk)
    body = {"name": "Bea", "branch": str(member.branch_id), field: value}
    for method in ("PATCH", "PUT"):
        response = writer.call(method, f"{road}/{member.pk}/", body)
        assert response.status_code == 422
        assert codes(response) == {f"/{field}": "read_only"}
        assert response.json()["errors"][0]["detail"] == "This field cannot be set."
    bulk = writer.call(
        "POST", f"{road}/bulk/update/", {"items": [{"id": str(member.pk), field: value}]}
    )
    assert bulk.json()["results"][0]["problem"]["errors"][0]["code"] == "read_only"
    assert Member.objects.values().get(pk=member.pk) == before


def test_a_readable_one_may_repeat_its_value_and_an_unreadable_one_may_not(
    client_of: ClientOf, make: Make
) -> None:
    member = make(birth_date=dt.date(2001, 2, 3), fees=4)
    where, body = f"members/{member.pk}/", {"birth_date": "2001-02-03"}
    blind, seeing = client_of(*WRITE), client_of(*WRITE, "view_birth_date")
    assert codes(blind.call("PATCH", where, body)) == {"/birth_date": "read_only"}
    assert seeing.call("PATCH", where, body).status_code == 200
    assert seeing.call("PATCH", where, {"birth_date": "2001-02-04"}).status_code == 422
    assert blind.call("PATCH", where, {"fees": 4}).status_code == 200
    assert blind.call("PATCH", where, {"fees": 5}).status_code == 422


@pytest.mark.parametrize("road", ROADS)
def test_what_was_read_can_be_put_back_and_the_rest_stays(
    road: str, writer: ApiClient, make: Make, library: Library
) -> None:
    kept = {
        "birth_date": dt.date(2001, 2, 3),
        "card": "42",
        "note": "words",
        "fees": 4,
        "favourite_id": library.book().pk,
    }
    member = make(**kept)
    where = f"{road}/{member.pk}/"
    body = writer.call("GET", where).json()
    assert not CLOSED & body.keys()
    response = writer.call("PUT", where, {**body, "name": "Bea"})
    assert response.status_code == 200
    assert not CLOSED & response.json().keys()
    assert Member.objects.filter(pk=member.pk, name="Bea", **kept).exists()


def test_a_required_field_that_one_may_not_set_keeps_one_from_creating(
    client_of: ClientOf, library: Library
) -> None:
    body = {"name": "Ada", "branch": str(library.north.pk)}
    writer = client_of(*WRITE, *SEEN)
    refused = writer.call("POST", "members/", body)
    assert codes(refused) == {"/card": "required"}
    assert "you may not set it" in refused.json()["errors"][0]["detail"]
    assert codes(writer.call("POST", "members/", {**body, "card": "1"})) == {"/card": "read_only"}
    assert not Member.objects.exists()
    allowed = client_of(*WRITE, *SEEN, "change_card")
    assert codes(allowed.call("POST", "members/", body)) == {"/card": "required"}
    created = allowed.call("POST", "members/", {**body, "card": "1"})
    assert created.status_code == 201
    assert not CLOSED & created.json().keys()
    assert Member.objects.get().fees == 0


@pytest.mark.parametrize("road", ROADS)
def test_every_answer_to_a_write_leaves_out_what_may_not_be_read(
    road: str, client_of: ClientOf, make: Make, library: Library
) -> None:
    client = client_of(*WRITE, *SEEN, "change_card")
    member = make(note="words", keeper=uuid.uuid4(), birth_date=dt.date(2001, 2, 3))
    where, item = f"{road}/{member.pk}/", {"id": str(member.pk)}
    new = {"name": "Bea", "branch": str(library.north.pk)}
    calls: list[tuple[str, str, Any]] = [
        ("POST", f"{road}/", {**new, "card": "a"}),
        ("POST", f"{road}/?dry_run=true", {**new, "card": "b"}),
        ("PUT", where, {**new, "card": "c"}),
        ("PATCH", where, {"name": "Cleo"}),
        ("PATCH", f"{where}?dry_run=true", {"name": "Dora"}),
        ("POST", f"{where}greet/", None),
        ("POST", f"{where}history/1/restore/", {}),
        ("POST", f"{road}/bulk/create/", {"items": [{**new, "card": "d"}]}),
        ("POST", f"{road}/bulk/update/", {"items": [{**item, "name": "Eve"}]}),
        ("POST", f"{road}/bulk/greet/", {"items": [item]}),
    ]
    for method, path, body in calls:
        response = client.call(method, path, body)
        assert response.status_code in (200, 201), (path, response.content)
        found = response.json()
        shown = [one["data"] for one in found["results"]] if "results" in found else [found]
        for one in shown:
            assert one["id"]
            assert not CLOSED & one.keys(), path
    client.call("DELETE", where)
    assert not CLOSED & client.call("POST", f"{where}restore/").json().keys()


# Rules about the row


def test_a_rule_about_the_row_is_asked_of_the_row_as_it_is(writer: ApiClient, make: Make) -> None:
    mine, theirs = make(keeper=writer.id), make(keeper=uuid.uuid4())
    changed = writer.call("PATCH", f"members/{mine.pk}/", {"note": "words"})
    assert changed.json()["note"] == "words"
    for body in ({"note": "words"}, {"note": "words", "keeper": str(writer.id)}):
        refused = writer.call("PATCH", f"members/{theirs.pk}/", body)
        assert codes(refused) == {"/note": "read_only"}
    assert Member.objects.get(pk=theirs.pk).keeper == theirs.keeper


def test_a_rule_about_the_row_is_asked_of_the_row_as_it_becomes(
    writer: ApiClient, make: Make
) -> None:
    mine = make(keeper=writer.id)
    away = {"note": "words", "keeper": str(uuid.uuid4())}
    assert writer.call("PATCH", f"members/{mine.pk}/", away).status_code == 403
    assert Member.objects.get(pk=mine.pk).note == ""
    handed = writer.call("PATCH", f"members/{mine.pk}/", {"keeper": away["keeper"]})
    assert handed.status_code == 200
    assert "note" not in handed.json()


def test_a_rule_about_the_row_is_asked_of_a_new_one(client_of: ClientOf, library: Library) -> None:
    client = client_of(*WRITE, *SEEN, "change_card")
    body = {"name": "Ada", "branch": str(library.north.pk), "card": "1", "note": "words"}
    for keeper in (None, str(uuid.uuid4())):
        refused = client.call("POST", "members/", {**body, "keeper": keeper})
        assert codes(refused) == {"/note": "read_only"}
    created = client.call("POST", "members/", {**body, "keeper": str(client.id)})
    assert created.status_code == 201
    assert created.json()["note"] == "words"


def test_a_grant_in_a_unit_lets_the_field_be_set_there(
    client_of: ClientOf, source: MemoryGrantSource, make: Make, library: Library
) -> None:
    client = client_of(*WRITE, *SEEN, "change_card")
    source.grant(client.id, "change_fees", units=[library.south.pk])  # type: ignore[arg-type]
    north, south = make(), make(branch=library.south)
    assert client.call("PATCH", f"members/{south.pk}/", {"fees": 3}).status_code == 200
    assert codes(client.call("PATCH", f"members/{north.pk}/", {"fees": 3})) == {
        "/fees": "read_only"
    }
    moved = {"fees": 3, "branch": str(library.north.pk)}
    assert client.call("PATCH", f"members/{south.pk}/", moved).status_code == 403
    new = {"name": "Bea", "card": "2", "fees": 1}
    for branch, status in ((library.south, 201), (library.north, 422)):
        sent = {**new, "branch": str(branch.pk)}
        assert client.call("POST", "members/", sent).status_code == status


# Writing without reading


def test_a_field_can_be_set_by_who_may_not_read_it(client_of: ClientOf, make: Make) -> None:
    client = client_of(*WRITE, *SEEN, "change_birth_date")
    member = make()
    versions = []
    for value in ("2001-02-03", "2001-02-03", "2001-02-04"):
        response = client.call("PATCH", f"members/{member.pk}/", {"birth_date": value})
        assert response.status_code == 200
        assert "birth_date" not in response.json()
        versions.append(response.json()["version"])
    assert versions == [2, 3, 4]
    assert Member.objects.get(pk=member.pk).birth_date == dt.date(2001, 2, 4)


def test_the_present_reference_is_not_confirmed_to_who_may_not_read_it(
    client_of: ClientOf, make: Make, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of sight, the present value and any other are alike."""
    favourite = MemberResource.field_rules["favourite"]
    monkeypatch.setattr(favourite, "change", MemberResource.field_rules["fees"].change)
    present, other = library.book(), library.book()
    member = make(favourite=present)
    blind = client_of(*WRITE, "view_branch", "change_fees")
    told = []
    for book in (present, other):
        response = blind.call("PATCH", f"members/{member.pk}/", {"favourite": str(book.pk)})
        assert response.status_code == 422
        told.append(response.json()["errors"])
    assert told[0] == told[1]
    seeing = client_of(*WRITE, "view_branch", "change_fees", "view_favourite")
    body = {"favourite": str(present.pk)}
    assert seeing.call("PATCH", f"members/{member.pk}/", body).status_code == 200


# Conflicts, states, repetitions


def test_a_conflict_does_not_name_a_field_that_one_neither_sent_nor_reads(
    client_of: ClientOf, make: Make, library: Library
) -> None:
    keeper, book = uuid.uuid4(), library.book()
    make(keeper=keeper, favourite=book)
    member = make(keeper=uuid.uuid4(), favourite=book)
    where, body = f"members/{member.pk}/", {"keeper": str(keeper)}
    blind, seeing = client_of(*WRITE, *SEEN), client_of(*WRITE, *SEEN, "view_favourite")
    refused = blind.call("PATCH", where, body)
    assert refused.status_code == 409
    assert codes(refused) == {"/keeper": "not_unique"}
    named = seeing.call("PATCH", where, body)
    assert codes(named) == {"/keeper": "not_unique", "/favourite": "not_unique"}
    items = {"items": [{"id": str(member.pk), **body}]}
    problem = blind.call("POST", "members/bulk/update/", items).json()["results"][0]["problem"]
    assert [one["pointer"] for one in problem["errors"]] == ["/keeper"]
    writer = client_of(*WRITE, *SEEN, "change_card")
    sent = writer.call("PATCH", where, {"card": Member.objects.exclude(pk=member.pk).get().card})
    assert codes(sent) == {"/card": "not_unique"}


def test_a_tag_of_one_view_is_good_for_a_change_by_another(client_of: ClientOf, make: Make) -> None:
    where = f"members/{make().pk}/"
    tag = client_of(*WRITE, *SEEN, *EVERYTHING).call("GET", where)["ETag"]
    changed = client_of(*WRITE, *SEEN).call("PATCH", where, {"name": "B"}, HTTP_IF_MATCH=tag)
    assert changed.status_code == 200
    late = client_of(*WRITE, *SEEN, *EVERYTHING).call(
        "PATCH", where, {"name": "C"}, HTTP_IF_MATCH=tag
    )
    assert late.status_code == 412


@pytest.mark.parametrize("road", ROADS)
def test_going_back_leaves_what_one_may_not_read_and_set(
    road: str, client_of: ClientOf, make: Make
) -> None:
    member = make(note="a", fees=1, birth_date=dt.date(2001, 1, 1))
    member.name, member.note, member.fees, member.birth_date = "B", "b", 2, dt.date(2002, 2, 2)
    member.save()
    client = client_of(*WRITE, *SEEN, "change_birth_date", "view_note", "change_note")
    response = client.call("POST", f"{road}/{member.pk}/history/1/restore/", {})
    assert response.status_code == 200
    member.refresh_from_db()
    assert (member.name, member.note) == ("Ada", "a")
    assert (member.fees, member.birth_date) == (2, dt.date(2002, 2, 2))


def test_a_repeated_answer_shows_only_what_may_be_read_now(
    client_of: ClientOf, source: MemoryGrantSource, make: Make, library: Library
) -> None:
    client = client_of(*WRITE, *SEEN, *EVERYTHING)
    kept = {"keeper": str(client.id), "note": "words", "fees": 1, "birth_date": "2001-02-03"}
    new = {"name": "Ada", "branch": str(library.north.pk), **kept}
    member = make(keeper=client.id)
    calls: list[tuple[str, str, Any]] = [
        ("POST", "members/", {**new, "card": "1"}),
        ("PATCH", f"members/{member.pk}/", kept),
        ("POST", "members/bulk/create/", {"items": [{**new, "card": "2"}]}),
        ("POST", f"members/{member.pk}/greet/", None),
    ]

    def answers() -> list[Any]:
        return [
            client.call(method, path, body, HTTP_IDEMPOTENCY_KEY="k")
            for method, path, body in calls
        ]

    first, same = answers(), answers()
    assert [one.content for one in same] == [one.content for one in first]
    held = source.held[client.id]  # type: ignore[index]
    for field in FIELDS:
        del held[f"resource_testapp.view_{field}"]
    for before, after in zip(first, answers(), strict=True):
        assert after["Idempotency-Replayed"] == "true"
        for old, new_ in zip(_objects(before), _objects(after), strict=True):
            assert old.keys() - new_.keys() == {"birth_date", "card", "favourite"}
            assert new_["note"] == "words"
        if "ETag" in before:
            assert before["ETag"].partition("-")[0] == after["ETag"].partition("-")[0]
            assert before["ETag"] != after["ETag"]
    Member.objects.update(keeper=None)
    for after in answers():
        assert not any(CLOSED & one.keys() for one in _objects(after))
        assert after["Idempotency-Replayed"] == "true"


def _objects(response: Any) -> list[dict[str, Any]]:
    body = response.json()
    return [one["data"] for one in body["results"]] if "results" in body else [body]
