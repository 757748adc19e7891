"""Planted: it makes none of the app's models."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    operations = []
