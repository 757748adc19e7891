"""Enabled, dormant or absent: the combinations of plugins that dependencies allow, with three strangers' plugins."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.deployments import TestDeployment, write_distribution

States = Mapping[str, str]

STATES = ("enabled", "dormant", "absent")
REQUIRES = {
    "identity": (),
    "education": ("identity",),
    "clubs": ("identity",),
    "trips": ("clubs",),
    "notices": (),
}
"""Every plugin with the plugins it requires; identity brings the user model and is always enabled."""
STRANGERS = ("clubs", "trips", "notices")
_REFERENCES = {"clubs": "identity.OrgUnit", "trips": "clubs.Thing"}

MODELS = '''\
"""The table of the plugin."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from platform_core.models import BaseModel


class Thing(BaseModel):
    """One thing."""

    name = models.CharField(_("name"), max_length=50)
{fields}

    class Meta(BaseModel.Meta):
        verbose_name = _("thing")
'''
REFERENCE = """\
    part_of = models.ForeignKey(
        "{model}", models.SET_NULL, null=True, blank=True, related_name="+", verbose_name=_("part of")
    )"""
RESOURCES = '''\
"""What the plugin serves."""

from platform_core.access import Policy
from platform_core.resource import ModelSerializer, Resource

from {slug}_plugin.models import Thing


class ThingSerializer(ModelSerializer):
    """A thing in JSON."""

    class Meta:
        model = Thing
        fields = {columns}
        read_only_fields = ("version",)


class ThingResource(Resource):
    """Things."""

    model = Thing
    serializer_class = ThingSerializer
    policy = Policy.standard("{slug}.thing")
    filterset_fields = {filters}
    ordering = "name"
'''
HOOKS = '''\
"""What the plugin contributes."""

from platform_core.access import model_permissions
from platform_core.hookspecs import hookimpl

from {slug}_plugin.resources import ThingResource


@hookimpl
def resources():
    """Serve things."""
    return [ThingResource]


@hookimpl
def permissions():
    """Define who may see and change things."""
    return [*model_permissions("{slug}.Thing")]
'''
PROBE = """\
import json, sys
from platform_core.cli.boot import boot
boot()
from django.test import Client
print(json.dumps({path: Client().get(path, headers={"host": "localhost"}).status_code for path in sys.argv[1:]}))
"""
MIGRATE = """\
import sys
from platform_core.cli.boot import boot
boot()
from django.core.management import call_command
call_command("makemigrations", *sys.argv[1:], verbosity=0)
"""
ADDRESSES = {
    "identity": "/api/v1/identity/me/",
    "education": "/api/v1/education/students/",
    **{slug: f"/api/v1/{slug}/things/" for slug in STRANGERS},
}


def combinations() -> Iterator[dict[str, str]]:
    """Yield every combination that the dependencies allow: what is awake needs the awake, what sleeps the present."""
    others = [slug for slug in REQUIRES if slug != "identity"]
    for states in itertools.product(STATES, repeat=len(others)):
        found = {"identity": "enabled", **dict(zip(others, states, strict=True))}
        if all(_is_allowed(found, slug) for slug in found):
            yield found


def _is_allowed(states: States, slug: str) -> bool:
    needed = {states[one] for one in REQUIRES[slug]}
    return {
        "enabled": needed <= {"enabled"},
        "dormant": "absent" not in needed,
        "absent": True,
    }[states[slug]]


def pairwise() -> list[dict[str, str]]:
    """Return some combinations in which every two plugins stand in every two states that they can have together."""
    left = {pair for one in combinations() for pair in _pairs(one)}
    chosen = []
    while left:
        best = max(combinations(), key=lambda one: len(left & _pairs(one)))
        chosen.append(best)
        left -= _pairs(best)
    return chosen


def _pairs(states: States) -> set[tuple[tuple[str, str], ...]]:
    return set(itertools.combinations(sorted(states.items()), 2))


def write_strangers(folder: Path, *, fields: Mapping[str, str] | None = None) -> None:
    """Write the strangers' plugins below ``folder``; ``fields`` adds columns to the model of some."""
    for slug in STRANGERS:
        requires = [
            f"platform-{one}>=0.1" if one == "identity" else f"{one}-plugin"
            for one in REQUIRES[slug]
        ]
        reference = _REFERENCES.get(slug)
        own = [REFERENCE.format(model=reference)] if reference else []
        own += [fields[slug]] if fields and slug in fields else []
        columns = ("id", "name", *(("part_of",) if reference else ()), "version")
        filters = {"part_of": ["exact"]} if reference else {}
        write_distribution(
            folder,
            slug,
            requires=["platform-core>=0.1", *requires],
            files={
                "models.py": MODELS.format(fields="\n".join(own)),
                "resources.py": RESOURCES.format(slug=slug, columns=columns, filters=filters),
                "hooks.py": HOOKS.format(slug=slug),
                "migrations/__init__.py": "",
            },
        )


def write_migrations(deployment: TestDeployment) -> None:
    """Make the strangers' first migrations the way their authors would."""
    deployment.write(plugins=["identity", *STRANGERS])
    run_python(deployment, MIGRATE, *STRANGERS)


def use(deployment: TestDeployment, states: States) -> None:
    """Write the lists of ``states``."""
    deployment.write(
        plugins=[slug for slug, own in states.items() if own == "enabled"],
        dormant=[slug for slug, own in states.items() if own == "dormant"],
    )


def statuses(deployment: TestDeployment) -> dict[str, int]:
    """Return what an address of each plugin answers somebody who is not signed in, by slug."""
    found = json.loads(run_python(deployment, PROBE, *ADDRESSES.values()))
    return {slug: found[path] for slug, path in ADDRESSES.items()}


def expected_statuses(states: States) -> dict[str, int]:
    """Return 401 for what is enabled, 404 for what is not."""
    return {slug: 401 if states[slug] == "enabled" else 404 for slug in ADDRESSES}


def run_python(deployment: TestDeployment, code: str, *arguments: str) -> str:
    """Run ``code`` in the deployment's environment and return what it prints; AssertionError when it fails."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def contract(
    deployment: TestDeployment, states: States, judged: Sequence[str] = (), *, examples: int = 2
) -> tuple[int, str]:
    """Run the contract suite over the ``judged`` of the enabled plugins, all of them when empty.

    Return pytest's exit code and what it printed.
    """
    folder = deployment.folder / "suite"
    folder.mkdir(exist_ok=True)
    (folder / "pytest.ini").write_text(
        f"[pytest]\nplatform_contract = {' '.join(judged)}\nplatform_fuzz_examples = {examples}\n"
        "addopts = --import-mode=importlib -p no:cacheprovider\n"
    )
    (folder / "test_suite.py").write_text("from platform_core.testing.contract import *\n")
    lists = {
        variable: ",".join(slug for slug in states if states[slug] == state)
        for variable, state in (
            ("PLATFORM_PLUGINS", "enabled"),
            ("PLATFORM_DORMANT_PLUGINS", "dormant"),
        )
    }
    environment = deployment.environment(
        DJANGO_SETTINGS_MODULE="platform_core.testing.settings",
        PLATFORM_DATA_DIR=str(folder / "data"),
        **{variable: slugs for variable, slugs in lists.items() if slugs},
    )
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "test_suite.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1_800,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
