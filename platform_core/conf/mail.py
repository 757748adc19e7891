"""How mail leaves a deployment: ``PLATFORM_EMAIL_URL`` read, judged, and put into Django's settings."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.utils import getaddresses
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

import django

if TYPE_CHECKING:
    from platform_core.conf.deployment import Deployment

TIMEOUT_S: Final = 20
"""A server that says nothing for so long is given up for this attempt; without it a worker would hang for ever."""
SMTP_PORTS = {"smtp": 587, "smtps": 465}
WRITE_IT = (
    "write console, file, smtp://user:password@host:port or a provider such as postmark://key@"
)
_MOST_SENDER = 500
_MOST_BRACKETS = 10
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_EMAIL_SETTINGS = {
    "file_path": "EMAIL_FILE_PATH",
    "host": "EMAIL_HOST",
    "port": "EMAIL_PORT",
    "username": "EMAIL_HOST_USER",
    "password": "EMAIL_HOST_PASSWORD",  # nosec B105  (the name of a setting)
    "use_tls": "EMAIL_USE_TLS",
    "use_ssl": "EMAIL_USE_SSL",
    "timeout": "EMAIL_TIMEOUT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A service that takes mails by HTTP, through anymail: what its keys and its options are called there.

    ``keys`` stand where a URL has user and password; ``host`` is the option that stands where it has the host.
    """

    keys: tuple[str, ...] = ("api_key",)
    host: str = ""
    options: tuple[str, ...] = ()


PROVIDERS: Final = {
    "brevo": Provider(),
    "mailersend": Provider(keys=("api_token",)),
    "mailgun": Provider(host="sender_domain"),
    "mailjet": Provider(keys=("api_key", "secret_key")),
    "mailtrap": Provider(keys=("api_token",), options=("sandbox_id",)),
    "mandrill": Provider(),
    "postal": Provider(),
    "postmark": Provider(keys=("server_token",), options=("message_stream",)),
    "resend": Provider(),
    "scaleway": Provider(keys=("secret_key",), options=("project_id", "region")),
    "sendgrid": Provider(),
    "sparkpost": Provider(options=("subaccount",)),
    "unisender-go": Provider(),
}
"""By the scheme of the URL. All of them take ``api_url`` too, for another region or a server of one's own."""


def fault_of(url: str) -> str:
    """Return what is wrong with ``PLATFORM_EMAIL_URL``, without a part of it: any may be the password."""
    if url in ("console", "file"):
        return ""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for what is no port, and the text of that holds the password)
        given = dict(
            parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        )
    except ValueError:
        return WRITE_IT
    if parts.scheme in SMTP_PORTS:
        return _smtp_fault(parts, given)
    provider = PROVIDERS.get(parts.scheme)
    return WRITE_IT if provider is None else _provider_fault(parts, given, provider)


def _smtp_fault(parts: SplitResult, given: dict[str, str]) -> str:
    if not parts.hostname or parts.port == 0 or parts.path.strip("/"):
        return WRITE_IT
    if set(given) - {"tls"} or given.get("tls", "off") != "off":
        return "the only option of smtp:// is tls=off"
    if given and (parts.scheme == "smtps" or (parts.password and not _is_here(parts.hostname))):
        return "tls=off would send the password readable for others; leave one of them out"
    return ""


def _provider_fault(parts: SplitResult, given: dict[str, str], provider: Provider) -> str:
    keys = [one for one in (parts.username, parts.password) if one]
    if len(keys) != len(provider.keys):
        return f"write {parts.scheme}://{':'.join(provider.keys)}@"
    if parts.hostname and not provider.host:
        return f"nothing comes behind the @ of {parts.scheme}://, but maybe ?api_url=https://…"
    unknown = sorted(set(given) - {"api_url", *provider.options})
    if unknown:
        known = ", ".join(sorted({"api_url", *provider.options}))
        return f"{parts.scheme}:// has no such option; it has {known}"
    return ""


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_one_line(text: str) -> bool:
    """Tell whether ``text`` may stand in a header: it breaks no line and holds no other control character."""
    return _CONTROL.search(text) is None


def is_sender(text: str) -> bool:
    """Tell whether ``text`` is one address, alone or as ``Name <address>``, that fits into a header."""
    # The parser calls itself for each bracket that is opened.
    if len(text) > _MOST_SENDER or text.count("(") > _MOST_BRACKETS or not is_one_line(text):
        return False
    found = getaddresses([text])
    if len(found) != 1:
        return False
    local, _at, domain = found[0][1].rpartition("@")
    return bool(local and domain)


def mail_settings(deployment: Deployment) -> dict[str, Any]:
    """Return how mail is sent, in Django's settings of today: ``MAILERS`` from 6.1 on, names of their own before."""
    backend, options = _backend(deployment)
    sender = {"DEFAULT_FROM_EMAIL": deployment.core.email_from}
    if django.VERSION >= (6, 1):
        return {**sender, "MAILERS": {"default": {"BACKEND": backend, "OPTIONS": options}}}
    if backend.startswith("anymail."):
        esp = backend.split(".")[2].upper()
        names = {name: name if name == "requests_timeout" else f"{esp}_{name}" for name in options}
        anymail = {names[name].upper(): value for name, value in options.items()}
        return {**sender, "EMAIL_BACKEND": backend, "ANYMAIL": anymail}
    named = {_EMAIL_SETTINGS[name]: value for name, value in options.items()}
    return {**sender, "EMAIL_BACKEND": backend, **named}


def _backend(deployment: Deployment) -> tuple[str, dict[str, Any]]:
    url = deployment.core.email_url
    if url == "console":
        return "django.core.mail.backends.console.EmailBackend", {}
    if url == "file":
        return "platform_core.mail.files.EmailBackend", {
            "file_path": str(deployment.data_dir / "mail")
        }
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    if parts.scheme in SMTP_PORTS:
        return "django.core.mail.backends.smtp.EmailBackend", _smtp_options(parts, given)
    return (
        f"anymail.backends.{parts.scheme.replace('-', '_')}.EmailBackend",
        _provider_options(parts, given, PROVIDERS[parts.scheme]),
    )


def _smtp_options(parts: SplitResult, given: dict[str, str]) -> dict[str, Any]:
    return {
        "host": parts.hostname or "localhost",
        "port": parts.port or SMTP_PORTS[parts.scheme],
        "username": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "use_tls": parts.scheme == "smtp" and "tls" not in given,
        "use_ssl": parts.scheme == "smtps",
        "timeout": TIMEOUT_S,
    }


def _provider_options(
    parts: SplitResult, given: dict[str, str], provider: Provider
) -> dict[str, Any]:
    keys = [unquote(one) for one in (parts.username, parts.password) if one]
    found: dict[str, Any] = {**dict(zip(provider.keys, keys, strict=True)), **given}
    if parts.hostname:
        found[provider.host] = parts.hostname
    return {**found, "requests_timeout": TIMEOUT_S}
