"""Send marked secrets everywhere, let everything fail, and look for them in everything that is told; planted ones are found."""

from __future__ import annotations

import argparse
import http.client
import json
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import psycopg

from tests.deployments import ROOT, TestDeployment
from tests.drills import secret_marks
from tests.drills.secret_marks import Marks, new_marks, word
from tests.drills.secret_places import Hit, Places, server_log_of
from tests.drills.secret_plugin import write_marks
from tests.served import Served, owner_credentials, serve

PLANTS = {
    "log": "logs",
    "files": "logs",
    "stdout": "standard output and error",
    "stderr": "standard output and error",
    "audit": "table platform_core_auditevent",
    "mails": "mails",
    "metrics": "metrics",
    "answers": "answers",
    "server": "PostgreSQL's log",
    "jobs": "table platform_core_taskrecord",
    "say": "platformctl marks say",
}
"""Where a secret that is told on purpose has to be found."""
METHODS = ("get", "post", "put", "patch", "delete")
_PARAMETER = re.compile(r"\{[^}]+\}")


@dataclass
class Found:
    """What the drill has done and seen."""

    requests: int = 0
    operations: int = 0
    marks: int = 0
    hits: list[Hit] = field(default_factory=list)
    plants_missed: list[str] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    written: list[int] = field(default_factory=list)


