"""The command line and the first start."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from platform_core.contributions import FirstRunContext
from platform_identity.commands import create_user, purge_sessions, rotate_key
from platform_identity.first_run import OWNER_EMAIL, ensure_owner
from platform_identity.models import RoleAssignment, User
from platform_identity.services import keys
from platform_identity.testing import PASSWORD, actor_for, make_owner, make_role, owner_role

app = typer.Typer()
app.command("user-create")(create_user)
app.command("rotate-key")(rotate_key)
app.command("purge-sessions")(purge_sessions)


def run(*words: str, text: str = "") -> Result:
    return CliRunner().invoke(app, list(words), input=text)


def test_a_user_is_created_with_the_password_from_standard_input() -> None:
    result = run(
        "user-create", "Me@example.org", "--name", "Me", "--password-stdin", text=f"{PASSWORD}\n"
    )

    assert result.exit_code == 0
    user = User.objects.get(email="me@example.org")
    assert (user.display_name, user.check_password(PASSWORD)) == ("Me", True)
    assert PASSWORD not in result.output
    assert user.history.get().actor_kind == "system"


def test_a_password_is_asked_for_twice_and_not_shown() -> None:
    result = run("user-create", "me@example.org", text=f"{PASSWORD}\n{PASSWORD}\n")
    assert result.exit_code == 0
    assert PASSWORD not in result.output


def test_a_generated_password_is_shown_once() -> None:
    result = run("user-create", "me@example.org", "--generate-password")
    password = result.output.rpartition("Password: ")[2].strip()
    assert User.objects.get(email="me@example.org").check_password(password)


def test_a_program_gets_one_document_with_the_generated_password_once() -> None:
    make_role("identity.view_user", name="reader")
    result = run(
        "user-create", "me@example.org", "--generate-password", "--role", "reader", "--json"
    )

    told = json.loads(result.stdout)
    user = User.objects.get(email="me@example.org")
    assert user.check_password(told["password"])
    assert told == {
        "ok": True,
        "id": str(user.pk),
        "email": "me@example.org",
        "roles": ["reader"],
        "password": told["password"],
    }
    assert result.output.count(told["password"]) == 1


def test_a_given_password_is_in_no_answer() -> None:
    words = ("user-create", "me@example.org", "--password-stdin", "--json")
    result = run(*words, text=f"{PASSWORD}\n")
    assert set(json.loads(result.stdout)) == {"ok", "id", "email", "roles"}
    result = run(*words, "--generate-password", text=f"{PASSWORD}\n")
    assert json.loads(result.stdout)["problems"][0]["code"] == "two_passwords"
    assert PASSWORD not in result.output


@pytest.mark.parametrize(
    ("words", "code", "place"),
    [
        (("me@example.org", "--role", "nonsense"), "unknown_role", "--role"),
        (("nonsense",), "invalid", "email"),
        (("taken@example.org",), "email_taken", "email"),
    ],
)
def test_a_program_is_told_what_was_refused(words: tuple[str, ...], code: str, place: str) -> None:
    make_owner("taken@example.org")
    result = run("user-create", *words, "--generate-password", "--json")

    assert result.exit_code == 1
    (problem,) = json.loads(result.stdout)["problems"]
    assert (problem["plugin"], problem["code"], problem["place"]) == ("identity", code, place)
    assert problem["message"]
    assert problem["way_out"]


def test_an_owner_is_created() -> None:
    owner_role()
    run("user-create", "me@example.org", "--generate-password", "--owner")
    assert actor_for(User.objects.get(email="me@example.org")).grants.holds("identity.add_user")


def test_roles_are_given_by_name() -> None:
    make_role("identity.view_user", name="reader")
    result = run("user-create", "me@example.org", "--generate-password", "--role", "reader")
    assert "with reader" in result.output
    assert RoleAssignment.objects.get(user__email="me@example.org").role.name == "reader"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("me@example.org", "--generate-password", "--role", "nonsense"), "no role nonsense"),
        (("nonsense", "--generate-password"), "e-mail"),
        (("taken@example.org", "--generate-password"), "Another user"),
        (("me@example.org", "--password-stdin"), "12 characters"),
    ],
)
def test_a_refusal_names_the_reason_and_leaves_nothing_half_done(
    words: tuple[str, ...], said: str
) -> None:
    make_owner("taken@example.org")
    result = run("user-create", *words, text="tiny\n")

    assert result.exit_code == 1
    assert said in result.output
    assert not User.objects.filter(email="me@example.org").exists()


@pytest.fixture
def data_dir(tmp_path: Path, settings: object) -> Path:
    settings.PLATFORM_DATA_DIR = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def test_the_key_is_rotated(data_dir: Path) -> None:
    before = keys.key_ring().kid
    result = run("rotate-key")
    assert result.exit_code == 0
    assert keys.key_ring().kid in result.output
    assert before in keys.key_ring().verifying


def test_a_program_is_told_the_keys_and_the_sessions(data_dir: Path) -> None:
    told = json.loads(run("rotate-key", "--json").stdout)
    ring = keys.key_ring()
    assert told == {"ok": True, "signing": ring.kid, "verifying": sorted(ring.verifying)}
    assert json.loads(run("purge-sessions", "--json").stdout) == {"ok": True, "deleted": 0}


def test_a_key_that_cannot_be_rotated_is_said(data_dir: Path) -> None:
    keys.key_ring()
    keys.key_file().write_text("nonsense")
    result = run("rotate-key")
    assert result.exit_code == 1
    assert "PEM" in result.output


def test_old_sessions_are_purged() -> None:
    assert "0 sessions" in run("purge-sessions").output


def test_the_first_start_makes_an_owner_and_keeps_the_password_private(tmp_path: Path) -> None:
    owner_role()
    lines = ensure_owner(FirstRunContext(demo=True, data_dir=tmp_path))

    file = tmp_path / "owner-credentials.txt"
    password = lines[1].removeprefix("Password: ")
    owner = User.objects.get(email=OWNER_EMAIL)
    assert owner.check_password(password)
    assert actor_for(owner).grants.holds("identity.add_user")
    assert password in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_the_next_start_names_the_file_and_changes_nothing(tmp_path: Path) -> None:
    owner_role()
    context = FirstRunContext(demo=False, data_dir=tmp_path)
    password = ensure_owner(context)[1].removeprefix("Password: ")

    lines = ensure_owner(context)

    assert str(tmp_path) in lines[0]
    assert password not in "".join(lines)
    assert User.objects.count() == 1
    (tmp_path / "owner-credentials.txt").unlink()
    assert ensure_owner(context) == []


def test_a_deployment_with_an_owner_gets_no_other(tmp_path: Path) -> None:
    make_owner()
    assert ensure_owner(FirstRunContext(demo=False, data_dir=tmp_path)) == []
    assert not User.objects.filter(email=OWNER_EMAIL).exists()
