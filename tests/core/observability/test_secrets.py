"""What logs tell of exceptions: where, what kind, and names of the schema, but no value, however it got into the text."""

from __future__ import annotations

import io
import json
import logging
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import DatabaseError, connection, transaction
from pydantic import BaseModel

from platform_core.observability.exceptions import _of_database, exception_told, message_of
from platform_core.observability.logging import JSONLines, logging_settings
from platform_core.observability.redaction import (
    HIDDEN,
    carrying,
    redacted,
    redacted_path,
    without_credentials,
)
from tests.drills import secrets as drill

TOKEN = "Zx81kQpLmN-rT7_uWvYb3c"  # noqa: S105
WORD = "qzxvkjwhbtmp"


def raised(action: Callable[[], Any]) -> Exception:
    try:
        action()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "kept"),
    [
        ("INSERT INTO told VALUES (%s, 1)", ("23505", "told_code_key", "told")),
        ("INSERT INTO told VALUES (NULL, 1)", ("23502", "column code")),
        ("INSERT INTO told VALUES (%s || 'x', -1)", ("23514", "told_number_check")),
        ("SELECT %s::uuid", ("22P02", "invalid input syntax for type uuid")),
        ("SELECT no_such(%s)", ("42883", "no_such")),
        ("DO $$ BEGIN RAISE EXCEPTION 'no \"%%\"', 'WORD'; END $$", ("P0001", "no")),
    ],
)
def test_refusals_of_the_database_tell_names_and_no_values(
    statement: str, kept: tuple[str, ...]
) -> None:
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE told (code text UNIQUE NOT NULL, number int CHECK (number > 0))")  # fmt: skip
        cursor.execute("INSERT INTO told VALUES (%s, 1)", [WORD])

        def refused() -> None:
            with transaction.atomic():
                cursor.execute(statement.replace("WORD", WORD), [WORD] if "%s" in statement else [])

        found = raised(refused)

    assert isinstance(found, DatabaseError)
    for told in (exception_told(found), message_of(found.__cause__ or found)):
        assert WORD not in told
        for name in kept:
            assert name in told
    assert f'File "{__file__}", line' in exception_told(found)


def test_a_failed_connection_tells_its_reason_without_the_password() -> None:
    address = f"postgresql://somebody:{TOKEN}@127.0.0.1:1/none"
    told = message_of(raised(lambda: psycopg.connect(address, connect_timeout=2)))
    assert "refused" in told
    assert TOKEN not in told


def test_refusals_of_types_and_forms_tell_places_and_no_values() -> None:
    class Strict(BaseModel):
        number: int

    told = message_of(raised(lambda: Strict(number=WORD)))  # type: ignore[arg-type]
    assert told == "number: int_parsing"
    error = ValidationError("%(value)s is no day", code="no_day", params={"value": WORD})
    assert message_of(error) == "no_day: %(value)s is no day"


def test_causes_notes_and_groups_are_told_in_order_and_cleaned() -> None:
    def action() -> None:
        try:
            try:
                int(TOKEN)
            except ValueError as error:
                raise KeyError(TOKEN) from error
        except KeyError:
            several = ExceptionGroup("several", [ValueError(TOKEN), RuntimeError("plain")])
            several.add_note(f"about {TOKEN}")
            raise several  # noqa: B904  (its context is what is told)

    told = exception_told(raised(action))
    assert TOKEN not in told
    order = ["ValueError: ", "direct cause", "KeyError: ", "During handling", "ExceptionGroup: several", "about", "plain"]  # fmt: skip
    assert [told.find(one) for one in order] == sorted(told.find(one) for one in order)
    assert -1 not in [told.find(one) for one in order]


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (
            f"cannot reach https://user:{TOKEN}@host.example/in",
            "cannot reach https://[hidden]@host.example/in",
        ),
        (f"GET /a/?code={WORD}", "GET /a/?[hidden]"),
        (f"Authorization: Bearer {WORD}", "Authorization: [hidden] [hidden]"),
        (f"password={WORD}, user=7", "password=[hidden], user=7"),
        (f"{{'api_key': '{WORD}'}}", "{'api_key': [hidden]}"),
        (f"no answer for {WORD}@school.example", "no answer for [hidden]"),
        ("born datetime.date(2011, 5, 17)", "born datetime.date([hidden])"),
        (f"-----BEGIN PRIVATE KEY-----\n{TOKEN}\n-----END PRIVATE KEY-----", HIDDEN),
        ("'NoneType' object has no attribute 'pk'", "'NoneType' object has no attribute 'pk'"),
        ("relation education_student_school_id_1a2b3c4d_fk", None),
        ("row 0190a0a0-0000-7000-8000-000000000000 is locked", None),
        ("platform_core.tasks.execution.ClaimLost at /srv/site/var/logs", None),
    ],
)
def test_what_looks_like_a_credential_goes_and_the_rest_stays(text: str, kept: str | None) -> None:
    assert without_credentials(text) == (text if kept is None else kept)


