"""What the benchmark of plugins measures inside a deployment's process (``python -m`` this module): one JSON line each."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from tests.benchmarks.measuring import Request, succeed


def main() -> None:
    """Start the application and say what that took; then send requests whenever a line comes in."""
    from platform_core.wsgi import application

    usage = resource.getrusage(resource.RUSAGE_SELF)
    _say(cpu_s=usage.ru_utime + usage.ru_stime, pss_kib=pss_kib("self"))
    if len(sys.argv) == 1:
        return
    slug = sys.argv[1]
    request = Request("GET", f"/api/v1/{slug}/records-0/", token=_token(f"{slug}.editor"))
    succeed(application, request)
    _say(ready=True)
    for line in sys.stdin:
        count = int(line)
        for _ in range(count // 10):
            succeed(application, request)
        before = time.process_time()
        for _ in range(count):
            succeed(application, request)
        _say(cpu_us=(time.process_time() - before) / count * 1e6)


def pss_kib(pid: int | str) -> int:
    """Return the memory of a process in KiB; what it shares with others counts in part."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))


def _token(role: str) -> str:
    from platform_identity.models import LoginSession, Role, RoleAssignment
    from platform_identity.services.sessions import start_session
    from platform_identity.services.tokens import issue_access_token
    from platform_identity.services.users import create_user

    user = create_user(email=f"{role}@example.org", display_name="Somebody")
    RoleAssignment.objects.create(
        user=user,
        role=Role.objects.get(name=role),
        scope=RoleAssignment.Scope.DEPLOYMENT,
        starts_at=user.created_at,
    )
    session = start_session(user=user, kind=LoginSession.Kind.APP)
    return issue_access_token(user_id=user.pk, session_id=session.pk)


def _say(**facts: Any) -> None:
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
