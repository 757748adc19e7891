"""What a resource answers and records: representation, query counts, history, refusals of what it does not know."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from platform_core.models import BaseModel
from platform_core.testing.actors import client_for
from platform_core.testing.contract.bodies import new_body, serializer_for, shown
from platform_core.testing.contract.subjects import ResourceSubject, persona, stage, undone
from platform_core.testing.factories import make, make_many

FEW, MANY = 10, 1_000
PAGE = "?limit=200"


def check_query_count(subject: ResourceSubject) -> None:
    """Assert that a list asks the database as often for a thousand rows as for ten."""
    if subject.action("list") is None:
        return
    with stage() as grants:
        client = client_for(persona("holder", grants, subject))
        make_many(subject.model, FEW)
        client.get(subject.url)
        # The small page stays small when the table holds rows already.
        few = _queries(client, f"{subject.url}?limit={FEW}", at_least=FEW)
        make_many(subject.model, MANY - FEW)
        many = _queries(client, f"{subject.url}{PAGE}", at_least=200)
    if len(many) != len(few):
        raise AssertionError(
            f"{subject}: a list of {MANY} rows takes {len(many)} queries, one of {FEW} takes "
            f"{len(few)}. The last: {many[-1]}"
        )


def _queries(client: Any, url: str, *, at_least: int) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        response = client.get(url)
    rows = len(response.json()["data"])
    if rows < at_least:
        raise AssertionError(f"{url} shows {rows} rows where {at_least} were expected.")
    return [query["sql"] for query in captured.captured_queries]


def check_representation(subject: ResourceSubject) -> None:
    """Assert that list and retrieve show exactly what the serializer says, and no secret."""
    with stage() as grants:
        actor = persona("holder", grants, subject)
        _check_no_secret(subject, serializer_for(subject, actor).fields)
        client = client_for(actor)
        rows = [make(subject.model), *make_many(subject.model, 2)]
        expected = {str(row.pk): shown(subject, actor, row) for row in rows}
        found: dict[str, Any] = {}
        if subject.action("list"):
            found = {one["id"]: one for one in client.get(f"{subject.url}{PAGE}").json()["data"]}
        for pk, wanted in expected.items():
            if subject.action("list"):
                _require_equal(subject, "list", found.get(pk), wanted)
            if subject.action("retrieve"):
                one = client.get(f"{subject.url}{pk}/").json()
                _require_equal(subject, "retrieve", one, wanted)


def _require_equal(subject: ResourceSubject, action: str, found: Any, wanted: Any) -> None:
    if found != wanted:
        raise AssertionError(f"{subject}: {action} shows {found}, its serializer {wanted}.")


def _check_no_secret(subject: ResourceSubject, fields: Any) -> None:
    for name, field in fields.items():
        if field.write_only:
            continue
        source = str(field.source).split(".")[-1]
        column = {one.name: one for one in subject.model._meta.concrete_fields}.get(source)
        if source == "password" or getattr(column, "encrypted", False):
            raise AssertionError(f"{subject} shows the secret {name}; make it write-only.")


def check_history(subject: ResourceSubject) -> None:
    """Assert that each write through the API leaves one row of history, with its author and request."""
    if not issubclass(subject.model, BaseModel) or not subject.model.keeps_history:
        return
    with stage() as grants:
        actor = persona("holder", grants, subject)
        pk = _create(subject, actor)
        for write in (_change, _delete, _restore):
            before = subject.model.history.filter(id=pk).count()
            written = write(subject, actor, pk)
            _require_history(subject, actor, pk, before, written)


def _create(subject: ResourceSubject, actor: Any) -> Any:
    action = subject.action("create")
    if action is None:
        return make(subject.model).pk
    response = subject.ask(actor, action, None, new_body(subject, actor))
    if response.status_code != 201:
        raise AssertionError(
            f"{subject}: create answers {response.status_code} to a body made from a row that is "
            f"valid: {response.content.decode()}"
        )
    pk = response.json()["id"]
    _require_history(subject, actor, pk, 0, "create")
    return pk


def _change(subject: ResourceSubject, actor: Any, pk: Any) -> str:
    """Change the first field that can be changed alone; return the name of the action, or nothing."""
    action = subject.action("partial_update")
    if action is None:
        return ""
    row = subject.model.all_objects.get(pk=pk)
    others = new_body(subject, actor)
    fields = serializer_for(subject, actor).fields
    plain = [name for name in others if not hasattr(fields[name], "queryset") and others[name]]
    for name in plain:
        with undone():
            status = subject.ask(actor, action, row, {name: others[name]}).status_code
        if status == 200:
            subject.ask(actor, action, row, {name: others[name]})
            return "partial_update"
    return ""


def _delete(subject: ResourceSubject, actor: Any, pk: Any) -> str:
    return _send(subject, actor, pk, "destroy", 204)


def _restore(subject: ResourceSubject, actor: Any, pk: Any) -> str:
    row = subject.model.all_objects.get(pk=pk)
    return _send(subject, actor, pk, "restore", 200) if row.deleted_at else ""


def _send(subject: ResourceSubject, actor: Any, pk: Any, name: str, wanted: int) -> str:
    action = subject.action(name)
    if action is None:
        return ""
    row = subject.model.all_objects.get(pk=pk)
    response = subject.ask(actor, action, row, None)
    if response.status_code != wanted:
        raise AssertionError(
            f"{subject}: {name} answers {response.status_code}, not {wanted}, on a row that nothing "
            f"refers to: {response.content.decode()}"
        )
    return name


def _require_history(
    subject: ResourceSubject, actor: Any, pk: Any, before: int, written: str
) -> None:
    entries = subject.model.history.filter(id=pk).order_by("-history_id")
    wanted = before + (1 if written else 0)
    if entries.count() != wanted:
        raise AssertionError(
            f"{subject}: {written or 'nothing'} left {entries.count() - before} rows of history."
        )
    if written and (entries[0].actor_id != actor.id or not entries[0].request_id):
        raise AssertionError(f"{subject}: the history of {written} does not say who and where.")


def check_unknown_refused(subject: ResourceSubject) -> None:
    """Assert that a field or parameter that nobody declared is refused by name, and nothing happens."""
    with stage() as grants:
        actor = persona("holder", grants, subject)
        client = client_for(actor)
        if subject.action("list"):
            response = client.get(f"{subject.url}?no_such_parameter=1")
            _require_refusal(subject, "a parameter", response, "no_such_parameter")
        action = subject.action("create")
        if action is not None:
            body = {**new_body(subject, actor), "no_such_field": 1}
            with undone():
                response = subject.ask(actor, action, None, body)
            _require_refusal(subject, "a field", response, "no_such_field")


def _require_refusal(subject: ResourceSubject, what: str, response: Any, name: str) -> None:
    if response.status_code != 422 or name not in response.content.decode():
        raise AssertionError(
            f"{subject}: {what} that does not exist is answered by {response.status_code}, "
            "not by 422 with its name."
        )
