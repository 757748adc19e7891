"""The configuration of the identity plugin: users, sign-in, units, roles."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from platform_core.plugin import Middleware, PluginConfig
from platform_identity.settings import IdentitySettings


class IdentityConfig(PluginConfig):
    """Brings the user model and everything that signs people in."""

    name = "platform_identity"
    slug = "identity"
    title = _("Identity")
    verbose_name = _("Identity")
    settings_class = IdentitySettings
    languages = ("de", "fr")
    auth_user_model = "identity.User"
    hookspecs = "platform_identity.hookspecs"
    django_apps = ("allauth", "allauth.account", "allauth.headless")
    middleware = (
        Middleware(
            path="allauth.account.middleware.AccountMiddleware",
            after="django.contrib.auth.middleware.AuthenticationMiddleware",
        ),
        Middleware(
            path="platform_identity.middleware.SignInRequestMiddleware",
            after="django.middleware.common.CommonMiddleware",
        ),
    )
    authentication_backends = ("platform_identity.backends.IdentityBackend",)
    api_authentication = (
        "platform_identity.authentication.BearerAuthentication",
        "platform_identity.authentication.SessionAuthentication",
    )
    django_settings = {
        # Addresses are unique among live users by a conditional constraint, which the check does not look at.
        "SILENCED_SYSTEM_CHECKS": ["auth.W004"],
        "PASSWORD_HASHERS": ["platform_identity.hashers.CappedArgon2PasswordHasher"],
        "AUTH_PASSWORD_VALIDATORS": [
            {
                "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
                "OPTIONS": {"min_length": 12},
            },
            {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
            {
                "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
                "OPTIONS": {"user_attributes": ("email", "display_name")},
            },
        ],
        "ACCOUNT_ADAPTER": "platform_identity.adapters.accounts.AccountAdapter",
        "ACCOUNT_LOGIN_METHODS": {"email"},
        "ACCOUNT_SIGNUP_FIELDS": ["email*", "password1*"],
        "ACCOUNT_USER_MODEL_USERNAME_FIELD": None,
        "ACCOUNT_EMAIL_VERIFICATION": "none",
        "ACCOUNT_EMAIL_NOTIFICATIONS": False,
        "ACCOUNT_EMAIL_SUBJECT_PREFIX": "",
        "ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS": False,
        "ACCOUNT_PASSWORD_RESET_BY_CODE_ENABLED": True,  # nosec B105
        # Mails go through a queue, and some servers let a first attempt wait.
        "ACCOUNT_PASSWORD_RESET_BY_CODE_TIMEOUT": 15 * 60,  # nosec B105
        "ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE": True,  # nosec B105
        "ACCOUNT_SESSION_REMEMBER": True,
        "HEADLESS_ONLY": True,
        "HEADLESS_CLIENTS": ("app", "browser"),
        "HEADLESS_TOKEN_STRATEGY": "platform_identity.adapters.strategy.TokenStrategy",  # nosec B105
    }
