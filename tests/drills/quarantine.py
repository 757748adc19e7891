"""Break eight plugins, one way each: in quarantine every one changes its own status and nothing else."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from platform_core.services import EmbeddedPostgres
from tests.core.registry.broken_plugins import BROKEN, fault_of, look, write_plugins
from tests.deployments import TestDeployment, new_deployment

SABOTAGE = """\
from platform_core.registry.resolution import Plugin

Plugin.enabled = property(lambda self: self.state == "enabled" and self.slug != "good")
raise ImportError("and another one contributes nothing")
"""


def faults(deployment: TestDeployment) -> dict[str, str]:
    """Enable each broken plugin alone and return what else than its own status changed."""
    found = {}
    for slug in BROKEN:
        deployment.write(plugins=["identity", "good", slug])
        fault = fault_of(look(deployment), slug)
        print(f"  {slug}: {fault or 'only its own status'}", flush=True)
        if fault:
            found[slug] = fault
    return found


def planted_fault(deployment: TestDeployment) -> str:
    """Let a plugin take the others along before it fails, and return what is seen of it."""
    file = deployment.path[0] / "apps_plugin" / "apps.py"
    before = file.read_text(encoding="utf-8")
    file.write_text(SABOTAGE, encoding="utf-8")
    try:
        deployment.write(plugins=["identity", "good", "apps"])
        return fault_of(look(deployment), "apps")
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
                seen = planted_fault(deployment)
                print(f"planted: a plugin that takes others along: {seen or 'NOT SEEN'}")
                found = faults(deployment) if seen else {"planted": "not seen"}
        finally:
            server.stop()
    print(f"FAILED: {found}" if found else f"{len(BROKEN)} ways to break, nobody else hurt")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
