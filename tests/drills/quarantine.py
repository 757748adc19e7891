"""Break plugins, one way each, and let others end the interpreter: in quarantine each changes only its own status."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from platform_core.services import EmbeddedPostgres
from tests.core.registry.broken_plugins import BROKEN, ENDINGS, fault_of, look, write_plugins
from tests.deployments import TestDeployment, new_deployment

SABOTAGE = """\
from platform_core.registry.resolution import Plugin

Plugin.enabled = property(lambda self: self.state == "enabled" and self.slug != "good")
raise ImportError("and another one contributes nothing")
"""


SILENCE = """\
import os
from platform_core.registry import steps

steps._tell("")  # as if its step were over
os._exit(3)
"""
STEP_LIMIT = {"PLATFORM_PLUGIN_STEP_TIMEOUT": "5"}


def fault(deployment: TestDeployment, slug: str) -> str:
    """Enable a broken plugin alone and return what else than its own status changed, or nothing."""
    deployment.write(plugins=["identity", "good", slug])
    try:
        return fault_of(look(deployment, **STEP_LIMIT), slug)
    except AssertionError as stopped:
        return f"the others do not start: {str(stopped)[-500:]}"


def faults(deployment: TestDeployment) -> dict[str, str]:
    """Return what else than their own status the broken plugins changed, by plugin."""
    found = {}
    for slug in (*BROKEN, *ENDINGS):
        seen = fault(deployment, slug)
        print(f"  {slug}: {seen or 'only its own status'}", flush=True)
        if seen:
            found[slug] = seen
    return found


def planted_fault(deployment: TestDeployment, text: str) -> str:
    """Let a plugin's ``apps.py`` be ``text``, and return what is seen of it."""
    file = deployment.path[0] / "apps_plugin" / "apps.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(text, encoding="utf-8")
    try:
        return fault(deployment, "apps")
    finally:
        file.write_text(before, encoding="utf-8")


def main() -> int:
    """Run the drill and return its exit code."""
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        server = EmbeddedPostgres(folder / "postgres")
        os.environ["DATABASE_URL"] = server.start().url()
        try:
            with new_deployment(folder / "site", plugins=["identity", "good"]) as deployment:
                deployment.path.append(folder / "wheels")
                write_plugins(folder / "wheels")
                assert deployment.call("migrate").code == 0
                planted = {
                    "a plugin that takes others along": planted_fault(deployment, SABOTAGE),
                    "a plugin that ends it unnamed": planted_fault(deployment, SILENCE),
                }
                for name, seen in planted.items():
                    print(f"planted: {name}: {seen or 'NOT SEEN'}", flush=True)
                found = faults(deployment) if all(planted.values()) else {"planted": "not seen"}
        finally:
            server.stop()
    print(
        f"FAILED: {found}"
        if found
        else f"{len(BROKEN) + len(ENDINGS)} ways to break, nobody else hurt"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
