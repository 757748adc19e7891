import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("platform_core", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="pluginrecord",
            name="contents_digest",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="pluginrecord",
            name="state_since",
            field=models.DateTimeField(null=True),
        ),
        migrations.CreateModel(
            name="PluginContribution",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("kind", models.CharField(max_length=50)),
                ("name", models.CharField(max_length=500)),
                ("version", models.CharField(max_length=100)),
                ("place", models.CharField(blank=True, max_length=500)),
                ("facts", models.JSONField(default=dict)),
                ("first_seen_at", models.DateTimeField(auto_now_add=True)),
                (
                    "plugin",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="contributions",
                        to="platform_core.pluginrecord",
                    ),
                ),
            ],
            options={
                "verbose_name": "plugin contribution",
                "verbose_name_plural": "plugin contributions",
                "ordering": ["plugin", "kind", "name"],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("plugin", "kind", "name"), name="platform_core_contribution_once"
                    )
                ],
            },
        ),
    ]
