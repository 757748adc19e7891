"""The reference deployment in production settings: silent checks, required secrets, and a clear end when it cannot start."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deployments import ROOT, new_deployment, write_distribution

PROD = "config.settings.prod"


def call(*words: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the repository with nothing of the test run's own deployment but its database."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PLATFORM_", "PLUGIN_", "DJANGO_", "PYTEST_", "SECRET_KEY"))
    }
    environment = {
        **kept,
        "DJANGO_SETTINGS_MODULE": PROD,
        "PLATFORM_DATA_DIR": str(folder),
        "PLATFORM_ALLOWED_HOSTS": "school.example.org",
        **variables,
    }
    return subprocess.run(
        [sys.executable, *words],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def secret_key() -> str:
    return secrets.token_urlsafe(60)


def test_the_deployment_check_is_silent(tmp_path: Path) -> None:
    done = call(
        *("-W", "error::DeprecationWarning:platform_core"),
        *("manage.py", "check", "--deploy", "--fail-level", "DEBUG"),
        folder=tmp_path,
        SECRET_KEY=secret_key(),
    )

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
    assert done.stderr == ""


def test_cookies_and_transport_are_safe(tmp_path: Path) -> None:
    code = (
        "from django.conf import settings as s;"
        "print(s.DEBUG, s.ALLOWED_HOSTS, s.SESSION_COOKIE_NAME, s.SESSION_COOKIE_SECURE,"
        " s.SESSION_COOKIE_HTTPONLY, s.SESSION_COOKIE_SAMESITE, s.CSRF_COOKIE_SECURE, s.SECURE_SSL_REDIRECT)"
    )
    done = call("-c", code, folder=tmp_path, SECRET_KEY=secret_key())
    assert done.stdout.strip() == (
        "False ['school.example.org'] __Host-session True True Lax True True"
    ), done.stderr


@pytest.mark.parametrize("given", [{}, {"SECRET_KEY": ""}, {"SECRET_KEY_FILE": "/nowhere/key"}])
def test_without_a_secret_key_the_application_ends_with_one_report(
    tmp_path: Path, given: dict[str, str]
) -> None:
    done = call("-c", "import config.wsgi", folder=tmp_path, **given)

    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    first, second = done.stderr.strip().splitlines()
    assert first == "The deployment cannot start: 1 problem."
    assert "[SECRET_KEY]" in second
    assert "Set SECRET_KEY_FILE to a readable file that holds it, or SECRET_KEY." in second


def test_a_server_with_a_broken_plugin_ends_with_one_report(tmp_path: Path) -> None:
    broken = write_distribution(
        tmp_path / "plugins",
        "broken",
        files={"models.py": "import nothing_of_that_name\n"},
    )
    with new_deployment(tmp_path / "deployment", plugins=["identity", "broken"]) as deployment:
        deployment.path.append(broken)
        done = subprocess.run(
            [sys.executable, "-m", "gunicorn", "platform_core.wsgi", "--bind", "127.0.0.1:0"],
            cwd=deployment.folder,
            env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "The deployment cannot start: 1 problem." in done.stderr
    assert "nothing_of_that_name" in done.stderr


def test_no_setting_shows_a_secret_when_it_is_printed(tmp_path: Path) -> None:
    key, password = secret_key(), "hunter2-is-not-to-be-seen"
    done = call(
        "-c",
        "from django.conf import settings as s;"
        "there = getattr(s, 'EMAIL_HOST_PASSWORD', '') or s.MAILERS['default']['OPTIONS']['password'];"
        "print(there == 'hunter2-is-not-to-be-seen');"
        "print(repr(s), repr(s.PLATFORM), s.PLATFORM.plugin_settings)",
        folder=tmp_path,
        SECRET_KEY=key,
        PLATFORM_EMAIL_URL=f"smtp://sender:{password}@mail.example.org:587",
        PLUGIN_IDENTITY_SIGNING_KEYS="not-a-key-yet-secret",
    )
    assert done.returncode == 0, done.stderr
    first, rest = done.stdout.split("\n", 1)
    assert first == "True"
    for secret in (key, password, "not-a-key-yet-secret"):
        assert secret not in rest