class Sender:
    """Sends requests as the owner, and keeps every problem and page that answers."""

    def __init__(self, served: Served, token: str, places: Places) -> None:
        self._address = urlsplit(served.url).netloc
        self._token, self._places = token, places
        self._connection = http.client.HTTPConnection(self._address, timeout=60)
        self.statuses: dict[int, int] = {}

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        content_type: str = "application/json",
    ) -> tuple[int, bytes]:
        """Send one request and return what it is answered."""
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        sent = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": content_type,
            **(headers or {}),
        }
        try:
            answer, text = self._answer(method, path, data, sent)
        except (http.client.RemoteDisconnected, ConnectionError):  # it was idle for too long
            self._connection.close()
            answer, text = self._answer(method, path, data, sent)
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        if answer.status >= 400:
            self._places.add("answers", text.decode("utf-8", "replace"))
        return answer.status, text

    def _answer(
        self, method: str, path: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        self._connection.request(method.upper(), path, data, headers)
        answer = self._connection.getresponse()
        return answer, answer.read()


def send_everywhere(sender: Sender, marks: Marks) -> int:
    """Send the marks to every operation that is described: in path, query, headers and body; return how many there are."""
    document = json.loads(sender.send("GET", "/api/openapi.json")[1])
    headers, asked = secret_marks.headers(marks), urlencode(secret_marks.query(marks))
    wrong = {**headers, "Authorization": f"Bearer {marks['bearer']}"}
    count = 0
    for address, item in document["paths"].items():
        if "/marks/" in address or address.endswith("/v1/auth/session"):
            continue
        for method in METHODS:
            if method not in item:
                continue
            count += 1
            in_path = marks["path_token" if count % 2 else "path_email"]
            path = _PARAMETER.sub(quote(in_path), address)
            known = _PARAMETER.sub("0190a0a0-0000-7000-8000-000000000000", address)
            body = secret_marks.body(marks, _properties(document, item[method]))
            if "{" in address:
                sender.send(method, f"{path}?{asked}", body, headers)
            sender.send(method, f"{known}?{asked}", body, {**headers, "If-Match": '"1"'})
            if method != "get":
                sender.send(method, known.replace("{client}", "app"), body, {"If-Match": '"1"'})
                sender.send(method, known, {"items": [body, {"name": marks["bulk_item"]}]}, wrong)
            if address.endswith("/import/"):
                rows = secret_marks.file_of_rows(marks)
                sender.send(method, known, rows, content_type="application/jsonl")
    return count


def _properties(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of the body that an operation describes."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        schema = content.get("schema", {})
        while "$ref" in schema:
            schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        found: dict[str, Any] = schema.get("properties", {})
        return found
    return {}


def sign_in_and_reset(sender: Sender, marks: Marks, owner: str, mail: Path) -> None:
    """Sign in wrongly, sign up, and reset a password; the code is in the mail to its owner, and nowhere else."""
    base = "/api/v1/identity/auth/app/v1/auth"
    plain = {"Authorization": ""}
    for email in (owner, marks["email"]):
        body = {"email": email, "password": marks["wrong_password"]}
        sender.send("POST", f"{base}/login", body, plain)
    signup = {"email": marks["signup_email"], "password": marks["signup_password"]}
    sender.send("POST", f"{base}/signup", signup, plain)
    sender.send("POST", f"{base}/password/request", {"email": owner}, plain)
    body = {"key": marks["reset_code_sent"], "password": marks["new_password"]}
    sender.send("POST", f"{base}/password/reset", body, plain)
    texts = [one.read_text() for one in _until(lambda: sorted(mail.glob("*")), 20)]
    code = next(
        word for text in texts for word in text.split() if len(word) >= 6 and word.isupper()
    )
    marks.values["reset_code"] = code


def write_for_real(sender: Sender, marks: Marks) -> list[int]:
    """Store marks in rows: once, with an idempotency key, again where they must be unique, and by files; return the answers."""
    api, answers = "/api/v1", []

    def sent(method: str, path: str, body: Any, **headers: str) -> Any:
        content_type = "application/jsonl" if isinstance(body, bytes) else "application/json"
        status, text = sender.send(method, path, body, headers, content_type)
        answers.append(status)
        return json.loads(text) if text else {}

    key = {"Idempotency-Key": marks["idempotency_key"]}
    user = {"email": marks["row_email"], "display_name": marks["login_name"]}
    for _again in range(2):
        sent("POST", f"{api}/identity/users/", user, **key)
    sent("POST", f"{api}/identity/users/", user)
    sent("POST", f"{api}/identity/users/?dry_run=true", {**user, "email": marks["email"]})
    sent("POST", f"{api}/identity/users/bulk/create/", {"items": [user, {**user, "email": marks["cell_email"]}]})  # fmt: skip
    unit = sent("POST", f"{api}/identity/org-units/", {"name": marks["street"], "kind": "school"})
    school = sent("POST", f"{api}/education/schools/", {"name": marks["street"], "unit": unit.get("id")})  # fmt: skip
    row = {
        "school": school.get("id"),
        "given_name": marks["cell_name"],
        "family_name": marks["cell_note"],
        "email": marks["cell_email"],
        "phone": marks["cell_token"],
        "birth_date": marks["cell_birth_date"],
    }
    wrong = [{**row, "email": marks["cell_name"]}, {**row, "sex": marks["cell_note"]}, {**row, "more": marks["cell_token"]}]  # fmt: skip
    lines = [json.dumps(one).encode() for one in (row, *wrong)]
    sent("POST", f"{api}/education/students/import/", lines[0])
    sent("POST", f"{api}/education/students/import/", b"\n".join(lines))
    sent("POST", f"{api}/education/students/import/", b"\n".join(lines * 200))
    sent("PATCH", f"{api}/identity/me/", {"display_name": marks["nickname"]})
    return answers


def let_everything_fail(sender: Sender, marks: Marks) -> None:
    """Force errors in views, jobs and subscribers, each with secrets of the request, the row and the deployment."""
    row = {"code": marks["row_code"], "email": marks["row_email"], "birth_date": marks["row_birth_date"]}  # fmt: skip
    ways = json.loads(sender.send("POST", "/api/v1/marks/begin/", row)[1])
    for number, way in enumerate(ways):
        sent = {"value": marks["nickname" if number % 2 else "body_token"], "date": marks["birth_date"]}  # fmt: skip
        sender.send("POST", f"/api/v1/marks/fail/{way}/?token={marks['query_token']}", sent, secret_marks.headers(marks))  # fmt: skip
        job = {"value": marks["task_argument"], "token": marks["task_token"]}
        sender.send("POST", f"/api/v1/marks/enqueue/{way}/", job)
    sender.send("POST", "/api/v1/marks/happen/", {"value": marks["event_text"]})


def send_what_is_no_request(served: Served, marks: Marks) -> Iterator[str]:
    """Send malformed HTTP with marks in it, and yield what is answered."""
    import socket

    address = urlsplit(served.url)
    for text in (
        f"GET /?token={marks['query_token']} HTTP/1.1\r\nX-Api-Key {marks['x_api_key']}\r\n\r\n",
        f"GET / HTTP/1.1\r\nX-Api-Key@: {marks['x_api_key']}\r\n\r\n",
        f"G@T /?token={marks['query_token']} HTTP/1.1\r\n\r\n",
        f"GET / HTTP/{marks['nickname']}\r\n\r\n",
        f"POST / HTTP/1.1\r\nTransfer-Encoding: {marks['nickname']}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: a\r\nCookie: {marks['session_cookie']}\r\n folded\r\n\r\n",
    ):
        with socket.create_connection((address.hostname or "", address.port or 0), 20) as sent:
            sent.sendall(text.encode())
            yield sent.recv(65536).decode("utf-8", "replace")


def plant(sender: Sender) -> Marks:
    """Tell secrets on purpose, and return them by where."""
    planted = Marks({name: word() for name in PLANTS})
    for name, value in planted.values.items():
        if name != "say":
            sender.send("POST", f"/api/v1/marks/plant/{name}/", {"value": value})
    return planted


def look(places: Places, marks: Marks, planted: Marks) -> Found:
    """Search all places for all marks."""
    found = Found(marks=len(marks.values), hits=list(places.hits(marks)))
    seen = {(one.mark, one.place) for one in places.hits(planted)}
    found.plants_missed = [
        f"{name} in {place}" for name, place in PLANTS.items() if (name, place) not in seen
    ]
    return found


@contextmanager
def deployment_in(folder: Path, database_url: str | None) -> Iterator[TestDeployment]:
    """Yield a deployment with the plugin of failures; without an address it has an embedded database of its own."""
    made = TestDeployment(folder=folder / "site", database_url=database_url or "")
    made.folder.mkdir(parents=True, exist_ok=True)
    made.path += [write_marks(folder / "path"), ROOT, ROOT / "plugins" / "identity", ROOT / "plugins" / "education"]  # fmt: skip
    made.write(
        plugins=["identity", "education", "marks"],
        sections='rate_limit_signed_in = "off"\nrate_limit_anonymous = "off"\n',
    )
    yield made


def run(
    folder: Path,
    *,
    database_url: str | None = None,
    thorough: bool = False,
    quotes_everything: bool = False,
) -> Found:
    """Run the drill below ``folder`` and return what was found; a platform that ``quotes_everything`` has a planted fault."""
    marks, places = new_marks(), Places()
    data = folder / "site" / "var"
    folder.mkdir(exist_ok=True)
    with deployment_in(folder, database_url) as deployment:
        variables = {**secret_marks.environment(marks, folder)}
        if quotes_everything:
            variables["QUOTES_EVERYTHING"] = "1"
        environment = deployment.environment(**variables)
        errors = folder / "server.err"
        with errors.open("w") as log, serve(deployment.folder, environment=environment, errors=log) as served:  # fmt: skip
            email, password = owner_credentials(data)
            marks.values["owner_password"] = password
            token = served.sign_in(email, password)
            marks.values["access_token"] = token.rpartition(".")[2]
            address = database_url or _embedded_address(data)
            marks.values["database_password"] = urlsplit(address).password or ""
            sender = Sender(served, token, places)
            operations = send_everywhere(sender, marks)
            sign_in_and_reset(sender, marks, email, data / "mail")
            written = write_for_real(sender, marks)
            let_everything_fail(sender, marks)
            for answer in send_what_is_no_request(served, marks):
                places.add("answers", answer)
            planted = plant(sender)
            _until(lambda: _jobs_ended(address), 60)
            if thorough:
                _until(lambda: _has_ticked(address), 90)
            for path in ("/metrics", "/readyz"):
                places.add(path.strip("/"), sender.send("GET", path)[1].decode())
            places.add("readyz", sender.send("GET", "/api/v1/system/health/")[1].decode())
            ask_platformctl(deployment, variables, marks, places, planted, thorough=thorough)
            places.add_tables(address)
        assert served.process.stdout is not None
        places.add("standard output and error", errors.read_text())
        places.add("standard output and error", served.said)
    places.add_files("logs", data / "logs")
    places.add_files("PostgreSQL's log", server_log_of(address))
    for mail in sorted((data / "mail").glob("*")):
        places.add("mails", mail.read_text().replace(marks["reset_code"], ""))
    found = look(places, marks, planted)
    found.operations, found.statuses, found.written = operations, sender.statuses, written
    found.requests = sum(sender.statuses.values())
    return found


def ask_platformctl(
    deployment: TestDeployment,
    variables: dict[str, str],
    marks: Marks,
    places: Places,
    planted: Marks,
    *,
    thorough: bool,
) -> None:
    """Add what commands print: those that fail, those that explain errors, and all that look around."""
    variables = {
        **variables,
        "PLATFORM_EMAIL_URL": f"smtp://mailer:{marks['mail_password']}@127.0.0.1:1",
    }
    errors = _errors_in(deployment.folder / "var" / "logs" / "application.log")
    calls = [["marks", "say", planted["say"]], ["marks", "fail", "unique"]]
    calls += [["plugin", "explain", one] for one in (errors if thorough else errors[-1:])]
    if thorough:
        calls += [["marks", "fail", way] for way in ("row", "setting", "django_settings", "group")]
        calls += [
            ["plugin", "doctor"],
            ["plugin", "list"],
            ["plugin", "show", "marks"],
            ["plugin", "plan", "--disable", "marks"],
            ["check"],
            ["tasks", "list"],
            ["events", "list"],
            ["audit", "verify"],
            ["plugin", "explain", "PLUGIN_MARKS_API_SECRET"],
            ["db", "status"],
        ]
    for words in calls:
        for extra in ([], ["--json"]) if thorough and words[0] != "marks" else ([],):
            done = deployment.call(*words, *extra, **variables)
            places.add(f"platformctl {' '.join(words[:2])}", done.out + done.err)


def _errors_in(log: Path) -> list[str]:
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    found = [
        str(line.get("error_id") or line.get("request_id")) for line in lines if "exception" in line
    ]
    return [one for one in dict.fromkeys(found) if one != "None"][-12:]


def _embedded_address(data: Path) -> str:
    from platform_core.services import EmbeddedPostgres

    running = EmbeddedPostgres(data / "postgres").running()
    assert running is not None
    return running.url()


def _ask(address: str, question: str) -> Any:
    with psycopg.connect(address) as connection:
        row = connection.execute(question).fetchone()  # type: ignore[arg-type]
    return row[0] if row else None


def _jobs_ended(address: str) -> bool:
    waiting = "SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'marks' AND status IN ('todo', 'doing')"
    heard = "SELECT count(*) FROM platform_core_eventdelivery WHERE attempts > 0"
    return _ask(address, waiting) == 0 and _ask(address, heard) > 0


def _has_ticked(address: str) -> bool:
    ticked = (
        "SELECT count(*) FROM procrastinate_jobs WHERE task_name LIKE '%tick' AND status = 'failed'"
    )
    return bool(_ask(address, ticked))


def _until(ready: Any, within_s: float) -> Any:
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        if found := ready():
            return found
        time.sleep(0.1)
    raise AssertionError(f"it did not happen within {within_s} s")


def main() -> int:
    """Run the drill and return its exit code."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory(prefix="drill-", dir="/tmp") as name:
        broken = run(Path(name) / "broken", quotes_everything=True)
        told = sorted({one.mark for one in broken.hits})
        print(
            f"planted: exceptions told as Python does: {len(told)} marks found: {', '.join(told)}"
        )
        found = run(Path(name) / "whole", thorough=True)
    for missed in found.plants_missed:
        print(f"planted: {missed}: NOT FOUND")
    print(f"planted: {len(PLANTS) - len(found.plants_missed)} of {len(PLANTS)} found")
    for hit in found.hits:
        print(f"HIT: {hit}")
    print(f"writes: {found.written}")
    told = "  ".join(f"{status}×{count}" for status, count in sorted(found.statuses.items()))
    print(f"{found.marks} marks, {found.requests} requests to {found.operations} operations ({told}), {len(found.hits)} hits")  # fmt: skip
    return 1 if found.hits or found.plants_missed or not broken.hits else 0


if __name__ == "__main__":
    sys.exit(main())
