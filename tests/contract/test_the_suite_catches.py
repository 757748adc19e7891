"""Every check of the contract suite passes on what is sound and fails on the fault planted for it."""

from __future__ import annotations

import copy
import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar
from uuid import UUID

import pytest
from django.db import models
from django.db.models import Model, Q
from django.http import HttpResponse
from django.template import Engine
from django.test import override_settings
from django.test.utils import isolate_apps
from django.urls import include, path
from pydantic import Field

from platform_core.access import Actor, Granted, Where, actor
from platform_core.conf import PluginSettings
from platform_core.contributions import PUBLIC, Command, Flag, Permission, Route, Subscription
from platform_core.events import Event, Received
from platform_core.hookspecs import hookimpl
from platform_core.mail import Mail
from platform_core.mail.rendering import own_engine
from platform_core.models import BaseModel
from platform_core.registry import contents, installed
from platform_core.registry.contents import Entry
from platform_core.resource import Resource, build_plugin_urls, declared, not_found
from platform_core.testing import contract
from platform_core.testing.contract import (
    access,
    answers,
    columns,
    commands,
    documentation,
    exchange,
    fields,
    fuzzing,
    mails,
    nesting,
    promises,
    states,
    structure,
    substitution,
    suite,
    trail,
    two_worlds,
)
from platform_core.testing.contract.subjects import PluginSubject, ResourceSubject
from platform_identity.resources import UserResource
from tests.contract import planted
from tests.contract.planted import LIBRARY, mounted

Check = Callable[[ResourceSubject], None]


def table(who: str) -> Check:
    return lambda subject: access.check_access_table(subject, who)


