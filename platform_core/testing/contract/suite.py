"""The suite as pytest collects it: each test runs over the plugins, resources and personas of the registry."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps

from platform_core.testing.contract import (
    access,
    answers,
    columns,
    commands,
    documentation,
    exchange,
    fields,
    fuzzing,
    mails,
    nesting,
    promises,
    states,
    structure,
    substitution,
    trail,
    two_worlds,
)
from platform_core.testing.contract.subjects import PluginSubject, ResourceSubject


@pytest.mark.django_db
def test_each_action_answers_each_persona_as_declared(
    contract_resource: ResourceSubject, contract_persona: str
) -> None:
    """Anonymous 401, without the right 403, invisible 404, otherwise done."""
    access.check_access_table(contract_resource, contract_persona)


@pytest.mark.django_db
def test_the_id_of_another_row_opens_nothing(contract_resource: ResourceSubject) -> None:
    """A grant on one row is no grant on the next."""
    access.check_rows_of_others(contract_resource)


@pytest.mark.django_db
def test_the_id_of_anothers_row_tells_nothing(contract_resource: ResourceSubject) -> None:
    """In path, query and body it is answered as an id that nobody has."""
    substitution.check_foreign_ids(contract_resource)


@pytest.mark.django_db
def test_two_owners_are_kept_apart(contract_resource: ResourceSubject) -> None:
    """Wherever an id may stand, and in filters, cursors, preconditions and keys; no table changes."""
    two_worlds.check_two_worlds(contract_resource)


@pytest.mark.django_db
def test_below_a_parent_there_is_what_belongs_to_it(contract_resource: ResourceSubject) -> None:
    """Nothing of others, and nothing at all for who may not see the parent."""
    nesting.check_nested_addresses(contract_resource)


@pytest.mark.django_db
def test_no_write_sets_a_column_that_is_not_declared(contract_resource: ResourceSubject) -> None:
    """Whatever columns a body names."""
    columns.check_undeclared_columns(contract_resource)


@pytest.mark.django_db
def test_fields_with_rules_are_closed_and_fixed(contract_resource: ResourceSubject) -> None:
    """Who may not read one meets it by no road; who may not set one changes nothing."""
    fields.check_field_rules(contract_resource)


@pytest.mark.django_db
def test_a_unit_is_closed_to_the_grants_of_another(contract_resource: ResourceSubject) -> None:
    """Rows of another unit are neither listed, found, nor referred to."""
    access.check_rows_of_other_units(contract_resource)


@pytest.mark.django_db
def test_what_is_behind_a_flag_is_not_there_while_it_is_off(
    contract_resource: ResourceSubject,
) -> None:
    """404 for everybody."""
    access.check_flags(contract_resource)


@pytest.mark.django_db
def test_a_list_of_a_thousand_rows_takes_the_queries_of_ten(
    contract_resource: ResourceSubject,
) -> None:
    """No query per row."""
    answers.check_query_count(contract_resource)


@pytest.mark.django_db
def test_rows_are_shown_as_the_serializer_says(contract_resource: ResourceSubject) -> None:
    """The fast read road and the serializer agree, and neither shows a secret."""
    answers.check_representation(contract_resource)


@pytest.mark.django_db
def test_each_write_leaves_one_row_of_history(contract_resource: ResourceSubject) -> None:
    """With who did it and in which request."""
    answers.check_history(contract_resource)


@pytest.mark.django_db
def test_each_write_leaves_one_event_in_the_audit_trail(contract_resource: ResourceSubject) -> None:
    """Done or refused, by whom and on what; a call that only tries leaves none."""
    trail.check_trail(contract_resource)


@pytest.mark.django_db
def test_unknown_fields_and_parameters_are_refused_by_name(
    contract_resource: ResourceSubject,
) -> None:
    """422, and nothing happens."""
    answers.check_unknown_refused(contract_resource)


@pytest.mark.django_db
def test_an_export_is_the_list_and_holds_no_formula(contract_resource: ResourceSubject) -> None:
    """Row for row, for each persona that may; others are refused."""
    exchange.check_exports(contract_resource)


def test_openapi_describes_the_resource(
    contract_resource: ResourceSubject, contract_openapi: dict[str, Any]
) -> None:
    """Every path and method, in a valid document."""
    structure.check_openapi(contract_resource, contract_openapi)


def test_the_openapi_part_is_documented(
    contract_plugin: PluginSubject, contract_openapi: dict[str, Any]
) -> None:
    """Every operation, parameter, property and refusal says what it is."""
    documentation.check_documented(contract_plugin, contract_openapi)


@pytest.mark.django_db
def test_no_generated_request_meets_a_server_error(
    contract_plugin: PluginSubject, contract_openapi: dict[str, Any], pytestconfig: pytest.Config
) -> None:
    """Nor an answer that the OpenAPI document does not describe."""
    examples = int(pytestconfig.getini("platform_fuzz_examples"))
    fuzzing.check_fuzzed(contract_plugin, contract_openapi, examples=examples)


def test_every_permission_is_asked_for(contract_plugin: PluginSubject) -> None:
    """A permission that nothing asks for protects nothing."""
    access.check_permissions_used(contract_plugin)


@pytest.mark.django_db
def test_the_faces_of_every_rule_agree(contract_plugin: PluginSubject) -> None:
    """What a list shows is exactly what single decisions allow."""
    structure.check_rules(contract_plugin)


def test_off_means_off(contract_plugin: PluginSubject) -> None:
    """A dormant plugin keeps its tables and contributes nothing."""
    states.check_off_means_off(contract_plugin)


@pytest.mark.django_db
def test_no_migration_is_missing(contract_plugin: PluginSubject) -> None:
    """Migrations make exactly the models."""
    structure.check_migrations_complete(contract_plugin.slug)


def test_migrations_can_be_unapplied_and_applied_again(
    contract_plugin: PluginSubject, contract_database: None
) -> None:
    """Or say why not."""
    structure.check_migrations_reversible(contract_plugin.slug)


def test_models_keep_the_rules_of_the_core(contract_plugin: PluginSubject) -> None:
    """Managers, references, and table names."""
    structure.check_app_models(apps.get_app_config(contract_plugin.slug))


def test_translations_are_complete(contract_plugin: PluginSubject) -> None:
    """In every language that the plugin declares."""
    promises.check_translations(contract_plugin)


def test_personal_data_is_declared(contract_plugin: PluginSubject) -> None:
    """Or declared to be none."""
    promises.check_personal_data(apps.get_app_config(contract_plugin.slug))


def test_every_setting_is_documented(contract_plugin: PluginSubject) -> None:
    """An operator learns what it does."""
    promises.check_settings_documented(contract_plugin.plugin.config.settings_class)


def test_no_flag_has_expired(contract_plugin: PluginSubject) -> None:
    """A flag is there for a while."""
    promises.check_flags(contract_plugin)


def test_every_event_is_documented_and_plain(contract_plugin: PluginSubject) -> None:
    """A subscriber learns what has happened, and every process can read it."""
    promises.check_events(contract_plugin)


@pytest.mark.django_db
def test_every_mail_is_readable_in_every_language(contract_plugin: PluginSubject) -> None:
    """Whoever gets a mail understands it, and nobody writes their own HTML into it."""
    mails.check_mails(contract_plugin)


def test_every_hook_is_documented(contract_plugin: PluginSubject) -> None:
    """A reader of the hooks learns what the plugin does."""
    structure.check_hooks_documented(contract_plugin)


def test_every_command_answers_programs_too(contract_plugin: PluginSubject) -> None:
    """With one JSON document."""
    commands.check_commands(contract_plugin)


@pytest.fixture(scope="session")
def contract_openapi() -> dict[str, Any]:
    """Return the deployment's OpenAPI document, generated and validated once."""
    return structure.valid_openapi()


@pytest.fixture
def contract_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Allow the database outside any transaction; the check works on a copy."""
    with django_db_blocker.unblock():
        yield
