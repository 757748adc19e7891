"""Deciding who is held back: step by step, with an end, and what is remembered of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from platform_core.registry.discovery import discover
from platform_core.registry.holding import Standings
from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.quarantine import Cases, settle, settle_by_probes
from platform_core.registry.resolution import Resolution
from platform_core.registry.verdict import (
    Case,
    fingerprint,
    keep_verdict,
    kept_verdict,
    last_verdict,
)
from tests.deployments import write_distribution

LISTS = Lists(plugins=("toy", "other"))
SET = Resolution(plugins=(), problems=(), listed=frozenset({"toy", "other"}))


@dataclass
class Outcome:
    problems: list[PluginProblem]
    resolution: Resolution = SET


def problem(plugin: str, code: str = "hook_raised") -> PluginProblem:
    return PluginProblem(plugin=plugin, code=code, message="It is broken.", way_out="Repair it.")


def well(held: Standings) -> Outcome:
    return Outcome([])


def test_a_plugin_is_left_out_when_dormant_does_not_help() -> None:
    answers = [[problem("toy")], [problem("toy", "check")], [problem("other")], []]
    asked: list[Mapping[str, str]] = []
    cases = Cases()

    def probe(held: Standings) -> list[PluginProblem]:
        asked.append(dict(held))
        return answers[len(asked) - 1]

    settle_by_probes(well, cases, Outcome([]), probe)

    assert asked == [
        {},
        {"toy": "quarantined"},
        {"toy": "broken"},
        {"toy": "broken", "other": "quarantined"},
    ]
    assert [one.code for one in cases.found["toy"].problems] == ["hook_raised", "check"]


@pytest.mark.parametrize("code", ["apps_import_failed", "models_import_failed", "unknown_plugin"])
def test_what_cannot_be_loaded_is_left_out_at_once(code: str) -> None:
    cases = Cases()

    settle(lambda held: Outcome([] if held else [problem("toy", code)]), cases)

    assert cases.standings == {"toy": "broken"}


@pytest.mark.parametrize("culprit", ["", "stranger"])
def test_a_problem_of_no_plugin_stops_the_start_with_everything_found_so_far(culprit: str) -> None:
    cases = Cases({"toy": Case(standing="quarantined", problems=(problem("toy"),))})

    with pytest.raises(PluginErrors) as raised:
        settle_by_probes(well, cases, Outcome([]), lambda held: [problem(culprit)])

    assert {one.plugin for one in raised.value.problems} == {culprit, "toy"}


def test_probes_that_lead_nowhere_end_with_a_report() -> None:
    calls = []

    def probe(held: Standings) -> list[PluginProblem]:
        calls.append(held)
        return [problem("toy")]

    with pytest.raises(PluginErrors):
        settle_by_probes(well, Cases(), Outcome([]), probe)

    assert calls == [{}, {"toy": "quarantined"}, {"toy": "broken"}]


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_distribution(tmp_path / "wheels", "toy", files={"hooks.py": "x = 1\n"})
    monkeypatch.syspath_prepend(str(folder))
    return folder


def taken(environ: Mapping[str, str], lists: Lists = LISTS, secret: str = "s") -> str:
    return fingerprint(lists, discover(), environ=environ, context=[], secret=secret)


def test_the_fingerprint_changes_with_what_may_change_a_plugin(wheels: Path) -> None:
    module = wheels / "toy_plugin" / "hooks.py"
    seen = [taken({}), taken({})]

    seen.append(taken({"PLUGIN_TOY_TOKEN": "one"}))
    seen.append(taken({}, lists=Lists(plugins=("toy",))))
    os.utime(module, ns=(1, 1))
    seen.append(taken({}))
    (wheels / "toy_plugin" / "deeper").mkdir()
    (wheels / "toy_plugin" / "deeper" / "new.py").write_text("")
    seen.append(taken({}))
    (wheels / "missing_library-1.0.dist-info").mkdir()
    seen.append(taken({}))

    assert seen[0] == seen[1]
    assert len(set(seen)) == len(seen) - 1
    assert taken({}) == taken({"PATH": "/elsewhere"})


def test_a_verdict_is_kept_for_its_set_and_for_this_user_only(tmp_path: Path) -> None:
    verdict = {"toy": Case(standing="broken", problems=(problem("toy"),))}

    keep_verdict(tmp_path, "first", LISTS, verdict)
    for number in range(8):
        keep_verdict(tmp_path, f"planned {number}", Lists(plugins=(str(number),)), {})

    assert kept_verdict(tmp_path, "planned 7") == {}
    assert kept_verdict(tmp_path, "first") is None
    assert last_verdict(tmp_path, LISTS) == {}
    keep_verdict(tmp_path, "first", LISTS, verdict)
    assert kept_verdict(tmp_path, "first") == last_verdict(tmp_path, LISTS) == verdict
    assert [one.name for one in tmp_path.iterdir()] == ["quarantine.json"]
    assert (tmp_path / "quarantine.json").stat().st_mode & 0o777 == 0o600


def test_a_torn_file_is_no_verdict(tmp_path: Path) -> None:
    (tmp_path / "quarantine.json").write_text("[{")

    assert kept_verdict(tmp_path, "first") is None
    keep_verdict(tmp_path, "first", LISTS, {})
    assert kept_verdict(tmp_path, "first") == {}


def test_a_folder_that_cannot_be_written_is_a_report(tmp_path: Path) -> None:
    with pytest.raises(PluginErrors) as raised:
        keep_verdict(tmp_path / "absent", "first", LISTS, {})

    assert raised.value.problems[0].code == "data_folder_not_writable"