FAULTS: list[tuple[Check, type[Resource], str]] = [
    (table("nobody"), planted.Unscoped, "retrieve answers 200 to nobody, not 404"),
    (table("anonymous"), planted.Open, "list answers 200 to anonymous, not 401"),
    (table("viewer"), planted.Undecided, "update answers [0-9]+ to viewer, not 403"),
    (table("viewer"), planted.WritesFirst, "refused destroy to viewer, yet wrote"),
    (access.check_rows_of_others, planted.Unscoped, "answers 200 to who holds a grant on one row"),
    (access.check_rows_of_others, planted.UnscopedList, "that the rule does not allow"),
    (access.check_rows_of_other_units, planted.UnscopedList, "that the rule does not allow"),
    (access.check_rows_of_other_units, planted.LooseReference, "accepts a sequel_to of another"),
    (substitution.check_foreign_ids, planted.Unscoped, "retrieve in the path answers"),
    (substitution.check_foreign_ids, planted.LooseReference, "accepts a sequel_to that the actor"),
    (substitution.check_foreign_ids, planted.LooseFilter, "the filter shelf answers"),
    (two_worlds.check_two_worlds, planted.Unscoped, "retrieve in the path with"),
    (two_worlds.check_two_worlds, planted.MatchFirst, 'in the path with "999" answers'),
    (two_worlds.check_two_worlds, planted.LooseBulk, "an item of bulk/update answers"),
    (two_worlds.check_two_worlds, planted.LooseReference, "sequel_to = {id} in create answers"),
    (two_worlds.check_two_worlds, planted.CountsAll, "counts rows that it does not show"),
    (two_worlds.check_two_worlds, planted.SearchesAll, "'search': .* shows another's row"),
    (two_worlds.check_two_worlds, planted.LooseCursor, "a cursor that somebody else made"),
    (two_worlds.check_two_worlds, planted.SharedKeys, "Idempotency-Key of another's call"),
    (two_worlds.check_two_worlds, planted.OpensAll, "expand=sequel_to shows a row"),
    (two_worlds.check_two_worlds, planted.CountsVisits, "changed resource_testapp_book"),
    (columns.check_undeclared_columns, planted.OneColumn, "create sets secret"),
    (columns.check_undeclared_columns, planted.BulkSetsSecret, "bulk/update sets secret"),
    (columns.check_undeclared_columns, planted.RevertSetsSecret, "revert sets secret"),
    (columns.check_undeclared_columns, planted.OperationSetsSecret, "note sets secret"),
    (columns.check_undeclared_columns, planted.EveryColumn, "create sets secret"),
    (answers.check_query_count, planted.QueryPerRow, "a list of 1000 rows takes"),
    (answers.check_representation, planted.OtherDetail, "retrieve shows"),
    (answers.check_history, planted.SavesTwice, "partial_update left 2 rows of history"),
    (answers.check_history, planted.WritesPast, "destroy left 0 rows of history"),
    (exchange.check_exports, planted.ExportsUnscoped, "who may export"),
    (exchange.check_exports, planted.ExportsToAll, "export answers 200 to anonymous, not 401"),
    (exchange.check_exports, planted.ExportsPart, "the export as jsonl is not the list"),
    (exchange.check_exports, planted.ExportsFormulas, "has the formula '=1"),
    (trail.check_trail, planted.Unseen, r"update answers 200 to holder and leaves the events \[\]"),
    (trail.check_trail, planted.ToldTwice, r"leaves the events \['done', 'done'\]"),
    (
        trail.check_trail,
        planted.UnseenRefusals,
        r"answers 401 to anonymous and leaves the events \[\]",
    ),
    (trail.check_trail, planted.TriesTold, "which was only tried, answers"),
    (answers.check_unknown_refused, planted.Careless, "a field that does not exist"),
    (answers.check_unknown_refused, planted.CarelessList, "a parameter that does not exist"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("check", "faulty", "told"), FAULTS)
def test_a_fault_of_a_resource_is_caught_and_a_sound_one_passes(
    check: Check, faulty: type[Resource], told: str
) -> None:
    sound = planted.Exported if issubclass(faulty, planted.Exported) else planted.Sound
    with mounted(sound) as subject:
        check(subject)
    with mounted(faulty) as subject, pytest.raises(AssertionError, match=told):
        check(subject)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("faulty", "told"),
    [
        (planted.NestedShowsAll, "lacks its row or shows one of another"),
        (planted.NestedTakesOther, "create below a parent answers 201, not 422"),
        (planted.NestedOpen, "list in .* answers .200, .* to who may not see the parent"),
    ],
)
def test_a_fault_below_a_parent_is_caught_and_a_sound_one_passes(
    faulty: type[Resource], told: str
) -> None:
    with mounted(planted.Nested) as subject:
        nesting.check_nested_addresses(subject)
    with mounted(faulty) as subject, pytest.raises(AssertionError, match=told):
        nesting.check_nested_addresses(subject)


@pytest.mark.django_db
@pytest.mark.parametrize("sound", [planted.NestedOnce, planted.NestedFree])
def test_what_is_unusual_below_a_parent_is_no_fault(sound: type[Resource]) -> None:
    with mounted(sound) as subject:
        nesting.check_nested_addresses(subject)


@pytest.mark.django_db
def test_a_second_version_is_judged_like_the_first() -> None:
    with mounted(planted.Second) as subject:
        assert subject.url == f"/api/v2/{LIBRARY}/{declared.name_of(planted.Second)}/"
        table("viewer")(subject)
        substitution.check_foreign_ids(subject)
        answers.check_representation(subject)
        answers.check_history(subject)
        structure.check_openapi(subject, structure.valid_openapi())
    with (
        mounted(planted.SecondUnscoped) as subject,
        pytest.raises(AssertionError, match="/v2/books: retrieve in the path answers"),
    ):
        substitution.check_foreign_ids(subject)


