"""Every place where an operator, a tool or a stranger reads what a deployment has told, and what it says there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import psycopg
from psycopg import sql

from tests.drills.secret_marks import Marks

COLUMNS_LEFT_OUT = {
    "platform_core_auditevent": {"payload_digest"},
    "procrastinate_jobs": {"args"},  # what a job is given is its row
    "procrastinate_events": set[str](),
    "platform_core_taskrecord": set[str](),
    "platform_core_eventdelivery": set[str](),
    "platform_core_operation": set[str](),
    "platform_core_mail": {"recipient", "payload"},
    "platform_core_webhookdelivery": set[str](),
    "platform_core_webhookattempt": set[str](),
}
"""Tables that tell of work and of people's doings, without the columns that are there to hold what was sent."""


@dataclass
class Hit:
    """A mark where it must not be."""

    place: str
    mark: str
    line: str

    def __str__(self) -> str:
        return f"{self.mark} in {self.place}: {self.line[:300]}"


@dataclass
class Places:
    """What was told, by place."""

    texts: dict[str, str] = field(default_factory=dict)

    def add(self, place: str, text: str) -> None:
        """Add to what is told in ``place``."""
        self.texts[place] = self.texts.get(place, "") + text + "\n"

    def add_files(self, place: str, folder: Path) -> None:
        """Add every file in ``folder``."""
        for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
            if file.is_file():
                self.add(place, file.read_text(encoding="utf-8", errors="replace"))

    def add_tables(self, database_url: str) -> None:
        """Add the tables of audit, jobs, deliveries and operations."""
        with psycopg.connect(database_url) as connection:
            for table, hidden in COLUMNS_LEFT_OUT.items():
                cursor = connection.execute(
                    sql.SQL("SELECT * FROM {}").format(sql.Identifier(table))
                )
                names = [one.name for one in cursor.description or ()]
                for row in cursor.fetchall():
                    told = {
                        name: value
                        for name, value in zip(names, row, strict=True)
                        if name not in hidden
                    }
                    self.add(f"table {table}", str(told))

    def hits(self, marks: Marks) -> Iterator[Hit]:
        """Yield every mark in every place."""
        for place, text in self.texts.items():
            for name in marks.told_in(text):
                yield Hit(place, name, _line_with(text, marks, name))


def _line_with(text: str, marks: Marks, name: str) -> str:
    only = Marks({name: marks[name]})
    for line in text.splitlines():
        if next(only.told_in(line), None):
            at = max(line.find(marks[name]) - 120, 0)
            return line[at:]
    return ""


def server_log_of(database_url: str) -> Path:
    """Return the folder of the log of the embedded server that ``database_url`` leads to."""
    host: Any = parse_qs(urlsplit(database_url).query)["host"][0]
    return Path(host).parent / "log"
