"""From a folder to a running Django: find the deployment, lend it its database, set it up, report what is wrong."""

from __future__ import annotations

import fcntl
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from platform_core.cli.output import fail, refuse, step
from platform_core.conf.deployment import CONFIG_VARIABLE, FILE_NAME, Deployment, find_deployment
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.services import EmbeddedPostgres, EmbeddedPostgresError

FOLDER_VARIABLE = "PLATFORM_DIR"


def deployment_folder(given: Path | None) -> Path:
    """Return the folder of the deployment: ``given``, ``PLATFORM_DIR``, or the nearest with a platform.toml."""
    if given is None and os.environ.get(FOLDER_VARIABLE):
        given = Path(os.environ[FOLDER_VARIABLE])
    if given is not None:
        return given.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return folder
    return here


def load_deployment(folder: Path, *, as_json: bool = False) -> Deployment:
    """Read the deployment in ``folder``; leaves with a report when there is none or it is wrong."""
    if not (folder / FILE_NAME).is_file() and not os.environ.get(CONFIG_VARIABLE):
        refuse(
            f"There is no {FILE_NAME} in {folder} or above it.",
            "Go to the deployment's folder, name it with --dir, or make one: platformctl init DIR.",
            code="no_deployment",
            as_json=as_json,
        )
    try:
        return find_deployment(folder)
    except PluginErrors as found:
        fail(found.problems, as_json=as_json)


def prepare_environment(deployment: Deployment) -> None:
    """Make the deployment's settings module importable and the one that Django uses."""
    folder = deployment.folder
    module = os.environ.setdefault("DJANGO_SETTINGS_MODULE", deployment.settings_module)
    os.environ[FOLDER_VARIABLE] = str(folder)
    root = folder.parent if module.partition(".")[0] == folder.name else folder
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    inherited = os.environ.get("PYTHONPATH", "")
    if str(root) not in inherited.split(os.pathsep):
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(root), inherited)))


def set_up(deployment: Deployment, *, as_json: bool = False) -> None:
    """Set Django up; leaves with one report of all plugins' problems when that fails."""
    prepare_environment(deployment)
    try:
        boot()
    except PluginErrors as found:
        fail(found.problems, as_json=as_json)


def boot() -> None:
    """Call ``django.setup()``; raises PluginErrors also where a plugin's broken models took another app along.

    Afterwards the garbage collector leaves alone what is there, see ``lasting``.
    """
    with lasting():
        _set_up_django()


@contextmanager
def lasting() -> Iterator[None]:
    """Tell the garbage collector that what the block makes stays for good.

    It does not look for garbage meanwhile, which would be next to none, nor later among all those objects: that saves
    a third of a start, and keeps their memory shared between forked processes.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if collects:
            gc.enable()


def _set_up_django() -> None:
    import django
    from django.apps import apps

    from platform_core.plugin import PluginConfig

    try:
        django.setup()
    except PluginErrors:
        raise
    except Exception:  # a broken plugin may fail in another application; its own report says more
        broken = [
            config.import_problem
            for config in apps.app_configs.values()
            if isinstance(config, PluginConfig) and config.import_problem
        ]
        if broken:
            raise PluginErrors(broken) from None
        raise


@contextmanager
def database(
    deployment: Deployment, *, as_json: bool = False, quiet: bool = False
) -> Iterator[None]:
    """Lend the embedded database for the block, unless ``DATABASE_URL`` names another one.

    It is started when it does not run, and the last process that uses it stops it.
    """
    if os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"):
        yield
        return
    from platform_core.conf.database import embedded_postgres

    server = embedded_postgres(deployment.data_dir)
    deployment.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lease = os.open(deployment.data_dir / "postgres.lease", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lease, fcntl.LOCK_SH)
        try:
            with step("Starting the embedded PostgreSQL …", quiet=quiet or as_json):
                server.start()
        except EmbeddedPostgresError as error:
            fail([_database_problem(error)], as_json=as_json)
        try:
            yield
        finally:
            _stop_if_last(server, lease)
    finally:
        os.close(lease)


def _stop_if_last(server: EmbeddedPostgres, lease: int) -> None:
    try:
        fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    server.stop()


def _database_problem(error: EmbeddedPostgresError) -> PluginProblem:
    return PluginProblem(
        plugin="",
        code="embedded_database",
        place="embedded PostgreSQL",
        message=str(error),
        way_out="Follow the message, or set DATABASE_URL to a PostgreSQL of your own.",
    )