def test_what_is_carried_is_hidden_from_texts_of_exceptions_only() -> None:
    with carrying(lambda: [{"name": WORD, "list": [12345]}]):
        assert redacted(f"no {WORD} and 12345, {WORD!r}") == f"no {HIDDEN} and {HIDDEN}, '{HIDDEN}'"
        assert without_credentials(WORD) == WORD
    assert redacted(WORD) == WORD


def test_an_exception_takes_along_what_the_block_that_it_left_carried() -> None:
    def action() -> None:
        try:
            with carrying(lambda: [{"cell": WORD}]):
                raise KeyError(WORD)
        except KeyError as error:
            raise RuntimeError(f"row 7 of {WORD}") from error

    told = exception_told(raised(action))
    assert WORD not in told
    assert "row 7 of" in told


def test_secrets_of_the_deployment_are_known_wherever_they_turn_up() -> None:
    for secret in (settings.SECRET_KEY, settings.DATABASES["default"]["PASSWORD"]):
        assert secret not in without_credentials(f"refused with x{secret}x")


def test_paths_keep_their_words_and_lose_tokens() -> None:
    assert redacted_path(f"/api/v1/reset/{TOKEN}/of/a@b.example/") == f"/api/v1/reset/{HIDDEN}/of/{HIDDEN}/"  # fmt: skip
    path = "/api/v1/education/section-enrollments/0190a0a0-0000-7000-8000-000000000000/"
    assert redacted_path(path) == path


def test_a_line_that_cannot_be_made_is_told_without_its_arguments() -> None:
    stream = io.StringIO()
    formatter = logging_settings(settings.PLATFORM.deployment, profile="test")["formatters"]["json"]
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        JSONLines(
            processors=formatter["processors"], foreign_pre_chain=formatter["foreign_pre_chain"]
        )
    )
    logger = logging.getLogger("tests.broken")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        logger.error("two %s %s", WORD)
        logger.error("kept %s", "word", extra={"request_id": TOKEN})
    finally:
        logger.removeHandler(handler)
    broken, whole = (json.loads(line) for line in stream.getvalue().splitlines())
    assert WORD not in stream.getvalue()
    assert broken["event"] == "a line cannot be written: TypeError"
    assert (whole["event"], whole["request_id"]) == ("kept word", TOKEN)


def test_marked_secrets_are_told_nowhere_and_planted_ones_are_found(tmp_path: Path) -> None:
    """The short form of the drill ``secrets``."""
    from tests.deployments import new_database

    with new_database() as address:
        found = drill.run(tmp_path, database_url=address)

    assert found.plants_missed == []
    assert [str(one) for one in found.hits] == []
    assert found.marks >= 60
    assert {200, 201, 404, 409, 422, 500} <= set(found.statuses)


@pytest.mark.parametrize(
    "part",
    ["a", "token", "token-", "?", "?a", "://:", "a@", "a.a@a.", "-----BEGIN ", "token" + 30 * " "],
)
def test_no_text_takes_longer_than_its_length(part: str) -> None:
    """A client who chooses a host, a path or a word of an error must not be able to stop the process."""
    text = (part * 100_000)[:100_000]
    before = time.process_time()
    without_credentials(text)
    assert time.process_time() - before < 2


def test_of_an_endless_text_only_the_beginning_is_looked_through() -> None:
    values = [f"value-{number:06}" for number in range(4000)]
    with carrying(lambda: [values]):
        told = redacted("it says " + " ".join(values) + " and " + 1_000_000 * "x")
    assert told.startswith("it says [hidden] [hidden]")
    assert "value" not in told
    assert len(told) < 20_000


def test_quotes_that_nobody_closes_are_gone_through_once() -> None:
    class Diagnosis:
        message_primary = "no such thing: " + "«hunter2" * 100_000

        def __getattr__(self, name: str) -> None:
            return None

    told = _of_database(SimpleNamespace(sqlstate="22P02", diag=Diagnosis()))
    assert told.startswith("SQLSTATE 22P02, no such thing: ")
    assert "hunter2" not in told
