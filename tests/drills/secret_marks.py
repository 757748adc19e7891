"""Marked secrets: each unique, each in the form that such a thing has, so that any of them is known wherever it turns up."""

from __future__ import annotations

import base64
import json
import secrets
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from platform_core.signing_keys import new_private_key

WORDS = (
    *("password", "new_password", "current_password", "pin_phrase", "nickname", "family_name", "street", "diagnosis"),
    *("comment", "reference", "list_item", "nested", "bulk_item", "form_field", "search_word", "filter_value"),
    *("login_name", "wrong_password", "signup_password", "cell_name", "cell_note", "event_text", "task_argument"),
)  # fmt: skip
TOKENS = (
    *("api_key", "refresh_token_sent", "reset_code_sent", "session_cookie", "csrf_cookie", "bearer", "x_api_key"),
    *("x_auth_token", "idempotency_key", "proxy_authorization", "query_token", "query_code", "query_signature"),
    *("referer_token", "path_token", "task_token", "cell_token", "body_token", "row_code"),
)  # fmt: skip
EMAILS = ("email", "path_email", "cell_email", "row_email", "signup_email")
DATES = ("birth_date", "cell_birth_date", "row_birth_date")
DEPLOYED = (
    "secret_key",
    "redis_password",
    "mail_password",
    "api_secret",
    "file_secret",
    "webhook_password",
    "third_party",
)
"""Word-like ones: they are known by where they come from, not by how they look."""


@dataclass
class Marks:
    """What must not be told, by name; ``found`` in answers are those that only the server knew at first."""

    values: dict[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> str:
        return self.values[name]

    def told_in(self, text: str) -> Iterator[str]:
        """Yield the names of the marks that ``text`` holds, as they are or encoded."""
        for name, value in self.values.items():
            if any(form in text for form in _forms(value)):
                yield name


def _forms(value: str) -> tuple[str, ...]:
    if _is_date(value):
        year, month, day = map(int, value.split("-"))
        return value, f"date({year}, {month}, {day})"
    return value, base64.b64encode(value.encode()).decode().rstrip("=")


def _is_date(value: str) -> bool:
    return len(value) == 10 and value.replace("-", "").isdecimal()


def new_marks() -> Marks:
    """Make the marks that are sent, stored and configured."""
    found = {name: word() for name in (*WORDS, *DEPLOYED)}
    found |= {name: secrets.token_urlsafe(24) for name in TOKENS}
    found |= {name: f"{word()}@{word()}.example" for name in EMAILS}
    for number, name in enumerate(DATES):
        found[name] = (
            f"19{number + 1}{secrets.randbelow(10)}-0{1 + secrets.randbelow(9)}-{10 + secrets.randbelow(18)}"
        )
    for name in ("audit_key", "identity_key"):
        found[name] = new_private_key().splitlines()[1]
    return Marks(found)


def word(length: int = 14) -> str:
    """Return a word of small letters that nobody else writes."""
    return "".join(secrets.choice(string.ascii_lowercase) for _ in range(length))


def pem(line: str) -> str:
    """Return the key whose only line is ``line``."""
    return f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"


def environment(marks: Marks, folder: Path) -> Mapping[str, str]:
    """Return the variables by which a deployment is given its secrets."""
    secret = folder / "file-secret"
    secret.write_text(marks["file_secret"] + "\n", encoding="utf-8")
    return {
        "SECRET_KEY": marks["secret_key"] * 4,
        "REDIS_URL": f"redis://:{marks['redis_password']}@127.0.0.1:1/0",
        "PLATFORM_AUDIT_SIGNING_KEY": pem(marks["audit_key"]),
        "PLUGIN_IDENTITY_SIGNING_KEYS": pem(marks["identity_key"]),
        "PLUGIN_MARKS_API_SECRET": marks["api_secret"],
        "PLUGIN_MARKS_FILE_SECRET_FILE": str(secret),
        "PLUGIN_MARKS_WEBHOOK_URL": f"https://hooks:{marks['webhook_password']}@hooks.example/in",
        "THIRD_PARTY_TOKEN": marks["third_party"],
    }


def headers(marks: Marks) -> dict[str, str]:
    """Return the headers that carry marks beside those of a signed-in caller."""
    return {
        "Cookie": f"session={marks['session_cookie']}; csrf={marks['csrf_cookie']}",
        "X-Api-Key": marks["x_api_key"],
        "X-Auth-Token": marks["x_auth_token"],
        "Idempotency-Key": marks["idempotency_key"],
        "Proxy-Authorization": f"Basic {base64.b64encode(marks['proxy_authorization'].encode()).decode()}",
        "Referer": f"https://app.example/reset?token={marks['referer_token']}",
    }


def query(marks: Marks) -> dict[str, str]:
    """Return the parameters that carry marks; no operation knows all of them."""
    return {
        "token": marks["query_token"],
        "code": marks["query_code"],
        "signature": marks["query_signature"],
        "search": marks["search_word"],
        "email": marks["email"],
        "name": marks["filter_value"],
    }


def body(marks: Marks, properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body with a mark in each of ``properties``, and in more that nobody has asked for."""
    names = ["nickname", "family_name", "street", "diagnosis", "comment", "reference", "body_token"]
    found: dict[str, Any] = {
        name: marks[names[number % len(names)]] for number, name in enumerate(properties)
    }
    found |= {
        name: marks[name]
        for name in ("new_password", "current_password", "pin_phrase", "api_key", "birth_date")
    }
    found |= {"refresh_token": marks["refresh_token_sent"], "key": marks["reset_code_sent"]}
    found |= {"password": marks["password"], "email": marks["email"]}
    found["more"] = {"nested": marks["nested"], "list": [marks["list_item"], marks["birth_date"]]}
    return found


def file_of_rows(marks: Marks) -> bytes:
    """Return an upload whose rows fail."""
    cells = [marks[f"cell_{name}"] for name in ("name", "email", "birth_date", "note", "token")]
    return (
        "".join(
            json.dumps({"name": one, "email": cells[1], "birth_date": cells[2], "note": one}) + "\n"
            for one in cells
        )
    ).encode()
