"""Django's settings for the tests of a plugin that has no deployment on disk: ``PLATFORM_PLUGINS`` says what is enabled.

The pytest plugin sets the variable from the ini option ``platform_plugins``. Outside pytest the module serves commands
such as ``makemigrations``.
"""

import os
import tempfile
from pathlib import Path

from platform_core.conf import build_settings

if "PLATFORM_DATA_DIR" not in os.environ:
    os.environ["PLATFORM_DATA_DIR"] = tempfile.mkdtemp(prefix="platform-test-")

globals().update(build_settings(Path(os.environ["PLATFORM_DATA_DIR"]), profile="test"))
