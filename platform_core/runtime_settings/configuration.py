"""Notice that file or environment have changed since such a process last started, and tell the audit trail which settings."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
from collections.abc import Iterator
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from pydantic import SecretBytes, SecretStr

from platform_core.audit import Event, record
from platform_core.conf.settings import read_variable
from platform_core.models import SettingDigest
from platform_core.runtime_settings.catalogue import all_settings
from platform_core.tasks.catalogue import CORE

SECRET_KEY: Final = "SECRET_KEY"  # noqa: S105  # nosec B105  (the name of a setting)
_WITHOUT_PREFIX = ("DATABASE_URL", "REDIS_URL")
_CONFIGURED = frozenset({"environment", "platform.toml"})
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended('platform_core.configuration', 0))"


def note_configuration(process: str) -> list[str]:
    """Record which settings are others than when such a ``process`` last started, and return their names.

    What is kept of a value is a digest under the secret key, which tells only whether it is the same. When that key is
    another one, nothing can be compared; then it alone is named. At the first start there is nothing to compare.
    """
    now = dict(_digests())
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(_ONE_AT_A_TIME)
        found = SettingDigest.objects.filter(process=process)
        before = {one.variable: bytes(one.digest) for one in found}
        changed = _changed(before, now) if before else []
        if changed:
            record(
                Event(
                    action="configuration.changed",
                    plugin=CORE,
                    target_type="configuration",
                    target_id=process,
                    details={"settings": changed},
                )
            )
        if before != now:
            found.exclude(variable__in=now).delete()
            SettingDigest.objects.bulk_create(
                [SettingDigest(process=process, variable=name, digest=now[name]) for name in now],
                update_conflicts=True,
                unique_fields=["process", "variable"],
                update_fields=["digest", "recorded_at"],
            )
    return changed


def _changed(before: dict[str, bytes], now: dict[str, bytes]) -> list[str]:
    if before.get(SECRET_KEY) != now[SECRET_KEY]:
        return [SECRET_KEY]
    return sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))


def _digests() -> Iterator[tuple[str, bytes]]:
    """Yield the digest of each setting that file or environment give; a default is no configuration."""
    yield SECRET_KEY, _digest(SECRET_KEY, "")
    for name in _WITHOUT_PREFIX:
        value = read_variable(name, os.environ)
        if value is not None:
            yield name, _digest(name, value)
    for variable, setting in all_settings().items():
        if setting.start is not None and setting.source in _CONFIGURED:
            value = getattr(setting.start, setting.name)
            yield variable, _digest(variable, json.dumps(value, default=_plain, sort_keys=True))


def _plain(value: Any) -> Any:
    return value.get_secret_value() if isinstance(value, (SecretStr, SecretBytes)) else str(value)


def _digest(name: str, value: str) -> bytes:
    key = hashlib.sha256(
        b"platform_core.configuration " + str(settings.SECRET_KEY).encode()
    ).digest()
    return hmac.digest(key, f"{name}\0{value}".encode(), "sha256")
