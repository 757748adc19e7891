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
