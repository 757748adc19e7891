"""What REST framework and drf-spectacular need in Django's settings; imports neither, nor any model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_PACKAGE = "platform_core.resource"


def rest_framework_settings(authentication: Sequence[str]) -> dict[str, Any]:
    """Return ``REST_FRAMEWORK`` for a deployment whose plugins bring these ``authentication`` classes.

    A view that says nothing about its access is denied to everybody.
    """
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": list(authentication),
        "DEFAULT_PERMISSION_CLASSES": [f"{_PACKAGE}.permissions.Denied"],
        "DEFAULT_RENDERER_CLASSES": [f"{_PACKAGE}.rendering.OrjsonRenderer"],
        "DEFAULT_PARSER_CLASSES": [f"{_PACKAGE}.rendering.OrjsonParser"],
        "DEFAULT_CONTENT_NEGOTIATION_CLASS": f"{_PACKAGE}.rendering.JSONNegotiation",
        "DEFAULT_SCHEMA_CLASS": f"{_PACKAGE}.openapi.schema.PlatformSchema",
        "DEFAULT_THROTTLE_CLASSES": [],
        "DEFAULT_METADATA_CLASS": None,
        "DEFAULT_VERSIONING_CLASS": None,
        "DEFAULT_PAGINATION_CLASS": None,
        "DEFAULT_FILTER_BACKENDS": [],
        "EXCEPTION_HANDLER": f"{_PACKAGE}.problems.exception_handler",
        "URL_FORMAT_OVERRIDE": None,
        "FORMAT_SUFFIX_KWARG": None,
        "TEST_REQUEST_DEFAULT_FORMAT": "json",
        "TEST_REQUEST_RENDERER_CLASSES": [f"{_PACKAGE}.rendering.OrjsonRenderer"],
    }


def spectacular_settings(title: str, version: str) -> dict[str, Any]:
    """Return ``SPECTACULAR_SETTINGS`` for an OpenAPI 3.1 document with ``title`` and ``version``."""
    return {
        "TITLE": title,
        "VERSION": version,
        "DEFAULT_GENERATOR_CLASS": f"{_PACKAGE}.openapi.generator.PlatformSchemaGenerator",
        "OAS_VERSION": "3.1.1",
        "SCHEMA_PATH_PREFIX": r"/api/v[0-9]+",
        "SERVE_INCLUDE_SCHEMA": False,
        "COMPONENT_SPLIT_REQUEST": True,
        "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
        "ENUM_NAME_OVERRIDES": {
            "MailStateEnum": "platform_core.models.mail.MailMessage.State",
            "StateEnum": "platform_core.models.operations.Operation.State",
            "WebhookDeliveryStateEnum": "platform_core.models.webhooks.WebhookDelivery.State",
        },
    }
