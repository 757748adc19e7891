"""From a folder to a running Django: find the deployment, lend it its database, set it up, report what is wrong."""

from __future__ import annotations

import gc
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path

import psycopg

from platform_core.backups.errors import BackupError
from platform_core.backups.journal import settle_if_interrupted
from platform_core.backups.server import DatabaseServer
from platform_core.backups.upgrading import finish_if_interrupted
from platform_core.cli.output import fail, refuse, step
from platform_core.cli.watching import watched
from platform_core.conf.deployment import CONFIG_VARIABLE, FILE_NAME, Deployment, find_deployment
from platform_core.conf.settings import read_variable
from platform_core.observability.exceptions import message_of
from platform_core.registry.faults import boot_problem
from platform_core.registry.problems import PluginErrors, PluginProblem
from platform_core.registry.steps import limit_steps
from platform_core.services import EmbeddedPostgresError, Lease

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
        deployment = find_deployment(folder)
    except PluginErrors as found:
        fail(found.problems, as_json=as_json)
    limit_steps(deployment.core.plugin_step_timeout)
    return deployment


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
        with watched(as_json=as_json):
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
        _import_settings()
        django.setup()
    except PluginErrors:
        raise
    except SystemExit as error:  # else the command would end as if it had done its work
        raise PluginErrors([boot_problem(error)]) from error
    except Exception:  # a broken plugin may fail in another application; its own report says more
        broken = [
            config.import_problem
            for config in apps.app_configs.values()
            if isinstance(config, PluginConfig) and config.import_problem
        ]
        if broken:
            raise PluginErrors(broken) from None
        raise


def _import_settings() -> None:
    """Import the settings module; raises PluginErrors when there is none, or when it is not Python."""
    name = os.environ.get("DJANGO_SETTINGS_MODULE", "")
    try:
        import_module(name)
    except PluginErrors:
        raise
    except (ImportError, SyntaxError, ValueError) as error:
        raise _settings_problem(name, str(error)) from error
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        if frame.name != "<module>" or Path(frame.filename).stem != name.rpartition(".")[2]:
            raise  # it is not the module itself that fails
        place = f"{Path(frame.filename).name}:{frame.lineno}"
        raise _settings_problem(place, f"{type(error).__name__}: {message_of(error)}") from error


def _settings_problem(place: str, why: str) -> PluginErrors:
    problem = PluginProblem(
        plugin="",
        code="settings_not_importable",
        place=place or "DJANGO_SETTINGS_MODULE",
        message=f"The deployment's settings module cannot be imported: {why}.",
        way_out=f"Repair it, or name another as settings in {FILE_NAME} or DJANGO_SETTINGS_MODULE.",
    )
    return PluginErrors([problem])


@contextmanager
def database(
    deployment: Deployment, *, as_json: bool = False, quiet: bool = False
) -> Iterator[DatabaseServer]:
    """Lend the embedded database for the block, unless ``DATABASE_URL`` names another one.

    It is started when it does not run, and the last process that uses it stops it, unless ``db start`` keeps it. An
    upgrade or restore that was interrupted is finished or undone first. Leaves with a report when there is none to lend.
    """
    with ExitStack() as stack:
        try:
            server = stack.enter_context(lent_database(deployment, quiet=quiet or as_json))
        except PluginErrors as errors:
            fail(errors.problems, as_json=as_json)
        yield server


@contextmanager
def set_up_with_database(*, as_json: bool) -> Iterator[None]:
    """Set up the deployment at hand and lend it its database for the block."""
    deployment = load_deployment(deployment_folder(None), as_json=as_json)
    with database(deployment, as_json=as_json):
        set_up(deployment, as_json=as_json)
        yield


@contextmanager
def lent_database(deployment: Deployment, *, quiet: bool) -> Iterator[DatabaseServer]:
    """Do the same as ``database`` for those who go on without one: raises PluginErrors instead of leaving."""
    from platform_core.conf.database import embedded_postgres

    data_dir = deployment.data_dir
    with refusals_as_problems():
        url = external_address()
    if url:
        external = DatabaseServer(url, embedded=False)
        with refusals_as_problems():
            settle_if_interrupted(external, data_dir)
        yield external
        return
    server = embedded_postgres(data_dir)
    with Lease(data_dir).shared(server):
        with refusals_as_problems(), step("Starting the embedded PostgreSQL …", quiet=quiet):
            finish_if_interrupted(data_dir)
            embedded = DatabaseServer(server.start().url(), embedded=True)
            settle_if_interrupted(embedded, data_dir)
        yield embedded


def external_address() -> str | None:
    """Return the address in ``DATABASE_URL`` or the file that ``DATABASE_URL_FILE`` names; None means embedded.

    Raises BackupError when that file cannot be read.
    """
    try:
        return read_variable("DATABASE_URL", os.environ) or None
    except OSError as error:
        raise BackupError(
            "secret_missing",
            f"The file that DATABASE_URL_FILE names cannot be read: {error.strerror}.",
            "Name a readable file that holds the address, or set DATABASE_URL.",
        ) from error


@contextmanager
def reporting(*, as_json: bool) -> Iterator[None]:
    """Leave with a report when the embedded server, a backup, a restore, the database or the disk refuses."""
    try:
        with refusals_as_problems():
            yield
    except PluginErrors as errors:
        fail(errors.problems, as_json=as_json)


@contextmanager
def refusals_as_problems() -> Iterator[None]:
    """Raise PluginErrors when the embedded server, a backup, a restore, the database or the disk refuses."""
    try:
        yield
    except EmbeddedPostgresError as error:
        raise PluginErrors([_database_problem(error)]) from error
    except BackupError as error:
        raise PluginErrors([_refusal(error.code, error.message, error.way_out)]) from error
    except psycopg.Error as error:
        refused = what_the_database_lacks(error) or _refusal(
            "database_refused",
            f"The database did not do what was asked: {message_of(error)}.",
            "Repair what it names and repeat the command; what was there before is untouched.",
        )
        raise PluginErrors([refused]) from error
    except OSError as error:
        refused = _refusal(
            "file_refused",
            f"{error.filename or 'A file'} could not be read or written: {error.strerror}.",
            "Make room or give access, and repeat the command; what was there before is untouched.",
        )
        raise PluginErrors([refused]) from error


_NOT_THERE = ("42P01", "42703")
"""SQLSTATE of a table, and of a column, that does not exist."""


def what_the_database_lacks(error: BaseException | None) -> PluginProblem | None:
    """Return the problem of a table or column that is not there, when ``error`` comes from one."""
    while error is not None and getattr(error, "sqlstate", None) not in _NOT_THERE:
        error = error.__cause__ or error.__context__
    if error is None:
        return None
    return _refusal(
        "not_migrated",
        f"The database lacks what this code expects: {message_of(error)}.",
        "Run platformctl migrate. Where nothing is pending, platformctl plugin doctor says what is missing.",
    )


def _refusal(code: str, message: str, way_out: str) -> PluginProblem:
    return PluginProblem(plugin="", code=code, message=message, way_out=way_out)


def _database_problem(error: EmbeddedPostgresError) -> PluginProblem:
    return PluginProblem(
        plugin="",
        code="embedded_database",
        place="embedded PostgreSQL",
        message=str(error),
        way_out="Follow the message, or set DATABASE_URL to a PostgreSQL of your own.",
    )
