"""A flag that one process switches is switched in all of them, from the next request on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.deployments import TestDeployment
from tests.served import owner_credentials, serve

CALLS = 24


def test_every_worker_follows_the_switch_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "deployment"
    folder.mkdir(mode=0o700)
    TestDeployment(folder, "").write(plugins=["identity", "education"])

    with serve(folder, "--workers", "2") as served, ThreadPoolExecutor(6) as pool:
        token = served.sign_in(*owner_credentials(folder / "var"))

        def answers() -> set[int]:
            path = "/api/v1/education/class-sections/"
            asked = [pool.submit(served.request, "GET", path, token=token) for _ in range(CALLS)]
            return {one.result().status for one in asked}

        (flag,) = served.request(
            "GET", "/api/v1/system/flags/?name=education.class_sections", token=token
        ).document["data"]
        place = f"/api/v1/system/flags/{flag['id']}/"
        seen = [answers()]
        for everyone in (False, True, False):
            assert served.request("PATCH", place, {"everyone": everyone}, token=token).status == 200
            seen.append(answers())
        assert served.stop() == 0

    assert seen == [{200}, {404}, {200}, {404}]
