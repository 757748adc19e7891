"""Mail servers and a provider on loopback, and the settings that send to them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from django.conf import settings
from django.test import override_settings

from platform_core.conf import build_settings

NAMES = ("EMAIL_", "MAILERS", "ANYMAIL", "DEFAULT_FROM")


@dataclass
class MailServer:
    """What a mail server has taken; ``answer`` is asked for each recipient and each content."""

    answer: Callable[[str], str] = lambda step: "250 OK"
    port: int = 0
    taken: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802  (as the server calls it)
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient, or not."""
        answer = self.answer("RCPT")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        """Take a mail, or not."""
        answer = self.answer("DATA")
        if answer.startswith("250"):
            found = message_from_bytes(envelope.content, policy=policy.default)
            self.taken.append(found)  # type: ignore[arg-type]
        return answer


class _OnAnyPort(Controller):
    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def mail_server() -> Iterator[MailServer]:
    """Yield a mail server that is reached while the block runs."""
    with serving(MailServer()) as server:
        yield server


@contextmanager
def serving(server: MailServer) -> Iterator[MailServer]:
    """Let ``server`` be reached while the block runs."""
    controller = _OnAnyPort(server, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        server.port = controller.port
        yield server
    finally:
        controller.stop()


@contextmanager
def provider(status: int, answer: Any) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the address of a provider's API that answers so, and what it is sent."""
    calls: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            calls.append({"headers": dict(self.headers), "body": json.loads(body)})
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            """Stay silent."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/", calls
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def sending_by(folder: Path, url: str, **environ: str) -> Iterator[None]:
    """Let mails go out by ``url`` while the block runs."""
    values = build_settings(
        folder,
        profile="dev",
        environ={"PLATFORM_PLUGINS": "identity", "PLATFORM_EMAIL_URL": url, **environ},
    )
    state = settings.PLATFORM
    core = values["PLATFORM"].deployment.core
    changed = state.deployment.core.model_copy(update={"email_from": core.email_from})
    with override_settings(
        PLATFORM=replace(state, deployment=replace(state.deployment, core=changed)),
        **{name: value for name, value in values.items() if name.startswith(NAMES)},
    ):
        yield
