"""Addresses below a parent: its rows only, none of a parent that one may not see, and no creation below another."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.urls import get_resolver

from platform_core.access import ANONYMOUS, Actor
from platform_core.registry.addresses import leaves
from platform_core.testing.actors import client_for, new_user
from platform_core.testing.contract.bodies import Body, new_body
from platform_core.testing.contract.subjects import ResourceSubject, persona, stage, undone
from platform_core.testing.contract.substitution import actor_towards, may_view, row_with, told

if TYPE_CHECKING:
    from platform_core.resource.nesting import Parent


@dataclass(frozen=True, slots=True)
class Nesting:
    """The mounted address of a resource below one of its parents, as it is written."""

    subject: ResourceSubject
    address: str
    parent: Parent

    def url(self, key: Any) -> str:
        """Return the address below the parent row ``key``."""
        return self.address.replace(f"<uuid:{self.parent.parameter}>", str(key))

    def parent_of(self, row: Any) -> Any:
        """Return the id of the parent of ``row``."""
        return getattr(row, row._meta.get_field(self.parent.field).attname)


def nestings_of(subject: ResourceSubject) -> list[Nesting]:
    """Return where ``subject`` is mounted below parents; AssertionError when that is not below all that it declares."""
    found = [
        Nesting(subject, address, view.initkwargs["parent"])
        for address, view in below_parents(subject)
        if not address.endswith("/bulk/create/")
    ]
    if len(found) != len(subject.resource.parents):
        raise AssertionError(f"{subject} declares parents below which it is not mounted.")
    return found


def below_parents(subject: ResourceSubject) -> Iterator[tuple[str, Any]]:
    """Yield each mounted address of ``subject`` below a parent, with its view."""
    if not subject.resource.parents:
        return
    for address, view in leaves(get_resolver().url_patterns):
        if getattr(view, "cls", None) is subject.resource and "parent" in view.initkwargs:
            yield address, view


def check_nested_addresses(subject: ResourceSubject) -> None:
    """Assert that below a parent there is what belongs to it, for who may see it, and that creations belong to it."""
    for nesting in nestings_of(subject):
        with stage() as grants:
            mine, theirs = (row_with(subject, nesting.parent.field) for _ in range(2))
            if None in (homes := {nesting.parent_of(mine), nesting.parent_of(theirs)}) or (
                len(homes) < 2
            ):
                raise AssertionError(
                    f"{subject}: two new rows have no two different {nesting.parent.field}, so nothing can be judged. "
                    f"Register a better factory for {subject.model._meta.label}."
                )
            holder = persona("holder", grants, subject)
            _check_list(nesting, holder, mine, theirs)
            _check_create(nesting, holder, mine, theirs)
            blind = actor_towards(subject, nesting.parent.resource.model, grants, mine)
            if not may_view(blind, getattr(mine, nesting.parent.field)):
                _check_alike(nesting, blind, mine, "who may not see the parent", 404)
            _check_alike(nesting, new_user(), mine, "who holds nothing")
            _check_alike(nesting, ANONYMOUS, mine, "anonymous", 401)


def _check_list(nesting: Nesting, holder: Actor, mine: Any, theirs: Any) -> None:
    if nesting.subject.action("list") is None:
        return
    answer = client_for(holder).get(f"{nesting.url(nesting.parent_of(mine))}?limit=200")
    listed = {one["id"] for one in answer.json()["data"]}
    if str(mine.pk) not in listed or str(theirs.pk) in listed:
        raise AssertionError(
            f"{nesting.subject}: the list below a parent in {nesting.address} lacks its row or shows one of another."
        )


def _check_create(nesting: Nesting, holder: Actor, mine: Any, theirs: Any) -> None:
    if nesting.subject.action("create") is None:
        return
    field, where = nesting.parent.field, nesting.url(nesting.parent_of(mine))
    fixed = {field: getattr(mine, field)}
    mine.delete()  # a parent may take one such row only, such as the loan that is still open
    body = new_body(nesting.subject, holder, **fixed)
    other = body | {field: str(nesting.parent_of(theirs))}
    without = {name: value for name, value in body.items() if name != field}
    for sent, wanted in ((other, 422), (without, 201)):
        for told_in, status, made in _creations(nesting, holder, where, sent):
            if status != wanted or (made is not None and made != nesting.parent_of(mine)):
                what = "names another parent" if wanted == 422 else "names no parent"
                raise AssertionError(
                    f"{nesting.subject}: {told_in} below a parent answers {status}, not {wanted}, to a body that "
                    f"{what}; the new row belongs to {made}."
                )


def _creations(
    nesting: Nesting, actor: Actor, where: str, body: Body
) -> Iterator[tuple[str, int, Any]]:
    """Create alone and in bulk; yield which, with what status, and to which parent the new row belongs."""
    client = client_for(actor)
    with undone():
        answer = client.post(where, body)
        yield "create", answer.status_code, _made(nesting, answer.status_code, answer.json())
    with undone():
        result = client.post(f"{where}bulk/create/", {"items": [body]}).json()["results"][0]
        yield "bulk create", result["status"], _made(nesting, result["status"], result.get("data"))


def _made(nesting: Nesting, status: int, row: Any) -> Any:
    if status != 201:
        return None
    return nesting.parent_of(nesting.subject.model._base_manager.get(pk=row["id"]))


def _check_alike(
    nesting: Nesting, actor: Actor, mine: Any, who: str, status: int | None = None
) -> None:
    """Assert that ``actor`` is refused below the parent of ``mine``, and by the same words below one that is not there.

    Without a ``status`` it is 403, and 404 for what the actor may do to some rows, such as those that are their own.
    """
    client = client_for(actor)
    for action in ("list", "create"):
        exposed = nesting.subject.action(action)
        if exposed is None:
            continue
        rule = nesting.subject.rule(exposed.permission)
        wanted = status or (404 if rule.may_hold(actor, nesting.subject.model) else 403)
        answers = []
        for key in (nesting.parent_of(mine), uuid.uuid4()):
            where = nesting.url(key)
            with undone():
                answers.append(
                    told(client.get(where) if action == "list" else client.post(where, {}))
                )
        if answers[0][0] != wanted or answers[0] != answers[1]:
            raise AssertionError(
                f"{nesting.subject}: {action} in {nesting.address} answers {answers[0]} to {who}, and {answers[1]} below "
                f"a parent that is not there; both have to be the same {wanted}."
            )
