"""Send bodies of a gigabyte that say the truth about their length, nothing, or a lie: refused early, memory flat.

``python -m tests.drills.bodies``; ``--mib 64`` sends less.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from pathlib import Path

from platform_core.conf.database import embedded_postgres
from tests.deployments import TestDeployment
from tests.drills.memory import MemoryWatch
from tests.served import Served, owner_credentials, serve

MIB = 1 << 20
EARLY = 24 * MIB
"""What may be sent before the answer is there: the limit of a body, and what the kernel's buffers take unasked."""
GROWTH = 24 * MIB
"""By how much a process may grow while it refuses: more than a few bodies that are allowed, less than one that is not."""
ALLOWED = 2_300_000
ANSWER_S = 20.0
OTHERS_S = 15.0
"""How long others may wait meanwhile: long for a busy machine, far less than for ever."""
REFUSED = frozenset({400, 401, 403, 404, 405, 408, 411, 413, 415})
WORKERS, THREADS = 2, 4
_PIECE = 1 << 16

GREEDY = """\
import io

from platform_core.wsgi import application as inner


def application(environ, start_response):
    \"\"\"Read whatever comes into memory, as a careless middleware does.\"\"\"
    environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read())
    return inner(environ, start_response)
"""

AUTH = "/api/v1/identity/auth"
UNITS = "/api/v1/identity/org-units/"
MULTIPART = "multipart/form-data; boundary=x"
_PART = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\n'
_FORM = b"csrfmiddlewaretoken="


@dataclass(frozen=True)
class Target:
    """Where a body is sent, as what, and by whom."""

    name: str
    method: str
    path: str
    content_type: str = "application/json"
    begins: bytes = b'{"name": "'
    who: str = "nobody"


TARGETS = (
    Target("create, nobody", "POST", UNITS),
    Target("create, token", "POST", UNITS, who="token"),
    Target("create, cookie", "POST", UNITS, who="cookie"),
    Target("create, cookie, multipart", "POST", UNITS, MULTIPART, _PART, "cookie"),
    Target(
        "create, cookie, form", "POST", UNITS, "application/x-www-form-urlencoded", _FORM, "cookie"
    ),
    Target("create, token, plain text", "POST", UNITS, "text/plain", b"x", "token"),
    Target("create, token, no type", "POST", UNITS, "", b"x", "token"),
    Target("bulk, token", "POST", f"{UNITS}bulk/create/", who="token"),
    Target("change, token", "PATCH", f"{UNITS}0197f000-0000-7000-8000-000000000000/", who="token"),
    Target("delete, token", "DELETE", f"{UNITS}0197f000-0000-7000-8000-000000000000/", who="token"),
    Target("list, token", "GET", UNITS, who="token"),
    Target("me, token", "PATCH", "/api/v1/identity/me/", who="token"),
    Target("sign-in", "POST", f"{AUTH}/app/v1/auth/login"),
    Target("sign-in, multipart", "POST", f"{AUTH}/app/v1/auth/login", MULTIPART, _PART),
    Target("sign-in of a browser", "POST", f"{AUTH}/browser/v1/auth/login", who="cookie"),
    Target("sign-in of a browser, multipart", "POST", f"{AUTH}/browser/v1/auth/login", MULTIPART, _PART, "cookie"),
    Target("unknown below the API", "POST", "/api/v1/identity/nothing/"),
    Target("unknown", "POST", "/nothing", MULTIPART, _PART, "cookie"),
    Target("liveness", "POST", "/livez"),
    Target("readiness", "GET", "/readyz"),
    Target("a static file", "GET", "/static/nothing.css"),
    Target("the description", "POST", "/api/openapi.json"),
)  # fmt: skip

Framing = Callable[[int], tuple[Sequence[str], bool]]
"""From the bytes that are sent: the headers that announce them, and whether they are sent in chunks."""

