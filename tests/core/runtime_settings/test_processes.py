"""A setting that one process changes is changed in all of them, without a restart and without a look at each request."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import TestDeployment
from tests.served import Served, owner_credentials, serve

VARIABLE = "PLATFORM_RATE_LIMIT_SIGNED_IN"
PLACE = f"/api/v1/system/settings/{VARIABLE}/"
WITHIN_S = 15.0
"""A second by design; a busy machine may take its time."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "deployment"
    made.mkdir(mode=0o700)
    TestDeployment(made, "").write(plugins=["identity"])
    return made


def command(folder: Path, *words: str) -> dict[str, Any]:
    clean = {"PATH": "/usr/bin:/bin", "HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-m", "platform_core.cli", "settings", *words, "--json"],
        cwd=folder,
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return {**found, "exit": done.returncode}


def seen_by_all(served: Served, token: str, amount: str) -> bool:
    """Tell whether some time later a run of calls, which reach both workers, all count by ``amount``."""
    ends = time.monotonic() + WITHIN_S
    while time.monotonic() < ends:
        policies = {
            served.request("GET", PLACE, token=token).headers["RateLimit-Policy"] for _ in range(12)
        }
        if policies == {f'"signed_in";q={amount};w=3600'}:
            return True
        time.sleep(0.2)
    return False


def test_every_process_follows_and_the_command_line_does_the_same(folder: Path) -> None:
    with serve(folder, "--workers", "2") as served:
        token = served.sign_in(*owner_credentials(folder / "var"))
        assert seen_by_all(served, token, "1000")

        assert served.request("PATCH", PLACE, {"value": "2000/hour"}, token=token).status == 200
        assert seen_by_all(served, token, "2000")

        done = command(folder, "set", VARIABLE, "3000/hour", "--reason", "a fair")
        assert (done["exit"], done["source"], done["value"]) == (0, "database", "3000/hour")
        assert seen_by_all(served, token, "3000")

        assert command(folder, "reset", VARIABLE)["was_set"] is True
        assert seen_by_all(served, token, "1000")

        changes = command(folder, "history", VARIABLE)["changes"]
        assert [(one["version"], one["value"], one["actor_kind"]) for one in changes] == [
            (3, None, "system"),
            (2, "3000/hour", "system"),
            (1, "2000/hour", "user"),
        ]
        assert changes[1]["reason"] == "a fair"
        listed = command(folder, "list", "--editable", "--plugin", "identity")["settings"]
        assert {one["name"] for one in listed} == {
            *("access_ttl", "refresh_ttl", "session_ttl", "signup_open")
        }
        refused = command(folder, "set", "PLATFORM_TIME_ZONE", "UTC")
        assert (refused["exit"], refused["problems"][0]["code"]) == (1, "setting_not_editable")
        assert served.stop() == 0