FIELD_FAULTS: list[tuple[type[Resource], str]] = [
    (planted.Needless, "nobody who sees the row is kept from subtitle"),
    (planted.Unguarded, "list shows subtitle"),
    (planted.ToldDetail, "retrieve shows subtitle"),
    (planted.ToldWrite, "create shows subtitle"),
    (planted.ToldPast, "history shows subtitle"),
    (planted.ToldAgain, "a repeated call shows subtitle"),
    (planted.ToldByFilter, "subtitle answers 200"),
    (planted.ToldByOrder, "ordering answers 200"),
    (planted.ToldBySearch, "a search finds a row by its unreadable subtitle"),
    (planted.SetByAnybody, "create takes subtitle from who may not set it"),
    (planted.ForgottenByPut, "update without it changes subtitle"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("faulty", "told"), FIELD_FAULTS)
def test_a_fault_about_a_field_is_caught_and_a_sound_one_passes(
    faulty: type[Resource], told: str
) -> None:
    with mounted(planted.Guarded) as subject:
        fields.check_field_rules(subject)
    with mounted(faulty) as subject, pytest.raises(AssertionError, match=told):
        fields.check_field_rules(subject)


@pytest.mark.django_db
def test_a_shown_password_is_caught() -> None:
    with mounted(UserResource, "identity") as subject:
        answers.check_representation(subject)
    with (
        mounted(planted.Leaky, "identity") as subject,
        pytest.raises(AssertionError, match="secret"),
    ):
        answers.check_representation(subject)


@pytest.mark.django_db
def test_a_flag_that_is_not_asked_is_caught() -> None:
    with mounted(planted.Flagged) as subject:
        access.check_flags(subject)
    with mounted(planted.FlagForgotten) as subject, pytest.raises(AssertionError, match="is off"):
        access.check_flags(subject)


def test_a_path_missing_in_openapi_and_an_invalid_document_are_caught() -> None:
    document = structure.valid_openapi()
    subject = ResourceSubject("identity", UserResource)
    structure.check_openapi(subject, document)
    without = copy.deepcopy(document)
    del without["paths"][f"{subject.url}{{id}}/"]["patch"]
    with pytest.raises(AssertionError, match="does not describe patch"):
        structure.check_openapi(subject, without)
    invalid = copy.deepcopy(document)
    del invalid["info"]["title"]
    with pytest.raises(AssertionError, match="not valid"):
        structure.valid_openapi(invalid)


class Undescribed(UserResource):
    def list(self) -> Any:
        if "search" in self.request.GET:
            return HttpResponse(status=418)
        return super().list()


class Failing(UserResource):
    def retrieve(self) -> Any:
        raise ZeroDivisionError


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("faulty", "told"),
    [(Undescribed, "418: Undocumented status code"), (Failing, "500: Server error")],
)
def test_an_answer_that_is_not_described_and_a_server_error_are_caught(
    identity: PluginSubject, faulty: type[Resource], told: str
) -> None:
    document = structure.valid_openapi()
    users = f"{ResourceSubject('identity', UserResource).url}"
    part = {
        path: {"get": item["get"]}
        for path, item in document["paths"].items()
        if path in (users, f"{users}{{id}}/")
    }
    assert fuzzing.check_fuzzed(identity, {**document, "paths": part}, examples=5) == 10
    with mounted(faulty, "identity"), pytest.raises(AssertionError, match=told):
        fuzzing.check_fuzzed(identity, {**document, "paths": part}, examples=20)


def test_what_the_openapi_document_leaves_unsaid_is_caught(identity: PluginSubject) -> None:
    document = structure.valid_openapi()
    documentation.check_documented(identity, document)
    url = ResourceSubject("identity", UserResource).url
    operation = document["paths"][url]["get"]
    operation["description"] = operation["summary"] = ""
    operation["parameters"][0]["description"] = ""
    operation["responses"]["403"]["description"] = ""
    del operation["responses"]["401"]
    document["components"]["schemas"]["IdentityUser"]["properties"]["email"] = {}

    with pytest.raises(AssertionError) as caught:
        documentation.check_documented(identity, document)

    told = str(caught.value).splitlines()
    assert f"GET {url} says nothing about itself." in told
    assert f"GET {url}: the answer 403 says nothing about itself." in told
    assert f"GET {url} needs somebody to be signed in, and does not describe 401." in told
    assert "IdentityUser.email has no type." in told
    assert any("the parameter" in line for line in told)


