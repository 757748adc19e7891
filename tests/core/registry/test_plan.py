"""The pure parts of a plan: which plugins go along, what differs, and when a hash stays the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from packaging.requirements import Requirement

from platform_core.cli.plan_view import summary
from platform_core.registry.differences import difference
from platform_core.registry.discovery import Candidate
from platform_core.registry.lists import Lists
from platform_core.registry.plan import Plan
from platform_core.registry.problems import PluginErrors
from platform_core.registry.statements import broken_at_commas
from platform_core.registry.targets import Target, find_target

REQUIRES = {
    "people": [],
    "school": ["people"],
    "library": ["school"],
    "shelves": ["library", "people"],
    "alone": [],
}
CANDIDATES = {
    slug: (
        Candidate(
            slug=slug,
            value=f"{slug}_plugin.apps:Config",
            distribution=f"{slug}-plugin",
            version="1.0",
            summary="",
            requirements=tuple(Requirement(f"{name}-plugin>=1") for name in names),
        ),
    )
    for slug, names in REQUIRES.items()
}
NOW = Lists(plugins=("people", "school"), dormant=("alone",))


def target(current: Lists = NOW, **wishes: Any) -> Target:
    return find_target(current, CANDIDATES, **{"kept": {*REQUIRES}, **wishes})


def moves(found: Target) -> list[tuple[str, str, str]]:
    return [(change.slug, change.after, change.because) for change in found.changes]


def test_enabling_takes_along_what_is_required_first() -> None:
    found = target(enable=["shelves"])

    assert found.lists.plugins == ("people", "school", "library", "shelves")
    assert moves(found) == [("library", "enabled", "shelves"), ("shelves", "enabled", "")]


GLUE = {"shelves": ("school", "alone"), "more": ("shelves", "people")}
JOINING = CANDIDATES | {
    "shelves": (replace(CANDIDATES["shelves"][0], requirements=()),),
    "more": (replace(CANDIDATES["alone"][0], slug="more", distribution="more-plugin"),),
}


def joined(current: Lists, **wishes: Any) -> Target:
    return find_target(current, JOINING, **{"kept": {*REQUIRES, "more"}, "glue": GLUE, **wishes})


def test_glue_comes_along_with_the_last_that_it_joins() -> None:
    found = joined(NOW, enable=["alone"])

    assert found.lists.plugins == ("people", "school", "alone", "shelves", "more")
    assert [(one.slug, one.because, one.joins) for one in found.changes] == [
        ("alone", "", ()),
        ("shelves", "", ("school", "alone")),
        ("more", "", ("shelves", "people")),
    ]


def test_glue_that_was_switched_off_while_complete_stays_off() -> None:
    complete = Lists(plugins=("people", "school", "alone"), dormant=("shelves",))

    assert joined(complete, enable=["library"]).lists.plugins == (*complete.plugins, "library")
    assert joined(NOW, enable=["alone"], disable=["shelves"]).lists.plugins == (
        "people",
        "school",
        "alone",
    )


def test_glue_goes_along_with_the_first_that_falls_and_comes_back_with_it() -> None:
    every = Lists(plugins=("people", "school", "alone", "shelves", "more"))

    gone = joined(every, disable=["alone"])

    assert gone.lists.plugins == ("people", "school")
    assert {one.slug: one.joins for one in gone.changes} == {
        "more": ("shelves", "people"),
        "shelves": ("school", "alone"),
        "alone": (),
    }
    assert set(joined(gone.lists, enable=["alone"]).lists.plugins) == set(every.plugins)


def test_glue_that_lacks_something_else_does_not_come_along() -> None:
    found = find_target(
        Lists(plugins=("people",)), CANDIDATES, enable=["alone"], glue={"library": ("alone",)}
    )

    assert found.lists.plugins == ("people", "alone")


def test_enabling_wakes_dormant_requirements() -> None:
    found = target(Lists(plugins=("people",), dormant=("school", "library")), enable=["library"])

    assert found.lists == Lists(plugins=("people", "school", "library"))


def test_disabling_takes_dependents_along_and_keeps_what_has_data() -> None:
    everything = Lists(plugins=("people", "school", "library", "shelves"))

    found = target(everything, disable=["school"])

    assert found.lists == Lists(plugins=("people",), dormant=("shelves", "library", "school"))
    assert moves(found)[-1] == ("school", "dormant", "")
    assert ("library", "dormant", "school") in moves(found)


@pytest.mark.parametrize(
    ("kept", "dormant"),
    [
        (set(), ()),
        ({"library"}, ("library", "school")),
        ({"school"}, ("school",)),
        (None, ("library", "school")),
    ],
)
def test_what_was_never_migrated_leaves_unless_something_kept_requires_it(
    kept: set[str] | None, dormant: tuple[str, ...]
) -> None:
    current = Lists(plugins=("people", "school", "library"))

    for wish in (["school"], ["library", "school"], ["school", "library"]):
        found = target(current, disable=wish, kept=kept)

        assert found.lists.plugins == ("people",)
        assert set(found.lists.dormant) == set(dormant)


def test_what_is_so_already_changes_nothing() -> None:
    found = target(enable=["school"], disable=["alone", "library"])

    assert found.lists == NOW
    assert found.changes == ()


@pytest.mark.parametrize(
    ("wishes", "code", "plugin"),
    [
        ({"enable": ["nothing"]}, "unknown_plugin", "nothing"),
        ({"disable": ["nothing"]}, "unknown_plugin", "nothing"),
        ({"enable": ["library"], "disable": ["school"]}, "contradiction", "school"),
        ({"enable": ["alone"], "disable": ["alone"]}, "contradiction", "alone"),
        ({"disable": ["people"], "user_model": "people"}, "user_model_dormant", "people"),
    ],
)
def test_wishes_that_make_no_sense_are_refused(wishes: Any, code: str, plugin: str) -> None:
    with pytest.raises(PluginErrors) as found:
        target(**wishes)

    assert (code, plugin) in {(one.code, one.plugin) for one in found.value.problems}


def test_a_listed_plugin_that_is_no_longer_installed_can_be_disabled() -> None:
    found = target(Lists(plugins=("people", "ghost")), disable=["ghost"], kept=set())

    assert found.lists == Lists(plugins=("people",))


BEFORE: dict[str, Any] = {
    "plugins": {"people": {"state": "enabled", "version": "1.0", "distribution": "p"}},
    "permissions": {"people.view": {"owner": "people", "rule": "a"}},
    "roles": {"people.head": {"owner": "people", "title": "Head", "permissions": ["people.view"]}},
    "routes": {},
    "flags": {},
    "tables": {"people_person": "people"},
    "standing_tables": ["people_person"],
    "pending": [],
    "middleware": ["a", "b"],
    "user_model": "people.Person",
}
MIGRATION = {
    "app": "school",
    "name": "0001",
    "risk": "high",
    "statements": [{"sql": "x", "locks": [{"table": "people_person", "rows_estimate": 5}]}],
}
AFTER: dict[str, Any] = {
    **BEFORE,
    "plugins": {
        **BEFORE["plugins"],
        "school": {"state": "enabled", "version": "2.0", "distribution": "s"},
    },
    "permissions": {
        "people.view": {"owner": "people", "rule": "b"},
        "school.view": {"owner": "school", "rule": "c"},
    },
    "roles": {
        "people.head": {
            "owner": "people",
            "title": "Head",
            "permissions": ["people.view", "school.view"],
        }
    },
    "stored_roles": {"everything": ["people.view", "school.view"], "guest": []},
    "tables": {"people_person": "people", "school_class": "school", "school_old": "school"},
    "standing_tables": ["people_person", "school_old"],
    "pending": [MIGRATION],
    "middleware": ["a", "x"],
    "contributions": {"commands": [{"name": "ring", "owner": "school", "place": "hooks.py:1"}]},
    "settings": {"people": [{"name": "n"}], "school": [{"name": "bell", "source": "default"}]},
}


def test_the_difference_tells_what_is_gained_lost_and_changed() -> None:
    found = difference(BEFORE, AFTER)

    assert [one["slug"] for one in found["plugins"]] == ["school"]
    assert [(one["name"], one["standing"]) for one in found["tables"]["gained"]] == [
        ("school_class", False),
        ("school_old", True),
    ]
    (permission,) = found["permissions"]["gained"]
    assert permission["roles"] == ["everything", "people.head"]
    assert found["permissions"]["changed"][0]["after"]["rule"] == "b"
    assert found["roles"]["changed"][0]["name"] == "people.head"
    assert found["middleware"] == {"gained": ["x"], "lost": ["b"]}
    assert found["commands"]["gained"] == [{"name": "ring", "owner": "school"}]
    assert list(found["settings"]) == ["school"]
    assert not found["migrations"][0]["already_pending"]
    assert "user_model" not in found
    assert "flags" not in found


def test_the_way_back_loses_what_was_gained() -> None:
    found = difference(AFTER, {**BEFORE, "pending": [MIGRATION]})

    assert [one["name"] for one in found["permissions"]["lost"]] == ["school.view"]
    assert found["permissions"]["lost"][0]["roles"] == ["everything", "people.head"]
    assert found["migrations"][0]["already_pending"]
    assert "settings" not in found


def test_from_nothing_everything_is_gained() -> None:
    found = difference({}, AFTER)

    assert len(found["permissions"]["gained"]) == 2
    assert found["user_model"] == {"before": None, "after": "people.Person"}


def plan(found: dict[str, Any], lists: Lists = NOW) -> Plan:
    return Plan(target=Target(current=NOW, lists=lists, changes=()), difference=found)


def changed_rows(rows: int | None) -> dict[str, Any]:
    lock = {"table": "people_person", "rows_estimate": rows}
    migration = {**MIGRATION, "statements": [{"sql": "x", "locks": [lock]}]}
    settings = {**AFTER["settings"], "school": [{"name": "bell", "source": f"source {rows}"}]}
    return difference(BEFORE, {**AFTER, "pending": [migration], "settings": settings})


def test_the_hash_is_about_what_happens_and_not_about_numbers_that_move() -> None:
    same = {plan(changed_rows(rows)).hash for rows in (None, 5, 5_000_000)}
    others = {
        plan({}).hash,
        plan(changed_rows(5), Lists(plugins=("people",))).hash,
        plan(difference(BEFORE, {**AFTER, "pending": []})).hash,
    }

    assert len(same) == 1
    assert len(others - same) == 3


def test_the_summary_counts_what_would_happen() -> None:
    assert summary(plan(changed_rows(5))) == (
        "Plan: 1 migration (risk high), 2 tables gained, 1 permission gained."
    )
    assert not plan({}).changes_anything


def test_long_statements_are_broken_between_their_columns() -> None:
    columns = ", ".join(f"\"c{n}\" numeric(10, 2) DEFAULT 'a,(b'" for n in range(5))
    lines = broken_at_commas(f'CREATE TABLE "t" ({columns}) WITH (fillfactor = 70)')

    assert lines[0] == 'CREATE TABLE "t" ('
    assert lines[1] == "    \"c0\" numeric(10, 2) DEFAULT 'a,(b',"
    assert len([line for line in lines if line.startswith('    "c')]) == 5
    assert broken_at_commas("SELECT 1") == ["SELECT 1"]
