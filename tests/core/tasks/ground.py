"""A deployment with a plugin of jobs, and workers in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from tests.deployments import ROOT, TestDeployment, new_deployment, write_distribution

MODELS = """\
from django.db import models


class Effect(models.Model):
    job = models.CharField(max_length=100)
    what = models.CharField(max_length=200, blank=True)

    class Meta:
        verbose_name_plural = "effects"
"""
MIGRATION = """\
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Effect",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False)),
                ("job", models.CharField(max_length=100)),
                ("what", models.CharField(blank=True, max_length=200)),
            ],
            options={"verbose_name_plural": "effects"},
        ),
    ]
"""
TASKS = """\
import time

from platform_core.tasks import Retry, task
from toys_plugin.models import Effect

SECRET = "hunter2-in-an-exception"


@task(takes_context=True)
def play(context, number, pause=0.0):
    Effect.objects.create(job=context.key, what=str(number))
    time.sleep(pause)
    return {"number": number}


@task(takes_context=True, atomic=False)
def play_freely(context, number, pause=0.0):
    Effect.objects.create(job=context.key, what=str(number))
    time.sleep(pause)


@task(takes_context=True)
def wait_for_it(context, seconds):
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        context.progress(1, 2, "half way")
        time.sleep(0.05)
    Effect.objects.create(job=context.key, what="waited")


@task(takes_context=True, retry=Retry(attempts=3, wait_s=0.1))
def break_twice(context, times=2):
    Effect.objects.create(job=context.key, what="tried")
    if context.attempt <= times:
        raise RuntimeError(SECRET)
    return "mended"


@task(unique=lambda toy: toy)
def tidy(toy):
    Effect.objects.create(job="tidy", what=toy)


@task
def tick():
    from platform_core.access import current_actor

    Effect.objects.create(job="tick", what=current_actor().label)
"""
HOOKS = """\
from platform_core.contributions import Schedule
from platform_core.hookspecs import hookimpl
from toys_plugin import tasks as own


@hookimpl
def tasks():
    return [own.play, own.play_freely, own.wait_for_it, own.break_twice, own.tidy, own.tick]


@hookimpl
def schedules():
    return [
        Schedule(name="toys.tick", title="Tick", task=own.tick, cron="* * * * *"),
    ]
"""
STALLED_S = 2


@dataclass
class Ground:
    """A deployment and what its database says."""

    deployment: TestDeployment

    def query(self, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """Return the rows of a statement; empty when it returns none."""
        with psycopg.connect(self.deployment.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement, parameters)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def run(self, code: str) -> str:
        """Run Python in the deployment, and return what it prints."""
        found = self.deployment.run_python(
            "import django; django.setup()\nfrom toys_plugin import tasks\n" + code
        )
        assert found.code == 0, found.err
        return found.out.strip()

    def enqueue(self, call: str) -> str:
        """Enqueue a job, such as ``play.enqueue(1)``, and return its number."""
        return self.run(f"print(tasks.{call}.id)")

    def status(self, job: str) -> str:
        """Return the status of a job."""
        return str(
            self.query("SELECT status::text FROM procrastinate_jobs WHERE id = %s", int(job))[0][0]
        )

    def effects(self, what: str = "%") -> int:
        """Return how many effects there are."""
        return int(self.query("SELECT count(*) FROM toys_effect WHERE what LIKE %s", what)[0][0])

    @contextmanager
    def worker(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Run a worker until the block ends."""
        process = self.start_worker(*options)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=60)
            for stream in (process.stdout, process.stderr):
                if stream:
                    stream.close()

    def start_worker(self, *options: str) -> subprocess.Popen[str]:
        """Start a worker, and return when it works."""
        process = subprocess.Popen(
            [sys.executable, "-m", "platform_core.cli", "worker", "--json", *options],
            cwd=self.deployment.folder,
            env=self.deployment.environment(),
            stdout=subprocess.PIPE,
            stderr=(self.deployment.folder / "worker.err").open("a"),
            text=True,
        )
        lines = []
        assert process.stdout is not None
        while (line := process.stdout.readline()).rstrip() != "}":
            assert line, (self.deployment.folder / "worker.err").read_text()
            lines.append(line)
        assert json.loads("".join([*lines, "}"]))["ok"] is True, lines
        return process


def write_toys(folder: Path) -> Path:
    """Write the plugin of jobs."""
    return write_distribution(
        folder,
        "toys",
        files={
            "models.py": MODELS,
            "tasks.py": TASKS,
            "hooks.py": HOOKS,
            "migrations/__init__.py": "",
            "migrations/0001_initial.py": MIGRATION,
        },
    )


@contextmanager
def playground(
    folder: Path, *, stalled_after_s: float = STALLED_S, database_url: str = ""
) -> Iterator[Ground]:
    """Yield a migrated deployment with the plugin of jobs enabled, on a database of its own unless one is given."""
    with ExitStack() as stack:
        if database_url:
            deployment = TestDeployment(folder=folder / "deployment", database_url=database_url)
            deployment.folder.mkdir()
        else:
            deployment = stack.enter_context(new_deployment(folder / "deployment"))
        deployment.path += [write_toys(folder / "path"), ROOT, ROOT / "plugins" / "identity"]
        deployment.write(
            plugins=["identity", "toys"], sections=f"task_stalled_after = {stalled_after_s}\n"
        )
        done = deployment.call("migrate")
        assert done.code == 0, done.err
        yield Ground(deployment)


def until(ready: Callable[[], Any], *, within_s: float = 60, what: str = "it") -> Any:
    """Return the first true answer; an assertion fails when there is none in time."""
    ends = time.monotonic() + within_s
    while time.monotonic() < ends:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen within {within_s} s")


def kill(process: subprocess.Popen[str]) -> None:
    """End a worker as a crash does."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


__all__: Sequence[str] = ("Ground", "kill", "playground", "until", "write_toys")
