"""Synthetic plugins: five models and a resource for each, written as installed distributions on a path."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from platform_core.cli._startplugin.migration import NAME, initial_migration
from platform_core.cli._startplugin.names import config_name
from tests.deployments import APPS, write_distribution

MODELS = 5
_SLUG = "zzslug"
"""Stands for the slug in the texts below; the migration is written once and the slug replaced."""

_MODEL = """

class Record{number}(BaseModel):
    name = models.CharField(max_length=200)
    code = models.CharField(max_length=40, blank=True, default="")
    amount = models.PositiveIntegerField(default=0)
    due_on = models.DateField(null=True, blank=True)
    {key}

    class Meta(BaseModel.Meta):
        verbose_name = "record {number}"
        verbose_name_plural = "records {number}"

    def __str__(self) -> str:
        return self.name
"""
_PARENT = 'parent = models.ForeignKey("zzslug.Record{before}", on_delete=models.CASCADE, null=True)'

_RESOURCE = """

class Record{number}Serializer(ModelSerializer):
    class Meta:
        model = models.Record{number}
        fields = ("id", "name", "code", "amount", "due_on", "version")
        read_only_fields = ("id", "version")


class Record{number}Resource(Resource):
    model = models.Record{number}
    serializer_class = Record{number}Serializer
    policy = Policy.standard("zzslug.record{number}")
    filterset_fields = {{"name": ["exact", "startswith"], "amount": ["gte", "lte"]}}
    search_fields = ("name", "code")
    ordering = "name"
"""

_HOOKS = """\
from platform_core.access import model_permissions
from platform_core.contributions import Role
from platform_core.hookspecs import hookimpl

from zzslug_plugin import resources as served

PERMISSIONS = tuple(
    permission
    for number in range({count})
    for permission in model_permissions(f"zzslug.Record{{number}}")
)


@hookimpl
def resources():
    return tuple(getattr(served, f"Record{{number}}Resource") for number in range({count}))


@hookimpl
def permissions():
    return PERMISSIONS


@hookimpl
def roles():
    return (
        Role(
            name="zzslug.editor",
            title="Edits",
            permissions=tuple(permission.name for permission in PERMISSIONS),
        ),
    )
"""


def slugs(count: int) -> list[str]:
    """Return the slugs of the first ``count`` plugins."""
    return [f"synthetic{number:03}" for number in range(count)]


def write_plugins(folder: Path, count: int) -> Path:
    """Write ``count`` plugins below ``folder`` and return it, to be put on the path."""
    template = _files(folder / "template")
    for slug in slugs(count):
        files = {file: text.replace(_SLUG, slug) for file, text in template.items()}
        write_distribution(folder / "plugins", slug, requires=["platform-core>=0"], files=files)
    return folder / "plugins"


def _files(scratch: Path) -> Mapping[str, str]:
    """Return the files of the template plugin; its migration is made in ``scratch``."""
    numbers = range(MODELS)
    models = "".join(
        _MODEL.format(number=number, key=_PARENT.format(before=number - 1) if number else "")
        for number in numbers
    )
    resources = "".join(_RESOURCE.format(number=number) for number in numbers)
    files = {
        "models.py": f"from django.db import models\n\nfrom platform_core.models import BaseModel\n{models}",
        "resources.py": "from platform_core.access import Policy\n"
        "from platform_core.resource import ModelSerializer, Resource\n\n"
        f"from zzslug_plugin import models\n{resources}",
        "hooks.py": _HOOKS.format(count=MODELS),
        "migrations/__init__.py": "",
    }
    package = f"{_SLUG}_plugin"
    apps = APPS.format(package=package, slug=_SLUG, extra="")
    named = apps.replace("class Config(", f"class {config_name(_SLUG)}(")
    write_distribution(scratch, _SLUG, apps=named, files=files)
    return {**files, f"migrations/{NAME}.py": initial_migration(scratch, package, _SLUG)}
