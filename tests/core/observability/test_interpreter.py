"""Warnings and what finalizers raise go to the log, without the secrets and values that they quote."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.deployments import TestDeployment, new_deployment, write_distribution

TOKEN = "Zx81kQpLmN-rT7_uWvYb3c"  # noqa: S105
EARLY = f"import warnings\nwarnings.warn('the settings hold {TOKEN}', UserWarning)\n"
WARNS = f"""\
import sys, threading, warnings
from platform_core.cli.boot import boot
boot()
from platform_core.observability.redaction import carrying

class Loud:
    def __del__(self):
        raise RuntimeError("{TOKEN} and dragonfly")

with carrying(lambda: ["dragonfly"]):
    warnings.warn("dragonfly has {TOKEN}", RuntimeWarning)
    Loud()
warnings.showwarning("kept", UserWarning, "there.py", 3, sys.stdout)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    warnings.warn("seen by whoever looks")
assert [str(one.message) for one in caught] == ["seen by whoever looks"]
"""


def run(deployment: TestDeployment, code: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_what_python_says_is_told_by_the_log_without_values(tmp_path: Path) -> None:
    with new_deployment(tmp_path / "site") as made:
        done = run(made, WARNS)
        log = (made.folder / "var" / "logs" / "application.log").read_text(encoding="utf-8")

    assert TOKEN not in done.stderr + done.stdout + log
    assert "dragonfly" not in done.stderr + log
    lines = [json.loads(line) for line in log.splitlines()]
    (warning,) = [one for one in lines if one["event"] == "python warning"]
    assert warning["category"] == "RuntimeWarning"
    assert warning["level"] == "warning"
    assert warning["message"] == "[hidden] has [hidden]"
    assert warning["place"] == "<string>:11"
    (ignored,) = [one for one in lines if one["event"] == "an exception was ignored"]
    assert "RuntimeError: [hidden] and [hidden]" in ignored["exception"]
    assert ignored["place"] == "Loud.__del__"
    assert "there.py:3: UserWarning: kept" in done.stdout


def test_a_warning_before_there_is_a_log_is_a_clean_line(tmp_path: Path) -> None:
    with new_deployment(tmp_path / "site", plugins=["identity", "toy"]) as made:
        made.path.append(tmp_path / "wheels")
        write_distribution(
            tmp_path / "wheels",
            "toy",
            apps_extra="settings_class = None\nimport toy_plugin.early",
            files={"early.py": EARLY},
        )
        checked = made.call("check")

    assert "toy_plugin/early.py:2: UserWarning: the settings hold [hidden]" in checked.err
    assert TOKEN not in checked.err
