"""A short run of schemathesis over everything that is described; ``make drill`` runs the long one."""

from __future__ import annotations

from typing import Any

import pytest

from platform_education.resources import AcademicYearResource
from tests.access.operations import document
from tests.access.serving import served
from tests.access.test_table import NOBODY_REACHES
from tests.fuzzing.fuzz import described_operations, fuzz
from tests.fuzzing.planted import FAULTS, chosen_for, with_fault

AUTH = "/api/v1/identity/auth/{client}/v1/auth"
ONCE_SIGNED_IN = {f"POST {AUTH}/login", f"POST {AUTH}/signup"}
"""Nobody who is signed in signs in or up."""
ONLY_WHO_STARTED_IT = {"GET /api/v1/operations/{operation_id}/file/"}
NEVER = {
    operation.replace(" ", f" /api/v1/{slug}/")
    for slug, operation in NOBODY_REACHES
    if slug != "core"
}
SURELY_FOUND = [name for name, (_resource, phase, _check) in FAULTS.items() if phase != "stateful"]
"""Sequences depend on the ids of new rows; the drill makes enough of them to find their fault."""
A_FEW = ("/identity/me/", "/education/terms/", "/education/course-enrollments/{id}/withdraw/")
"""Operations of each kind, which the long phases of the short run ask."""


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document()


@pytest.mark.django_db
def test_every_operation_is_reached_and_answers_as_described(described: dict[str, Any]) -> None:
    outcome = fuzz(described, "admin", examples=1, phases=("examples",))

    assert not outcome.faults, "\n".join(outcome.faults.values())
    missed = set(described_operations(described)) - outcome.reached()
    assert missed == NEVER | ONCE_SIGNED_IN | ONLY_WHO_STARTED_IT


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("persona", "part", "reached"),
    [
        ("anonymous", "/identity/", ONCE_SIGNED_IN),
        ("owner", "/operations/{operation_id}/file/", ONLY_WHO_STARTED_IT),
    ],
)
def test_what_an_administrator_does_not_reach_somebody_else_does(
    described: dict[str, Any], persona: str, part: str, reached: set[str]
) -> None:
    outcome = fuzz(
        described, persona, examples=1, phases=("examples",), chosen=lambda path: part in path
    )

    assert not outcome.faults, "\n".join(outcome.faults.values())
    assert outcome.reached() >= reached


@pytest.mark.django_db
def test_made_up_requests_are_answered_as_described(described: dict[str, Any]) -> None:
    outcome = fuzz(
        described,
        "admin",
        examples=2,
        phases=("coverage", "fuzzing"),
        chosen=lambda path: path.endswith(A_FEW),
    )

    assert not outcome.faults, "\n".join(outcome.faults.values())
    assert outcome.requests > 100


@pytest.mark.django_db
@pytest.mark.parametrize("fault", SURELY_FOUND)
def test_a_fault_is_found(fault: str) -> None:
    resource, phase, check = FAULTS[fault]
    with with_fault(resource) as faulty:
        outcome = fuzz(faulty, "admin", examples=16, phases=(phase,), chosen=chosen_for(phase))
    assert check in {name for _operation, name in outcome.faults}, outcome.faults


@pytest.mark.django_db
def test_what_has_no_fault_is_found_to_have_none() -> None:
    with served(AcademicYearResource) as sound:
        outcome = fuzz(
            sound, "admin", examples=16, phases=("stateful",), chosen=chosen_for("stateful")
        )
    assert not outcome.faults, "\n".join(outcome.faults.values())
