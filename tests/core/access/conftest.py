"""A small world of rows, actors and permissions that the tests of access share."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from platform_core.access import (
    ANONYMOUS,
    Actor,
    Always,
    Grant,
    Granted,
    Grants,
    PermissionRegistry,
    model_permissions,
    system_actor,
    using_permissions,
)
from platform_core.contributions import Permission
from tests.core.access.testapp.grants import MemoryGrantSource
from tests.core.access.testapp.models import (
    Badge,
    Comment,
    Counter,
    Document,
    Event,
    Person,
    School,
    Tag,
    Unit,
)

VIEW = "access_testapp.view_document"
CHANGE = "access_testapp.change_document"
VIEW_UNIT = "access_testapp.view_unit"
VIEW_EVENT = "access_testapp.view_event"
VIEW_COUNTER = "access_testapp.view_counter"
CLOSE = "access_testapp.close_books"


@dataclass(frozen=True)
class World:
    """Rows and actors; ``actors`` has one of every kind."""

    source: MemoryGrantSource
    ann: Actor
    everywhere: Actor
    county: Actor
    town: Actor
    single: Actor
    nobody: Actor
    documents: dict[str, Document]
    units: dict[str, Unit]
    people: dict[str, Person]
    tags: dict[str, Tag]
    events: dict[str, Event]

    @property
    def actors(self) -> list[Actor]:
        """One actor of every kind, the anonymous one and one without grants among them."""
        held = [self.ann, self.everywhere, self.county, self.town, self.single, self.nobody]
        return [*held, ANONYMOUS, system_actor("nightly")]


def _user(identifier: uuid.UUID | None = None) -> Actor:
    return Actor(identifier or uuid.uuid4(), "user")


def _grants(grant: Grant) -> Grants:
    return Grants(dict.fromkeys((VIEW, VIEW_UNIT, VIEW_EVENT, VIEW_COUNTER, CLOSE), grant))


@pytest.fixture
def world(db: None) -> Iterator[World]:
    """Create the rows, and install the permissions and grants that the tests ask about."""
    county = Unit.objects.create(name="county")
    town = Unit.objects.create(name="town", parent=county)
    abroad = Unit.objects.create(name="abroad")
    schools = [
        School.objects.create(name="county school", unit=county),
        School.objects.create(name="town school", unit=town),
        School.objects.create(name="school abroad", unit=abroad),
        School.objects.create(name="unitless"),
    ]
    ann, bob = Person.objects.create(name="ann"), Person.objects.create(name="bob")
    Badge.objects.create(person=ann, level=3)
    Badge.objects.create(person=bob)
    red, blue = Tag.objects.create(word="red"), Tag.objects.create(word="blue")
    wordless = Tag.objects.create(word=None)
    county_doc = Document.objects.create(
        title="county", owner=ann, school=schools[0], level=1, created_by=ann.pk
    )
    town_doc = Document.objects.create(title="town", owner=bob, school=schools[1], status="open")
    abroad_doc = Document.objects.create(title="abroad", owner=ann, school=schools[2], level=3)
    unitless = Document.objects.create(title="unitless", school=schools[3], status="open", level=2)
    bare = Document.objects.create(title="bare")
    county_doc.tags.set([red, blue])
    county_doc.readers.set([ann, bob])
    town_doc.tags.set([blue, wordless])
    unitless.tags.set([wordless])
    abroad_doc.readers.set([bob])
    for author, hidden in ((ann, False), (ann, False), (bob, True), (None, False)):
        Comment.all_objects.create(document=town_doc, author=author, hidden=hidden)
    Comment.all_objects.create(document=bare, author=ann, hidden=True)
    both = Event.objects.create(title="both")
    both.units.set([county, town])
    far = Event.objects.create(title="far")
    far.units.set([abroad])
    none = Event.objects.create(title="none")
    Counter.objects.bulk_create([Counter(total=1), Counter(total=2)])

    actors = {
        "ann": _user(ann.pk),
        **{name: _user() for name in ("everywhere", "county", "town", "single", "nobody")},
    }
    granted = {
        "everywhere": Grant(everywhere=True),
        "county": Grant(units=frozenset({county.pk})),
        "town": Grant(units=frozenset({town.pk}), objects=frozenset({abroad_doc.pk})),
        "single": Grant(objects=frozenset({bare.pk, far.pk, abroad.pk})),
    }
    source = MemoryGrantSource(
        {actors[name].id: _grants(grant) for name, grant in granted.items()}  # type: ignore[misc]
    )
    permissions = [
        *model_permissions("access_testapp.Document"),
        *model_permissions("access_testapp.Unit", ["view"]),
        *model_permissions("access_testapp.Event", ["view"]),
        *model_permissions("access_testapp.Counter", ["view"]),
        Permission(name=CLOSE, title="Close the books", rule=Granted(CLOSE)),
        Permission(name="access_testapp.look", title="Look", rule=Always()),
    ]
    with using_permissions(PermissionRegistry(permissions, source)):
        yield World(
            source=source,
            **actors,
            documents={
                "county": county_doc,
                "town": town_doc,
                "abroad": abroad_doc,
                "unitless": unitless,
                "bare": bare,
            },
            units={"county": county, "town": town, "abroad": abroad},
            people={"ann": ann, "bob": bob},
            tags={"red": red, "blue": blue, "wordless": wordless},
            events={"both": both, "far": far, "none": none},
        )
