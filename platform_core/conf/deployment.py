"""A deployment's own configuration: ``platform.toml``, the environment, and the core's typed settings."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import limits
from pydantic import Field, IPvAnyNetwork, SecretStr, field_validator

from platform_core.conf import mail
from platform_core.conf.runtime import Editable
from platform_core.conf.secrets import key_bytes
from platform_core.conf.settings import PluginSettings, SettingsFailure, load_settings
from platform_core.edge.cors import is_origin
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.steps import STEP_LIMIT_S

FILE_NAME = "platform.toml"
CONFIG_VARIABLE = "PLATFORM_CONFIG"
_MOST_CALLS = 10**9
_LONGEST_WINDOW_S = 366 * 86_400
_MEDIA_TYPE = re.compile(r"[a-z0-9.+-]+/(\*|[a-z0-9.+-]+)")


class CoreSettings(PluginSettings):
    """The core's own settings, read from ``PLATFORM_*`` and from ``[platform]`` in ``platform.toml``."""

    plugins: list[str] = Field(default_factory=list)
    """Slugs of the enabled plugins; no list means none."""
    dormant_plugins: list[str] = Field(default_factory=list)
    """Slugs of the plugins that keep their data and contribute nothing."""
    on_plugin_error: Literal["fail", "quarantine"] = "fail"
    """What a broken plugin does: stop the start, or be held back with what requires it."""
    plugin_step_timeout: int = Field(default=STEP_LIMIT_S, ge=1)
    """Seconds that one step of loading a plugin, such as the import of its models, may take when ``platformctl`` starts."""
    safe_mode: bool = False
    """Whether only the plugin with the user model is enabled, whatever the lists say."""
    data_dir: Path = Path("var")
    """Where the embedded database, generated secrets and logs live; relative to ``platform.toml``."""
    allowed_hosts: list[str] = Field(default_factory=list)
    """Host names that the deployment answers to; loopback names are always allowed outside production."""
    trusted_origins: list[str] = Field(default_factory=list)
    """Origins, with scheme, whose pages may send unsafe requests with a session cookie."""
    cors_origins: list[str] = Field(default_factory=list)
    """Origins, such as ``https://app.example.org``, whose pages may read the API from a browser; none by default."""
    cors_credentials: bool = False
    """Whether those pages may send the cookies of this deployment along; tokens in a header need no such leave."""
    hsts_seconds: int = Field(default=31_536_000, ge=0)
    """How long browsers remember, in production, to come by HTTPS only; 0 sends no such promise."""
    hsts_subdomains: bool = True
    """Whether that promise holds for all subdomains, and may be built into browsers."""
    body_limit: int = Field(default=2_500_000, ge=1_000)
    """Bytes that the body of a request may have at most."""
    body_limits: dict[str, int] = Field(default_factory=dict)
    """Other limits by media type, such as ``text/csv`` or ``image/*``: for files, which are not held in memory."""
    trusted_proxies: list[IPvAnyNetwork] = Field(default_factory=list)
    """Networks of the proxies whose ``X-Forwarded-For`` is believed; none by default."""
    outbound_allow: list[IPvAnyNetwork] = Field(default_factory=list)
    """Networks beside the public addresses that the platform itself may call, also by plain HTTP; none by default."""
    rate_limit_signed_in: Annotated[str, Editable()] = "1000/hour"
    """Calls that one signed-in caller may make, such as ``1000/hour``; ``off`` sets no limit."""
    rate_limit_anonymous: Annotated[str, Editable()] = "100/hour"
    """Calls that may come from one address without signing in."""
    secure_cookies: bool = True
    """Whether cookies travel over HTTPS only; development on loopback turns it off."""
    time_zone: str = "Europe/Paris"
    """Django's ``TIME_ZONE``; the API always answers in UTC."""
    language: Literal["en", "fr", "de"] = "en"
    """The language of answers to requests that prefer none."""
    database_pool_size: int = Field(default=8, ge=1, le=200)
    """Connections that one process may hold at most."""
    database_prepared_statements: bool = True
    """Whether connections keep the statements of usual requests; not behind a pooler that mixes them up."""
    database_lock_timeout: int = Field(default=5, ge=0)
    """Seconds that a web request waits for a lock before it is refused; 0 leaves it to the server."""
    database_statement_timeout: int = Field(default=30, ge=0)
    """Seconds that one statement of a web request may take before it is refused; 0 leaves it to the server."""
    task_threads: int = Field(default=2, ge=0, le=64)
    """Background jobs that ``platformctl run`` runs at once beside serving; 0 leaves them to ``platformctl worker``."""
    task_stalled_after: float = Field(default=30, ge=1)
    """Seconds without a sign of life after which a worker counts as dead and its jobs run elsewhere."""
    server_timing: bool | None = None
    """Whether ``X-Server-Timing: 1`` is answered with ``Server-Timing``; unset: outside production only."""
    log_level: Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR"], Editable()] = "INFO"
    """The least severe lines that are logged."""
    log_max_bytes: int = Field(default=10_000_000, ge=10_000)
    """Size in bytes at which a log file is rotated."""
    log_backups: int = Field(default=5, ge=1)
    """Rotated files that are kept."""
    backup_at: str | None = Field(default=None, pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """When ``platformctl run`` makes a backup each day, as ``HH:MM`` in the deployment's time zone."""
    backup_keep: int = Field(default=7, ge=1)
    """How many backups a scheduled one leaves in the data folder."""
    audit_signing_key: SecretStr | None = None
    """The Ed25519 private key, in PEM, that signs checkpoints of the audit trail; else one kept in the data folder."""
    audit_checkpoints: Path = Path("audit")
    """The folder of the signed checkpoints, relative to the data folder; best one that the web processes cannot write."""
    audit_checkpoint_command: list[str] = Field(default_factory=list)
    """A program and its arguments that gets each new checkpoint as a line of input, to keep it elsewhere."""
    encryption_keys: list[SecretStr] = Field(default_factory=list)
    """Keys of 32 bytes in URL-safe base64 for encrypted columns: the first encrypts, all decrypt; else one kept in the data folder."""
    email_url: str = Field(default="file", repr=False)
    """``file`` (below the data folder), ``console``, ``smtp://user:password@host:port``, or a provider and its key."""
    email_from: Annotated[str, Editable()] = "platform@localhost"
    """The sender of mails, as an address or as ``Name <address>``."""
    site_name: Annotated[str, Editable()] = Field(default="Platform", min_length=1, max_length=100)
    """What people know this deployment as; mails are signed with it."""
    site_url: str | None = None
    """Where people find it, such as ``https://app.example.org``; mails link there when it is set."""
    events_kept_days: Annotated[int, Editable()] = Field(default=30, ge=1, le=3650)
    """Days that events are kept after all their subscribers have them."""
    export_files: Annotated[int, Editable()] = Field(default=20, ge=1, le=10_000)
    """Files of exports that one person may keep at once, those that are being made included; each lies a week."""
    export_bytes: Annotated[int, Editable()] = Field(default=2_147_483_648, ge=1_000)
    """Bytes that the files of one person's exports may have together."""
    config: Path | None = None
    """The ``platform.toml`` to use, when it is not the one of the folder."""
    dir: Path | None = None
    """The deployment's folder, for ``platformctl`` calls from elsewhere."""
    profile: Literal["dev", "test", "prod"] | None = None
    """``dev``, ``test`` or ``prod`` for settings modules that leave the choice to the environment."""

    @field_validator("rate_limit_signed_in", "rate_limit_anonymous")
    @classmethod
    def _is_a_rate(cls, text: str) -> str:
        if text != "off":
            try:
                item = limits.parse(text)
            except ValueError:
                raise ValueError("write it like 1000/hour, or off") from None
            if not (1 <= item.amount <= _MOST_CALLS and item.get_expiry() <= _LONGEST_WINDOW_S):
                raise ValueError("write 1 to a thousand million calls in a year at most, or off")
        return text

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for one in origins:
            if not is_origin(one):
                raise ValueError("write each like https://app.example.org, without a path or a *")
        return origins

    @field_validator("encryption_keys")
    @classmethod
    def _are_keys(cls, keys: list[SecretStr]) -> list[SecretStr]:
        for key in keys:
            key_bytes(key.get_secret_value())
        return keys

    @field_validator("body_limits")
    @classmethod
    def _are_limits(cls, limits: dict[str, int]) -> dict[str, int]:
        for name, size in limits.items():
            if size < 1 or not _MEDIA_TYPE.fullmatch(name):
                raise ValueError("write them like text/csv = 50000000, type in lower case")
        return limits

    @field_validator("time_zone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, ZoneInfoNotFoundError):
            raise ValueError("write it like Europe/Paris") from None
        return name

    @field_validator("email_url")
    @classmethod
    def _is_a_way_to_mail(cls, url: str) -> str:
        fault = mail.fault_of(url)
        if fault:
            raise ValueError(fault)
        return url

    @field_validator("email_from")
    @classmethod
    def _is_a_sender(cls, text: str) -> str:
        if not mail.is_sender(text):
            raise ValueError(
                "write it like platform@example.org, or Platform <platform@example.org>"
            )
        return text

    @field_validator("site_name")
    @classmethod
    def _is_a_line(cls, text: str) -> str:
        if not mail.is_one_line(text):
            raise ValueError("write it on one line")
        return text

    @field_validator("site_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        if url is not None and not is_origin(url.rstrip("/")):
            raise ValueError("write it like https://app.example.org, without a path")
        return url and url.rstrip("/")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One tenant's deployment: its folder, its file, and its settings."""

    folder: Path
    core: CoreSettings
    plugin_sections: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    lists_from_environment: bool = False
    settings_module: str = "settings"

    @property
    def file(self) -> Path:
        """The ``platform.toml`` of this deployment; it need not exist."""
        return self.core.config or self.folder / FILE_NAME

    @property
    def data_dir(self) -> Path:
        """The absolute data folder."""
        return (self.folder / self.core.data_dir).resolve()


def find_deployment(folder: Path, *, environ: Mapping[str, str] | None = None) -> Deployment:
    """Read the deployment in ``folder``: its ``platform.toml``, with the environment before it.

    Raises PluginErrors when the file cannot be read or a setting is missing, mistyped or unknown.
    """
    environ = os.environ if environ is None else environ
    path = Path(environ.get(CONFIG_VARIABLE) or folder / FILE_NAME)
    document = _read_toml(path)
    section = dict(document.get("platform", {}))
    settings_module = section.pop("settings", "settings")
    if not _is_module_name(settings_module):
        raise _unreadable(path, "settings in [platform] is no name of a module")
    try:
        core = load_settings(CoreSettings, "PLATFORM_", section=section, environ=environ)
    except SettingsFailure as failure:
        raise PluginErrors(failure.problems) from None
    return Deployment(
        folder=folder.resolve(),
        core=core,
        plugin_sections=document.get("plugins", {}),
        lists_from_environment=any(
            name in environ or f"{name}_FILE" in environ
            for name in ("PLATFORM_PLUGINS", "PLATFORM_DORMANT_PLUGINS")
        ),
        settings_module=settings_module,
    )


def _is_module_name(name: object) -> bool:
    return isinstance(name, str) and all(part.isidentifier() for part in name.split("."))


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise _unreadable(path, str(error)) from error
    for name in ("platform", "plugins"):
        if not isinstance(document.get(name, {}), dict):
            raise _unreadable(path, f"{name} is no table; write [{name}] above its settings")
    for slug, section in document.get("plugins", {}).items():
        if not isinstance(section, dict):
            raise _unreadable(path, f"plugins.{slug} is no table; write [plugins.{slug}]")
    return document


def _unreadable(path: Path, why: str) -> PluginErrors:
    problem = PluginProblem(
        plugin="",
        code="configuration_unreadable",
        place=path.name,
        message=f"The deployment's configuration cannot be read: {why}.",
        way_out="Correct the file, or write a new one with platformctl init.",
    )
    return PluginErrors([problem])