FRAMINGS: Mapping[str, Framing] = {
    "true": lambda size: ([f"Content-Length: {size}"], False),
    "none": lambda size: (["Transfer-Encoding: chunked"], True),
    "too small": lambda size: (["Content-Length: 20"], False),
    "too large": lambda size: ([f"Content-Length: {size * 1000}"], False),
    "absurd": lambda size: ([f"Content-Length: {'9' * 40}"], False),
    "negative": lambda size: (["Content-Length: -1"], False),
    "no number": lambda size: (["Content-Length: much"], False),
    "twice": lambda size: (["Content-Length: 20", f"Content-Length: {size}"], False),
    "both": lambda size: ([f"Content-Length: {size}", "Transfer-Encoding: chunked"], True),
    "one endless chunk": lambda size: (["Transfer-Encoding: chunked"], False),
}


@dataclass
class Sent:
    """What became of one body: the status (0 for a closed connection), and what was sent until then."""

    status: int
    bytes_sent: int
    seconds: float


@dataclass
class Outcome:
    """What a run found."""

    bodies: int = 0
    most_sent: int = 0
    growth: int = 0
    others: int = 0
    slowest_other_s: float = 0.0
    statuses: dict[int, int] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


class Caller:
    """Sends bodies by raw sockets, as nobody, by a token, or by the cookies of a browser that signed in."""

    def __init__(self, served: Served, email: str, password: str) -> None:
        """Sign in both ways."""
        host, port = served.url.removeprefix("http://").split(":")
        self.address = (host, int(port))
        token = served.sign_in(email, password)
        self._headers = {
            "nobody": [],
            "token": [f"Authorization: Bearer {token}"],
            "cookie": _browser(served, email, password),
        }

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(self.address, timeout=ANSWER_S)

    def head(self, target: Target, announcing: Sequence[str]) -> bytes:
        """Return the head of a request to ``target`` that announces its body so."""
        lines = [
            f"{target.method} {target.path} HTTP/1.1",
            f"Host: {self.address[0]}:{self.address[1]}",
            *([f"Content-Type: {target.content_type}"] if target.content_type else []),
            *self._headers[target.who],
            *announcing,
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def send(self, target: Target, framing: str, size: int) -> Sent:
        """Send a body of ``size`` bytes, until there is an answer or nobody listens any more."""
        announcing, chunked = FRAMINGS[framing](size)
        endless = framing == "one endless chunk"
        piece = b"x" * _PIECE
        began = time.monotonic()
        sent = 0
        with self.connect() as connection:
            try:
                connection.sendall(self.head(target, announcing))
                if endless:
                    connection.sendall(b"FFFFFFFF\r\n")
                connection.sendall(_chunk(target.begins) if chunked else target.begins)
                while sent < size and not _readable(connection):
                    connection.sendall(_chunk(piece) if chunked else piece)
                    sent += _PIECE
                if chunked and sent >= size:
                    connection.sendall(b"0\r\n\r\n")
            except OSError:  # refused while sending; what was answered may still be read
                pass
            status = _status(connection)
        return Sent(status, sent, time.monotonic() - began)


def _browser(served: Served, email: str, password: str) -> list[str]:
    """Return the headers of a browser that signed in: its cookies, and its CSRF token."""
    cookies: SimpleCookie = SimpleCookie()

    def ask(method: str, path: str, body: bytes | None = None) -> None:
        token = cookies["csrf"].value if "csrf" in cookies else ""
        request = urllib.request.Request(
            f"{served.url}{AUTH}/browser/v1/{path}",
            body,
            {
                "Content-Type": "application/json",
                "Cookie": cookies.output(attrs=[], header="", sep=";"),
                "X-CSRFToken": token,
            },
            method=method,
        )
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(request) as answer:
            for line in answer.headers.get_all("Set-Cookie", []):
                cookies.load(line)

    ask("GET", "config")
    ask("POST", "auth/login", f'{{"email": "{email}", "password": "{password}"}}'.encode())
    assert {"csrf", "session"} <= set(cookies), "the browser could not sign in"
    # No X-CSRFToken: the token is then looked for in the body, which is what a form does.
    return [f"Cookie: {cookies.output(attrs=[], header='', sep=';').strip()}"]


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def _readable(connection: socket.socket) -> bool:
    """Tell whether something was answered, or the connection closed."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(ANSWER_S)
    return True


def _status(connection: socket.socket) -> int:
    """Return the status that was answered; 0 when the connection was closed without one, -1 when nothing happens."""
    try:
        line = connection.recv(64)
    except TimeoutError:
        return -1
    except OSError:
        return 0
    return int(line.split()[1]) if line.startswith(b"HTTP/") else 0


class Others:
    """Somebody else, who asks all the time and wants to be answered all the same."""

    def __init__(self, served: Served) -> None:
        """Start asking."""
        self._url = f"{served.url}/livez"
        self._stop = threading.Event()
        self.waits: list[float] = []
        self.faults: list[str] = []
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()
        self._thread.join()

    def _ask(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self._url, timeout=ANSWER_S) as answer:
                    answer.read()
            except OSError as error:
                self.faults.append(f"somebody else was not answered: {error}")
            self.waits.append(time.monotonic() - began)
            self._stop.wait(0.05)


class SlowClients:
    """More clients than the server has threads, each sending a byte now and then: of its head, or of its body."""

    def __init__(self, caller: Caller, count: int) -> None:
        """Connect them all."""
        self._stop = threading.Event()
        self.faults: list[str] = []
        self._threads = [
            threading.Thread(target=self._trickle, args=(caller, number), daemon=True)
            for number in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Disconnect them."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _trickle(self, caller: Caller, number: int) -> None:
        target = next(
            one for one in TARGETS if one.name == ("sign-in", "create, token")[number % 2]
        )
        while not self._stop.is_set():
            with suppress(OSError), caller.connect() as connection:
                head = caller.head(target, ["Content-Length: 100000"])
                begun = len(head) if number % 3 else 20
                connection.sendall(head[:begun])
                while not self._stop.wait(0.2) and not _readable(connection):
                    connection.sendall(b" ")


def judge_sent(target: Target, framing: str, sent: Sent) -> Iterator[str]:
    """Yield what is wrong with the answer to one body."""
    where = f"{target.name}, length {framing}"
    # What is cut off by a length that is too small was answered as what it is; the rest is no request.
    fitting = REFUSED if framing != "too small" else REFUSED | {200, 422}
    if target.method == "GET" or target.path in ("/livez", "/api/openapi.json"):
        fitting |= {200}  # nothing asks for a body
    if sent.status not in fitting:
        yield f"{where}: answered {sent.status}"
    if sent.bytes_sent > EARLY:
        yield f"{where}: {sent.bytes_sent // MIB} MiB were taken before the answer"
    if sent.seconds > ANSWER_S:
        yield f"{where}: answered after {sent.seconds:.1f} s"


def run(
    served: Served, caller: Caller, size: int, targets: Sequence[Target], framings: Sequence[str]
) -> Outcome:
    """Send every body to every target while others ask, and judge answers, memory and what the others saw."""
    outcome = Outcome()
    others = Others(served)
    try:
        with MemoryWatch(served.process.pid) as watch:
            for target in targets:
                for framing in framings:
                    sent = caller.send(target, framing, size)
                    outcome.bodies += 1
                    outcome.most_sent = max(outcome.most_sent, sent.bytes_sent)
                    outcome.statuses[sent.status] = outcome.statuses.get(sent.status, 0) + 1
                    outcome.faults += judge_sent(target, framing, sent)
    finally:
        others.stop()
    outcome.growth = watch.growth
    if watch.growth > GROWTH:
        outcome.faults.append(f"a process grew by {watch.growth // MIB} MiB")
    return _with_others(outcome, others)


def run_slowly(served: Served, caller: Caller, seconds: float) -> Outcome:
    """Occupy the server with slow clients for ``seconds`` while others ask."""
    outcome = Outcome()
    slow = SlowClients(caller, 3 * WORKERS * THREADS)
    time.sleep(1)
    others = Others(served)
    try:
        time.sleep(seconds)
    finally:
        others.stop()
        slow.stop()
    return _with_others(outcome, others)


def _with_others(outcome: Outcome, others: Others) -> Outcome:
    outcome.others = len(others.waits)
    outcome.slowest_other_s = max(others.waits, default=0.0)
    outcome.faults += sorted(set(others.faults))
    if outcome.slowest_other_s > OTHERS_S:
        outcome.faults.append(f"somebody else waited for {outcome.slowest_other_s:.1f} s")
    return outcome


@contextmanager
def served_deployment(
    folder: Path, targets: Sequence[Target] = TARGETS, *, greedy: bool = False
) -> Iterator[tuple[Served, Caller]]:
    """Serve a new deployment in ``folder``; a ``greedy`` one reads whole bodies into memory."""
    folder.mkdir(mode=0o700)
    TestDeployment(folder, "").write(plugins=["identity", "education"])
    if greedy:
        (folder / "greedy.py").write_text(GREEDY, encoding="utf-8")
        with (folder / "settings.py").open("a", encoding="utf-8") as file:
            file.write('WSGI_APPLICATION = "greedy.application"\n')
    unlimited = {"PLATFORM_RATE_LIMIT_ANONYMOUS": "off", "PLATFORM_RATE_LIMIT_SIGNED_IN": "off"}
    words = ("--workers", str(WORKERS), "--threads", str(THREADS))
    try:
        with serve(folder, *words, environment=unlimited) as served:
            caller = Caller(served, *owner_credentials(folder / "var"))
            warm(caller, targets)
            yield served, caller
    finally:
        embedded_postgres(folder / "var").stop(mode="immediate")


def warm(caller: Caller, targets: Sequence[Target]) -> None:
    """Let the server make what it makes at first use, and hold as many bodies of the allowed size as it ever will."""
    for target in targets:
        for _worker in range(2 * WORKERS):
            caller.send(target, "true", 0)
    allowed = next(one for one in TARGETS if one.name == "create, token")
    with ThreadPoolExecutor(2 * WORKERS * THREADS) as pool:
        for _round in range(4 * WORKERS * THREADS):
            pool.submit(caller.send, allowed, "none", ALLOWED)


def main() -> int:
    """Run the drill; return 1 when a planted fault goes unseen or a real one is found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="the size of each body")
    parser.add_argument("--slow", type=float, default=60, help="seconds under slow clients")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        folder = Path(name)
        planted = TARGETS[1:2]
        with served_deployment(folder / "planted", planted, greedy=True) as (served, caller):
            outcome = run(served, caller, 96 * MIB, planted, ["true", "none"])
        print(f"planted: whole bodies are read: {outcome.faults or 'NOT SEEN'}", flush=True)
        if not any("grew" in one for one in outcome.faults):
            return 1
        with served_deployment(folder / "site") as (served, caller):
            found = run(served, caller, options.mib * MIB, TARGETS, tuple(FRAMINGS))
            slow = run_slowly(served, caller, options.slow)
    print(
        f"{found.bodies} bodies of {options.mib} MiB: at most {found.most_sent / MIB:.1f} MiB taken, memory grew by"
        f" {found.growth / MIB:.1f} MiB, {found.others} requests of others took {found.slowest_other_s:.2f} s at most\n"
        f"answers: {dict(sorted(found.statuses.items()))}\n"
        f"slow clients for {options.slow:.0f} s: {slow.others} requests of others took"
        f" {slow.slowest_other_s:.2f} s at most"
    )
    faults = [*found.faults, *slow.faults]
    for fault in faults:
        print(f"FAULT: {fault}")
    print("refused early, memory flat" if not faults else "FAILED")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
