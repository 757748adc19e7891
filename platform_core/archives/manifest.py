"""The manifest of an archive: whose it is, which schema it has, and what each member must be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from platform_core.archives.parts import Sequence

FORMAT = 1
MANIFEST = "manifest.json"
GRANTS = "grants.json"
SETTINGS = "settings.json"
LEDGER = "ledger.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One file inside the archive; ``rows`` is None where it holds none."""

    bytes: int
    sha256: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one table: in which columns, and in which member."""

    name: str
    columns: tuple[str, ...]
    member: str
    history: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A file of the plugin in the deployment's data folder, relative to the plugin's own folder there."""

    path: str
    mode: int
    member: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything about an archive beside the data; ``schema`` are the names of the applied migrations."""

    slug: str
    distribution: str
    version: str
    state: str
    schema: tuple[str, ...]
    core_version: str
    postgresql: str
    created_at: str
    tables: tuple[Table, ...]
    elsewhere: tuple[Table, ...]
    sequences: tuple[Sequence, ...]
    files: tuple[File, ...]
    has_grants: bool
    members: Mapping[str, Member] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """Return the manifest as it stands in the archive."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=1, sort_keys=True).encode()

    @property
    def rows(self) -> int:
        """The number of rows in the plugin's own tables."""
        return sum(self.members[table.member].rows or 0 for table in self.tables)


def decoded(text: bytes) -> Manifest:
    """Return the manifest in ``text``; ValueError, KeyError or TypeError when it is none of this format."""
    found: dict[str, Any] = json.loads(text)
    if found.pop("format") != FORMAT:
        raise ValueError("another format")
    return Manifest(
        **{
            **found,
            "schema": tuple(found["schema"]),
            "tables": tuple(_table(one) for one in found["tables"]),
            "elsewhere": tuple(_table(one) for one in found["elsewhere"]),
            "sequences": tuple(Sequence(**one) for one in found["sequences"]),
            "files": tuple(File(**one) for one in found["files"]),
            "members": {name: Member(**one) for name, one in found["members"].items()},
        }
    )


def _table(found: Mapping[str, Any]) -> Table:
    return Table(**{**found, "columns": tuple(found["columns"])})
