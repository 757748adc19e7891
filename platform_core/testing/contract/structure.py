"""What a plugin is made of: migrations, models, rules, hooks and its part of the OpenAPI document."""

from __future__ import annotations

import hashlib
import inspect
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from django.apps import AppConfig, apps
from django.core.checks import ERROR
from django.core.management import call_command
from django.db import connection, connections
from django.db.migrations.exceptions import IrreversibleError
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Model
from drf_spectacular.validation import validate_schema
from jsonschema import ValidationError

from platform_core import hookspecs
from platform_core.access import ANONYMOUS, Actor, Granted, Rule, Where, system_actor
from platform_core.models.checks import check_models
from platform_core.registry import installed
from platform_core.resource.openapi.generator import PlatformSchemaGenerator
from platform_core.resource.routing import resource_urls
from platform_core.testing.actors import GrantsDouble, new_user
from platform_core.testing.contract.nesting import below_parents
from platform_core.testing.contract.subjects import (
    PluginSubject,
    ResourceSubject,
    all_permissions,
    stage,
)
from platform_core.testing.factories import make, make_in_unit
from platform_core.testing.rule_gate import check_rule

_PARAMETER = re.compile(r"<(?:[^>:]+:)?([^>]+)>")


def check_migrations_complete(label: str) -> None:
    """Assert that the migrations of the app ``label`` make exactly its models."""
    told = io.StringIO()
    try:
        call_command("makemigrations", label, check_changes=True, dry_run=True, stdout=told)
    except SystemExit as stop:
        raise AssertionError(f"{label}: a migration is missing.\n{told.getvalue()}") from stop


def check_migrations_reversible(label: str) -> None:
    """Assert that the migrations of ``label`` can be unapplied and applied again, on a copy of the database.

    A migration that cannot go back says why: ``irreversible = "the reason"`` on its class. Then those after it are
    tried. No transaction may be open.
    """
    executor = MigrationExecutor(connection)
    leaves = executor.loader.graph.leaf_nodes(label)
    own = [
        migration
        for leaf in leaves
        for migration, _ in executor.migration_plan([leaf], clean_start=True)
        if migration.app_label == label
    ]
    if not own:
        raise AssertionError(f"{label} has no migrations.")
    stuck = [
        f"{migration.name} ({operation.describe()})"
        for migration in own
        for operation in migration.operations
        if not operation.reversible and not getattr(migration, "irreversible", "")
    ]
    if stuck:
        raise AssertionError(
            f"{label} cannot unapply {', '.join(stuck)}: give the operation a reverse, or declare "
            'irreversible = "why" on the migration.'
        )
    declared = [one.name for one in own if getattr(one, "irreversible", "")]
    with scratch_database():
        _there_and_back(label, declared[-1] if declared else None)


def _there_and_back(label: str, target: str | None) -> None:
    everything = MigrationExecutor(connection).loader.graph.leaf_nodes()
    MigrationExecutor(connection).migrate(everything)
    before = _tables(label)
    executor = MigrationExecutor(connection)
    try:
        executor.migrate([(label, target)])
    except IrreversibleError as error:
        raise AssertionError(f"{label}: {error}") from error
    left = _tables(label)
    if target is None and left:
        raise AssertionError(f"{label} leaves {', '.join(sorted(left))} when it is unapplied.")
    MigrationExecutor(connection).migrate(everything)
    if _tables(label) != before:
        raise AssertionError(f"{label}: applied again it has other tables than before.")


def _tables(label: str) -> set[str]:
    with connection.cursor() as cursor:
        names = connection.introspection.table_names(cursor)
    models = apps.get_app_config(label).get_models(include_auto_created=True)
    own = {model._meta.db_table for model in models}
    return {name for name in names if name in own or name.startswith(f"{label}_")}


@contextmanager
def scratch_database() -> Iterator[None]:
    """Let the default connection use a copy of its database inside the block."""
    default = connections["default"]
    name = default.settings_dict["NAME"]
    scratch = f"{name}_scratch"
    quote = default.ops.quote_name
    default.close()
    with default._nodb_cursor() as cursor:
        cursor.execute(f"DROP DATABASE IF EXISTS {quote(scratch)}")
        cursor.execute(f"CREATE DATABASE {quote(scratch)} TEMPLATE {quote(name)}")
    default.settings_dict["NAME"] = scratch
    try:
        yield
    finally:
        default.close()
        default.settings_dict["NAME"] = name
        with default._nodb_cursor() as cursor:
            cursor.execute(f"DROP DATABASE {quote(scratch)} WITH (FORCE)")


def check_app_models(config: AppConfig) -> None:
    """Assert that the models of an app keep history, managers, deletions and table names as the core needs them."""
    faults = [str(one.msg) for one in check_models([config]) if one.level >= ERROR]
    faults += [
        f"The table {model._meta.db_table} does not start with {config.label}_."
        for model in config.get_models(include_auto_created=True)
        if not model._meta.db_table.startswith(f"{config.label}_")
    ]
    if faults:
        raise AssertionError("\n".join(faults))


