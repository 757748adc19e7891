"""The tables of background work: what jobs came to, when schedules ticked, and operations."""

from django.db import migrations, models

import platform_core.models.identifiers


class Migration(migrations.Migration):
    """Add the tables."""

    dependencies = [("platform_core", "0003_idempotency")]

    operations = [
        migrations.CreateModel(
            name="ScheduleTick",
            fields=[
                ("name", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("plugin", models.CharField(max_length=100)),
                ("ticked_at", models.DateTimeField()),
            ],
            options={
                "verbose_name": "schedule tick",
                "verbose_name_plural": "schedule ticks",
            },
        ),
        migrations.CreateModel(
            name="TaskRecord",
            fields=[
                ("job_id", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("plugin", models.CharField(max_length=100)),
                ("task", models.CharField(max_length=200)),
                ("running", models.BooleanField(default=False)),
                ("failures", models.PositiveIntegerField(default=0)),
                ("lost", models.PositiveIntegerField(default=0)),
                ("progress_done", models.BigIntegerField(default=0)),
                ("progress_total", models.BigIntegerField(default=0)),
                ("progress_note", models.CharField(blank=True, max_length=200)),
                ("result", models.JSONField(null=True)),
                ("error_id", models.CharField(blank=True, max_length=64)),
                ("error_class", models.CharField(blank=True, max_length=200)),
                ("updated_at", models.DateTimeField(auto_now=True, db_index=True)),
            ],
            options={
                "verbose_name": "task record",
                "verbose_name_plural": "task records",
            },
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=platform_core.models.identifiers.uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("plugin", models.CharField(max_length=100)),
                ("kind", models.CharField(max_length=200)),
                ("actor_id", models.UUIDField(null=True)),
                ("actor_kind", models.CharField(max_length=20)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("queued", "queued"),
                            ("running", "running"),
                            ("succeeded", "succeeded"),
                            ("failed", "failed"),
                            ("cancelled", "cancelled"),
                        ],
                        default="queued",
                        max_length=20,
                    ),
                ),
                ("job_id", models.CharField(blank=True, max_length=64)),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("result", models.JSONField(null=True)),
                ("problem", models.JSONField(null=True)),
                ("input_size", models.BigIntegerField(null=True)),
                ("file_name", models.CharField(blank=True, max_length=200)),
                ("file_type", models.CharField(blank=True, max_length=100)),
                ("file_token", models.CharField(blank=True, max_length=32)),
                ("file_size", models.BigIntegerField(null=True)),
                ("cancel_requested", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "verbose_name": "operation",
                "verbose_name_plural": "operations",
                "indexes": [
                    models.Index(
                        fields=["actor_id", "-created_at"], name="platform_core_operation_own"
                    ),
                    models.Index(fields=["job_id"], name="platform_core_operation_job"),
                ],
            },
        ),
    ]