def test_a_route_whose_description_is_wrong_is_caught() -> None:
    lost = {"description": "Done", "headers": {"X": {"$ref": "#/components/headers/Lost"}}}
    fragment = {"paths": {"": {"get": {"responses": {"200": lost}}}}}
    route = Route(
        path="toys/", name="toys", access=PUBLIC, view=not_found, describe=lambda: fragment
    )
    urls: Any = ModuleType("described_urls")
    urls.urlpatterns = [
        path("api/v1/toy/", include((build_plugin_urls("toy", [], [route]), "toy")))
    ]
    with override_settings(ROOT_URLCONF=urls), pytest.raises(TypeError, match=r"toy: .*'toys/'"):
        structure.valid_openapi()


def test_a_permission_that_nothing_asks_for_is_caught(identity: PluginSubject) -> None:
    access.check_permissions_used(identity)
    name = "identity.lend_user"
    with (
        contributed(
            "permissions",
            Permission(name=name, title="Lend", rule=Granted(name), model="identity.User"),
        ),
        pytest.raises(AssertionError, match=name),
    ):
        access.check_permissions_used(identity)


class ShowsAll(Where):
    """Planted: the list shows more than single decisions allow."""

    def rows(self, actor: Actor, model: type[Model]) -> Q:
        return Q(pk__isnull=False)


@pytest.mark.django_db
def test_a_rule_whose_list_shows_more_than_decisions_is_caught(identity: PluginSubject) -> None:
    structure.check_rules(identity)
    lying = Permission(
        name="identity.lend_user",
        title="Lend",
        rule=ShowsAll("id", actor),
        model="identity.User",
    )
    with (
        contributed("permissions", lying),
        pytest.raises(AssertionError, match="only the list has"),
    ):
        structure.check_rules(identity)


def test_a_plugin_that_stays_awake_is_caught() -> None:
    awake = [one.slug for one in installed().plugins if one.enabled]
    plugin = next(
        PluginSubject(one) for one in installed().plugins if not one.config.auth_user_model
    )
    report = states.boot(awake, [], states.addresses_of(plugin))
    with pytest.raises(AssertionError, match="still contributes"):
        states.check_dormant(plugin, [plugin.slug], report)
    silent = report | {"contributions": {}}
    with pytest.raises(AssertionError, match="still answers"):
        states.check_dormant(plugin, [plugin.slug], silent)
    closed = silent | {"statuses": {}}
    with pytest.raises(AssertionError, match="still imported"):
        states.check_dormant(plugin, [plugin.slug], closed)
    gone = closed | {"hooks": [], "labels": []}
    with pytest.raises(AssertionError, match="models are not loaded"):
        states.check_dormant(plugin, [plugin.slug], gone)


def test_a_deployment_that_does_not_boot_without_the_plugin_is_caught() -> None:
    with pytest.raises(AssertionError, match="does not boot"):
        states.boot([], ["identity"], [])


@pytest.mark.django_db
def test_a_missing_migration_is_caught() -> None:
    structure.check_migrations_complete("identity")
    modules = {LIBRARY: "tests.contract.migrations.missing"}
    missing = pytest.raises(AssertionError, match="a migration is missing")
    with override_settings(MIGRATION_MODULES=modules), missing:
        structure.check_migrations_complete(LIBRARY)


APP = "rest_framework"
"""An app without tables and migrations of its own, to plant some in."""


