"""The WSGI application of a deployment; ``DJANGO_SETTINGS_MODULE`` names its settings."""

from platform_core.serving import wsgi_application

application = wsgi_application()
