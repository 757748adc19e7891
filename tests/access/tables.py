"""The access tables as they are written, and what is wrong with them beside what is mounted."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.access.operations import Operation

PERSONAS = (
    "anonymous",
    "expired",
    "suspended",
    "no_role",
    "other_owner",
    "viewer",
    "owner",
    "admin",
)
FOLDER = Path(__file__).with_name("tables")
_ANSWER = re.compile(r"[2-4]\d\d(-|:[2-4]\d\d)?\Z")

HOW_TO = """\
Each operation has one line in tests/access/tables/<slug>.txt: method, path below /api/v1/<slug>/, and the answer to a
valid request of each persona ({personas}), who are told of in tests/access/README.md with how answers are written.
Decide each cell from who ought to be allowed, not from what the code answers now.
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One operation as its table has it: the expected answer by persona."""

    slug: str
    method: str
    path: str
    answers: dict[str, str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def group(self) -> str:
        """The first word of the path."""
        return self.path.strip("/").partition("/")[0]


def read_table(path: Path) -> list[Line]:
    """Return the lines of one table; raises AssertionError where it is not written as a table is."""
    rows = [
        line.split()
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip() and not line.startswith("#")
    ]
    head, *body = rows
    assert head == ["method", "path", *PERSONAS], (
        f"{path.name}: the columns are {' '.join(head)}; they have to be method path {' '.join(PERSONAS)}."
    )
    for row in body:
        assert len(row) == len(head), (
            f"{path.name}: {' '.join(row)} has {len(row) - 2} answers for {len(PERSONAS)} personas."
        )
        wrong = [cell for cell in row[2:] if not _ANSWER.match(cell)]
        assert not wrong, f"{path.name}: {row[0]} {row[1]} has {wrong[0]}, which is no answer."
    return [
        Line(path.stem, method, where, dict(zip(PERSONAS, cells, strict=True)))
        for method, where, *cells in body
    ]


def read_tables(folder: Path = FOLDER) -> list[Line]:
    """Return the lines of all tables."""
    return [line for path in sorted(folder.glob("*.txt")) for line in read_table(path)]


def check_coverage(lines: Sequence[Line], operations: Sequence[Operation]) -> None:
    """Assert that each operation has exactly one line and each line an operation."""
    told = [(one.slug, str(one)) for one in lines]
    mounted = {(one.slug, str(one)) for one in operations}
    faults = [
        f"tests/access/tables/{slug}.txt lacks:  {operation}  {' '.join('???' for _ in PERSONAS)}"
        for slug, operation in sorted(mounted - set(told))
    ]
    faults += [
        f"tests/access/tables/{slug}.txt has {operation}, which is not mounted: remove the line."
        for slug, operation in sorted(set(told) - mounted)
    ]
    faults += [
        f"tests/access/tables/{slug}.txt has {operation} more than once."
        for slug, operation in sorted({one for one in told if told.count(one) > 1})
    ]
    assert not faults, "\n".join([*faults, HOW_TO.format(personas=", ".join(PERSONAS))])
