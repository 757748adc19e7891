"""What an operator does about events at the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.deployments import TestDeployment, new_deployment, write_distribution

HOOKS = '''\
"""What toy contributes."""

from pathlib import Path
from platform_core.contributions import Subscription
from platform_core.hookspecs import hookimpl


def greet(received):
    """Greet a new user, unless the file is there that says not to."""
    if Path("silence").exists():
        raise RuntimeError("silence")
    with Path("greeted").open("a") as file:
        file.write(f"{received.event.user}\\n")


@hookimpl
def subscriptions():
    """Greet new users."""
    return [Subscription(name="toy.greet", event="identity.user.created", run=greet)]
'''
DELIVER = """\
from platform_core.cli.boot import boot
boot()
from platform_core.events.delivering import MOST_ATTEMPTS, dispatch_once
from platform_core.models import EventDelivery
from django.utils import timezone
for attempt in range({times}):
    dispatch_once()
    EventDelivery.objects.filter(parked_at=None).update(not_before=timezone.now())
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Any:
    with new_deployment(tmp_path / "site", plugins=["identity", "toy"]) as found:
        found.path.append(tmp_path / "wheels")
        write_distribution(tmp_path / "wheels", "toy", files={"hooks.py": HOOKS})
        assert found.call("migrate").code == 0
        yield found


def create_user(deployment: TestDeployment, name: str) -> None:
    done = deployment.call(
        "user", "create", f"{name}@example.org", "--password-stdin", stdin="correct horse battery\n"
    )
    assert done.code == 0, done.err


def deliver(deployment: TestDeployment, times: int = 1) -> None:
    done = deployment.run_python(DELIVER.format(times=times))
    assert done.code == 0, done.err


def greeted(deployment: TestDeployment) -> int:
    file = deployment.folder / "greeted"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_a_parked_event_is_told_with_its_owner_and_comes_again(deployment: TestDeployment) -> None:
    silence = deployment.folder / "silence"
    silence.touch()
    create_user(deployment, "one")
    deliver(deployment, times=8)

    found = deployment.call("events", "list", "--state", "parked", "--json").document
    assert found["counts"] == {"toy.greet": {"parked": 1}}
    (parked,) = found["deliveries"]
    assert (parked["plugin"], parked["event"]) == ("toy", "identity.user.created")
    assert (parked["attempts"], parked["error_class"]) == (8, "builtins.RuntimeError")
    assert "toy.greet" in deployment.call("events", "list").out
    ready = deployment.run_python(
        "from platform_core.cli.boot import boot; boot()\n"
        "import json\n"
        "from platform_core.observability.health import check_health\n"
        "print(json.dumps([[one.name, one.healthy, one.critical, one.detail] for one in check_health()]))"
    )
    told = {name: rest for name, *rest in json.loads(ready.out)}
    assert told["events"] == [
        False,
        False,
        "1 event is parked for toy: see platformctl events list.",
    ]

    refused = deployment.call("events", "retry", "999", "--json")
    assert (refused.code, refused.problems[0]["code"]) == (1, "not_parked")
    assert deployment.call("events", "retry").code == 2

    silence.unlink()
    assert deployment.call("events", "retry", "--subscription", "toy.greet", "--json").document["events"] == 1  # fmt: skip
    deliver(deployment)
    assert greeted(deployment) == 1


def test_events_wait_for_a_dormant_plugin_and_go_with_an_uninstalled_one(
    deployment: TestDeployment,
) -> None:
    deployment.write(plugins=["identity"], dormant=["toy"])
    assert deployment.call("migrate").code == 0
    create_user(deployment, "one")
    deliver(deployment)
    found = deployment.call("events", "list", "--json").document
    assert found["counts"] == {"toy.greet": {"sleeping": 1}}

    deployment.write(plugins=["identity", "toy"])
    assert deployment.call("migrate").code == 0
    deliver(deployment)
    assert greeted(deployment) == 1

    deployment.write(plugins=["identity"], dormant=["toy"])
    assert deployment.call("migrate").code == 0
    create_user(deployment, "two")
    assert deployment.call("plugin", "uninstall", "toy", "--confirm", "toy", "--json").code == 0
    create_user(deployment, "three")
    assert deployment.call("events", "list", "--json").document["counts"] == {}
