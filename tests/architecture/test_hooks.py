"""Every hook is documented, the documentation is what the code says, and every hook has a test of its own."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import pytest

from platform_core.registry.loading import HOOKS
from tests.core.registry import test_hooks as hook_tests

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "generate.py")
assert _spec is not None
assert _spec.loader is not None
generate = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(generate)


@pytest.mark.parametrize(("name", "function"), list(generate.hook_functions()))
def test_a_hook_has_a_sentence_and_takes_no_parameters(name: str, function: object) -> None:
    first = (inspect.getdoc(function) or "").partition("\n")[0]

    assert first.startswith("Return "), name
    assert first.endswith("."), name
    assert not inspect.signature(function).parameters  # type: ignore[arg-type]


@pytest.mark.parametrize(("name", "function"), list(generate.hook_functions()))
def test_a_hook_has_a_test_of_its_own(name: str, function: object) -> None:
    assert name in hook_tests.TESTED
    assert callable(getattr(hook_tests, f"test_hook_{name}"))


def test_the_loader_calls_exactly_the_specified_hooks() -> None:
    assert set(HOOKS) == {name for name, _ in generate.hook_functions()}


@pytest.mark.parametrize("page", sorted(generate.PAGES))
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")

    assert written == generate.PAGES[page](), "run make docs"
