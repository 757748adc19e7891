"""The contract suite: what the core asks of every plugin, run over the frozen registry.

A plugin runs it by one line in a test module::

    from platform_core.testing.contract import *

The ini option ``platform_contract`` names the plugins to judge; without it these are all enabled ones. Rows come from
``platform_core.testing.make``; where a model needs more than its fields say, register a function in ``FACTORIES`` of
the plugin's module ``testing``. Each check is a function too, ``check_…`` in ``access``, ``answers``, ``states`` and
``structure``, which raises AssertionError with what is wrong and what to do.
"""

from platform_core.testing.contract.suite import (
    contract_database,
    contract_openapi,
    test_a_list_of_a_thousand_rows_takes_the_queries_of_ten,
    test_a_unit_is_closed_to_the_grants_of_another,
    test_an_export_is_the_list_and_holds_no_formula,
    test_below_a_parent_there_is_what_belongs_to_it,
    test_each_action_answers_each_persona_as_declared,
    test_each_write_leaves_one_event_in_the_audit_trail,
    test_each_write_leaves_one_row_of_history,
    test_every_command_answers_programs_too,
    test_every_event_is_documented_and_plain,
    test_every_hook_is_documented,
    test_every_mail_is_readable_in_every_language,
    test_every_permission_is_asked_for,
    test_every_setting_is_documented,
    test_fields_with_rules_are_closed_and_fixed,
    test_migrations_can_be_unapplied_and_applied_again,
    test_models_keep_the_rules_of_the_core,
    test_no_flag_has_expired,
    test_no_generated_request_meets_a_server_error,
    test_no_migration_is_missing,
    test_no_write_sets_a_column_that_is_not_declared,
    test_off_means_off,
    test_openapi_describes_the_resource,
    test_personal_data_is_declared,
    test_rows_are_shown_as_the_serializer_says,
    test_the_faces_of_every_rule_agree,
    test_the_id_of_another_row_opens_nothing,
    test_the_id_of_anothers_row_tells_nothing,
    test_the_openapi_part_is_documented,
    test_translations_are_complete,
    test_two_owners_are_kept_apart,
    test_unknown_fields_and_parameters_are_refused_by_name,
    test_what_is_behind_a_flag_is_not_there_while_it_is_off,
)

__all__ = [
    "contract_database",
    "contract_openapi",
    "test_a_list_of_a_thousand_rows_takes_the_queries_of_ten",
    "test_a_unit_is_closed_to_the_grants_of_another",
    "test_an_export_is_the_list_and_holds_no_formula",
    "test_below_a_parent_there_is_what_belongs_to_it",
    "test_each_action_answers_each_persona_as_declared",
    "test_each_write_leaves_one_event_in_the_audit_trail",
    "test_each_write_leaves_one_row_of_history",
    "test_every_command_answers_programs_too",
    "test_every_event_is_documented_and_plain",
    "test_every_hook_is_documented",
    "test_every_mail_is_readable_in_every_language",
    "test_every_permission_is_asked_for",
    "test_every_setting_is_documented",
    "test_fields_with_rules_are_closed_and_fixed",
    "test_migrations_can_be_unapplied_and_applied_again",
    "test_models_keep_the_rules_of_the_core",
    "test_no_flag_has_expired",
    "test_no_generated_request_meets_a_server_error",
    "test_no_migration_is_missing",
    "test_no_write_sets_a_column_that_is_not_declared",
    "test_off_means_off",
    "test_openapi_describes_the_resource",
    "test_personal_data_is_declared",
    "test_rows_are_shown_as_the_serializer_says",
    "test_the_faces_of_every_rule_agree",
    "test_the_id_of_another_row_opens_nothing",
    "test_the_id_of_anothers_row_tells_nothing",
    "test_the_openapi_part_is_documented",
    "test_translations_are_complete",
    "test_two_owners_are_kept_apart",
    "test_unknown_fields_and_parameters_are_refused_by_name",
    "test_what_is_behind_a_flag_is_not_there_while_it_is_off",
]
