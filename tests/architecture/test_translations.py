"""Every string that people read exists in French and German, and each request is answered in its language."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core import mail
from django.test import Client
from django.utils import translation

from platform_core.testing.catalogue_files import read
from platform_core.testing.catalogues import catalogue_faults, extract, translations_in
from platform_core.testing.jobs import run_waiting_jobs
from platform_identity.testing import PASSWORD, auth_header, make_owner, make_user
from tools import messages

UNITS = "/api/v1/identity/org-units/"
CATALOGUES = [
    pytest.param(package, language, id=f"{package.name}-{language}")
    for package in messages.PACKAGES
    for language in messages.LANGUAGES
]
REFUSALS = [
    ("fr", False, UNITS, 401, "Informations d'authentification non fournies."),
    ("de", False, UNITS, 401, "Anmeldedaten fehlen."),
    ("fr", True, "/api/v1/nowhere/", 404, "Il n’y a rien à cette adresse."),
    ("de", True, "/api/v1/nowhere/", 404, "Unter dieser Adresse gibt es nichts."),
    ("fr", True, f"{UNITS}?nothing=1", 422, "Ce paramètre n’existe pas."),
    ("de", True, f"{UNITS}?nothing=1", 422, "Diesen Parameter gibt es nicht."),
    ("de-AT,de;q=0.9,en;q=0.1", False, UNITS, 401, "Anmeldedaten fehlen."),
    ("ja", False, UNITS, 401, "Authentication credentials were not provided."),
]


@pytest.mark.parametrize("package", messages.PACKAGES, ids=lambda package: package.name)
def test_a_package_has_strings_to_translate(package: Path) -> None:
    assert len(extract(package)) > 10


@pytest.mark.parametrize(("package", "language"), CATALOGUES)
def test_a_catalogue_is_complete_compiled_and_up_to_date(package: Path, language: str) -> None:
    assert list(catalogue_faults(package, language)) == [], "run make messages"


@pytest.mark.parametrize("package", messages.PACKAGES, ids=lambda package: package.name)
def test_french_punctuation_has_its_narrow_space(package: Path) -> None:
    for _string, translated in translations_in(read(package, "fr")).items():
        assert not re.search(r"(?<!\u202f)[;:?!»](?=\s|\Z)|«(?!\u202f)|[“”'\"]", translated)


@pytest.mark.parametrize(("package", "language"), CATALOGUES)
def test_people_read_these_translations_and_no_other_package_s(
    package: Path, language: str
) -> None:
    """Django merges all catalogues and lets the earlier application win."""
    with translation.override(language):
        for (_context, string), translated in translations_in(read(package, language)).items():
            assert translation.gettext(string) == translated


@pytest.mark.django_db
@pytest.mark.parametrize(("language", "signed_in", "path", "status", "wanted"), REFUSALS)
def test_a_refusal_comes_in_the_language_of_the_request(
    client: Client, language: str, signed_in: bool, path: str, status: int, wanted: str
) -> None:
    headers = {"Accept-Language": language}
    if signed_in:
        headers |= auth_header(make_owner())

    answer = client.get(path, headers=headers)

    assert answer.status_code == status
    assert wanted in str(answer.json())
    assert answer["Content-Language"] == language[:2].replace("ja", "en")
    assert "accept-language" in answer["Vary"].lower()


@pytest.mark.django_db
def test_a_request_leaves_its_language_to_nobody(client: Client) -> None:
    client.get(UNITS, headers={"Accept-Language": "de"})

    assert "Authentication credentials were not provided." in str(client.get(UNITS).json())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("language", "wanted"),
    [("fr", "Votre code pour un nouveau mot de passe"), ("de", "Ihr Code für ein neues Passwort")],
)
def test_the_mail_with_a_code_comes_in_the_language_of_the_request(
    client: Client, language: str, wanted: str
) -> None:
    make_user("reader@example.org", password=PASSWORD)

    client.post(
        "/api/v1/identity/auth/app/v1/auth/password/request",
        {"email": "reader@example.org"},
        content_type="application/json",
        headers={"Accept-Language": language},
    )

    assert run_waiting_jobs() == 1
    assert [message.to for message in mail.outbox] == [["reader@example.org"]]
    assert wanted in mail.outbox[0].subject + mail.outbox[0].body


@pytest.mark.django_db
def test_a_mail_comes_in_the_language_that_its_reader_chose(client: Client) -> None:
    make_user("reader@example.org", password=PASSWORD, language="fr")

    client.post(
        "/api/v1/identity/auth/app/v1/auth/password/request",
        {"email": "reader@example.org"},
        content_type="application/json",
        headers={"Accept-Language": "de"},
    )

    assert run_waiting_jobs() == 1
    (message,) = mail.outbox
    assert "Votre code pour un nouveau mot de passe" in message.subject + message.body
