"""Asks every operation of a group as every persona, and tells what each was answered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from platform_core.models import AuditEvent, AuditPayload
from platform_core.resource.bulk import BULK_PREFIX
from platform_core.testing.contract.subjects import undone
from tests.access.operations import Operation
from tests.access.requests import Request, request_for
from tests.access.tables import PERSONAS, Line
from tests.access.world import World, new_world

Answers = dict[str, dict[str, str]]
"""What each persona was answered, by operation."""

REFUSED = ("401", "403", "404")


def answers_of(operations: Sequence[Operation], world: World) -> Answers:
    """Return what each persona is answered by each of ``operations``; whatever is written is undone."""
    found: Answers = {}
    for operation in operations:
        with undone():
            request = request_for(operation, world)
            found[str(operation)] = {
                persona: _asked(operation, request, persona, world) for persona in PERSONAS
            }
    return found


def _asked(operation: Operation, request: Request, persona: str, world: World) -> str:
    with undone():
        before = _state(request)
        response = request.send(world.headers[persona], persona)
        told = answer_told(operation, request, response)
        if (told in REFUSED or told[-3:] in REFUSED) and _state(request) != before:
            raise AssertionError(f"{operation} answers {told} to {persona}, yet wrote.")
        return told


def answer_told(operation: Operation, request: Request, response: Any) -> str:
    """Return an answer as tables write it."""
    told = str(response.status_code)
    if response.status_code != 200:
        return told
    if operation.action == "list":
        listed = [str(one["id"]) for one in response.json()["data"]]
        return told if str(request.row.pk) in listed else f"{told}-"  # type: ignore[union-attr]
    if operation.action == "export":
        return told if str(request.row.pk).encode() in response.getvalue() else f"{told}-"  # type: ignore[union-attr]
    if operation.action == "import":
        result = response.json()["results"][0]
        return f"{told}:{result['problem']['status']}" if "problem" in result else told
    if operation.action.startswith(BULK_PREFIX):
        status = response.json()["results"][0]["status"]
        return told if status < 300 else f"{told}:{status}"
    return told


def _state(request: Request) -> Any:
    if request.row is None:
        return None
    rows = type(request.row)._base_manager.all()
    if isinstance(request.row, (AuditEvent, AuditPayload)):  # of which every refusal adds one
        rows = rows.filter(pk=request.row.pk)
    return rows.filter(pk=request.row.pk).values().first(), rows.count()


def check_answers(lines: Sequence[Line], operations: Sequence[Operation]) -> None:
    """Assert that each persona is answered as ``lines`` say; raises with every cell that is not."""
    wanted = {str(line): line.answers for line in lines}
    with new_world() as world:
        found = answers_of([one for one in operations if str(one) in wanted], world)
    faults = [
        f"{operation} answers {found[operation][persona]} to {persona}, not {answer}."
        for operation, answers in wanted.items()
        if operation in found
        for persona, answer in answers.items()
        if found[operation][persona] != answer
    ]
    assert not faults, "\n".join(faults)
