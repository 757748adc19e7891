"""``Resource``: one class per thing that a plugin serves, with its reads; the writes are in ``writes``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import connections, transaction
from django.http import Http404, HttpResponse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.generics import GenericAPIView
from rest_framework.utils.urls import replace_query_param

from platform_core.access import Actor, Policy, acting_as, scope
from platform_core.resource import filters
from platform_core.resource.gate import refuse, require_flag
from platform_core.resource.history import HISTORY_KEYS, history_rows
from platform_core.resource.operations import STANDARD_ACTIONS, Operation, operations_of
from platform_core.resource.pagination import Keyset, limit_of
from platform_core.resource.reading import fetch, fetch_statement
from platform_core.resource.rendering import JSON, dumps
from platform_core.resource.representation import Plan, plan_of
from platform_core.resource.requests import actor_of, request_id_of
from platform_core.resource.statements import prepared_statement
from platform_core.resource.writes import Writes

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet
    from django.http import HttpRequest
    from rest_framework.request import Request

    from platform_core.resource.serializers import ModelSerializer

PERMISSION_ACTIONS: Mapping[str, str] = {
    "list": "view",
    "retrieve": "view",
    "history": "view",
    "create": "add",
    "update": "change",
    "partial_update": "change",
    "destroy": "delete",
    "restore": "restore",
}
"""Which action of the policy decides each action of a resource; an operation is decided by its own verb."""

COLLECTION_ACTIONS = frozenset({"list", "create"})
_SAFE = frozenset({"list", "retrieve", "history"})
_PAGE_PARAMETERS = filters.LIST_PARAMETERS | {filters.ORDERING}


class Resource(Writes, GenericAPIView):  # type: ignore[type-arg]
    """Serves the rows of ``model`` as JSON below ``/api/v1/<slug>/<name>/``.

    ``policy`` names the permission of each action. ``ordering`` is one non-null field of the model, with ``-`` for
    descending; ``ordering_fields`` are the ones a client may choose. ``filterset_fields`` maps paths to lookups,
    ``search_fields`` are text fields. ``actions`` may expose fewer than all. While ``flag`` is off, the answer is 404.
    """

    model: ClassVar[type[Model]]
    serializer_class: type[ModelSerializer]
    policy: ClassVar[Policy]
    name: ClassVar[str] = ""
    slug: str = ""
    actions: ClassVar[Sequence[str]] = tuple(sorted(STANDARD_ACTIONS))
    filterset_fields: ClassVar[Mapping[str, Sequence[str]]] = {}
    search_fields: ClassVar[Sequence[str]] = ()
    ordering: ClassVar[str] = ""
    ordering_fields: ClassVar[Sequence[str]] = ()
    flag: ClassVar[str | None] = None

    permission_classes = ()
    throttle_classes = ()
    lookup_url_kwarg = "id"

    request: Request
    actor: Actor
    action: str | None = None
    action_map: Mapping[str, str]

    @classmethod
    def as_route(cls, actions: Mapping[str, str], slug: str) -> Callable[..., Any]:
        """Return the view function that answers each HTTP method of ``actions`` by the action it maps to."""

        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            self = cls(slug=slug)
            self.action_map = actions
            return self.dispatch(request, *args, **kwargs)

        # Session authentication checks CSRF itself; a token in a header needs no check.
        found: Any = view
        found.csrf_exempt = True
        found.__name__ = cls.__name__
        found.__doc__ = cls.__doc__
        found.cls = cls
        found.initkwargs = {"slug": slug}
        found.actions = dict(actions)
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Authenticate, decide and answer; an error of any kind becomes a problem."""
        self.args, self.kwargs = args, kwargs
        self.headers = {}
        self.format_kwarg = None
        self.request = drf = self.initialize_request(request, *args, **kwargs)
        try:
            method = (request.method or "").lower()
            self.action = self.action_map.get("get" if method == "head" else method)
            if self.action is None:
                raise MethodNotAllowed(request.method or "")
            drf.accepted_renderer, drf.accepted_media_type = self.perform_content_negotiation(drf)
            self.actor = actor_of(drf)
            with acting_as(self.actor, request_id=request_id_of(request)):
                self.admit()
                response = self.answer()
        except Exception as error:  # the one place that turns any error into a problem
            response = self.handle_exception(error)
            if isinstance(error, MethodNotAllowed):
                response["Allow"] = ", ".join(sorted(one.upper() for one in self.action_map))
        response.headers["Vary"] = "Accept, Authorization, Cookie"
        return response

    def admit(self) -> None:
        """Refuse what is off, and whom no row could be open to.

        A signed-in actor without the permission still gets to the row of a detail route, where it is 404 or 403.
        """
        operation = self.operation
        require_flag(self.request, self.flag)
        if operation is not None:
            require_flag(self.request, operation.flag)
        if self.policy.may_some(self.actor, self.policy_action):
            return
        if not self.actor.is_authenticated or self.action in COLLECTION_ACTIONS:
            refuse(self.actor)

    def answer(self) -> HttpResponse:
        """Run the action; an unsafe one inside a transaction that any error undoes."""
        operation = self.operation
        if self.action in _SAFE:
            response: HttpResponse = getattr(self, str(self.action))()
            return response
        self.check_no_parameters()
        with transaction.atomic():
            if operation is not None:
                return self.perform(operation)
            done: HttpResponse = getattr(self, str(self.action))()
            return done

    @property
    def operation(self) -> Operation | None:
        """Return the operation that runs, or ``None`` for a standard action."""
        return (
            None if self.action in STANDARD_ACTIONS else _operations(type(self))[str(self.action)]
        )

    @property
    def policy_action(self) -> str:
        """Return the action of the policy that decides the one that runs."""
        return PERMISSION_ACTIONS.get(str(self.action), str(self.action))

    # Reads

    def get_queryset(self) -> QuerySet[Any]:
        """Return the live rows, before the actor's scope."""
        return self.model._default_manager.all()

    def visible(self) -> QuerySet[Any]:
        """Return the live rows that the actor may view."""
        return self.policy.scope(self.actor, self.get_queryset())

    def list(self) -> HttpResponse:
        """Answer one page of the rows that the actor may view."""
        query = self.request.GET
        cls = type(self)
        declared = filters_of(cls)
        keyset = _keyset(cls, self.ordering)
        if query:
            filters.check_parameters(query, _single_parameters(cls), declared)
            if filters.ORDERING in query:
                keyset = self.keyset_of(query[filters.ORDERING])
        if query.keys() <= _PAGE_PARAMETERS:
            found = self.prepared_page(keyset)
            if found is not None:
                return found
        queryset = self.visible_in_order(keyset)
        if query:
            if declared:
                queryset = filters.narrow(queryset, self.actor, declared, query)
            if filters.SEARCH in query:
                queryset = filters.search(queryset, self.search_fields, query[filters.SEARCH])
        return self.page(queryset, keyset)

    def prepared_page(self, keyset: Keyset) -> HttpResponse | None:
        """Answer one page by SQL that was compiled before, or return ``None`` where that cannot be done."""
        cls = type(self)
        plan = _plan(cls)
        if plan is None or not _is_plain(cls):
            return None
        limit = limit_of(self.request.GET.get("limit"))
        cursor = self.request.GET.get("cursor")
        prepared = _prepared(cls, keyset)
        tail = [] if cursor is None else keyset.parameters(cursor, connections[prepared.db])

        def build(actor: Actor) -> QuerySet[Any]:
            rows = self.policy.scope(actor, prepared)
            return rows if cursor is None else keyset.after(rows, cursor)

        key = (cls, keyset, cursor is None)
        statement = prepared_statement(self.actor, self.policy.permission("view"), key, build, tail)
        if statement is None:
            return None
        sql, params = statement
        loaded = fetch_statement(f"{sql} LIMIT {limit + 1:d}", params, using=prepared.db)
        return self.page_of(plan, loaded, limit, keyset)

    def visible_in_order(self, keyset: Keyset) -> QuerySet[Any]:
        """Return the rows that the actor may view, in the order of ``keyset``.

        Unless a hook is overridden, columns and order are those of a query that was prepared once per process.
        """
        cls = type(self)
        if _is_plain(cls):
            return self.policy.scope(self.actor, _prepared(cls, keyset))
        return _in_order(cls, self.visible(), keyset)

    def keyset_of(self, ordering: str) -> Keyset:
        """Return the order that a client asked for.

        Raises ``QueryRefused`` unless it is a declared one.
        """
        if ordering.removeprefix("-") not in _ordering_names(type(self)):
            raise filters.unknown_ordering()
        return _keyset(type(self), ordering)

    def page(self, queryset: QuerySet[Any], keyset: Keyset) -> HttpResponse:
        """Answer one page of ``queryset`` in the order of ``keyset``."""
        limit = limit_of(self.request.GET.get("limit"))
        cursor = self.request.GET.get("cursor")
        if cursor is not None:
            queryset = keyset.after(queryset, cursor)
        plan = _plan(type(self))
        if plan is None:
            found = list(queryset[: limit + 1])
            rows = self.represent(found[:limit])
            last = (
                [getattr(found[limit - 1], name) for name in keyset.fields] if found[limit:] else []
            )
        else:
            return self.page_of(plan, fetch(queryset[: limit + 1]), limit, keyset)
        return self.envelope(rows, keyset.encode(last) if last else None)

    def page_of(
        self, plan: Plan, loaded: Sequence[Sequence[Any]], limit: int, keyset: Keyset
    ) -> HttpResponse:
        """Answer the first ``limit`` of the ``loaded`` rows; one more tells that another page follows."""
        rows = plan.rows(loaded[:limit])
        if len(loaded) <= limit:
            return self.envelope(rows, None)
        names = plan.names_with(keyset.fields)
        last = loaded[limit - 1]
        return self.envelope(rows, keyset.encode([last[names.index(one)] for one in keyset.fields]))

    def envelope(self, rows: Sequence[Mapping[str, Any]], cursor: str | None) -> HttpResponse:
        """Answer ``rows`` as a page; ``cursor`` leads to the next."""
        following = None
        if cursor is not None:
            here = self.request.build_absolute_uri()
            following = replace_query_param(here, "cursor", cursor)
        response = self.respond({"data": rows, "next": following, "prev": None})
        if following is not None:
            response["Link"] = f'<{following}>; rel="next"'
        return response

    def retrieve(self) -> HttpResponse:
        """Answer one row that the actor may view."""
        self.check_no_parameters()
        cls = type(self)
        if cls.shown is not Resource.shown or not _is_plain(cls):
            return self.respond(self.shown(self.visible()))
        found = self.row_in_scope(self.policy.permission("view"), self.kwargs["id"])
        if found is None:
            raise Http404
        return self.respond(found)

    def history(self) -> HttpResponse:
        """Answer what happened to one row that the actor may view, newest first."""
        query = self.request.GET
        filters.check_parameters(query, filters.LIST_PARAMETERS, {})
        if not self.visible().filter(pk=self.kwargs["id"]).exists():
            raise Http404
        keyset = Keyset(self.model.history.model, HISTORY_KEYS, descending=True)  # type: ignore[attr-defined]
        limit = limit_of(query.get("limit"))
        rows = history_rows(
            self.get_serializer(), self.kwargs["id"], keyset, query.get("cursor"), limit + 1
        )
        cursor = keyset.encode([rows[limit - 1]["id"]]) if rows[limit:] else None
        return self.envelope(rows[:limit], cursor)

    def shown(self, queryset: QuerySet[Any]) -> Mapping[str, Any]:
        """Return the JSON object of the route's row in ``queryset``.

        Raises ``Http404`` when it is not there.
        """
        found = self.row(queryset, self.kwargs["id"])
        if found is None:
            raise Http404
        return found

    def row(self, queryset: QuerySet[Any], pk: Any) -> Mapping[str, Any] | None:
        """Return the JSON object of the row ``pk`` in ``queryset``, or ``None`` when it is not there."""
        queryset = queryset.filter(pk=pk).order_by()
        plan = _plan(type(self))
        if plan is None:
            instance = queryset.first()
            return None if instance is None else self.represent([instance])[0]
        rows = plan.rows(fetch(queryset.values_list(*plan.names_with(()))[:1]))
        return rows[0] if rows else None

    def row_in_scope(
        self, permission: str, pk: Any, *, deleted_too: bool = False
    ) -> Mapping[str, Any] | None:
        """Return the JSON object of the row ``pk`` if the actor has ``permission`` on it, else ``None``."""
        cls = type(self)
        plan = _plan(cls)
        rows = _rows(cls, deleted_too)
        if plan is None or cls.row is not Resource.row:
            return self.row(scope(self.actor, permission, rows), pk)
        names = plan.names_with(())
        key: Any = self.model._meta.pk
        statement = prepared_statement(
            self.actor,
            permission,
            (cls, deleted_too),
            lambda actor: scope(actor, permission, rows).filter(pk=pk).values_list(*names),
            [key.get_db_prep_value(pk, connections[rows.db])],
        )
        if statement is None:
            return self.row(scope(self.actor, permission, rows), pk)
        found = plan.rows(fetch_statement(*statement, using=rows.db))
        return found[0] if found else None

    def represent(self, instances: Sequence[Any]) -> Sequence[Mapping[str, Any]]:
        """Return the JSON objects of ``instances`` by the serializer: the road for computed fields."""
        serializer = self.get_serializer()
        return [serializer.to_representation(one) for one in instances]

    def get_serializer_context(self) -> dict[str, Any]:
        """Give serializers the request, the view and the actor."""
        return {"request": self.request, "view": self, "actor": getattr(self, "actor", None)}

    def respond(self, data: Any, status: int = 200) -> HttpResponse:
        """Answer ``data`` as JSON."""
        return HttpResponse(dumps(data), content_type=JSON, status=status)

    def check_no_parameters(self) -> None:
        """Refuse any query parameter; raises ``QueryRefused``."""
        if self.request.GET:
            filters.check_parameters(self.request.GET, frozenset(), {})


