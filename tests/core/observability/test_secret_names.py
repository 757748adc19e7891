"""Which values of the environment are hidden in logs: every one that may be a secret, and no harmless word."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from platform_core.observability import known_secrets
from platform_core.observability.redaction import carrying, redacted, without_credentials
from platform_core.observability.secret_names import is_secret


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    known_secrets._known.cache_clear()
    yield
    known_secrets._known.cache_clear()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COOKIES_ALLOWED", "enabled"),
        ("REQUIRE_TOKEN", "required"),
        ("SESSION_COOKIE", "Strict"),
        ("DB_PASSWORD", "undefined"),
        ("TOKEN_ISSUER", "platform"),
        ("JWT_ALGORITHM", "HS256-or-better"),
        ("SESSION_COOKIE_NAME", "sessionid"),
        ("API_KEY_HEADER", "X-Api-Key"),
        ("TOKEN_URL", "https://login.example.org/oauth2/token"),
        ("PASSWORD_MIN_LENGTH", "000012"),
        ("SECRET_PROVIDER", "vault-of-the-school"),
        ("TOKENIZERS_PARALLELISM", "parallel"),
        ("X_KEYBOARD_LAYOUT", "german-nodeadkeys"),
    ],
)
def test_harmless_values_stay_readable(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert without_credentials(f"the plugin said {value} today") == f"the plugin said {value} today"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DB_PASSWORD", "dragon"),
        ("PASSWORD_DB", "hunter2"),
        ("PGPASSWORD", "correct horse battery"),
        ("OTP_TOKEN", "483920"),
        ("GITHUBTOKEN", "ghp_abcdefghijkl"),
        ("ENCRYPTION_KEYS", "abcdefgh"),
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("SECRET_NAME", "9f8a7c6b5d4e3f2a1b0c"),
        ("TOKEN_URL", "https://hooks.example.org/T024BE7LDa91kq83mzX"),
        ("API_KEY", "/never/a/file/at/all"),
        ("MY_CREDENTIALS", "production"),
    ],
)
def test_what_may_be_a_secret_is_hidden(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)

    assert value not in without_credentials(f"the plugin said {value} today")


def test_the_path_of_a_file_is_no_secret_but_what_a_file_variable_names_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "held"
    file.write_text("dragonfly\n", encoding="utf-8")
    monkeypatch.setenv("SSH_KEY", str(file))
    monkeypatch.setenv("DB_PASSWORD_FILE", str(file))

    assert is_secret("SSH_KEY", str(file)) is False
    assert is_secret("SSH_KEY", "/" + "x" * 5000) is True
    assert is_secret("SSH_KEY", "/nul\0") is True
    assert without_credentials(f"cannot open {file}: dragonfly") == f"cannot open {file}: [hidden]"


def test_a_declared_secret_is_hidden_whatever_it_is_called() -> None:
    def found(value: Any, name: str | None) -> set[str]:
        return set(known_secrets._in(value, name))

    assert found({"issuer": [SecretStr("dragon")]}, "token_issuer") == {"dragon"}
    assert found(SecretStr("/etc"), "where") == {"/etc"}
    assert found("platform", "token_issuer") == set()
    assert found(b"dragon", "password") == {"dragon"}


def test_switches_that_somebody_sends_stay_readable() -> None:
    with carrying(lambda: [{"active": "true", "name": "dragon"}]):
        assert redacted("true is no dragon") == "true is no [hidden]"


@pytest.mark.parametrize(
    "text", ["cookie_secure=True", "token_lifetime: 3600", "password_min_length = 12"]
)
def test_assignments_about_secrets_stay_readable(text: str) -> None:
    assert without_credentials(text) == text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("db_password='dragon'", "db_password=[hidden]"),
        ("token_url=9f8a7c6b5d4e3f2a1b0c", "token_url=[hidden]"),
        ("password=/etc", "password=[hidden]"),
    ],
)
def test_assignments_of_secrets_are_hidden(text: str, told: str) -> None:
    assert without_credentials(text) == told
