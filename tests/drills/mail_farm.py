"""Workers that are forked from a process which has the deployment loaded, and killed while they send mails."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from typing import Any
from uuid import uuid4

import psycopg

from tests.drills.worker_farm import STUCK_AFTER_S, kill_until


def main() -> None:
    """Ask for mails, kill workers while they send them, and print how the rows stand as one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mails", type=int, required=True)
    parser.add_argument("--kills", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--fault", default="", choices=["", *FAULTS])
    options = parser.parse_args()
    random.seed(options.seed)
    import django

    django.setup()
    if options.fault:
        FAULTS[options.fault]()
    ask_for(options.mails)
    started = time.monotonic()
    kills = run(options.mails, options.kills)
    print(json.dumps({"kills": kills, "seconds": time.monotonic() - started, "rows": rows()}))


def ask_for(mails: int) -> None:
    """Ask for mails in one transaction, and for as many in one that is undone."""
    from django.db import connection, transaction

    from platform_core.mail import send_mail
    from platform_identity.mails import PasswordReset

    for number in range(2 * mails):
        with transaction.atomic():
            mail = PasswordReset(code=f"CODE-{number:05}", minutes=15)
            send_mail(mail, to=f"reader-{number}@example.org", language="en")
            transaction.set_rollback(number >= mails)
    connection.close()
    if hasattr(connection, "close_pool"):
        connection.close_pool()


def note_before_sending() -> None:
    """Plant a fault: a mail counts as sent, and is forgotten, before it is."""
    from platform_core.mail import delivering
    from platform_core.models import MailMessage

    attempt = delivering._attempt

    def attempt_noted(kept: Any) -> Any:
        _ = kept.payload  # opened while it is there
        MailMessage.objects.filter(pk=kept.pk).update(state="sent", payload=None)
        return attempt(kept)

    delivering._attempt = attempt_noted


def name_anew() -> None:
    """Plant a fault: each attempt has a Message-ID of its own."""
    from platform_core.mail import delivering

    made = delivering.message_of

    def made_anew(kept: Any) -> Any:
        message = made(kept)
        message.extra_headers["Message-ID"] = f"<{uuid4()}@localhost>"
        return message

    delivering.message_of = made_anew


FAULTS = {"noted before it is sent": note_before_sending, "another name each time": name_anew}


def run(mails: int, kills: int) -> int:
    """Keep workers running until all mails are sent or nothing moves, killing one now and then."""
    return kill_until(count_sent, mails, kills, stuck_after_s=STUCK_AFTER_S, is_over=jobs_ended)


def count_sent() -> int:
    """Return how many mails are sent."""
    return count("SELECT count(*) FROM platform_core_mail WHERE state = 'sent'")


def jobs_ended() -> bool:
    """Tell whether no job that sends a mail waits or runs."""
    return not count(
        "SELECT count(*) FROM procrastinate_jobs "
        "WHERE task_name = 'platform_core.deliver_mail' AND status IN ('todo', 'doing')"
    )


def count(query: str) -> int:
    """Return the number that ``query`` finds."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[call-overload]
    return int(row[0])


def rows() -> list[list[Any]]:
    """Return of each mail its id, its state, and whether what it said is still there."""
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as connection:
        found = connection.execute(
            "SELECT id::text, state, payload IS NOT NULL FROM platform_core_mail"
        ).fetchall()
    return [list(one) for one in found]


if __name__ == "__main__":
    sys.exit(main())
