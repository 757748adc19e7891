"""Planted: it cannot go back and does not say why."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.RunSQL("SELECT 1")]
