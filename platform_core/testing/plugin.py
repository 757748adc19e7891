"""The pytest plugin: an embedded PostgreSQL for the run, settings for plugins without a deployment, the contract suite.

Ini options: ``platform_plugins`` lists the plugins to enable when no settings module is named; ``platform_contract``
lists those that the contract suite judges, all enabled ones when it is empty.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from platform_core.services import EmbeddedPostgres
    from platform_core.testing.actors import GrantsDouble

FAST_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",  # its worker is the superuser's: no test could drop the database it is in
    "max_connections": "200",
}
SETTINGS = "platform_core.testing.settings"

_server = pytest.StashKey["tuple[EmbeddedPostgres, Path]"]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the ini options."""
    parser.addini(
        "platform_plugins",
        "Plugins to enable when no Django settings module is named.",
        type="args",
        default=[],
    )
    parser.addini(
        "platform_contract",
        "Plugins that the contract suite judges; all enabled ones when empty.",
        type="args",
        default=[],
    )
    parser.addini(
        "platform_fuzz_examples",
        "Requests that the contract suite makes up for each operation.",
        default="4",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> None:
    """Prepare settings and server before pytest-django reads them; workers inherit both."""
    _choose_settings(early_config)
    if os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE"):
        return
    if "--collect-only" in args or "-h" in args or "--help" in args or "--version" in args:
        os.environ["DATABASE_URL"] = "postgresql:///platform"
        return
    from platform_core.services import EmbeddedPostgres

    folder = Path(tempfile.mkdtemp(prefix="platform-test-"))
    os.environ.setdefault("PLATFORM_DATA_DIR", str(folder / "data"))
    server = EmbeddedPostgres(folder / "postgres", settings=FAST_SETTINGS)
    os.environ["DATABASE_URL"] = server.start().url()
    early_config.stash[_server] = (server, folder)
    early_config.add_cleanup(lambda: _stop(server, folder))


def _stop(server: EmbeddedPostgres, folder: Path) -> None:
    server.stop(mode="immediate")
    os.environ.pop("DATABASE_URL", None)
    shutil.rmtree(folder, ignore_errors=True)


def _choose_settings(config: pytest.Config) -> None:
    """Use the settings for plugins without a deployment, when the project lists plugins and names no settings."""
    plugins = config.getini("platform_plugins")
    named = (
        os.environ.get("DJANGO_SETTINGS_MODULE")
        or getattr(config.known_args_namespace, "ds", None)
        or config.getini("DJANGO_SETTINGS_MODULE")
    )
    if not plugins or (named and named != SETTINGS):
        return
    folder = Path(tempfile.mkdtemp(prefix="platform-test-"))
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
    from platform_core.testing.source_project import expose_source_project

    expose_source_project(config.rootpath, folder / "metadata")
    os.environ["DJANGO_SETTINGS_MODULE"] = SETTINGS
    os.environ.setdefault("PLATFORM_PLUGINS", ",".join(plugins))
    os.environ.setdefault("PLATFORM_DATA_DIR", str(folder / "data"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run each test of the contract suite over what the registry holds."""
    wanted = {"contract_plugin", "contract_resource", "contract_persona"} & set(
        metafunc.fixturenames
    )
    if not wanted:
        return
    from platform_core.testing.contract.subjects import PERSONAS, plugins_judged, resources_judged

    slugs = metafunc.config.getini("platform_contract")
    if "contract_plugin" in wanted:
        metafunc.parametrize("contract_plugin", plugins_judged(slugs), ids=lambda one: one.slug)
    if "contract_resource" in wanted:
        metafunc.parametrize("contract_resource", resources_judged(slugs), ids=str)
    if "contract_persona" in wanted:
        metafunc.parametrize("contract_persona", PERSONAS)


@pytest.fixture(autouse=True)
def _default_language() -> Iterator[None]:
    """Speak the deployment's language again after a test whose last request asked for another."""
    yield
    from django.utils import translation

    translation.deactivate()


@pytest.fixture
def grants() -> Iterator[GrantsDouble]:
    """Give a grant source in memory in place of the deployment's: nobody holds anything until the test says so."""
    from platform_core.testing.actors import granting

    with granting() as double:
        yield double
