"""The deployment in this process, for requests by the thousand: no socket, no rate limit, and nothing that stays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest.mock import patch

from django.core.handlers.wsgi import WSGIHandler
from django.db import connections
from django.test import override_settings
from schemathesis.transport.wsgi import WSGITransport

from platform_core.testing.contract.subjects import undone

_UNLIMITED = {"signed_in": "1000000000/day", "anonymous": "1000000000/day"}


@contextmanager
def unlimited() -> Iterator[None]:
    """Let nobody meet a rate limit, and hash passwords fast."""

    hashers = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with override_settings(
        PLATFORM_RATE_LIMITS=_UNLIMITED, ACCOUNT_RATE_LIMITS=False, PASSWORD_HASHERS=hashers
    ):
        yield


@contextmanager
def probes_without_sockets() -> Iterator[None]:
    """Keep settings of sockets from the requests by which schemathesis asks again, which fail on them in process."""
    send = WSGITransport.send

    def without(self: WSGITransport, case: Any, **kwargs: Any) -> Any:
        for name in ("max_redirects", "verify", "cert", "proxies"):
            kwargs.pop(name, None)
        return send(self, case, **kwargs)

    with patch.object(WSGITransport, "send", without):
        yield


class Application(WSGIHandler):
    """The deployment's WSGI application on the run's one connection; ``keeps`` says that writes are kept."""

    keeps = False

    def __init__(self) -> None:
        super().__init__()
        self._connection = connections["default"]

    def __call__(self, environ: Any, start_response: Any) -> Any:
        """Answer as a server would, which tells where the request comes from."""
        connections["default"] = self._connection
        with nullcontext() if self.keeps else undone():
            answer = super().__call__({"REMOTE_ADDR": "127.0.0.1", **environ}, start_response)
            try:
                return [b"".join(answer)]  # what streams reads its rows before they are undone
            finally:
                answer.close()
