"""Plugins that join or exclude others, seen from ``platformctl``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployments import TestDeployment, new_deployment, write_distribution


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[TestDeployment]:
    with new_deployment(tmp_path / "site", plugins=["identity", "alpha"]) as made:
        wheels = tmp_path / "wheels"
        made.path.append(wheels)
        write_distribution(wheels, "alpha")
        write_distribution(wheels, "beta")
        write_distribution(wheels, "glue", apps_extra='enabled_with = ("alpha", "beta")')
        write_distribution(wheels, "rival", apps_extra='conflicts = ("alpha",)')
        yield made


def states(deployment: TestDeployment) -> dict[str, str]:
    answer = deployment.call("plugin", "list", "--json")
    return {one["slug"]: one["state"] for one in answer.document["plugins"]}


def test_glue_is_planned_enabled_and_disabled_with_what_it_joins(
    deployment: TestDeployment,
) -> None:
    planned = deployment.call("plugin", "plan", "--enable", "beta")
    enabled = deployment.call("plugin", "enable", "beta")
    awake = states(deployment)
    disabled = deployment.call(
        "plugin", "disable", "alpha", DATABASE_URL="postgresql://127.0.0.1:1/x"
    )
    asleep = states(deployment)

    assert planned.code == enabled.code == disabled.code == 0, planned.err + enabled.err
    for answer in (planned, enabled):
        assert "glue becomes enabled, because it joins alpha and beta" in answer.out
    assert "glue becomes dormant and keeps its data, because it joins" in disabled.out
    assert (awake["glue"], asleep["glue"], asleep["beta"]) == ("enabled", "dormant", "enabled")


def test_listed_glue_waits_and_says_for_what(deployment: TestDeployment) -> None:
    deployment.write(plugins=["identity", "alpha", "glue"])

    planned = deployment.call("plugin", "plan", "--disable", "alpha", "--json")
    listed = deployment.call("plugin", "list")
    shown = deployment.call("plugin", "show", "glue", "--json")
    migrated = deployment.call("migrate", "--json")
    checked = deployment.call("check", "--json")

    assert states(deployment)["glue"] == "waiting"
    assert "glue: waits for beta" in listed.out
    assert (shown.code, shown.document["waits_for"]) == (0, ["beta"])
    assert planned.code == 0, planned.out
    assert migrated.code == checked.code == 0, checked.out


def test_a_conflict_is_told_by_the_plan_with_both_names(deployment: TestDeployment) -> None:
    answer = deployment.call("plugin", "plan", "--enable", "rival", "--json")

    assert answer.code == 1
    (problem,) = answer.problems
    assert (problem["plugin"], problem["code"]) == ("rival", "plugins_conflict")
    assert '"rival" must not be enabled together with "alpha"' in problem["message"]
    assert "platformctl plugin disable alpha" in problem["way_out"]