@cache
def _operations(resource: type[Resource]) -> Mapping[str, Operation]:
    return operations_of(resource)


@cache
def filters_of(resource: type[Resource]) -> Mapping[str, filters.Filter]:
    """Return the filters of a resource by query parameter; raises ``TypeError`` as ``build_filters``."""
    return filters.build_filters(resource.model, resource.filterset_fields)


@cache
def _single_parameters(resource: type[Resource]) -> frozenset[str]:
    search = {filters.SEARCH} if resource.search_fields else set()
    return filters.LIST_PARAMETERS | {filters.ORDERING} | search


@cache
def _ordering_names(resource: type[Resource]) -> frozenset[str]:
    return frozenset((*resource.ordering_fields, resource.ordering.removeprefix("-")))


@cache
def _keyset(resource: type[Resource], ordering: str) -> Keyset:
    name = ordering.removeprefix("-")
    fields = (name,) if name in ("id", "pk") else (name, "id")
    return Keyset(resource.model, fields, descending=ordering.startswith("-"))


@cache
def _rows(resource: type[Resource], deleted_too: bool) -> QuerySet[Any]:
    """Return the rows in no order, never evaluated: filters make copies of it."""
    manager = resource.model.all_objects if deleted_too else resource.model._default_manager  # type: ignore[attr-defined]
    found: QuerySet[Any] = manager.order_by()
    return found


