"""The tutorials and the README do what they say: their commands are run, and what they show is compared."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.deployments import ROOT, new_database
from tests.docs.walkthrough import Command, Shell, follow, matches, shell
from tests.served import free_port

SERVE = (
    "platformctl --dir config run --demo --port {port} > run.log 2>&1 &\n"
    "until grep -q Demo run.log || ! kill -0 $!; do sleep 0.2; done; cat run.log"
)
DROPPED = ("PLATFORM_", "PLUGIN_", "DJANGO_", "DATABASE_", "PYTEST_", "COV_", "PYTHONPATH")


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Return the environment of a reader: a home of their own, the platform's commands, an empty database."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    with new_database() as url:
        yield {
            **kept,
            "HOME": str(tmp_path),
            "PATH": os.pathsep.join(
                (str(Path(sys.prefix) / "bin"), *with_curl(tmp_path / "curl"), kept["PATH"])
            ),
            "DATABASE_URL": url,
            "COLUMNS": "100",
            "TERM": "dumb",
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
        }


def with_curl(folder: Path, *, always: bool = False) -> list[str]:
    """Return the folders to look for commands in first, so that there is a curl where the machine has none."""
    if shutil.which("curl") and not always:
        return []
    folder.mkdir()
    command = folder / "curl"
    standin = Path(__file__).with_name("curl_standin.py")
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{standin}" "$@"\n')
    command.chmod(0o755)
    return [str(folder)]


@pytest.fixture
def clone(tmp_path: Path, environment: dict[str, str]) -> Iterator[Shell]:
    """Open a shell in what looks like a clone after ``make run``, with data of its own."""
    folder = tmp_path / "clone"
    folder.mkdir()
    for name, target in {".venv": Path(sys.prefix), "config": ROOT / "config"}.items():
        (folder / name).symlink_to(target)
    with shell(folder, {**environment, "PLATFORM_DATA_DIR": str(folder / "var")}) as opened:
        yield opened


@pytest.mark.parametrize(
    "document",
    ["README.md", "docs/tutorials/five-minute-tour.md", "docs/how-to/import-and-export.md"],
)
def test_the_tour_does_what_it_says(clone: Shell, document: str) -> None:
    port = free_port()
    replaced = {
        "$ make run\n": "$ " + SERVE.format(port=port).replace("\n", "\n> ") + "\n",
        "$ make test\n": "$ true\n",
        "127.0.0.1:8000": f"127.0.0.1:{port}",
    }
    steps = follow(ROOT / document, clone, replaced)
    assert len([step for step in steps if isinstance(step, Command)]) > 10


def test_where_there_is_no_curl_its_standin_speaks_like_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    path = os.pathsep.join((*with_curl(tmp_path / "standin", always=True), environment["PATH"]))
    page = tmp_path / "page.md"
    page.write_text(SPEAKING)
    with answering() as port, shell(tmp_path, {**environment, "PATH": path}) as opened:
        follow(page, opened, {"PORT": str(port)})


SPEAKING = """\
```console
$ curl -sS -H 'X-Asked: yes' -d '{"a": 1}' http://127.0.0.1:PORT/thing
POST /thing yes {"a": 1}
$ curl -sS -X PATCH -d x http://127.0.0.1:PORT/thing
PATCH /thing None x
$ curl -sS http://127.0.0.1:PORT/missing
GET /missing None
$ curl -sf http://127.0.0.1:PORT/missing
$ echo $?
22
$ curl -sS -o /dev/null -w '%{http_code} %{redirect_url}\\n' http://127.0.0.1:PORT/moved
301 https://elsewhere.example/
$ curl -s http://127.0.0.1:1/
$ echo $?
7
```
"""


@contextmanager
def answering() -> Iterator[int]:
    """Run a server that says what it was asked, and yield its port."""
    codes = {"/missing": 404, "/moved": 301}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"] or 0)).decode()
            self.send_response(codes.get(self.path, 200))
            self.send_header("Location", "https://elsewhere.example/")
            self.end_headers()
            told = f"{self.command} {self.path} {self.headers['X-Asked']} {body}\n"
            self.wfile.write(told.encode())

        do_POST = do_PATCH = do_GET  # noqa: N815  (the names that the base class calls)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_a_first_plugin_is_made_installed_used_switched_off_and_on(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    port = free_port()
    replaced = {"127.0.0.1:8001": f"127.0.0.1:{port}", "--port 8001": f"--port {port}"}
    with shell(ROOT, environment) as opened:
        follow(ROOT / "docs/tutorials/your-first-plugin.md", opened, replaced)


def test_a_deployment_is_made_ready_for_production(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    port = free_port()
    url = environment.pop("DATABASE_URL")
    replaced = {
        "postgresql://platform:secret@db.example.org:5432/platform": url,
        "127.0.0.1:8001": f"127.0.0.1:{port}",
    }
    with shell(tmp_path, environment) as opened:
        follow(ROOT / "docs/how-to/deploy.md", opened, replaced)


@pytest.mark.parametrize(
    ("words", "does"),
    [
        (["run", "PORT=8000"], "platformctl --dir config run --demo --port 8000"),
        (["test"], "pytest -n auto"),
    ],
)
def test_the_two_commands_are_those_of_the_makefile(words: list[str], does: str) -> None:
    done = subprocess.run(
        ["make", "--dry-run", *words], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert does in done.stdout


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("one\n...\nthree", "one\ntwo\nthree", True),
        ('{"id": "...", "n": 1}', '{"id": "a7", "n": 1}', True),
        ("ready ", "ready", True),
        ("ready", "not ready", False),
        ("one\nthree", "one\ntwo\nthree", False),
        ("1.5", "1x5", False),
    ],
)
def test_shown_output_is_compared_with_the_real_one(shown: str, real: str, same: bool) -> None:
    assert matches(shown, real) is same


def test_a_promise_that_is_not_kept_is_noticed(tmp_path: Path, environment: dict[str, str]) -> None:
    kept, broken, failing = (tmp_path / f"{name}.md" for name in ("kept", "broken", "failing"))
    kept.write_text("```console\n$ A=1\n$ echo $A\n1\n$ false\n$ echo $?\n1\n```\n")
    broken.write_text("```console\n$ echo 1\n2\n```\n")
    failing.write_text("```console\n$ false\n```\n")
    with shell(tmp_path, environment) as opened:
        assert len(follow(kept, opened, {})) == 4
        for document in (broken, failing):
            with pytest.raises(AssertionError, match=f"{document.name}, line 2"):
                follow(document, opened, {})


def test_files_are_written_and_compared(tmp_path: Path, environment: dict[str, str]) -> None:
    written, shown = (tmp_path / f"{name}.md" for name in ("written", "shown"))
    written.write_text("```python writes=a/b.py\nx = 1\n```\n")
    shown.write_text("```python shows=a/b.py\nx = ...\n```\n")
    with shell(tmp_path, environment) as opened:
        follow(written, opened, {})
        follow(shown, opened, {})
        (tmp_path / "a" / "b.py").write_text("y = 1\n")
        with pytest.raises(AssertionError, match="holds"):
            follow(shown, opened, {})
