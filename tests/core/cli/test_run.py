"""``platformctl run``: from an empty folder to a served deployment, and cleanly back."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from platform_core.conf.database import embedded_postgres
from tests.deployments import TestDeployment
from tests.served import free_port, owner_credentials, serve


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A deployment in a private folder whose name has a space and an accent, on its own embedded database."""
    made = tmp_path / "école du nord"
    made.mkdir(mode=0o700)
    TestDeployment(made, "").write(plugins=["identity"])
    return made


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition, seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.1)
    return bool(condition())


def test_a_first_start_serves_and_ctrl_c_stops_everything(folder: Path) -> None:
    with serve(folder) as served:
        assert served.request("GET", "/readyz").status == 200
        assert served.request("GET", "/livez").status == 200
        database = embedded_postgres(folder / "var").running()
        assert database is not None

        code = served.stop()

    assert code == 0
    assert embedded_postgres(folder / "var").running() is None
    assert not alive(database.pid)
    assert (folder / "var").stat().st_mode & 0o777 == 0o700


def test_the_generated_owner_signs_in_and_the_second_start_keeps_the_password(folder: Path) -> None:
    with serve(folder) as served:
        email, password = owner_credentials(folder / "var")
        assert any(password in line for line in served.announced["lines"])
        token = served.sign_in(email, password)
        created = served.request(
            "POST",
            "/api/v1/identity/org-units/",
            {"name": "North", "kind": "district"},
            token=token,
        )
        assert created.status == 201

    with serve(folder) as served:
        assert not any(password in line for line in served.announced["lines"])
        token = served.sign_in(email, password)
        listed = served.request("GET", "/api/v1/identity/org-units/", token=token)
        history = served.request(
            "GET", f"/api/v1/identity/org-units/{created.document['id']}/history/", token=token
        )

    assert [row["name"] for row in listed.document["data"]] == ["North"]
    assert [entry["type"] for entry in history.document["data"]] == ["created"]
    mode = (folder / "var" / "owner-credentials.txt").stat().st_mode & 0o777
    assert mode == 0o600
    logs = "".join(path.read_text() for path in (folder / "var" / "logs").glob("*.log"))
    assert "/api/v1/identity/org-units/" in logs
    assert password not in logs
    assert token not in logs


def test_a_killed_run_takes_its_server_along_and_the_next_start_goes_on(folder: Path) -> None:
    with serve(folder) as served:
        email, password = owner_credentials(folder / "var")
        port = int(served.url.rpartition(":")[2])
        served.process.kill()
        served.process.wait()

        def port_is_free() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) != 0

        assert wait_until(port_is_free)

    with serve(folder) as served:
        assert served.sign_in(email, password)
        assert served.stop(signal.SIGTERM) == 0

    assert embedded_postgres(folder / "var").running() is None


def test_a_command_beside_a_running_server_leaves_the_database_running(folder: Path) -> None:
    deployment = TestDeployment(folder, "")
    with serve(folder) as served:
        assert deployment.call("migrate", DATABASE_URL="").code == 0

        assert served.request("GET", "/readyz").status == 200


def test_a_taken_port_is_told_before_anything_starts(folder: Path) -> None:
    port = free_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()

        answer = TestDeployment(folder, "").call(
            "run", "--json", "--port", str(port), DATABASE_URL=""
        )

    assert answer.code == 1
    assert answer.problems[0]["code"] == "port_taken"
    assert not (folder / "var").exists()


def test_a_production_deployment_is_announced_under_its_own_host(folder: Path) -> None:
    production = {
        "DJANGO_SETTINGS_MODULE": "production",
        "SECRET_KEY": "a-secret-that-is-long-enough-for-every-check-of-the-framework",
        "PLATFORM_ALLOWED_HOSTS": "platform.example.org",
    }
    settings = (folder / "settings.py").read_text(encoding="utf-8")
    (folder / "production.py").write_text(settings.replace('"dev"', '"prod"'), encoding="utf-8")

    with serve(folder, environment=production) as served:
        assert served.announced["ok"]
        assert served.request("GET", "/livez").status == 200
        assert served.request("GET", "/api/v1/identity/me/").status == 400
