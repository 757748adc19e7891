"""``platformctl migrate`` leaves what Django's own command leaves, for fresh applications and for later migrations."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.benchmarks.synthetic import slugs, write_plugins
from tests.deployments import ROOT, TestDeployment, new_deployment

SCHEMA = (
    "SELECT table_name, column_name, data_type, is_nullable, column_default"
    " FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2",
    "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1, 2",
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2",
    "SELECT app, name FROM django_migrations ORDER BY 1, 2",
    "SELECT app_label, model FROM django_content_type ORDER BY 1, 2",
)
REFERS_TO_A_USER = """
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("synthetic001", "0001_initial"),
        ("synthetic000", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]
    operations = [
        migrations.AddField(
            "record4", "user", models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True)
        ),
        migrations.AddField(
            "record4", "other", models.ForeignKey("synthetic000.record0", models.CASCADE, null=True)
        ),
    ]
"""
CHANGES_A_KEY = """
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("synthetic000", "0001_initial")]
    operations = [migrations.AlterField("record0", "id", models.CharField(max_length=36, primary_key=True))]
"""


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    return write_plugins(tmp_path, 2)


def _schema(deployment: TestDeployment) -> list[list[tuple[Any, ...]]]:
    with psycopg.connect(deployment.database_url) as connection:
        return [connection.execute(query).fetchall() for query in SCHEMA]


def _migrate(folder: Path, plugins: Path, *, stock: bool, later: str) -> Any:
    """Return the schema after a first migrate, and one with the ``later`` migration of the first plugin."""
    module = plugins / "synthetic000_plugin" / "migrations" / "0002_later.py"
    with new_deployment(folder, plugins=["identity", *slugs(2)]) as deployment:
        deployment.path = [plugins, ROOT]
        for step in ("", later):
            if step:
                module.write_text(step, encoding="utf-8")
            if stock:
                _stock_migrate(deployment)
            else:
                answer = deployment.call("migrate")
                assert answer.code == 0, answer.err
        module.unlink()
        return _schema(deployment)


def _stock_migrate(deployment: TestDeployment) -> None:
    subprocess.run(
        [sys.executable, "-m", "django", "migrate", "--verbosity", "0"],
        cwd=deployment.folder,
        env=deployment.environment(DJANGO_SETTINGS_MODULE="settings"),
        check=True,
    )


def test_the_schema_is_the_one_that_django_makes(tmp_path: Path, plugins: Path) -> None:
    refers = plugins / "synthetic001_plugin" / "migrations" / "0002_refers.py"
    refers.write_text(REFERS_TO_A_USER, encoding="utf-8")

    ours = _migrate(tmp_path / "ours", plugins, stock=False, later=CHANGES_A_KEY)
    stock = _migrate(tmp_path / "stock", plugins, stock=True, later=CHANGES_A_KEY)

    assert ours == stock
    columns = {row[:2]: row[2] for row in ours[0]}
    assert columns["synthetic001_record4", "other_id"] == "character varying"  # followed the key
