"""``plugin explain``: a thing leads to its owner, its guard and the reason why it is as it is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from platform_core.registry.explained_addresses import matches, split_address
from platform_core.registry.explained_requests import explain_request
from tests.core.registry.deployments_to_look_at import tower
from tests.deployments import TestDeployment

ASK = """\
import json, sys
from pathlib import Path
from platform_core.cli import boot
from platform_core.registry.explanation import explain
from platform_core.registry.situation import look

deployment = boot.load_deployment(Path.cwd())
boot.prepare_environment(deployment)
situation = look(deployment)
answers = {thing: [one.as_dict() for one in explain(situation, thing)] for thing in sys.argv[1:]}
print(json.dumps(answers, default=str))
"""

FAIL = """\
from platform_core.cli.boot import boot
boot()
from django.test import Client
client = Client(raise_request_exception=False, SERVER_NAME="localhost")
assert client.get("/api/v1/bells/crack/", headers={"X-Request-ID": "asked-for-0042"}).status_code == 500
"""

THINGS = (
    "GET https://platform.example.org/api/v1/bells/ring/3/?x=1",
    "DELETE /api/v1/bells/ring/3/",
    "POST /api/v1/identity/users/",
    "PUT /api/v1/identity/users/",
    "/api/v1/bells/loud/",
    "/api/v1/bells/crack",
    "/api/v1/chimes/crack/",
    "/api/v1/chimes/nothing/",
    "/api/v1/gongs/anything/",
    "/api/v1/unheard/of/",
    "/readyz",
    "/api/docs/",
    "bells.ring_bell",
    "chimes.ring_bell",
    "bells.ringer",
    "bells.loud",
    "PLUGIN_BELLS_HAMMER",
    "bells.hammer",
    "bells_bell",
    "bells.Bell",
    "bells_bell.tone",
    "django_session",
    "bells toll",
    "migrate",
    "bells",
    "chimes",
    "gongs",
    "bells.0001_initial",
    "permissions",
    "PLATFORM_TIME_ZONE",
    "asked-for-0042",
    "nothing-of-this-name",
)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDeployment]:
    with tower(tmp_path_factory.mktemp("tower")) as made:
        yield made


def run(deployment: TestDeployment, code: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *words],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def answers(deployment: TestDeployment) -> dict[str, list[dict[str, Any]]]:
    run(deployment, FAIL)
    found: dict[str, list[dict[str, Any]]] = json.loads(run(deployment, ASK, *THINGS))
    return found


Answers = dict[str, list[dict[str, Any]]]


def test_an_address_leads_to_its_guard_in_words(answers: Answers) -> None:
    (one,) = answers["GET https://platform.example.org/api/v1/bells/ring/3/?x=1"]

    assert (one["owner"], one["version"], one["distribution"]) == ("bells", "1.0", "bells-plugin")
    assert one["place"] == "bells_plugin/hooks.py:30"
    (guard,) = one["guard"]
    assert guard["access"] == "bells.ring_bell"
    assert "bells.ring_bell" in guard["words"]
    assert guard["roles"] == ["bells.ringer", "identity.owner"]
    assert one["why"] == []


def test_the_method_chooses_the_guard_and_a_wrong_one_is_told(answers: Answers) -> None:
    (post,) = answers["POST /api/v1/identity/users/"]
    assert [guard["access"] for guard in post["guard"]] == ["identity.add_user"]
    (put,) = answers["PUT /api/v1/identity/users/"]
    assert put["why"] == ["PUT answers 405: there are GET, POST."]
    (delete,) = answers["DELETE /api/v1/bells/ring/3/"]
    assert delete["guard"][0]["method"] == "*"


def test_why_an_address_answers_404(answers: Answers) -> None:
    def why(thing: str) -> str:
        (one,) = answers[thing]
        return " ".join(one["why"])

    assert why("/api/v1/bells/loud/") == "It answers 404 while the flag bells.loud is off."
    assert why("/api/v1/bells/crack") == "Without the slash at its end it answers 404."
    for thing in ("/api/v1/chimes/crack/", "/api/v1/chimes/nothing/"):
        assert "It answers 404: the plugin chimes is dormant since 20" in why(thing)
        assert "platformctl plugin enable chimes" in why(thing)
    assert "the plugin gongs is in neither list" in why("/api/v1/gongs/anything/")
    assert answers["/api/v1/unheard/of/"] == []


def test_what_a_dormant_plugin_contributed_is_remembered(answers: Answers) -> None:
    (one,) = answers["/api/v1/chimes/crack/"]
    assert (one["state"], one["version"], one["place"]) == (
        "dormant",
        "1.0",
        "chimes_plugin/hooks.py:30",
    )
    (permission,) = answers["chimes.ring_bell"]
    assert permission["state"] == "dormant"
    assert permission["why"][0].startswith(
        "It is denied to everybody: the plugin chimes is dormant"
    )


@pytest.mark.parametrize(
    ("thing", "kind", "owner", "place"),
    [
        ("/readyz", "addresses", "platform_core", ""),
        ("/api/docs/", "addresses", "platform_core", ""),
        ("bells.ring_bell", "permissions", "bells", "bells_plugin/hooks.py:14"),
        ("bells.ringer", "roles", "bells", "bells_plugin/hooks.py:19"),
        ("bells.loud", "flags", "bells", "bells_plugin/hooks.py:24"),
        ("PLUGIN_BELLS_HAMMER", "settings", "bells", "bells_plugin/settings.py:4"),
        ("bells.hammer", "settings", "bells", "bells_plugin/settings.py:4"),
        ("bells_bell", "tables", "bells", "bells_plugin/models.py:4"),
        ("bells.Bell", "tables", "bells", "bells_plugin/models.py:4"),
        ("bells_bell.tone", "tables", "bells", "bells_plugin/models.py:4"),
        ("django_session", "tables", "sessions", ""),
        ("bells toll", "commands", "bells", "bells_plugin/hooks.py:39"),
        ("migrate", "commands", "platform_core", ""),
        ("bells.0001_initial", "migrations", "bells", "bells_plugin/migrations/0001_initial.py:1"),
        ("PLATFORM_TIME_ZONE", "settings", "platform_core", ""),
        ("gongs", "plugins", "gongs", ""),
    ],
)
def test_a_name_leads_to_owner_and_place(
    answers: Answers, thing: str, kind: str, owner: str, place: str
) -> None:
    (one,) = answers[thing]

    assert (one["kind"], one["owner"], one["place"]) == (kind, owner, place)


def test_a_name_with_two_meanings_has_two_answers(answers: Answers) -> None:
    assert {one["kind"] for one in answers["bells"]} == {"plugins", "importers"}
    hooks = {one["owner"]: one["state"] for one in answers["permissions"]}
    assert hooks == {"identity": "enabled", "bells": "enabled", "chimes": "dormant"}


def test_an_error_id_leads_to_the_request_the_error_and_the_route(answers: Answers) -> None:
    request, route = answers["asked-for-0042"]

    assert (request["kind"], request["owner"]) == ("requests", "bells")
    assert (request["facts"]["status"], request["facts"]["path"]) == (500, "/api/v1/bells/crack/")
    assert request["why"] == ["RuntimeError: the bell has no clapper"]
    assert request["place"].endswith("bells_plugin/hooks.py:11")
    assert route["name"] == "/api/v1/bells/crack/"


def test_an_unknown_thing_is_refused_with_what_is_like_it(deployment: TestDeployment) -> None:
    answer = deployment.call("plugin", "explain", "bells.ring_bel", "--json")

    assert answer.code == 1
    (problem,) = answer.problems
    assert problem["code"] == "unknown_thing"
    assert "Did you mean bells.ring_bell" in problem["way_out"]


def test_people_read_the_same(deployment: TestDeployment) -> None:
    answer = deployment.call("plugin", "explain", "GET", "/api/v1/bells/loud/")

    assert answer.code == 0, answer.err
    assert "route /api/v1/bells/loud/  bells 1.0 (bells-plugin)  enabled" in answer.out
    assert "everybody, signed in or not; flag bells.loud is off" in answer.out


@pytest.mark.parametrize(
    ("address", "path", "wanted"),
    [
        ("/api/<uuid:id>/", "/api/01890a5d-ac96-774b-bcce-b302099a8057/", True),
        ("/api/<uuid:id>/", "/api/7/", False),
        ("/api/<uuid:id>/", "/api/<uuid:id>/", True),
        ("/api/<path:rest>", "/api/a/b/c", True),
        ("/api/<name>/", "/api/a/b/", False),
        ("/api/^items/(?P<pk>[0-9]+)/$", "/api/items/12/", True),
        ("/api/^items/(?P<pk>[0-9]+)/$", "/api/items/x/", False),
        ("/api/^broken(", "/api/broken", False),
        ("/a.b/", "/axb/", False),
    ],
)
def test_an_address_is_recognised(address: str, path: str, wanted: bool) -> None:
    assert matches(address, path) is wanted


@pytest.mark.parametrize(
    ("thing", "wanted"),
    [
        ("get /a/?q=1", ("GET", "/a/")),
        ("https://x.example/api/v1/", ("", "/api/v1/")),
        ("api/v1/x/", ("", "/api/v1/x/")),
        ("user create", None),
        ("bells.ring_bell", None),
    ],
)
def test_an_address_is_told_from_a_name(thing: str, wanted: tuple[str, str] | None) -> None:
    assert split_address(thing) == wanted


def test_logs_that_cannot_be_read_as_json_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    line = json.dumps({"request_id": "abcdefgh", "event": "x", "path": "/a/", "plugin": "bells"})
    text = f'not json abcdefgh\n["abcdefgh"]\n{line}\n'
    (tmp_path / "logs" / "requests.log").write_text(text, encoding="utf-8")

    found = explain_request(tmp_path, "abcdefgh")

    assert found is not None
    assert len(found.facts["lines"]) == 1
    assert explain_request(tmp_path, "unknown-id") is None
    assert explain_request(tmp_path / "gone", "abcdefgh") is None
    assert explain_request(tmp_path, "no id") is None


def asked(deployment: TestDeployment, thing: str, **variables: str) -> dict[str, Any]:
    answer = deployment.call("plugin", "explain", thing, "--json", **variables)
    assert answer.code == 0, answer.out
    (one,) = answer.document["answers"]
    found: dict[str, Any] = one
    return found


def test_a_setting_that_was_set_at_run_time_comes_from_the_database(
    deployment: TestDeployment,
) -> None:
    assert deployment.call("settings", "set", "PLATFORM_EVENTS_KEPT_DAYS", "77").code == 0

    one = asked(deployment, "PLATFORM_EVENTS_KEPT_DAYS")
    shown = deployment.call("plugin", "explain", "PLATFORM_EVENTS_KEPT_DAYS").out
    by_environment = asked(deployment, "PLATFORM_EVENTS_KEPT_DAYS", PLATFORM_EVENTS_KEPT_DAYS="9")

    assert one["facts"] == {
        "source": "database",
        "value": "77",
        "source_without": "default",
        "value_without": "30",
    }
    assert one["why"] == [
        "Its value comes from: database.",
        "It was set at run time: platformctl settings history PLATFORM_EVENTS_KEPT_DAYS. "
        "Without that it is 30, from: default.",
    ]
    assert "value: 77" in shown
    assert by_environment["facts"] == {"source": "environment", "value": "9"}
    assert by_environment["why"][1].startswith("A value that was set at run time does not count")
    assert deployment.call("settings", "reset", "PLATFORM_EVENTS_KEPT_DAYS").code == 0
    assert asked(deployment, "PLATFORM_EVENTS_KEPT_DAYS")["facts"] == {
        "source": "default",
        "value": "30",
    }


def test_a_plugins_setting_that_was_set_at_run_time_is_told_too(deployment: TestDeployment) -> None:
    assert deployment.call("settings", "set", "PLUGIN_IDENTITY_SIGNUP_OPEN", "true").code == 0

    one = asked(deployment, "identity.signup_open")

    assert (one["facts"]["source"], one["facts"]["value"]) == ("database", "true")
    assert deployment.call("settings", "reset", "PLUGIN_IDENTITY_SIGNUP_OPEN").code == 0


def test_a_value_that_may_be_a_secret_is_not_shown(
    deployment: TestDeployment, tmp_path: Path
) -> None:
    address = tmp_path / "address"
    address.write_text("smtp://me:a-password-of-mine@mail.example.org:25", encoding="utf-8")

    answer = deployment.call(
        "plugin", "explain", "PLATFORM_EMAIL_URL", "--json", PLATFORM_EMAIL_URL_FILE=str(address)
    )

    (one,) = answer.document["answers"]
    assert one["facts"] == {"source": "environment", "value": "(not shown)"}
    assert one["why"] == [
        "Its value comes from: environment (the file that PLATFORM_EMAIL_URL_FILE names)."
    ]
    assert "a-password-of-mine" not in answer.out + answer.err


def test_without_the_database_what_it_holds_is_unknown(deployment: TestDeployment) -> None:
    one = asked(
        deployment,
        "PLATFORM_EVENTS_KEPT_DAYS",
        DATABASE_URL="postgresql://nobody@127.0.0.1:1/nothing",
    )

    assert one["facts"] == {"source": "default", "value": "30"}
    assert one["why"][1] == "Whether it was set at run time is unknown without the database."
