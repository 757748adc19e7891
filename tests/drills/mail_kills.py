"""Kill workers while they send mails: none is lost, none is sent that was undone, and repeats carry the same name."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from platform_core.services import EmbeddedPostgres
from tests.core.mail.receivers import MailServer, serving
from tests.deployments import ROOT, TestDeployment, new_deployment

PLANTED = ("noted before it is sent", "another name each time")
PLANTED_MAILS, PLANTED_KILLS = 30, 6


class SlowServer(MailServer):
    """Takes its time before it takes a content, and before it says so: workers die in both."""

    async def handle_RCPT(self, *arguments: Any) -> str:  # noqa: N802  (as the server calls it)
        """Take a recipient, slowly."""
        await asyncio.sleep(0.06)
        return await super().handle_RCPT(*arguments)

    async def handle_DATA(self, *arguments: Any) -> str:  # noqa: N802
        """Take a mail, and say so late."""
        answer = await super().handle_DATA(*arguments)
        await asyncio.sleep(0.06)
        return answer


def outcome(deployment: TestDeployment, mails: int, kills: int, fault: str = "") -> dict[str, Any]:
    """Return what came of so many mails under so many kills; those of before are forgotten."""
    server = SlowServer()
    with psycopg.connect(deployment.database_url) as connection:
        connection.execute("TRUNCATE platform_core_mail, procrastinate_jobs CASCADE")
    with serving(server):
        log = deployment.folder / "workers.log"
        found = subprocess.run(
            [
                *(sys.executable, "-m", "tests.drills.mail_farm", "--fault", fault),
                *("--mails", str(mails), "--kills", str(kills)),
                *("--seed", str(random.randrange(1 << 32))),
            ],
            cwd=ROOT,
            env=deployment.environment(
                DJANGO_SETTINGS_MODULE="settings",
                PLATFORM_EMAIL_URL=f"smtp://127.0.0.1:{server.port}?tls=off",
                PLATFORM_TASK_STALLED_AFTER="1",
            ),
            stdout=subprocess.PIPE,
            stderr=log.open("w"),
            text=True,
            check=False,
        )
        if found.returncode:
            raise RuntimeError(log.read_text()[-3000:])
        farm = json.loads(found.stdout.strip().splitlines()[-1])
    return {**judged(farm["rows"], server, mails), **farm}


def judged(rows: list[list[Any]], server: MailServer, mails: int) -> dict[str, Any]:
    """Compare what the rows say with what the server has."""
    taken: dict[str, set[str]] = {}
    for one in server.taken:
        name = str(one["Message-ID"]).strip("<>").partition("@")[0]
        text = next(one.iter_parts()).get_content()  # type: ignore[attr-defined]
        taken.setdefault(name, set()).add(f"{one['To']} {one['Date']} {text}")
    known = {row[0] for row in rows}
    return {
        "mails": len(rows),
        "asked for and not kept": mails - len(rows),
        "not sent": sum(state != "sent" for _name, state, _payload in rows),
        "lost": len(known - taken.keys()),
        "readable afterwards": sum(payload for _name, _state, payload in rows),
        "under another name": len(taken.keys() - known),
        "different at another attempt": sum(len(forms) > 1 for forms in taken.values()),
        "repeats": len(server.taken) - len(taken),
    }


def faults_in(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for everything that must not be."""
    harmless = {"mails", "repeats", "kills", "seconds", "rows"}
    return [
        f"{count} mails {name}" for name, count in found.items() if name not in harmless and count
    ]


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--mails", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))  # noqa: S311
    options = parser.parse_args()
    random.seed(options.seed)
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres")
        os.environ["DATABASE_URL"] = server.start().url()
        try:
            with new_deployment(folder / "site", plugins=["identity"]) as deployment:
                done = deployment.call("migrate")
                if done.code:
                    raise RuntimeError(done.err)
                return drill(deployment, options.mails, options.kills)
        finally:
            server.stop(mode="immediate")


def drill(deployment: TestDeployment, mails: int, kills: int) -> int:
    """See the planted faults, then look for real ones; return 1 when the former go unseen or there are any."""
    for fault in PLANTED:
        found = outcome(deployment, PLANTED_MAILS, PLANTED_KILLS, fault)
        seen = faults_in(found)
        told = seen[0] if seen else "NOT SEEN"
        print(f"planted: {fault}: after {found['kills']} kills: {told}", flush=True)
        if not seen:
            return 1
    found = outcome(deployment, mails, kills)
    wrong = faults_in(found)
    print(
        f"{found['kills']} kills, {found['mails']} mails in {found['seconds']:.0f} s, "
        f"{found['repeats']} repeats under the same name"
    )
    for fault in wrong:
        print(f"FAULT: {fault}")
    print("none lost" if not wrong else "FAILED")
    return 1 if wrong or found["kills"] < kills else 0


if __name__ == "__main__":
    sys.exit(main())
