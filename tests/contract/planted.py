"""A sound resource over the library of the resource tests, and one like it for each fault that the suite has to catch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, ClassVar

from django.db import connection
from django.test import override_settings
from rest_framework import serializers

from platform_core.access import FieldAccess, Granted, Policy, using_permissions
from platform_core.audit.actions import Action, running
from platform_core.audit.recording import Event, write_events
from platform_core.errors import Conflict
from platform_core.resource import (
    AccessibleFields,
    ModelSerializer,
    Resource,
    accessible_fields,
    declared,
    operation,
    plugin_resolvers,
)
from platform_core.resource.conditional import require_match
from platform_core.resource.shape import WHOLE
from platform_core.testing.contract.subjects import ResourceSubject
from platform_identity.models import User
from platform_identity.resources import UserResource, UserSerializer
from tests.core.resource.testapp.grants import FREE, SUBTITLE, MemoryGrantSource, registry
from tests.core.resource.testapp.models import Book
from tests.core.resource.testapp.resources import ShelfResource

LIBRARY = "resource_testapp"
FLAG = "resource_testapp.planted"
_FIELDS = ("id", "title", "subtitle", "shelf", "sequel_to", "isbn", "version")


@contextmanager
def mounted(resource: type[Resource], slug: str = LIBRARY) -> Iterator[ResourceSubject]:
    """Serve ``resource``, with those ``beside`` it only, over the library's permissions when it is one of the library."""
    urls: Any = ModuleType("planted_urls")
    found = plugin_resolvers(slug, [resource, *getattr(resource, "beside", ())])
    urls.urlpatterns = [*found.values()]
    with override_settings(ROOT_URLCONF=urls):
        if slug != LIBRARY:
            yield ResourceSubject(slug, resource)
            return
        with using_permissions(registry(MemoryGrantSource())):
            yield ResourceSubject(slug, resource)


class SoundSerializer(ModelSerializer):
    """Books as they should be shown."""

    class Meta:
        model = Book
        fields = _FIELDS
        read_only_fields = ("version",)


class Sound(Resource):
    """Books as they should be served."""

    model = Book
    serializer_class = SoundSerializer
    policy = Policy.standard("resource_testapp.book")
    ordering = "title"


class Exported(Sound):
    """Books that may be taken as a file."""

    policy = Policy.standard("resource_testapp.book", export="resource_testapp.export_book")


class ExportsUnscoped(Exported):
    """Fault: the export forgets the scope of the list."""

    def _exported(self, queryset: Any, *args: Any) -> Any:
        return super()._exported(self.get_queryset(), *args)


class ExportsToAll(Exported):
    """Fault: nobody is turned away from the export."""

    def admit(self) -> None:
        if self.action != "export":
            super().admit()


class ExportsPart(Exported):
    """Fault: the export leaves rows out."""

    def _exported(self, *args: Any) -> Any:
        for rows in super()._exported(*args):
            yield rows[1:]


class ExportsFormulas(Exported):
    """Fault: a cell may be a formula."""

    def parts(self, file: Any) -> Any:
        for part, rows in super().parts(file):
            yield part.replace(b"'=", b"="), rows


class Flagged(Sound):
    """Books behind a flag."""

    flag = FLAG


class Unscoped(Sound):
    """Fault: the reads forget the scope."""

    def visible(self) -> Any:
        return self.get_queryset()


class UnscopedList(Sound):
    """Fault: only the list forgets the scope."""

    def visible(self) -> Any:
        return self.get_queryset() if self.action == "list" else super().visible()


class Open(Sound):
    """Fault: nobody is turned away at the door."""

    def admit(self) -> None:
        """Let everybody in."""


class Undecided(Sound):
    """Fault: writes are not decided."""

    def require(self, action: str, obj: Any) -> None:
        """Allow everything."""

    def verified(self, action: str, pk: Any, *_rules: Any) -> Any:
        return self.row(Book.all_objects.all(), pk)


