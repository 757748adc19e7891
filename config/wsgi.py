"""WSGI application of the reference deployment."""

import os

from platform_core.serving import wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.prod")
application = wsgi_application()
