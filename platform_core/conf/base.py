"""The part of Django's settings that every deployment shares."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from platform_core import __version__
from platform_core.conf.mail import mail_settings
from platform_core.edge.cors import cors_settings, with_cors
from platform_core.observability.logging import logging_settings
from platform_core.resource.settings import rest_framework_settings, spectacular_settings

if TYPE_CHECKING:
    from platform_core.conf.deployment import Deployment

INSTALLED_APPS = (
    "platform_core.apps.CoreConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.postgres",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "simple_history",
    "waffle",
    "procrastinate.contrib.django",
)

MIDDLEWARE = (
    "platform_core.observability.middleware.RequestMiddleware",
    "platform_core.edge.headers.SecurityHeadersMiddleware",
    "platform_core.observability.health.HealthMiddleware",
    "platform_core.edge.bodies.BodyLimitMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "platform_core.edge.language.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)

REDIS_TIMEOUT_S = 1
VOLATILE = "volatile"
"""The cache that may forget anything at any time."""
CACHE_ENTRIES = 100_000
"""Beyond it entries are dropped, those of failed sign-ins too: Django's own 300 would let a crowd wipe them out."""
LOOPBACK_HOSTS = ("localhost", "127.0.0.1", "[::1]")

CONTENT_SECURITY_POLICY = {
    "default-src": ["'self'"],
    "img-src": ["'self'", "data:"],
    "object-src": ["'none'"],
    "base-uri": ["'self'"],
    "frame-ancestors": ["'none'"],
    "form-action": ["'self'"],
}


def rest_framework(authentication: Sequence[str]) -> dict[str, Any]:
    """Return REST framework's settings with the authentication classes that plugins bring."""
    return rest_framework_settings(authentication)


def base_settings(
    deployment: Deployment, *, profile: str, redis_url: str | None = None
) -> dict[str, Any]:
    """Return the settings that depend on no plugin; lengths of time are in seconds."""
    core = deployment.core
    production = profile == "prod"
    secure = core.secure_cookies and production
    return {
        "DEBUG": False,
        "ALLOWED_HOSTS": [*core.allowed_hosts, *(() if production else LOOPBACK_HOSTS)],
        "CSRF_TRUSTED_ORIGINS": core.trusted_origins,
        "CSRF_FAILURE_VIEW": "platform_core.resource.problems.csrf_failure",
        "INSTALLED_APPS": list(INSTALLED_APPS),
        "MIDDLEWARE": with_cors(MIDDLEWARE, core.cors_origins),
        "ROOT_URLCONF": "platform_core.urls",
        "WSGI_APPLICATION": "platform_core.wsgi.application",
        "TEMPLATES": [
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "loaders": ["platform_core.conf.assets.EnabledTemplateLoader"],
                    "context_processors": ["django.template.context_processors.request"],
                },
            }
        ],
        "STATIC_URL": "/static/",
        "STATICFILES_FINDERS": ["platform_core.conf.assets.EnabledStaticFinder"],
        "WHITENOISE_USE_FINDERS": True,
        "LANGUAGE_CODE": core.language,
        "LANGUAGES": [("en", "English"), ("fr", "Français"), ("de", "Deutsch")],
        "TIME_ZONE": core.time_zone,
        "USE_TZ": True,
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "SESSION_ENGINE": f"django.contrib.sessions.backends.{'cached_db' if redis_url else 'db'}",
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SECURE": secure,
        "CSRF_COOKIE_SECURE": secure,
        "SESSION_COOKIE_NAME": "__Host-session" if secure else "session",
        "CSRF_COOKIE_NAME": "__Host-csrf" if secure else "csrf",
        "SECURE_SSL_REDIRECT": secure,
        "SECURE_HSTS_SECONDS": core.hsts_seconds if secure else 0,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": secure and core.hsts_subdomains,
        "SECURE_HSTS_PRELOAD": secure and core.hsts_subdomains,
        "SECURE_REFERRER_POLICY": "same-origin",
        "SECURE_CSP": CONTENT_SECURITY_POLICY,
        "X_FRAME_OPTIONS": "DENY",
        "DATA_UPLOAD_MAX_MEMORY_SIZE": core.body_limit,
        "PLATFORM_BODY_LIMITS": {"*/*": core.body_limit, **core.body_limits},
        **cors_settings(core.cors_origins, credentials=core.cors_credentials),
        "LOGGING_CONFIG": "platform_core.observability.logging.configure",
        "LOGGING": logging_settings(deployment, profile=profile),
        "SPECTACULAR_SETTINGS": spectacular_settings("Platform Core", __version__),
        "CACHES": {
            "default": _database_cache(),
            VOLATILE: _database_cache() if redis_url is None else _redis_cache(redis_url),
            "flags": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"},
        },
        "SESSION_CACHE_ALIAS": VOLATILE,
        "PLATFORM_REDIS_URL": redis_url,
        "PLATFORM_RATE_LIMITS": _rate_limits(deployment, profile=profile),
        "PLATFORM_TRUSTED_PROXIES": [str(one) for one in core.trusted_proxies],
        "WAFFLE_CACHE_NAME": "flags",
        "SIMPLE_HISTORY_ENABLED": True,
        "PLATFORM_DATA_DIR": deployment.data_dir,
        "PLATFORM_ENCRYPTION_KEYS": tuple(core.encryption_keys),
        "TASKS": {"default": {"BACKEND": "platform_core.tasks.backend.TaskBackend", "QUEUES": []}},
        "PROCRASTINATE_AUTODISCOVER_MODULE_NAME": None,
        "TEST_RUNNER": "django.test.runner.DiscoverRunner",
        **mail_settings(deployment),
    }


def _database_cache() -> dict[str, Any]:
    """Return the cache in which failed sign-ins are counted: nothing may make it forget, so Redis is no place for it."""
    return {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "platform_core_cache",
        "OPTIONS": {"MAX_ENTRIES": CACHE_ENTRIES},
    }


def _redis_cache(url: str) -> dict[str, Any]:
    """Return the cache in Redis, with a pool that waits; the absence of Redis costs little time and no answer."""
    return {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": url,
        "KEY_PREFIX": "platform",
        "OPTIONS": {
            "IGNORE_EXCEPTIONS": True,
            "REDIS_CLIENT_CLASS": "platform_core.conf.redis_client.SparingRedis",
            "SOCKET_CONNECT_TIMEOUT": REDIS_TIMEOUT_S,
            "SOCKET_TIMEOUT": REDIS_TIMEOUT_S,
            "CONNECTION_POOL_CLASS": "redis.BlockingConnectionPool",
            "CONNECTION_POOL_KWARGS": {"max_connections": 50, "timeout": REDIS_TIMEOUT_S},
        },
    }


def _rate_limits(deployment: Deployment, *, profile: str) -> dict[str, str]:
    """Return how often one may call; tests call as often as they like unless they are about this."""
    if profile == "test":
        return {"signed_in": "off", "anonymous": "off"}
    core = deployment.core
    return {"signed_in": core.rate_limit_signed_in, "anonymous": core.rate_limit_anonymous}
