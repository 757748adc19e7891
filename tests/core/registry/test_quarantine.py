"""Quarantine: a broken plugin changes its own status and nothing else, and is not tried again until something changes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.deployments import TestDeployment, new_deployment, write_distribution

HOOK = "from platform_core.hookspecs import hookimpl\n\n\n@hookimpl\n"
ROUTE = (
    "from platform_core.contributions import PUBLIC, Route\n"
    "from django.http import HttpResponse\n{above}\n"
    f"{HOOK}def routes():\n"
    '    return [Route(path="hello/", name="hello", access=PUBLIC, view=lambda r: HttpResponse("hi"))]\n'
)
COMMAND = (
    "from platform_core.contributions import Command\n"
    f'{HOOK}def commands():\n    return [Command(name="greet", run=print, help="x")]\n'
)
SETTINGS = "from platform_core.conf import PluginSettings\n\n\nclass Values(PluginSettings):\n    token: str\n"
MODELS = "from django.db import models\n\n\nclass Thing(models.Model):\n    name = models.CharField({length})\n"
CALLS = """\
import json
from platform_core.cli.boot import boot
boot()
from django.conf import settings
from django.test import Client
paths = ["/api/v1/good/hello/", "/api/v1/identity/me/", "/api/v1/other/hello/"]
ready = Client().get("/readyz", headers={"host": "localhost"}).json()
print(json.dumps({
    "answers": [Client().get(one, headers={"host": "localhost"}).status_code for one in paths],
    "states": {one.slug: one.state for one in settings.PLATFORM.resolution.plugins},
    "held": {one.slug: [one.state, one.because] for one in settings.PLATFORM.resolution.held_back},
    "ready": [ready["status"], *(one for one in ready["checks"] if one["name"] == "quarantine")],
}))
"""


@dataclass(frozen=True)
class Broken:
    """A way to break: what the plugin is made of, how it is held back, and the code of its problem."""

    code: str
    standing: str = "quarantined"
    arguments: Mapping[str, Any] = field(default_factory=dict)


def with_hooks(text: str, code: str) -> Broken:
    return Broken(code, arguments={"files": {"hooks.py": text}})


BROKEN = {
    "apps": Broken("apps_import_failed", "broken", {"apps": "import nothing_like_this\n"}),
    "models": Broken(
        "models_import_failed", "broken", {"files": {"models.py": "import nothing_like_this\n"}}
    ),
    "hooks": with_hooks("import nothing_like_this\n", "hooks_import_failed"),
    "misspelt": with_hooks(f"{HOOK}def rutes():\n    return []\n", "hook_invalid"),
    "raising": with_hooks(f'{HOOK}def routes():\n    raise KeyError("boom")\n', "hook_raised"),
    "wrongtype": with_hooks(f'{HOOK}def routes():\n    return "all"\n', "hook_wrong_type"),
    "zconflict": with_hooks(COMMAND, "conflict"),
    "unset": Broken(
        "setting_invalid",
        arguments={
            "apps_extra": "settings_class = __import__('unset_plugin.settings').settings.Values",
            "files": {"settings.py": SETTINGS},
        },
    ),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestDeployment]:
    """A migrated deployment with identity, a plugin that is well, and every broken one installed."""
    folder = tmp_path_factory.mktemp("quarantine")
    with new_deployment(folder / "site", plugins=["identity", "good"]) as made:
        wheels = folder / "wheels"
        made.path.append(wheels)
        write_distribution(wheels, "good", files={"hooks.py": ROUTE.format(above="") + COMMAND})
        for slug, broken in BROKEN.items():
            write_distribution(wheels, slug, **broken.arguments)
        assert made.call("migrate").code == 0
        yield made


def look(deployment: TestDeployment, **variables: str) -> dict[str, Any]:
    """Boot the deployment in quarantine mode and ask it for its addresses and its state."""
    done = subprocess.run(
        [sys.executable, "-c", CALLS],
        cwd=deployment.folder,
        env=deployment.environment(
            **{
                "DJANGO_SETTINGS_MODULE": "settings",
                "PLATFORM_ON_PLUGIN_ERROR": "quarantine",
                **variables,
            }
        ),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "stderr": done.stderr}


@pytest.mark.parametrize("slug", BROKEN)
def test_a_broken_plugin_changes_only_its_own_status(site: TestDeployment, slug: str) -> None:
    site.write(plugins=["identity", "good", slug])

    found = look(site)

    assert found["answers"] == [200, 401, 404]
    assert found["held"] == {slug: [BROKEN[slug].standing, ""]}
    assert found["states"]["identity"] == found["states"]["good"] == "enabled"