def valid_openapi(document: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the deployment's OpenAPI document, or the one given, when it is valid; AssertionError when not."""
    if document is None:
        document = PlatformSchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    digest = hashlib.sha256(json.dumps(document, default=str).encode()).digest()
    if digest not in _valid:
        try:
            validate_schema(document)  # type: ignore[no-untyped-call]
        except ValidationError as error:
            raise AssertionError(f"The OpenAPI document is not valid: {error.message}") from error
        _valid.add(digest)
    return document


_valid: set[bytes] = set()
"""Digests of the documents that were found valid: to find out takes seconds."""


def check_openapi(subject: ResourceSubject, document: dict[str, Any]) -> None:
    """Assert that the OpenAPI ``document`` has every path and method of the resource."""
    found: Iterator[tuple[str, Any]] = (
        (f"/{subject.prefix}{pattern.pattern}", pattern.callback)
        for pattern in resource_urls(subject.slug, subject.resource)
    )
    for address, view in (*found, *below_parents(subject)):
        path = _PARAMETER.sub(r"{\1}", address)
        missing = sorted(set(view.actions) - set(document["paths"].get(path, {})))
        if missing:
            raise AssertionError(f"OpenAPI does not describe {', '.join(missing)} {path}.")


def check_rules(plugin: PluginSubject) -> None:
    """Assert for each rule about rows or fields that its lists, decisions and explanations agree."""
    permissions = installed().of_plugin(plugin.slug, "permissions")
    rules = [(apps.get_model(one.model), one.rule) for one in permissions if one.model is not None]
    for subject in plugin.resources:
        for access in subject.resource.field_rules.values():
            rules += [(subject.model, access.view), (subject.model, access.change)]
    with stage() as grants:
        scenes: dict[type[Model], _Scene] = {}
        for model, rule in dict.fromkeys(rules):
            if model not in scenes:
                scenes[model] = _Scene(model, grants)
            scenes[model].judge(rule)


class _Scene:
    """Rows of one model, in no unit and in two, and actors with every kind of grant on them."""

    def __init__(self, model: type[Model], grants: GrantsDouble) -> None:
        self.model = model
        self.grants = grants
        self.rows: list[Any] = [make(model), make(model)]
        self.units: list[Any] = []
        if getattr(model, "unit_path", ""):
            self.units = [make(apps.get_model(grants.unit_model)) for _ in range(2)]
            self.rows += [make_in_unit(model, unit) for unit in self.units]
            self.rows += self._ownerless()

    def _ownerless(self) -> list[Any]:
        """Return a row that belongs to no unit, where the model allows one."""
        first = str(self.model.unit_path).partition("__")[0]  # type: ignore[attr-defined]
        nullable = first != "self" and getattr(self.model._meta.get_field(first), "null", False)
        return [make(self.model, **{first: None})] if nullable else []

    def judge(self, rule: Rule) -> None:
        """Run the property gate over ``rule``."""
        keys = [row.pk for row in self.rows]
        rows: Any = self.model._base_manager.filter(pk__in=keys)
        check_rule(rule, self.model, self._actors(rule), rows)

    def _actors(self, rule: Rule) -> list[Actor]:
        everywhere, within, on_one, nobody = (new_user() for _ in range(4))
        asked = [leaf.permission for leaf in rule.leaves() if isinstance(leaf, Granted)]
        names = asked or all_permissions()
        self.grants.give(everywhere, *names)
        self.grants.give(on_one, *names, objects=self.rows[:1])
        if self.units:
            self.grants.give(within, *names, units=self.units[:1])
        owners = [Actor(key, "user") for key in self._owners(rule)]
        return [everywhere, within, on_one, nobody, *owners, ANONYMOUS, system_actor("contract")]

    def _owners(self, rule: Rule) -> Iterator[UUID]:
        """Yield ids that the rows themselves name where the rule compares them with whoever asks."""
        keys = [row.pk for row in self.rows]
        for leaf in rule.leaves():
            if isinstance(leaf, Where) and leaf.names_actor:
                rows = self.model._base_manager.filter(pk__in=keys)
                found = rows.values_list(leaf.path, flat=True)
                yield from [one for one in found if isinstance(one, UUID)][:1]


def check_hooks_documented(plugin: PluginSubject) -> None:
    """Assert that each hook that the plugin implements or publishes says in a docstring what it is for."""
    hooks = plugin.module("hooks")
    published = plugin.module("hookspecs")
    silent = [
        f"{module.__name__}.{name}"
        for module in (hooks, published)
        if module is not None
        for name, function in vars(module).items()
        if inspect.isfunction(function)
        and any(hasattr(function, f"{hookspecs.PROJECT}_{kind}") for kind in ("impl", "spec"))
        and not (function.__doc__ or "").strip()
    ]
    if silent:
        raise AssertionError(f"No docstring says what these are for: {', '.join(silent)}.")
