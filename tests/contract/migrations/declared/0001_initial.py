"""Sound: it cannot go back and says why."""

from django.db import migrations


class Migration(migrations.Migration):
    initial = True
    irreversible = "The planted statement forgets what was there."
    operations = [migrations.RunSQL("SELECT 1")]
