"""Workers are forked from one loaded application: each has its own connections, and their metrics add up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.deployments import TestDeployment
from tests.served import owner_credentials, serve


def test_forked_workers_answer_side_by_side_and_count_together(tmp_path: Path) -> None:
    folder = tmp_path / "deployment"
    folder.mkdir(mode=0o700)
    deployment = TestDeployment(folder, "")
    deployment.write(plugins=["identity"])
    stale = folder / "var" / "metrics" / "counter_1.db"
    stale.parent.mkdir(parents=True, mode=0o700)
    (folder / "var").chmod(0o700)
    stale.write_bytes(b"left by a server that was killed")

    with serve(folder, "--workers", "2") as served:
        token = served.sign_in(*owner_credentials(folder / "var"))

        def ask(_: int) -> int:
            return served.request("GET", "/api/v1/identity/users/", token=token).status

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(ask, range(60))) == {200}
        text = served.request("GET", "/metrics").body.decode()
        found = deployment.call("plugin", "costs", "identity", "--json").document["plugins"][0]
        assert served.stop() == 0

    count = 'platform_request_seconds_count{plugin="identity",status="2xx"}'
    assert f"{count} 61.0" in text  # the sign-in too
    assert not stale.exists()
    assert found["requests"]["requests"] == 61
    assert found["requests"]["statements"] >= 60
    assert found["start"]["models"]["cpu"] > 0
    users = {one["name"]: one for one in found["tables"]}
    assert users["identity_user"]["bytes"] > 0
    assert not users["identity_user"]["history"]
    assert users["identity_historicaluser"]["history"]


@pytest.mark.parametrize(
    ("slug", "code"), [("education", "unknown_plugin"), ("identity", "database_unreachable")]
)
def test_costs_that_cannot_be_found_are_refused(tmp_path: Path, slug: str, code: str) -> None:
    deployment = TestDeployment(tmp_path, "postgresql://127.0.0.1:1/nowhere")
    deployment.write(plugins=["identity"])

    answer = deployment.call("plugin", "costs", slug, "--json")

    assert answer.code == 1
    assert [problem["code"] for problem in answer.problems] == [code]
