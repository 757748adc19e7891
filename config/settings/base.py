"""What the three settings modules share: the deployment's folder and its URLs."""

from pathlib import Path
from typing import Any

from platform_core.conf import build_settings
from platform_core.conf.django import Profile

DEPLOYMENT = Path(__file__).resolve().parents[1]


def deployment_settings(profile: Profile) -> dict[str, Any]:
    """Return the settings of the reference deployment for ``profile``."""
    return build_settings(DEPLOYMENT, profile=profile) | {
        "ROOT_URLCONF": "config.urls",
        "WSGI_APPLICATION": "config.wsgi.application",
    }
