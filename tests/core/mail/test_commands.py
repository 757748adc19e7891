"""What an operator does about mails at the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.core.mail.receivers import mail_server
from tests.deployments import TestDeployment, new_deployment

FAILED = """
from platform_core.cli.boot import boot
boot()
from platform_core.mail import send_mail
from platform_core.models import MailMessage
from platform_identity.mails import AccountReactivated
for name in ("one", "two"):
    kept = send_mail(AccountReactivated.example(), to=f"{name}@example.org")
MailMessage.objects.update(state="failed", error="SMTPAuthenticationError 535", attempts=8)
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    with new_deployment(tmp_path / "site", plugins=["identity"]) as found:
        assert found.call("migrate").code == 0
        yield found


def test_an_operator_sees_failed_mails_and_sends_them_again(deployment: TestDeployment) -> None:
    made = deployment.run_python(FAILED)
    assert made.code == 0, made.err

    listed = deployment.call("mail", "list", "--to", "one@example.org", "--json").document
    (one,) = listed["mails"]
    assert (one["recipient"], one["state"]) == ("o…@example.org", "failed")
    assert listed["counts"] == {"queued": 0, "sent": 0, "failed": 1}
    assert deployment.call("mail", "resend", one["id"], "--json").document["mails"] == 1
    refused = deployment.call("mail", "resend", one["id"], "--json")
    assert (refused.code, refused.problems[0]["code"]) == (1, "not_resendable")
    assert deployment.call("mail", "resend", "--all", "--json").document["mails"] == 1
    with psycopg.connect(deployment.database_url) as connection:
        told = connection.execute(
            "SELECT count(*) FROM platform_core_auditevent WHERE action = 'resend' AND plugin = 'identity'"
        ).fetchone()
    assert told == (2,)


def test_a_mail_is_previewed_and_the_server_tried(
    deployment: TestDeployment, tmp_path: Path
) -> None:
    folder = tmp_path / "previews"
    previewed = deployment.call(
        "mail", "preview", "identity.password_reset", "--language", "fr", "--output", str(folder)
    )
    assert previewed.code == 0, previewed.err
    text = (folder / "identity.password_reset.fr.txt").read_text()
    assert text.startswith("Subject: Votre code pour un nouveau mot de passe\n")
    assert "ABCD-EFGH" in (folder / "identity.password_reset.fr.html").read_text()
    unknown = deployment.call("mail", "preview", "identity.nothing", "--json")
    assert (unknown.code, unknown.problems[0]["code"]) == (1, "unknown_mail")

    with mail_server() as server:
        url = f"smtp://127.0.0.1:{server.port}?tls=off"
        sent = deployment.call("mail", "test", "me@example.org", PLATFORM_EMAIL_URL=url)
    assert sent.code == 0, sent.err
    assert [one["To"] for one in server.taken] == ["me@example.org"]
    gone = deployment.call("mail", "test", "me@example.org", "--json", PLATFORM_EMAIL_URL=url)
    assert gone.code == 1
    assert "ConnectionRefusedError" in gone.problems[0]["message"]
    assert "Check host and port" in gone.problems[0]["way_out"]
