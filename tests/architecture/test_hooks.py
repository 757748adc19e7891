"""Hooks, contributions, settings and commands are documented, as the code says; each hook has a test of its own."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
from pathlib import Path
from typing import Any

import pytest

from platform_core import contributions
from platform_core.conf.meanings import meanings_of
from platform_core.conf.settings import PluginSettings
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


@pytest.mark.parametrize("name", sorted(vars(contributions)))
def test_a_contribution_says_what_it_is(name: str) -> None:
    found = getattr(contributions, name)
    if dataclasses.is_dataclass(found) and isinstance(found, type):
        assert not (inspect.getdoc(found) or f"{name}(").startswith(f"{name}("), name


@pytest.mark.parametrize(("title", "slug", "cls"), list(generate.settings_classes()))
def test_every_setting_says_what_it_means(title: str, slug: str, cls: type[PluginSettings]) -> None:
    assert [name for name, meaning in meanings_of(cls).items() if not meaning] == []
    assert cls.model_fields


@pytest.mark.parametrize(("words", "command"), generate.core_commands())
def test_every_command_and_each_of_its_words_says_what_it_does(words: str, command: Any) -> None:
    assert (command.help or "").strip(), words
    assert [one.name for one in command.params if not one.help] == []


def test_every_check_of_the_contract_suite_has_a_sentence() -> None:
    found = list(generate.checks())
    assert len(found) > 20
    assert [words for words, _, told in found if not told.endswith(".")] == []


@pytest.mark.parametrize("page", sorted(generate.PAGES))
def test_a_reference_page_is_what_the_code_says(page: str) -> None:
    written = (ROOT / "docs" / "reference" / page).read_text(encoding="utf-8")

    assert written == generate.PAGES[page](), "run make docs"
