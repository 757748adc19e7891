"""In which language somebody is answered: what they ask for, if there are words in it."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.test import Client

USERS = "/api/v1/identity/users/"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("asked", "spoken"),
    [("fr", "fr"), ("de-CH, en;q=0.5", "de"), ("xx", "en"), ("", "en"), ("\x00;q=,,", "en")],
)
def test_the_language_is_the_one_that_was_asked_for(asked: str, spoken: str) -> None:
    answer = Client().get(USERS, headers={"Accept-Language": asked})
    assert answer["Content-Language"] == spoken
    assert "Accept-Language" in answer["Vary"]


@pytest.mark.django_db
def test_a_cookie_goes_before_and_a_path_says_nothing() -> None:
    client = Client()
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "de"
    assert client.get(USERS, headers={"Accept-Language": "fr"})["Content-Language"] == "de"
    assert Client().get("/fr/nowhere/")["Content-Language"] == "en"