@pytest.mark.parametrize(
    ("module", "told"),
    [
        ("irreversible", "cannot unapply 0001_initial"),
        ("leaving", "leaves rest_framework_left"),
    ],
)
def test_a_migration_that_does_not_go_back_is_caught(
    module: str, told: str, contract_database: None
) -> None:
    stuck = pytest.raises(AssertionError, match=told)
    with override_settings(MIGRATION_MODULES={APP: f"tests.contract.migrations.{module}"}), stuck:
        structure.check_migrations_reversible(APP)


def test_a_migration_that_says_why_it_cannot_go_back_passes(contract_database: None) -> None:
    with override_settings(MIGRATION_MODULES={APP: "tests.contract.migrations.declared"}):
        structure.check_migrations_reversible(APP)


@isolate_apps("tests.core.resource.testapp")
def test_a_model_with_a_foreign_table_or_managers_that_forget_history_is_caught() -> None:
    class Renamed(BaseModel):
        class Meta(BaseModel.Meta):
            app_label = LIBRARY
            db_table = "somebody_elses"

    class Forgetful(BaseModel):
        objects = models.Manager()

        class Meta(BaseModel.Meta):
            app_label = LIBRARY

    with pytest.raises(AssertionError, match="somebody_elses does not start"):
        structure.check_app_models(app_of(Renamed))
    with pytest.raises(AssertionError, match="default manager"):
        structure.check_app_models(app_of(Forgetful))


@isolate_apps("tests.core.resource.testapp")
def test_personal_data_that_nobody_declared_is_caught() -> None:
    class Reader(BaseModel):
        email = models.EmailField()
        call_name = models.CharField(max_length=50)
        given_name = models.CharField(max_length=50)
        remarks = models.CharField(max_length=50)
        story = models.TextField()
        seats = models.IntegerField()

        personal_fields: ClassVar[tuple[str, ...]] = ()

        class Meta(BaseModel.Meta):
            app_label = LIBRARY

    def told() -> set[str]:
        with pytest.raises(AssertionError) as caught:
            promises.check_personal_data(app_of(Reader))
        return set(str(caught.value).replace(f"{LIBRARY}.Reader", "").splitlines()[1:])

    assert told() == {".email", ".given_name", ".remarks", ".story"}
    Reader.personal_fields = ("email", "given_name", "remarks", "stroy")
    assert told() == {" has no column stroy", ".story"}
    Reader.personal_fields = ("email", "given_name", "remarks", "story")
    Reader.not_personal_fields = ("story",)
    assert told() == {".story is declared both ways"}
    Reader.personal_fields = ("email", "given_name", "remarks")
    promises.check_personal_data(app_of(Reader))


def test_a_setting_that_nobody_explains_is_caught() -> None:
    class Settings(PluginSettings):
        seats: int = 1
        """How many may come."""
        colour: str = Field(default="red", description="Of the door.")
        silent: bool = False

    with pytest.raises(AssertionError, match=r"Settings\.silent\Z"):
        promises.check_settings_documented(Settings)
    promises.check_settings_documented(None)


def test_a_flag_past_its_day_is_caught(identity: PluginSubject) -> None:
    day = dt.date(2026, 3, 1)
    flag = Flag(name="identity.trial", title="Trial", owner="the door team", expires_on=day)
    with contributed("flags", flag):
        promises.check_flags(identity, today=day)
        with pytest.raises(AssertionError, match=r"identity\.trial \(2026-03-01, the door team\)"):
            promises.check_flags(identity, today=day + dt.timedelta(days=1))


class UserMoved(Event):
    """A user has moved."""

    name: ClassVar[str] = "identity.user.moved"
    aggregate: ClassVar[str] = "user"

    user: UUID


class UserMovedAway(UserMoved):
    name: ClassVar[str] = "identity.user.moved_away"

    access_token: Any