class WritesFirst(Sound):
    """Fault: a write is refused after it was made."""

    def answer(self) -> Any:
        if self.action == "destroy":
            Book.objects.filter(pk=self.kwargs["id"]).update(title="changed")
        return super().answer()


class LooseReferenceSerializer(SoundSerializer):
    sequel_to: Any = serializers.PrimaryKeyRelatedField(
        queryset=Book.objects.all(), required=False, allow_null=True
    )


class LooseReference(Sound):
    """Fault: a reference reaches rows that the actor may not see."""

    serializer_class = LooseReferenceSerializer


class QueryPerRowSerializer(SoundSerializer):
    place = serializers.SerializerMethodField()

    class Meta(SoundSerializer.Meta):
        fields = (*_FIELDS, "place")

    def get_place(self, book: Book) -> str:
        return book.shelf.name


class QueryPerRow(Sound):
    """Fault: every row of a list asks the database again."""

    serializer_class = QueryPerRowSerializer


class OtherDetail(Sound):
    """Fault: a single row is shown otherwise than its serializer says."""

    def shown(self, queryset: Any) -> Any:
        return {**super().shown(queryset), "secret": "told"}


class LeakySerializer(UserSerializer):
    class Meta(UserSerializer.Meta):
        model = User
        fields = (*UserSerializer.Meta.fields, "password")


class Leaky(UserResource):
    """Fault: the hash of the password is shown."""

    serializer_class = LeakySerializer


class SavesTwice(Sound):
    """Fault: one change leaves two rows of history."""

    def update_object(self, serializer: Any) -> Any:
        serializer.save()
        return serializer.save()


class WritesPast(Sound):
    """Fault: a deletion that history never hears of."""

    def delete_object(self, obj: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE resource_testapp_book SET deleted_at = now() WHERE id = %s", [obj.pk]
            )


class Unseen(Sound):
    """Fault: changes are made past the audit trail."""

    def change_and_tell(self) -> Any:
        with running(Action()):
            return super().change() if self.action != "create" else super().change_and_tell()


class ToldTwice(Sound):
    """Fault: a deletion is told twice."""

    def delete_object(self, obj: Any) -> None:
        super().delete_object(obj)
        self.trail.done(obj.pk)


class UnseenRefusals(Sound):
    """Fault: nobody learns of refusals."""

    @property
    def leaves_trail(self) -> bool:
        return False


class TriesTold(Sound):
    """Fault: what is only tried is told as if it were done."""

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().dispatch(request, *args, **kwargs)
        if response.headers.get("Dry-Run"):
            write_events([Event(action="tried", plugin=LIBRARY)])
        return response


class CarelessSerializer(SoundSerializer):
    def _refused(self, data: Any) -> Any:
        return {}


class Careless(Sound):
    """Fault: a field that does not exist is ignored."""

    serializer_class = CarelessSerializer


class CarelessList(Sound):
    """Fault: a parameter that does not exist is ignored."""

    def list(self) -> Any:
        keyset = self.keyset_of("title")
        rows = self.rows_in_order(self.visible(), keyset, None, 25, WHOLE)
        return self.page(rows, keyset, None, 25, WHOLE, None)


class FlagForgotten(Flagged):
    """Fault: the flag is declared and never asked."""

    def admit(self) -> None:
        self.flag, before = None, self.flag  # type: ignore[misc]
        super().admit()
        self.flag = before  # type: ignore[misc]


class SecretSerializer(SoundSerializer):
    def to_internal_value(self, data: Any) -> Any:
        found = super().to_internal_value(data)
        return found | {"secret": data["secret"]} if "secret" in data else found


class OneColumnSerializer(SecretSerializer):
    def _refused(self, data: Any) -> Any:
        return {name: told for name, told in super()._refused(data).items() if name != "secret"}


class OneColumn(Sound):
    """Fault: one column that is not declared is written all the same."""

    serializer_class = OneColumnSerializer


class EveryColumnSerializer(SecretSerializer):
    def _refused(self, data: Any) -> Any:
        return {}


class EveryColumn(Sound):
    """Fault: nothing is refused, and a column that is not declared is written."""

    serializer_class = EveryColumnSerializer


