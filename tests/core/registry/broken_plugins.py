"""Plugins, each broken in a way of its own, and a look at a deployment that goes on without them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.deployments import TestDeployment, write_distribution

HOOK = "from platform_core.hookspecs import hookimpl\n\n\n@hookimpl\n"
ROUTE = (
    "from platform_core.contributions import PUBLIC, Route\n"
    "from django.http import HttpResponse\n"
    f"{HOOK}def routes():\n"
    '    return [Route(path="hello/", name="hello", access=PUBLIC, view=lambda r: HttpResponse("hi"))]\n'
)
COMMAND = (
    "from platform_core.contributions import Command\n"
    f'{HOOK}def commands():\n    return [Command(name="greet", run=print, help="x")]\n'
)
SETTINGS = "from platform_core.conf import PluginSettings\n\n\nclass Values(PluginSettings):\n    token: str\n"
MODELS = (
    "from django.db import models\n\n\nclass Thing(models.Model):\n    name = models.TextField()\n"
)
CALLS = """\
import json, os
from platform_core.cli.boot import boot
boot()
from django.conf import settings
from platform_core.cli.serve import prepare
lines = prepare(settings.PLATFORM.deployment, demo=False, as_json=True) if os.environ.get("RUN") else []
from django.test import Client
paths = ["/api/v1/good/hello/", "/api/v1/identity/me/", "/api/v1/needy/hello/"]
ready = Client().get("/readyz", headers={"host": "localhost"}).json()
print(json.dumps({
    "lines": lines,
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


DEADLY = {
    "leaves": "import os\nos._exit(3)\n",
    "crashes": "import ctypes\nctypes.string_at(0)\n",
    "exits": "import sys\nsys.exit()\n",
    "hangs": "while True: pass\n",
    "kills": "import os\nos.kill(os.getpid(), 9)\n",
    "recurses": (
        "found = iter(())\nfor _ in range(10**6):\n    found = filter(None, found)\nnext(found, None)\n"
    ),
    "hoards": (
        "import resource\nresource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\nbytearray(2**33)\n"
    ),
}
"""Ways to end the interpreter, or to keep it, wherever they stand."""
SAID = {
    "leaves": "ended the process with code 3",
    "crashes": "ended the process by SIGSEGV",
    "exits": "SystemExit()",
    "hangs": "did not come to an end, and was stopped",
    "kills": "ended the process by SIGKILL",
    "recurses": "ended the process by SIGSEGV",
    "hoards": "MemoryError",
}
"""What the report says of each."""
PLACES = ("apps", "models", "hooks", "calls")


def deadly(way: str, place: str) -> Broken:
    """Return the plugin that ends the interpreter in this way when it comes to this place of it."""
    ending = DEADLY[way]
    raised = way in {"exits", "hoards"}  # an exception is no end
    code = f"{place}_ended_start"
    if raised:
        code = "hook_raised" if place == "calls" else f"{place}_import_failed"
    standing = "broken" if place in {"apps", "models"} else "quarantined"
    match place:
        case "apps":
            arguments: dict[str, Any] = {"apps": ending}
        case "calls":
            body = "".join(f"    {line}\n" for line in ending.splitlines())
            arguments = {"files": {"hooks.py": f"{HOOK}def routes():\n{body}    return []\n"}}
        case _:
            arguments = {"files": {f"{place}.py": ending}}
    return Broken(code, standing, arguments)


ENDINGS = {f"{way}_{place}": deadly(way, place) for way in DEADLY for place in PLACES}

QUARANTINE = {"PLATFORM_ON_PLUGIN_ERROR": "quarantine"}
SHORT = {"PLATFORM_PLUGIN_STEP_TIMEOUT": "5"}
"""For commands that look at every plugin on the path: one of them hangs, and is waited for so long."""
EVERYTHING = ["identity", "good", *BROKEN, "needy", "lost"]


def write_plugins(wheels: Path) -> None:
    """Write the broken plugins, one that is well, and two that require broken ones."""
    write_distribution(wheels, "good", files={"hooks.py": ROUTE + COMMAND})
    write_distribution(
        wheels,
        "needy",
        requires=["raising-plugin", "models-plugin"],
        files={"models.py": MODELS, "hooks.py": ROUTE, "migrations/__init__.py": ""},
    )
    write_distribution(
        wheels,
        "lost",
        requires=["models-plugin"],
        files={"models.py": "from models_plugin.models import nothing\n"},
    )
    for slug, broken in (BROKEN | ENDINGS).items():
        write_distribution(wheels, slug, **broken.arguments)


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


def fault_of(found: Mapping[str, Any], slug: str) -> str:
    """Return what else than the status of ``slug`` differs in what ``look`` found, or nothing."""
    states = found["states"]
    if found["answers"] != [200, 401, 404]:
        return f"the others answer {found['answers']}"
    if found["held"] != {slug: [(BROKEN | ENDINGS)[slug].standing, ""]}:
        return f"held back are {found['held']}"
    if not states["identity"] == states["good"] == "enabled":
        return f"the states are {states}"
    return "" if found["ready"][1]["detail"].startswith(f"{slug} is ") else "readiness says nothing"
