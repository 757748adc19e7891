"""The words of ``plugin diff``: what is told of each kind of change, and what of it breaks somebody."""

from __future__ import annotations

from typing import Any

import pytest

from platform_core.registry.release_diff import changes_between, sentence


def row(kind: str, name: str, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "name": name, "facts": facts}


def told(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    return [(one.text, one.breaking) for one in changes_between(before, after)]


FIELD = {"type": "CharField", "required": False, "readable": True, "writable": True}
CASES: list[tuple[str, dict[str, Any], dict[str, Any], str, bool]] = [
    ("permissions", {"rule": "A"}, {"rule": "(A | B)"}, "widens permission x: its rule A", False),
    ("permissions", {"rule": "A"}, {"rule": "(A & B)"}, "changes permission x: its rule A", True),
    (
        "permissions",
        {"rule": "A"},
        {"rule": "A", "model": "a.B"},
        "changes permission x: it is about a.B",
        True,
    ),
    (
        "roles",
        {"permissions": ["a"]},
        {"permissions": ["a", "b"]},
        "widens role x: it gains b",
        False,
    ),
    (
        "roles",
        {"permissions": ["a", "b"]},
        {"permissions": ["a"]},
        "narrows role x: it loses b",
        True,
    ),
    (
        "flags",
        {"default": False},
        {"default": True},
        "changes flag x: default False is now True",
        False,
    ),
    (
        "settings",
        {"type": "int", "required": False},
        {"type": "int", "required": True},
        "needs setting x: it is required now",
        True,
    ),
    (
        "settings",
        {"type": "int", "required": True},
        {"type": "str", "required": True},
        "changes setting x: int is now str",
        True,
    ),
    (
        "addresses",
        {"access": {"GET": "a"}, "flags": {}},
        {"access": {"GET": "a", "POST": "b"}, "flags": {}},
        "adds route x: method POST",
        False,
    ),
    (
        "addresses",
        {"access": {"GET": "a", "POST": "b"}, "flags": {}},
        {"access": {"GET": "a"}, "flags": {}},
        "drops route x: method POST",
        True,
    ),
    (
        "addresses",
        {"access": {"GET": "a.b"}, "flags": {}},
        {"access": {"GET": "public"}, "flags": {}},
        "widens route x: GET asks for public",
        False,
    ),
    (
        "addresses",
        {"access": {"GET": "a.b"}, "flags": {}},
        {"access": {"GET": "a.c"}, "flags": {}},
        "narrows route x: GET asks for a.c",
        True,
    ),
    (
        "addresses",
        {"access": {"GET": "a"}, "flags": {}},
        {"access": {"GET": "a"}, "flags": {"GET": ["f"]}},
        "narrows route x: GET is behind f",
        True,
    ),
    (
        "addresses",
        {"access": {"GET": "a"}, "flags": {"GET": ["f"]}},
        {"access": {"GET": "a"}, "flags": {}},
        "widens route x: GET is behind no flag",
        False,
    ),
    (
        "resources",
        {"fields": {}},
        {"fields": {"n": {**FIELD, "required": True}}},
        "narrows resource x: field n is required",
        True,
    ),
    ("resources", {"fields": {}}, {"fields": {"n": FIELD}}, "widens resource x: field n", False),
    ("resources", {"fields": {"n": FIELD}}, {"fields": {}}, "narrows resource x: no field n", True),
    (
        "resources",
        {"fields": {"n": FIELD}},
        {"fields": {"n": {**FIELD, "writable": False}}},
        "narrows resource x: field n is not writable now",
        True,
    ),
    (
        "resources",
        {"filters": {"n": ["exact", "in"]}},
        {"filters": {"n": ["exact"]}},
        "narrows resource x: no filter n__in",
        True,
    ),
    (
        "resources",
        {},
        {"field_rules": {"n": {"view": "Granted('a.b')", "change": "Never()"}}},
        "narrows resource x: field n is for view=Granted('a.b'), change=Never()",
        True,
    ),
    (
        "resources",
        {"field_rules": {"n": {"view": "Always()", "change": "Never()"}}},
        {},
        "widens resource x: field n is for everybody",
        False,
    ),
    (
        "importers",
        {"permission": "a"},
        {"permission": "b"},
        "changes importer x",
        False,
    ),
]


@pytest.mark.parametrize(("kind", "old", "new", "text", "breaking"), CASES)
def test_a_change_is_told_in_words_with_whether_it_breaks(
    kind: str, old: dict[str, Any], new: dict[str, Any], text: str, breaking: bool
) -> None:
    ((found, breaks),) = told([row(kind, "x", **old)], [row(kind, "x", **new)])

    assert found.startswith(text)
    assert breaks is breaking


def table(**columns: tuple[str, bool]) -> dict[str, Any]:
    facts = {
        name: {"field": name, "type": kind, "null": null} for name, (kind, null) in columns.items()
    }
    return row("tables", "a_thing", model="a.Thing", columns=facts)


def test_columns_are_told_one_by_one_and_a_rename_only_when_a_migration_says_so() -> None:
    before = [table(id=("bigint", False), name=("varchar(9)", False), size=("integer", True))]
    after = [table(id=("bigint", False), title=("varchar(9)", False), size=("bigint", False))]
    facts = {"reversible": True, "replaces": [], "operations": []}
    rename = row("migrations", "a.2", **facts, renames=[["thing", "name", "title"]])
    other = row("migrations", "a.2", **facts, renames=[["elsewhere", "name", "title"]])

    assert told(before, [*after, rename])[:-1] == [
        ("renames column name of table a_thing to title", True),
        ("changes column size of table a_thing: integer → bigint", True),
        ("changes column size of table a_thing: may not be null any more", True),
    ]
    texts = [text for text, _ in told(before, [*after, other])]
    assert "drops column name of table a_thing" in texts
    assert "adds column title to table a_thing" in texts


def test_a_squashed_migration_takes_its_forerunners_without_breaking() -> None:
    facts = {"reversible": True, "replaces": [], "operations": []}
    old = [row("migrations", "a.1", **facts), row("migrations", "a.2", **facts)]
    squashed = row("migrations", "a.1_2", **{**facts, "replaces": ["a.1", "a.2"]})

    assert not any(breaking for _, breaking in told(old, [squashed]))
    assert any(breaking for _, breaking in told(old, [row("migrations", "a.1", **facts)]))


def test_what_only_moved_in_the_file_is_no_change_and_many_are_counted() -> None:
    permission = row("permissions", "a.see", rule="A", words="one")
    assert told([permission], [row("permissions", "a.see", rule="A", words="two")]) == []

    many = [row("permissions", f"a.{n}", rule="A") for n in range(3)]
    changes = changes_between([row("commands", "go")], many)

    assert sentence(changes) == "adds 3 permissions, drops command go"
    assert sentence([]) == ""


@pytest.mark.parametrize(
    ("old", "new", "breaks"),
    [
        ("varchar(40)", "varchar(41)", False),
        ("varchar(40)", "text", False),
        ("varchar(41)", "varchar(40)", True),
        ("text", "varchar(40)", True),
        ("varchar(40)", "integer", True),
    ],
)
def test_a_text_column_that_takes_longer_texts_breaks_nobody(
    old: str, new: str, breaks: bool
) -> None:
    (change,) = told([table(name=(old, False))], [table(name=(new, False))])
    assert change == (f"changes column name of table a_thing: {old} → {new}", breaks)
