"""What a plugin has in a database, as checksums to compare; and grants of every kind to have some."""

from __future__ import annotations

import hashlib
import uuid
from typing import Any

import psycopg
from psycopg import sql

Facts = dict[str, tuple[int, str]]
"""By table: the number of rows, and a checksum over all of them."""

GRANTS = {
    "roles": "SELECT * FROM identity_role WHERE provided_by = 'education'",
    "inheritances": "SELECT i.role_id, i.parent_id FROM identity_roleinheritance i",
    "assignments": "SELECT * FROM identity_roleassignment",
    "permissions": "SELECT name, permissions, effective_permissions FROM identity_role",
    "flags": "SELECT * FROM waffle_flag WHERE name LIKE 'education.%'",
    "content types": "SELECT * FROM django_content_type WHERE app_label = 'education'",
    "django permissions": "SELECT * FROM auth_permission p JOIN django_content_type c ON c.id = p.content_type_id",
    "mails": "SELECT * FROM platform_core_mail",
    "first seen": "SELECT first_seen_at FROM platform_core_pluginrecord WHERE slug = 'education'",
    "migrations": "SELECT name FROM django_migrations WHERE app = 'education'",
}
USER, CLERK = uuid.UUID(int=1), uuid.UUID(int=2)
ADMINS_ROLE = uuid.UUID(int=3)

_STAMPS = "created_at, updated_at, version"


def facts_of(database_url: str, slug: str = "education") -> Facts:
    """Return the facts of every table of the plugin, of its grants, flags and content types, and of its sequences."""
    with psycopg.connect(database_url) as connection:
        tables = tables_of(connection, slug)
        found = {
            table: _facts(connection, sql.SQL("SELECT * FROM {}").format(sql.Identifier(table)))
            for table in tables
        }
        for name, query in GRANTS.items():
            found[name] = _facts(connection, sql.SQL(query))  # type: ignore[arg-type]
        for table in (one for one in tables if "_historical" in one):
            found[f"{table} goes on"] = _facts(
                connection,
                sql.SQL("SELECT last_value, is_called FROM {}").format(
                    sql.Identifier(f"{table}_history_id_seq")
                ),
            )
    return found


def tables_of(connection: psycopg.Connection[Any], slug: str) -> list[str]:
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND starts_with(relname, %s) ORDER BY 1",
        [f"{slug}_"],
    )
    return [name for (name,) in rows.fetchall()]


def left_of(database_url: str, slug: str = "education") -> list[str]:
    """Return what of a plugin is in the database: tables, and where else rows are."""
    with psycopg.connect(database_url) as connection:
        found = tables_of(connection, slug)
        for table, column in (
            ("django_migrations", "app"),
            ("django_content_type", "app_label"),
            ("platform_core_pluginrecord", "slug"),
            ("identity_role", "provided_by"),
            ("platform_core_mail", "plugin"),
        ):
            count = connection.execute(
                sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(
                    sql.Identifier(table), sql.Identifier(column)
                ),
                [slug],
            ).fetchone()
            if count and count[0]:
                found.append(table)
    return found


def _facts(connection: psycopg.Connection[Any], query: sql.Composable) -> tuple[int, str]:
    rows = connection.execute(
        sql.SQL("SELECT r::text FROM ({}) r ORDER BY 1").format(query)
    ).fetchall()
    digest = hashlib.sha256("\n".join(text for (text,) in rows).encode())
    return len(rows), digest.hexdigest()


def give_grants(database_url: str) -> None:
    """Give the plugin grants of every kind and a mail that waits, and switch its flag on."""
    with psycopg.connect(database_url) as connection:
        for key, email in ((USER, "a@example.org"), (CLERK, "b@example.org")):
            connection.execute(
                f"INSERT INTO identity_user (id, {_STAMPS}, email, password, display_name, language) "
                "VALUES (%s, now(), now(), 1, %s, '', '', 'en')",
                [key, email],
            )
        connection.execute(
            f"INSERT INTO identity_role (id, {_STAMPS}, name, title, holds_all, permissions, "
            "effective_permissions, provided_by) VALUES (%s, now(), now(), 1, 'desk', 'Desk', false, "
            "'{education.view_school,identity.view_user}', '{education.view_school,identity.view_user}', '')",
            [ADMINS_ROLE],
        )
        school = connection.execute("SELECT id FROM education_school ORDER BY name").fetchone()
        unit = connection.execute(
            "SELECT id FROM identity_orgunit ORDER BY path LIMIT 1"
        ).fetchone()
        viewer = connection.execute(
            "SELECT id FROM identity_role WHERE name = 'education.viewer'"
        ).fetchone()
        assert school
        assert unit
        assert viewer
        rows = [
            (USER, viewer[0], "deployment", None, "", None, None),
            (CLERK, viewer[0], "unit", unit[0], "", None, None),
            (CLERK, viewer[0], "unit", unit[0], "", None, "now"),
            (CLERK, ADMINS_ROLE, "object", None, "education.School", school[0], None),
        ]
        for user, role, scope, of_unit, model, key, deleted in rows:
            connection.execute(
                f"INSERT INTO identity_roleassignment (id, {_STAMPS}, user_id, role_id, scope, unit_id, "
                "object_model, object_id, deleted_at) VALUES (gen_random_uuid(), clock_timestamp(), "
                "now(), 3, %s, %s, %s, %s, %s, %s, %s)",
                [user, role, scope, of_unit, model, key, deleted],
            )
        connection.execute(
            "INSERT INTO platform_core_mail (id, template, plugin, language, recipient, recipient_digest, payload, state, "
            "attempts, error, error_id, request_id, created_at) VALUES (gen_random_uuid(), 'education.told', 'education', "
            "'en', 'a…@example.org', 'd', '\\x01', 'queued', 0, '', '', '', now())"
        )
        connection.execute("UPDATE waffle_flag SET everyone = true WHERE name LIKE 'education.%'")
