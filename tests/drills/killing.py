"""Write to an embedded server with several clients while it is killed, and judge what is left."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from platform_core.services import EmbeddedPostgres, ServerInfo
from platform_core.services._processes import _processes_of

ACCOUNTS = 20

SCHEMA = """
CREATE TABLE account (id int PRIMARY KEY, version bigint NOT NULL, value text NOT NULL);
CREATE TABLE account_history (account int REFERENCES account, version bigint, value text NOT NULL,
    PRIMARY KEY (account, version));
CREATE TABLE written (client int, number bigint, PRIMARY KEY (client, number));
"""

Write = Callable[[psycopg.Connection, int, int, int, Callable[[], None]], None]
"""Write one thing: connection, client, number, account, and what to call once it is acknowledged."""


def write(
    connection: psycopg.Connection, client: int, number: int, account: int, done: Callable[[], None]
) -> None:
    """Change an account with its version and history in one transaction; acknowledged after the commit."""
    with connection.transaction():
        change(connection, client, number, account)
        remember(connection, client, number, account)
    done()


def change(connection: psycopg.Connection, client: int, number: int, account: int) -> None:
    """Give the account its next version, and note which client's write it was."""
    connection.execute(
        "UPDATE account SET version = version + 1, value = %s WHERE id = %s",
        [f"{client}:{number}", account],
    )
    connection.execute("INSERT INTO written VALUES (%s, %s)", [client, number])


def remember(connection: psycopg.Connection, client: int, number: int, account: int) -> None:
    """Write the account's present version into its history."""
    connection.execute(
        "INSERT INTO account_history SELECT id, version, value FROM account WHERE id = %s",
        [account],
    )


@dataclass
class Outcome:
    """What a run of kills did."""

    kills: int = 0
    acknowledged: int = 0
    recovery_s: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Clients:
    """Threads that write until they are told to stop, and find the server again whenever it returns."""

    def __init__(self, info: ServerInfo, count: int, writing: Write) -> None:
        """Start the threads."""
        self._url, self._write = info.url(), writing
        self._stop = threading.Event()
        self.acknowledged: list[set[int]] = [set() for _ in range(count)]
        self.unexpected: list[str] = []
        self._threads = [
            threading.Thread(target=self._work, args=(number,), daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let every client end its present attempt."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=60)
            if thread.is_alive():
                self.unexpected.append("a client hangs")

    def _work(self, client: int) -> None:
        chance = random.Random(client)  # noqa: S311
        number = 0
        while not self._stop.is_set():
            try:
                with psycopg.connect(self._url, autocommit=True, connect_timeout=5) as connection:
                    while not self._stop.is_set():
                        number += 1
                        acknowledge = self._acknowledging(client, number)
                        account = chance.randrange(ACCOUNTS)
                        self._write(connection, client, number, account, acknowledge)
            except psycopg.OperationalError:  # killed under us, or not back yet
                time.sleep(0.02)
            except psycopg.Error as error:
                self.unexpected.append(f"{type(error).__name__}: {error}")
                return

    def _acknowledging(self, client: int, number: int) -> Callable[[], None]:
        return lambda: self.acknowledged[client].add(number)


def kill_all_processes(info: ServerInfo, data: Path) -> None:
    """Send SIGKILL to the postmaster and to every process of the server, in no particular order."""
    victims = [info.pid, *_processes_of(data)]
    random.shuffle(victims)
    for pid in victims:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def faults_in(info: ServerInfo, acknowledged: list[set[int]]) -> list[str]:
    """Return what is wrong: acknowledged writes that are gone, and histories with a gap, a double or another end."""
    with psycopg.connect(info.url()) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ  # the clients write on
        kept: set[tuple[int, int]] = set(connection.execute("SELECT client, number FROM written"))
        torn = connection.execute(
            "SELECT a.id, a.version, count(h.version), max(h.version) FROM account a"
            " LEFT JOIN account_history h ON h.account = a.id GROUP BY a.id"
            " HAVING count(h.version) <> a.version OR coalesce(max(h.version), 0) <> a.version"
            " OR bool_or(h.version = a.version AND h.value <> a.value)"
        ).fetchall()
        total = connection.execute("SELECT coalesce(sum(version), 0) FROM account").fetchone()
    lost = sum((client, n) not in kept for client, ns in enumerate(acknowledged) for n in ns)
    found = [f"{lost} acknowledged writes are lost"] if lost else []
    found += [f"the history of account {row[0]} is torn: {row[1:]}" for row in torn]
    if total and total[0] != len(kept):
        found.append(f"{total[0]} versions, but {len(kept)} writes")
    return found


def run_kills(
    folder: Path,
    kills: int,
    *,
    clients: int = 6,
    writing: Write = write,
    settings: Mapping[str, str] | None = None,
    stop_at_fault: bool = False,
    told: Callable[[Outcome], None] = lambda outcome: None,  # noqa: ARG005
) -> Outcome:
    """Kill the server ``kills`` times at random moments under writes; judge after each next start."""
    server = EmbeddedPostgres(folder / "postgres", settings=settings)
    data = folder / "postgres" / "data"
    outcome = Outcome()
    info = server.start()
    with psycopg.connect(info.url()) as connection:
        connection.execute(
            "SET synchronous_commit = on"
        )  # the ground of the drill, whatever is planted
        connection.execute(SCHEMA)
        connection.execute(
            "INSERT INTO account SELECT n, 0, '' FROM generate_series(0, %s) n", [ACCOUNTS - 1]
        )
    working = Clients(info, clients, writing)
    try:
        for _ in range(kills):
            time.sleep(random.uniform(0.02, 0.7))  # noqa: S311
            kill_all_processes(info, data)
            outcome.kills += 1
            written = [set(one) for one in working.acknowledged]
            before = time.monotonic()
            info = server.start()
            outcome.recovery_s.append(time.monotonic() - before)
            outcome.acknowledged = sum(map(len, written))
            outcome.faults += [*faults_in(info, written), *working.unexpected]
            told(outcome)
            if outcome.faults and stop_at_fault:
                break
        working.stop()
        outcome.faults += faults_in(info, working.acknowledged)
        outcome.acknowledged = sum(map(len, working.acknowledged))
    finally:
        working.stop()
        server.stop(mode="immediate")
    return outcome
