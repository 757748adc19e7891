"""Roles that an admin made keep what they show and change today: ethnicity asks for permissions of its own now."""

from typing import Any

from django.db import migrations
from django.utils import timezone

SPLIT = {
    "education.view_studentdemographics": {"education.view_student_ethnicity"},
    "education.change_studentdemographics": {"education.change_student_ethnicity"},
    "education.add_studentdemographics": {"education.change_student_ethnicity"},
}
REASON = "ethnicity has permissions of its own"


def keep_what_is_held(apps: Any, schema_editor: Any) -> None:
    """Add the new permissions to each role that names the old ones; those it ships the plugin brings up to date itself."""
    roles = apps.get_model("identity", "Role").objects.using(schema_editor.connection.alias)
    history = apps.get_model("identity", "HistoricalRole")
    for role in roles.filter(permissions__overlap=list(SPLIT)):
        gained = set[str]().union(*(SPLIT[one] for one in SPLIT if one in role.permissions))
        if gained <= set(role.permissions):
            continue
        role.permissions = sorted({*role.permissions, *gained})
        role.version += 1
        role.save()
        kept = {field.attname for field in history._meta.concrete_fields}
        history.objects.using(schema_editor.connection.alias).create(
            **{
                field.attname: getattr(role, field.attname)
                for field in role._meta.concrete_fields
                if field.attname in kept
            },
            actor_kind="system",
            history_date=timezone.now(),
            history_type="~",
            history_change_reason=REASON,
        )


class Migration(migrations.Migration):
    dependencies = [("education", "0001_initial"), ("identity", "0001_initial")]
    operations = [migrations.RunPython(keep_what_is_held, migrations.RunPython.noop)]