def test_an_event_that_does_not_say_enough_is_caught(identity: PluginSubject) -> None:
    def forward(received: Received[UserMoved]) -> None:
        received.event.model_dump()

    with contributed("events", UserMoved):
        promises.check_events(identity)
    with contributed("events", UserMovedAway), pytest.raises(AssertionError) as caught:
        promises.check_events(identity)
    told = str(caught.value)
    assert "identity.user.moved_away has no docstring of its own" in told
    assert "access_token, which sounds like a secret" in told
    assert "access_token whose type is not plain data" in told
    silent = Subscription(name="identity.forward", event=UserMoved.name, run=forward)
    with (
        contributed("subscriptions", silent),
        pytest.raises(AssertionError, match=r"identity\.forward: its function"),
    ):
        promises.check_events(identity)


class Careless(Mail):
    """Shows what a careless author forgets."""

    name: ClassVar = "identity.careless"
    subject: ClassVar = "For {reader}"

    reader: str
    code: str

    @classmethod
    def example(cls) -> Careless:
        return cls(reader="Ada", code="1234")


CARELESS = {
    "identity/mail/careless.txt": "{{ reader }}, {{ nickname }}",
    "identity/mail/careless.html": """<html><a href="{{ site.path }}/x">{{ code|safe }}</a></html>""",
}


@pytest.mark.django_db
def test_a_careless_mail_is_caught(identity: PluginSubject, monkeypatch: Any) -> None:
    mails.check_mails(identity)
    planted = Engine(
        loaders=[("django.template.loaders.locmem.Loader", CARELESS)],
        libraries=own_engine().libraries,
    )
    monkeypatch.setattr(mails, "own_engine", lambda: planted)
    before = installed()
    entry = Entry(owner="identity", hook="mails", item=Careless, place="planted")
    contents.install(dataclasses.replace(before, entries={**before.entries, "mails": (entry,)}))
    try:
        with pytest.raises(AssertionError) as caught:
            mails.check_mails(identity)
    finally:
        contents.install(before)
    told = str(caught.value)
    assert "in de: the text shows nickname" in told
    assert "a link leads to '⟦site.path⟧/x'" in told
    assert "without escaping it" in told
    assert "shows code in only one of text and HTML" in told


def test_every_check_of_the_suite_is_collected_by_a_plugin_that_imports_it() -> None:
    found = {name for name in vars(suite) if name.startswith(("test_", "contract_"))}

    assert found == set(contract.__all__)


def test_a_hook_without_a_docstring_is_caught(identity: PluginSubject) -> None:
    structure.check_hooks_documented(identity)
    hooks: Any = ModuleType("planted.hooks")

    @hookimpl
    def resources() -> list[Any]:
        return []

    hooks.resources = resources

    class Silent(PluginSubject):
        __slots__ = ()

        def module(self, name: str) -> Any:
            return hooks if name == "hooks" else None

    with pytest.raises(AssertionError, match="planted.hooks.resources"):
        structure.check_hooks_documented(Silent(identity.plugin))


def test_a_command_that_speaks_to_people_only_is_caught(identity: PluginSubject) -> None:
    def greet(name: str) -> None:
        print(name)

    commands.check_commands(identity)
    with (
        contributed("commands", Command(name="identity greet", run=greet, help="x")),
        pytest.raises(AssertionError, match="No --json on identity greet"),
    ):
        commands.check_commands(identity)


def app_of(model: type[models.Model]) -> Any:
    """Return as much of an app configuration as the check asks for."""
    return SimpleNamespace(label=LIBRARY, get_models=lambda **_: [model])


@pytest.fixture
def identity() -> PluginSubject:
    return next(PluginSubject(one) for one in installed().plugins if one.slug == "identity")


@contextmanager
def contributed(hook: str, item: Any) -> Iterator[None]:
    """Let the registry have one more contribution of identity inside a ``with`` block."""
    before = installed()
    entry = Entry(owner="identity", hook=hook, item=item, place="planted")
    entries = {**before.entries, hook: (*before.entries[hook], entry)}
    contents.install(dataclasses.replace(before, entries=entries))
    try:
        yield
    finally:
        contents.install(before)


@pytest.fixture
def contract_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield
