"""``Resource``: one class per thing that a plugin serves; its reads are in ``reads``, its writes in ``writes``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import transaction
from django.http import HttpResponse
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.generics import GenericAPIView

from platform_core.access import Actor, FieldAccess, Policy, acting_as
from platform_core.api_versions import FIRST
from platform_core.audit.actions import running
from platform_core.resource import deprecation, filters
from platform_core.resource.bulk import BULK_PREFIX, perform_bulk
from platform_core.resource.declared import label_of
from platform_core.resource.deprecation import Deprecated, declared_of
from platform_core.resource.dry_run import DRY_RUN, DRY_RUN_HEADER, undo, wants_dry_run
from platform_core.resource.exports import Exports
from platform_core.resource.field_access import FieldGate
from platform_core.resource.flags import require_flag
from platform_core.resource.gate import refuse
from platform_core.resource.idempotency import claim, key_of
from platform_core.resource.imports import IMPORT_PARAMETERS, LEFT_TO_A_WORKER, Imports
from platform_core.resource.operations import STANDARD_ACTIONS, Operation, operations_of
from platform_core.resource.rate_limits import (
    RateLimit,
    Standing,
    charge_items,
    limit_of_action,
    recognise,
    tell,
)
from platform_core.resource.reads import Reads
from platform_core.resource.replays import as_readable_now
from platform_core.resource.requests import request_id_of
from platform_core.resource.trail import Trail, record_read, record_refusal
from platform_core.resource.writes import Writes

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model
    from django.http import HttpRequest
    from rest_framework.request import Request

    from platform_core.operations import RunningOperation
    from platform_core.resource.nesting import Parent
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
    "diff": "view",
    "revert": "change",
    "export": "export",
    "import": "import",
}
"""Which action of the policy decides each action of a resource; an operation is decided by its own verb."""

COLLECTION_ACTIONS = frozenset({"list", "create", "export", "import"})
_SAFE = frozenset({"list", "retrieve", "history", "diff", "export"})
_DRY_RUN_ONLY = frozenset({DRY_RUN})


def allowed_methods(actions: Mapping[str, str]) -> str:
    """Return what ``Allow`` says of an address with ``actions``."""
    own = {one.upper() for one in actions}
    return ", ".join(sorted({*own, "OPTIONS", *({"HEAD"} if "GET" in own else ())}))


def plain_action(action: str) -> str:
    """Return the action that a mounted one is: a bulk call runs the same one for each item."""
    return action.removeprefix(BULK_PREFIX)


def decided_as(action: str) -> str:
    """Return the action of a policy that decides a mounted one."""
    plain = plain_action(action)
    return PERMISSION_ACTIONS.get(plain, plain)


class Resource(Reads, Writes, Exports, Imports, GenericAPIView):  # type: ignore[type-arg]
    """Serves the rows of ``model`` as JSON below ``/api/v1/<slug>/<name>/``, or that of another ``api_version``.

    ``policy`` names the permission of each action. ``ordering`` names columns of the model, separated by commas, each
    with ``-`` for descending; ``ordering_fields`` are those that a client may choose too. ``filterset_fields`` maps
    paths to lookups, ``search_fields`` are text fields. ``actions`` may expose fewer than all. ``requires_match`` lets
    nobody change a row without saying by ``If-Match`` which state they have seen. ``limits`` says for actions how often
    one may call them (``{"create": "20/hour"}``), each item of a bulk call being one, beside the deployment's general
    limits. A policy with ``export`` lets the list be taken as a file, one with ``import`` lets a file be written to it,
    where ``import_keys`` are the fields beside ``id`` that find the row to change. ``field_rules`` says by
    ``FieldAccess`` who may see and set single fields. Of reads, exports and ``audited_reads`` leave an event in the audit
    trail; what changes something always does. While ``flag`` is off, the answer is 404.
    ``deprecated``, ``deprecated_actions``, ``deprecated_parameters`` and ``deprecated_fields`` say by ``Deprecated``
    what is going away. ``parents`` maps names of other resources of the plugin to the field that refers to their rows:
    then ``<parent>/<id>/<name>/`` lists and creates below one of them.
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
    requires_match: ClassVar[bool] = False
    limits: ClassVar[Mapping[str, str]] = {}
    import_keys: ClassVar[Sequence[str]] = ()
    parents: ClassVar[Mapping[str, str]] = {}
    api_version: ClassVar[int] = FIRST
    deprecated: ClassVar[Deprecated | None] = None
    deprecated_actions: ClassVar[Mapping[str, Deprecated]] = {}
    deprecated_parameters: ClassVar[Mapping[str, Deprecated]] = {}
    deprecated_fields: ClassVar[Mapping[str, Deprecated]] = {}
    field_rules: ClassVar[Mapping[str, FieldAccess]] = {}
    audited_reads: ClassVar[Collection[str]] = ()

    permission_classes = ()
    throttle_classes = ()
    lookup_url_kwarg = "id"
    id_converter: ClassVar[str] = "uuid"
    """What ids of ``model`` are in a URL: ``uuid``, or ``int`` for the core's numbered records."""

    request: Request
    actor: Actor
    action: str | None = None
    is_bulk: bool = False
    parent: Parent | None = None
    parent_id: UUID | int | None = None
    trail: Trail | None = None
    is_trial: bool = False
    """Whether everything will be rolled back: a dry run."""
    running: RunningOperation | None = None
    """The operation that a worker runs this for, to tell it how far it is; ``None`` inside a request."""
    audit_details: Mapping[str, Any] = MappingProxyType({})
    """Facts about what was done to the row, for its event in the audit trail; nothing personal."""
    standings: Sequence[Standing] = ()
    action_map: Mapping[str, str]

    @classmethod
    def as_route(
        cls, actions: Mapping[str, str], slug: str, parent: Parent | None = None
    ) -> Callable[..., Any]:
        """Return the view function that answers each HTTP method of ``actions`` by the action it maps to."""
        given: dict[str, Any] = (
            {"slug": slug} if parent is None else {"slug": slug, "parent": parent}
        )

        def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            self = cls(**given)
            self.action_map = actions
            return self.dispatch(request, *args, **kwargs)

        # Session authentication checks CSRF itself; a token in a header needs no check.
        found: Any = view
        found.csrf_exempt = True
        found.__name__ = cls.__name__
        found.__doc__ = cls.__doc__
        found.cls = cls
        found.initkwargs = given
        found.actions = dict(actions)
        return view

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Authenticate, decide and answer; an error of any kind becomes a problem."""
        self.args, self.kwargs = args, kwargs
        self.headers = {}
        self.format_kwarg = None
        self.request = self.initialize_request(request, *args, **kwargs)
        self.standings = ()
        self.action = None
        try:
            method = (request.method or "").lower()
            response = self.tell_methods() if method == "options" else self.act(method)
        except Exception as error:  # the one place that turns any error into a problem
            response = self.handle_exception(error)
            self.standings = getattr(error, "standings", self.standings)
            if self.leaves_trail:
                record_refusal(self, response, self.trail)
            if isinstance(error, MethodNotAllowed):
                response["Allow"] = allowed_methods(self.action_map)
        tell(response, self.standings)
        if declared_of(type(self)):
            deprecation.tell(self, response)
        response.headers["Vary"] = "Accept, Authorization, Cookie"
        return response

    def act(self, method: str) -> HttpResponse:
        """Find the action that answers ``method``, decide it and run it."""
        drf, request = self.request, self.request._request
        self.action = self.action_map.get("get" if method == "head" else method)
        if self.action is None:
            raise MethodNotAllowed(method.upper())
        self.is_bulk = self.action.startswith(BULK_PREFIX)
        self.action = plain_action(self.action)
        self.if_match = request.META.get("HTTP_IF_MATCH")
        # A file is chosen by its format; what goes wrong with it is told in JSON, whatever the client takes.
        drf.accepted_renderer, drf.accepted_media_type = self.perform_content_negotiation(
            drf, force=self.action == "export"
        )
        self.actor, self.standings = recognise(drf, self.own_limit())
        with acting_as(self.actor, request_id=request_id_of(request)):
            self.admit()
            if self.parent is not None:
                self.parent_id = self.parent.enter(self)
            return self.answer()

    def tell_methods(self) -> HttpResponse:
        """Answer ``OPTIONS``: what the address can do for somebody; no row is looked at, so none is told of."""
        self.actor, self.standings = recognise(self.request)
        require_flag(self.request, self.flag)
        require_flag(self.request, None if self.parent is None else self.parent.resource.flag)
        for action in self.action_map.values():
            operation = operations_of(type(self)).get(plain_action(action))
            require_flag(self.request, operation.flag if operation else None)
        return HttpResponse(status=204, headers={"Allow": allowed_methods(self.action_map)})

    def own_limit(self) -> RateLimit | None:
        """Return the limit that the resource sets for the action that runs, if it sets one."""
        text = self.limits.get(str(self.action))
        if text is None:
            return None
        return limit_of_action(f"{label_of(self.slug, type(self))}.{self.action}", text)

    def charge_items(self, items: int) -> None:
        """Count a bulk call's items against the limit that the resource sets for the action."""
        own = self.own_limit()
        found = charge_items(self.request._request, self.actor, own, items)
        known = [one for one in self.standings if own is None or one.limit != own]
        self.standings = [*known, *found]

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
        of_a_row = self.action not in COLLECTION_ACTIONS and not self.is_bulk
        if not self.actor.is_authenticated or not of_a_row:
            refuse(self.actor)

    def answer(self) -> HttpResponse:
        """Run the action; an unsafe one inside a transaction that any error undoes."""
        response: HttpResponse
        if self.action in _SAFE:
            response = getattr(self, str(self.action))()
            if self.action in self.audited_reads:
                record_read(self)
            return response
        is_import = self.action == "import"
        known = _DRY_RUN_ONLY | IMPORT_PARAMETERS if is_import else _DRY_RUN_ONLY
        filters.check_parameters(self.request.GET, known, {})
        if is_import:
            self.receive()
        if wants_dry_run(self.request.GET):
            return self.try_out()
        return self.once(self.change_and_tell)

    def try_out(self) -> HttpResponse:
        """Run the unsafe action and undo it; a file that is too long for that is tried by an operation."""
        key_of(self.request._request)  # a trial uses up no key, and refuses what is none
        self.is_trial = True
        try:
            with transaction.atomic():
                response = self.change()
                undo()
        except LEFT_TO_A_WORKER:
            if self.action != "import":  # what reads files otherwise has no operation for long ones
                raise
            response = self.once(self.import_later)
        response[DRY_RUN_HEADER] = "true"
        return response

    def once(self, work: Callable[[], HttpResponse]) -> HttpResponse:
        """Do ``work`` in a transaction that any error undoes, or answer what was answered to the same key before."""
        sent = self.received if self.action == "import" else None
        with transaction.atomic():
            held = claim(self.request._request, self.actor, sent)
            if held is None:
                return work()
            earlier = held.earlier_answer()
            if earlier is not None:
                return as_readable_now(self, earlier)
            response = work()
            held.keep(self.as_kept(response))
            return response

    def as_kept(self, response: HttpResponse) -> HttpResponse:
        """Return what a repeated call is answered; override to leave out what must not be kept."""
        return response

    def change_and_tell(self) -> HttpResponse:
        """Run the unsafe action and write the audit trail of it, in the same transaction."""
        self.trail = Trail(self)
        with running(self.trail):
            response = self.change()
        self.trail.write()
        return response

    @property
    def leaves_trail(self) -> bool:
        """Tell whether the action that runs belongs into the audit trail."""
        if self.action is None:
            return False
        return self.action not in _SAFE or self.action in {"export", *self.audited_reads}

    def change(self) -> HttpResponse:
        """Run the unsafe action, once or for each row of a bulk call."""
        if self.is_bulk:
            return perform_bulk(self)
        if self.action == "import":
            return self.import_rows()
        self.body = self.request.data
        return self.change_one()

    def change_one(self) -> HttpResponse:
        """Run the unsafe action with ``body`` on the row that ``kwargs`` names, if it is about one."""
        if self.parent is not None and self.parent_id is not None:
            self.body = self.parent.bind(self.body, self.parent_id)
        operation = self.operation
        self.audit_details = {}
        done: HttpResponse
        done = self.perform(operation) if operation else getattr(self, str(self.action))()
        if self.trail is not None and done.status_code != HTTPStatus.ACCEPTED:
            target = self.kwargs.get("id") or self.created_id
            self.trail.done(target, **self.audit_details)
        return done

    @property
    def operation(self) -> Operation | None:
        """Return the operation that runs, or ``None`` for a standard action."""
        if self.action in PERMISSION_ACTIONS:
            return None
        return operations_of(type(self))[str(self.action)]

    @property
    def policy_action(self) -> str:
        """Return the action of the policy that decides the one that runs."""
        return decided_as(str(self.action))

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return the serializer, which takes only what the actor may set."""
        serializer: Any = super().get_serializer(*args, **kwargs)
        if self.field_rules:
            instance = getattr(serializer, "instance", None)
            serializer.keep_to(FieldGate(self.accessible, self.actor, instance))
        return serializer

    def get_serializer_context(self) -> dict[str, Any]:
        """Give serializers the request, the view and the actor."""
        return {"request": self.request, "view": self, "actor": getattr(self, "actor", None)}

    @classmethod
    def acting_for(cls, other: Resource, slug: str) -> Resource:
        """Return the resource as the request and actor of ``other`` see it, to read related rows."""
        found = cls(slug=slug)
        found.request, found.actor, found.action = other.request, other.actor, "retrieve"
        found.args, found.kwargs, found.format_kwarg = (), {}, None
        return found