class LooseFilter(Sound):
    """Fault: a filter by a reference tells rows apart that the actor may not see."""

    filterset_fields = {"shelf": ["exact"]}

    def list(self) -> Any:
        keyset = self.keyset_of("title")
        found = self.visible().filter(shelf=self.request.GET["shelf"])
        rows = self.rows_in_order(found, keyset, None, 25, WHOLE)
        return self.page(rows, keyset, None, 25, WHOLE, None)


class Nested(Sound):
    """Books below shelves, as they should be served."""

    filterset_fields = {"shelf": ["exact"]}
    parents = {"shelves": "shelf"}
    beside: tuple[type[Resource], ...] = (ShelfResource,)


class NestedFree(Nested):
    """Whoever is signed in may see some books, and has to see their shelf: no fault."""

    policy = Policy.standard("resource_testapp.book", view=FREE)


class NestedOnce(Nested):
    """A shelf takes one book: no fault."""

    def create_object(self, serializer: Any) -> Any:
        if Book.objects.filter(shelf=serializer.validated_data["shelf"]).exists():
            raise Conflict("There is one already.")
        return super().create_object(serializer)


class NestedShowsAll(Nested):
    """Fault: the list forgets below what it is asked for."""

    def list(self) -> Any:
        self.parent = None
        return super().list()


class NestedTakesOther(Nested):
    """Fault: the body says below what the new row is."""

    def change_one(self) -> Any:
        self.parent = None
        return super().change_one()


class OpenShelves(ShelfResource):
    """Fault: whoever it is finds every shelf."""

    def visible(self) -> Any:
        return self.get_queryset()


class NestedOpen(Nested):
    """Books below shelves that one may not see."""

    beside = (OpenShelves,)


class Guarded(Sound):
    """A field for some people only, as it should be served."""

    filterset_fields = {"subtitle": ["exact"]}
    search_fields = ("title", "subtitle")
    ordering_fields = ("title", "subtitle")
    field_rules = {
        "subtitle": FieldAccess(view=Granted(SUBTITLE[0]), change=Granted(SUBTITLE[1])),
    }


class Needless(Guarded):
    """Fault: whoever sees the row sees the field."""

    field_rules = {"subtitle": FieldAccess(view=Granted("resource_testapp.view_book"))}


class Unguarded(Guarded):
    """Fault: the rules of fields are not asked."""

    @property
    def accessible(self) -> AccessibleFields:  # type: ignore[override]
        return accessible_fields(Sound, self.actor)


class ToldDetail(Guarded):
    """Fault: a single row tells the field."""

    def shown(self, queryset: Any) -> Any:
        return {**super().shown(queryset), "subtitle": "told"}


class ToldWrite(Guarded):
    """Fault: the answer to a change tells the field."""

    def verified(self, *args: Any, **kwargs: Any) -> Any:
        return {**super().verified(*args, **kwargs), "subtitle": "told"}


class ToldPast(Guarded):
    """Fault: history tells the field."""

    def readable_here(self) -> Any:
        return {*super().readable_here(), "subtitle"}


class ToldAgain(Guarded):
    """Fault: what was readable at the first request is so for ever."""

    known: dict[Any, AccessibleFields] = {}

    @property
    def accessible(self) -> AccessibleFields:  # type: ignore[override]
        return self.known.setdefault(self.actor.id, accessible_fields(type(self), self.actor))


class ToldByFilter(Guarded):
    """Fault: the filter asks whoever it is."""

    def filters(self) -> Any:
        return declared.filters_of(type(self))


class ToldByOrder(Guarded):
    """Fault: the order tells the field."""

    def keyset_of(self, ordering: Any) -> Any:
        return declared.keyset_of(type(self), ordering or self.ordering)


class ToldBySearch(Guarded):
    """Fault: a search looks into the field."""

    def narrowed(self) -> Any:
        found = self.request.GET.get("search", "")
        return super().visible().filter(subtitle__icontains=found)


