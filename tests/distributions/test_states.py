"""States of identity, education and strangers' plugins that their dependencies allow: every two of them meet here."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.combinations import (
    STATES,
    STRANGERS,
    combinations,
    contract,
    expected_statuses,
    pairwise,
    run_python,
    statuses,
    use,
    write_migrations,
    write_strangers,
)
from tests.deployments import TestDeployment, new_deployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    with new_deployment(tmp_path / "site") as made:
        write_strangers(tmp_path / "wheels")
        made.path.append(tmp_path / "wheels")
        yield made


@pytest.mark.parametrize("states", pairwise(), ids=lambda states: "-".join(states.values()))
def test_a_combination_boots_and_migrates(
    deployment: TestDeployment, states: dict[str, str]
) -> None:
    write_migrations(deployment)
    use(deployment, states)

    migrated = deployment.call("migrate", "--json")
    checked = deployment.call("check", "--json")

    assert migrated.code == 0, migrated.out
    assert checked.code == 0, checked.out
    assert statuses(deployment) == expected_statuses(states)
    with psycopg.connect(deployment.database_url) as connection:
        tables = {
            row[0] for row in connection.execute("SELECT relname FROM pg_class WHERE relkind = 'r'")
        }
        ledger = dict(
            connection.execute("SELECT slug, state FROM platform_core_pluginrecord").fetchall()
        )
    present = {slug: state for slug, state in states.items() if state != "absent"}
    assert ("education_student" in tables) == ("education" in present)
    assert {slug for slug in STRANGERS if f"{slug}_thing" in tables} == present.keys() & STRANGERS
    assert ledger == present


def test_strangers_pass_the_contract_suite_beside_dormant_plugins(
    deployment: TestDeployment,
) -> None:
    write_migrations(deployment)
    states = {"identity": "enabled", "clubs": "enabled", "trips": "enabled", "notices": "dormant"}

    code, printed = contract(deployment, states, ["clubs", "trips"], examples=2)

    assert code == 0, printed
    assert " passed" in printed


def test_every_combination_is_allowed_once_and_the_pairwise_ones_meet_in_every_two_states() -> None:
    every = list(combinations())
    assert len({tuple(one.items()) for one in every}) == len(every) == 54
    met = {frozenset(pair) for one in pairwise() for pair in itertools.combinations(one.items(), 2)}
    assert {frozenset({("education", a), ("notices", b)}) for a in STATES for b in STATES} <= met
    assert frozenset({("clubs", "dormant"), ("trips", "enabled")}) not in met
    assert len(pairwise()) < len(every) / 4


@pytest.mark.parametrize(
    ("plugins", "dormant"),
    [(["education"], []), (["clubs"], ["identity"]), ([], ["identity", "education"])],
)
def test_a_combination_that_the_dependencies_forbid_is_refused(
    deployment: TestDeployment, plugins: list[str], dormant: list[str]
) -> None:
    deployment.write(plugins=plugins, dormant=dormant)

    answer = deployment.call("migrate", "--json")

    assert answer.code == 1
    assert {problem["code"] for problem in answer.problems} <= {
        "requirement_not_enabled",
        "user_model_dormant",
        "no_user_model",
    }


def test_a_dormant_plugins_rows_neither_block_a_deletion_nor_change(
    deployment: TestDeployment,
) -> None:
    write_migrations(deployment)
    assert deployment.call("migrate").code == 0
    unit, club = uuid.uuid4(), uuid.uuid4()
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute(
            "INSERT INTO identity_orgunit (id, name, kind, path, created_at, updated_at, version) "
            "VALUES (%s, 'North', '', %s, now(), now(), 1)",
            (unit, [unit]),
        )
        connection.execute(
            "INSERT INTO clubs_thing (id, name, part_of_id, created_at, updated_at, version) "
            "VALUES (%s, 'Chess', %s, now(), now(), 1)",
            (club, unit),
        )
    delete = (
        "import sys\nfrom platform_core.cli.boot import boot\nboot()\n"
        "from platform_identity.models import OrgUnit\nOrgUnit.objects.get(pk=sys.argv[1]).delete()"
    )
    deployment.write(plugins=["identity"], dormant=["clubs"])

    run_python(deployment, delete, str(unit))

    with psycopg.connect(deployment.database_url) as connection:
        row = connection.execute("SELECT part_of_id, version FROM clubs_thing").fetchone()
        gone = connection.execute("SELECT deleted_at FROM identity_orgunit").fetchone()
    assert row == (unit, 1)
    assert gone is not None
    assert gone[0] is not None