@cache
def _is_plain(resource: type[Resource]) -> bool:
    """Tell whether neither the resource nor its policy has a way of its own to say which rows are seen."""
    return (
        resource.visible is Resource.visible
        and resource.get_queryset is Resource.get_queryset
        and type(resource.policy) is Policy
    )


def _in_order(resource: type[Resource], queryset: QuerySet[Any], keyset: Keyset) -> QuerySet[Any]:
    queryset = queryset.order_by(*keyset.order_by)
    plan = _plan(resource)
    return queryset if plan is None else queryset.values_list(*plan.names_with(keyset.fields))


@cache
def _prepared(resource: type[Resource], keyset: Keyset) -> QuerySet[Any]:
    """Return the live rows in order, never evaluated: filters make copies of it."""
    return _in_order(resource, resource.model._default_manager.all(), keyset)


@cache
def _plan(resource: type[Resource]) -> Plan | None:
    if resource.represent is not Resource.represent:
        return None
    return plan_of(resource.serializer_class())


def prepare(resource: type[Resource]) -> None:
    """Work out now what the first request of ``resource`` would, so that forked processes share it."""
    _operations(resource)
    filters_of(resource)
    _single_parameters(resource)
    _ordering_names(resource)
    keyset = _keyset(resource, resource.ordering)
    _plan(resource)
    if _is_plain(resource):
        _prepared(resource, keyset)
