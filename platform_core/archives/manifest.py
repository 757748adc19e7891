"""The manifest of an archive: whose it is, which schema it has, and what each member must be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from platform_core.archives.parts import Sequence
from platform_core.sealed.format import Member

FORMAT = 1
GRANTS = "grants.json"
SETTINGS = "settings.json"
LEDGER = "ledger.json"
FILES = "files/"
"""The members below it are the files of the plugin's own folder in the data folder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The rows of one table: in which columns, and in which member."""

    name: str
    columns: tuple[str, ...]
    member: str
    history: bool = False


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
    has_grants: bool
    members: Mapping[str, Member] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain JSON data, without the members: those are told by the file that has them."""
        return {
            "format": FORMAT,
            **{name: one for name, one in asdict(self).items() if name != "members"},
        }

    @property
    def files(self) -> list[str]:
        """The members that are files of the plugin."""
        return sorted(name for name in self.members if name.startswith(FILES))

    @property
    def rows(self) -> int:
        """The number of rows in the plugin's own tables."""
        return sum(self.members[table.member].rows or 0 for table in self.tables)


def decoded(document: Mapping[str, Any], members: Mapping[str, Member]) -> Manifest:
    """Return the manifest in ``document``; ValueError, KeyError or TypeError when it is none of this format."""
    found = dict(document)
    if found.pop("format") != FORMAT:
        raise ValueError("another format")
    return Manifest(
        **{
            **found,
            "schema": tuple(found["schema"]),
            "tables": tuple(_table(one) for one in found["tables"]),
            "elsewhere": tuple(_table(one) for one in found["elsewhere"]),
            "sequences": tuple(Sequence(**one) for one in found["sequences"]),
            "members": members,
        }
    )


def _table(found: Mapping[str, Any]) -> Table:
    return Table(**{**found, "columns": tuple(found["columns"])})
