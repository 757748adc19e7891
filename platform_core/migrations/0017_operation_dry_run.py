from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('platform_core', '0016_webhook_turns'),
    ]

    operations = [
        migrations.AddField(
            model_name='operation',
            name='dry_run',
            field=models.BooleanField(db_default=False, default=False),
        ),
    ]
