"""A throw-away deployment: its own PostgreSQL, 100,000 students, and somebody who may see half of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from platform_core.services import EmbeddedPostgres
from tests.benchmarks.measuring import UNLIMITED

STUDENTS = 100_000
DISTRICTS = 2
SCHOOLS = 20
_SERVER_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


@dataclass(frozen=True, slots=True)
class Subject:
    """Who asks, and about what; ``token`` sees half of the students, ``everywhere`` all of them."""

    token: str
    everywhere: str
    school_id: UUID
    student_id: UUID


@contextmanager
def benchmark_deployment(students: int = STUDENTS) -> Iterator[Subject]:
    """Boot a deployment in a temporary folder with data in it, and take it away afterwards.

    Django can be set up once in a process, so this can be entered once.
    """
    folder = Path(tempfile.mkdtemp(prefix="platform-bench-"))
    server = EmbeddedPostgres(folder / "postgres", settings=_SERVER_SETTINGS)
    try:
        os.environ.update(
            DATABASE_URL=server.start().url(),
            DJANGO_SETTINGS_MODULE="config.settings.dev",
            PLATFORM_DATA_DIR=str(folder / "data"),
            PLATFORM_PLUGINS="identity,education",
            PLATFORM_RATE_LIMIT_SIGNED_IN=UNLIMITED,
            PLUGIN_IDENTITY_ACCESS_TTL="3600",  # a run on a busy machine outlasts a usual token
        )
        import django

        django.setup()
        yield _populated(students)
        from django.db import connection

        connection.close_pool()  # type: ignore[attr-defined]
    finally:
        server.stop(mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)


def _populated(students: int) -> Subject:
    from django.core.management import call_command
    from django.db import connection, transaction

    call_command("migrate", verbosity=0)
    with transaction.atomic():
        token, everywhere, school_id = _people()
        with connection.cursor() as cursor:
            cursor.execute(_INSERT_STUDENTS, [students])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(
            "SELECT id FROM education_student WHERE school_id = %s ORDER BY id LIMIT 1", [school_id]
        )
        student_id = cursor.fetchone()[0]
    connection.close()
    return Subject(token, everywhere, school_id, student_id)


def _people() -> tuple[str, str, UUID]:
    """Make units, schools, a registrar of the first district and one of all; return a token of each and a school there."""
    from django.utils import timezone

    from platform_education.models import School
    from platform_identity.models import LoginSession, Role, RoleAssignment
    from platform_identity.services.sessions import start_session
    from platform_identity.services.tokens import issue_access_token
    from platform_identity.services.units import create_unit
    from platform_identity.services.users import create_user

    root = create_unit(name="Authority", kind="authority")
    districts = [
        create_unit(name=f"District {number}", kind="district", parent=root)
        for number in range(DISTRICTS)
    ]
    schools = [
        School.objects.create(
            name=f"School {number}",
            unit=create_unit(
                name=f"School {number}", kind="school", parent=districts[number % DISTRICTS]
            ),
        )
        for number in range(SCHOOLS)
    ]

    def token_of(name: str, **scope: Any) -> str:
        user = create_user(email=f"{name}@example.org", display_name="Registrar")
        role = Role.objects.get(name="education.registrar")
        RoleAssignment.objects.create(user=user, role=role, starts_at=timezone.now(), **scope)
        session = start_session(user=user, kind=LoginSession.Kind.APP)
        return issue_access_token(user_id=user.pk, session_id=session.pk)

    kinds = RoleAssignment.Scope
    registrar = token_of("registrar", scope=kinds.UNIT, unit=districts[0])
    return registrar, token_of("chief", scope=kinds.DEPLOYMENT), schools[0].pk


# History rows are left out: neither side reads them here.
_INSERT_STUDENTS = """
WITH names AS (
    SELECT ARRAY['Adeyemi', 'Becker', 'Chen', 'Dubois', 'Fernández', 'Garcia', 'Haddad', 'Ivanov',
                 'Kaya', 'Lefèvre', 'Müller', 'Nguyễn', 'Okafor', 'Patel', 'Rossi', 'Yılmaz'] AS family,
           ARRAY['Aïcha', 'Björn', 'Camille', 'Emre', 'Hanna', 'Léo', 'Mei', 'Noah', 'Priya',
                 'Samuel', 'Zoë'] AS given
), schools AS (
    SELECT array_agg(id ORDER BY name) AS ids FROM education_school
)
INSERT INTO education_student (
    id, created_at, updated_at, version, sourced_id, given_name, middle_name, family_name, username,
    identifier, email, phone, is_enabled, school_id, grades
)
SELECT uuidv7(), statement_timestamp(), statement_timestamp(), 1, 'student-' || n,
       given[1 + n %% 11], '', family[1 + n %% 16] || ' ' || n %% 997, 'user' || n,
       'S' || n, 'user' || n || '@school.example', '', true, ids[1 + n %% cardinality(ids)],
       ARRAY[(7 + n %% 3)::text]
FROM generate_series(1, %s) AS n, names, schools
"""