class SetByAnybody(Guarded):
    """Fault: the serializer takes the field from everybody."""

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        return self.serializer_class(*args, **kwargs, context=self.get_serializer_context())


class ForgottenByPut(Guarded):
    """Fault: what is not sent is emptied."""

    def update_object(self, serializer: Any) -> Any:
        serializer.instance.subtitle = serializer.validated_data.get("subtitle", "")
        return super().update_object(serializer)


class MatchFirst(Sound):
    """Fault: the precondition is judged before anybody looks whether the row may be seen."""

    def locked(self, queryset: Any, action: str) -> Any:
        found = Book.objects.filter(pk=self.kwargs["id"]).first()
        if found is not None:
            require_match(self.if_match, found, required=False)
        return super().locked(queryset, action)


class LooseBulk(Sound):
    """Fault: a bulk call forgets the scope."""

    def visible(self) -> Any:
        return self.get_queryset() if self.is_bulk else super().visible()


class CountsAll(Sound):
    """Fault: the count is that of all rows."""

    def counted(self, queryset: Any) -> int:
        return Book.objects.count()


class SearchesAll(Sound):
    """Fault: a search looks through rows of others."""

    search_fields = ("title",)

    def narrowed(self) -> Any:
        return Book.objects.filter(title__icontains=self.request.GET["search"])


class LooseCursor(Sound):
    """Fault: whoever has a cursor sees what its maker saw."""

    def list(self) -> Any:
        if "cursor" not in self.request.GET:
            return super().list()
        keyset = self.keyset_of("title")
        rows = self.rows_in_order(self.get_queryset(), keyset, None, 200, WHOLE)
        return self.page(rows, keyset, None, 200, WHOLE, None)


class SharedKeys(Sound):
    """Fault: an Idempotency-Key is anybody's."""

    kept: ClassVar[dict[str, Any]] = {}

    def answer(self) -> Any:
        key = self.request.headers.get("Idempotency-Key", "")
        if key in self.kept:
            return self.kept[key]
        found = super().answer()
        if key:
            self.kept[key] = found
        return found


class OpensAll(Sound):
    """Fault: references are opened whoever asks."""

    def rows_with(self, ids: Any) -> Any:
        return self.represent(list(Book.objects.filter(pk__in=ids)))


class CountsVisits(Sound):
    """Fault: asking for a row leaves something in it, whoever asks."""

    def admit(self) -> None:
        Book.objects.filter(pk=self.kwargs.get("id")).update(subtitle="asked for")
        super().admit()


class BulkSetsSecret(Sound):
    """Fault: a column that is not declared is written by bulk calls."""

    def change_one(self) -> Any:
        secret = self.body.pop("secret", None) if self.is_bulk else None
        answer = super().change_one()
        if secret is not None and self.action == "partial_update":
            Book.objects.filter(pk=self.kwargs["id"]).update(secret=secret)
        return answer


class RevertSetsSecret(Sound):
    """Fault: the way back to a version writes what the client adds."""

    def revert(self) -> Any:
        secret = self.body.pop("secret", None)
        answer = super().revert()
        if secret is not None:
            Book.objects.filter(pk=self.kwargs["id"]).update(secret=secret)
        return answer


class NoteSerializer(serializers.Serializer[Any]):
    note = serializers.CharField()


class OperationSetsSecret(Sound):
    """Fault: an operation writes whatever the client sends beside its input."""

    policy = Policy.standard("resource_testapp.book", note="resource_testapp.change_book")

    @operation(verb="note", serializer_class=NoteSerializer)
    def note(self, book: Book, data: Any) -> None:
        pass

    def perform(self, operation: Any) -> Any:
        secret = self.body.pop("secret", None)
        answer = super().perform(operation)
        if secret is not None:
            Book.objects.filter(pk=self.kwargs["id"]).update(secret=secret)
        return answer


class Second(Sound):
    """Books in a second version, beside the first."""

    api_version = 2
    beside = (Sound,)


class SecondUnscoped(Unscoped):
    """Fault: the second version forgets the scope that the first keeps."""

    api_version = 2
    beside = (Sound,)
