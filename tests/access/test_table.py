"""Every operation answers every persona as its line in the access tables says."""

from __future__ import annotations

from functools import cache

import pytest

from platform_core.testing.contract.subjects import undone
from tests.access.asking import check_answers
from tests.access.operations import (
    Operation,
    document,
    mounted_operations,
    undescribed_addresses,
)
from tests.access.requests import Request
from tests.access.tables import Line, check_coverage, read_tables
from tests.access.world import new_world

LINES = read_tables()
GROUPS = sorted({(line.slug, line.group) for line in LINES})

NOBODY_REACHES = {
    ("core", "GET /metrics"),
    ("identity", "POST auth/{client}/v1/auth/password/reset"),
    ("identity", "DELETE auth/{client}/v1/auth/session"),
    ("identity", "POST auth/{client}/v1/account/password/change"),
}
"""What is done without a 2xx: sign-in answers 401 once nobody is signed in, and metrics are for this machine."""


@cache
def operations() -> list[Operation]:
    return mounted_operations(document())


def test_every_operation_has_a_line_and_every_line_an_operation() -> None:
    check_coverage(LINES, operations())


@pytest.mark.parametrize(("slug", "group"), GROUPS)
@pytest.mark.django_db
def test_each_persona_is_answered_as_the_table_says(slug: str, group: str) -> None:
    def is_asked(one: Line | Operation) -> bool:
        return (one.slug, one.group) == (slug, group)

    check_answers(list(filter(is_asked, LINES)), list(filter(is_asked, operations())))


def test_somebody_is_let_in_to_every_operation() -> None:
    closed = {
        (line.slug, str(line))
        for line in LINES
        if not any(answer in ("200", "201", "202", "204") for answer in line.answers.values())
    }
    assert closed == NOBODY_REACHES


@pytest.mark.django_db
def test_what_is_mounted_and_not_described_does_not_exist() -> None:
    found = undescribed_addresses(document())
    with new_world() as world:
        open_to = {
            (method, address): answer.status_code
            for address in found
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
            for persona in ("anonymous", "admin")
            for answer in [_ask(method, address, world.headers[persona])]
            if answer.status_code != 404
        }
    assert not open_to, f"Describe these or close them: {open_to}"


def _ask(method: str, address: str, headers: dict[str, str]) -> object:
    with undone():
        return Request(method, address, {}).send(headers)
