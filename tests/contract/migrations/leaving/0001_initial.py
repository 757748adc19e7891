"""Planted: going back is said to work and leaves a table behind."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.RunSQL(
            "CREATE TABLE rest_framework_left (id int)", reverse_sql=migrations.RunSQL.noop
        )
    ]
