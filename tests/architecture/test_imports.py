"""Import rules that the import linter cannot say."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RESOURCE = sorted((ROOT / "platform_core" / "resource").glob("**/*.py"))
CORE = sorted((ROOT / "platform_core").glob("**/*.py"))
HTML = ("django.template", "django.shortcuts", "django.forms", "django.contrib.messages")


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", RESOURCE, ids=lambda path: path.stem)
def test_resources_know_no_html(path: Path) -> None:
    found = {name for name in imported(path) if name.startswith(HTML)}

    # django-filter's fields are form fields by nature; nothing is drawn from them.
    assert found <= ({"django.forms", "django.forms.utils"} if path.stem == "filters" else set())


def test_the_core_has_no_word_of_the_sign_in_library() -> None:
    assert [path for path in CORE if "allauth" in path.read_text(encoding="utf-8").lower()] == []


def test_nothing_imports_the_admin_site() -> None:
    plugins = sorted((ROOT / "plugins").glob("*/platform_*/**/*.py"))

    assert len(plugins) > 20
    assert [
        path
        for path in [*CORE, *plugins]
        if any(name.startswith("django.contrib.admin") for name in imported(path))
    ] == []


def test_plugins_folder_is_no_package() -> None:
    assert not (ROOT / "plugins" / "__init__.py").exists()


CLIENTS = ("requests", "httpx", "urllib3", "aiohttp", "http.client", "urllib.request", "httpcore")
ASKS_OTHERWISE = {
    "platform_core/outbound/client.py": "it is the client",
    "platform_core/cli/serve.py": "it asks its own server on loopback whether it has come up",
}


def outgoing(path: Path) -> set[str]:
    """Return what a module imports that could call other machines past the outbound client."""
    names = imported(path)
    return {
        one for one in names if one in CLIENTS or one.startswith(tuple(f"{c}." for c in CLIENTS))
    }


def test_only_the_outbound_client_calls_other_machines() -> None:
    plugins = sorted((ROOT / "plugins").glob("*/platform_*/**/*.py"))
    found = {str(path.relative_to(ROOT)): outgoing(path) for path in (*CORE, *plugins)}

    assert {path for path, names in found.items() if names} == set(ASKS_OTHERWISE)


def test_a_module_that_calls_by_itself_is_seen(tmp_path: Path) -> None:
    for line in (
        "import requests",
        "import urllib.request as net",
        "from urllib import request",
        "from http.client import HTTPSConnection",
        "def f():\n    from urllib.request import urlopen",
    ):
        (tmp_path / "module.py").write_text(line, encoding="utf-8")
        assert outgoing(tmp_path / "module.py"), line
