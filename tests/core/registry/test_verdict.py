"""What quarantine remembers is only a memory: a file that cannot be read is as good as none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from platform_core.registry.lists import Lists
from platform_core.registry.problems import PluginProblem
from platform_core.registry.verdict import (
    FILE_NAME,
    Case,
    keep_verdict,
    kept_verdict,
    last_verdict,
)

LISTS = Lists(plugins=("identity", "toy"))
PROBLEM = PluginProblem(plugin="toy", code="hook_raised", message="It raised.", way_out="Mend it.")
VERDICT = {"toy": Case(standing="quarantined", problems=(PROBLEM,))}


def test_what_was_found_is_read_back(tmp_path: Path) -> None:
    keep_verdict(tmp_path, "k", LISTS, VERDICT)

    assert kept_verdict(tmp_path, "k") == VERDICT
    assert last_verdict(tmp_path, LISTS) == VERDICT
    assert kept_verdict(tmp_path, "other") is None
    assert (tmp_path / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "document",
    [
        {},
        [1],
        [{"key": "k"}],
        [{"key": "k", "lists": {}, "held": []}],
        [{"key": "k", "lists": {}, "held": {"toy": {"standing": "gone", "problems": []}}}],
        [{"key": "k", "lists": {}, "held": {"toy": {"standing": "broken", "problems": [{}]}}}],
        "text",
        None,
    ],
    ids=str,
)
def test_another_form_is_as_good_as_none(document: Any, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text(json.dumps(document), encoding="utf-8")

    assert kept_verdict(tmp_path, "k") is None
    assert last_verdict(tmp_path, LISTS) == {}
    keep_verdict(tmp_path, "k", LISTS, VERDICT)
    assert kept_verdict(tmp_path, "k") == VERDICT


@pytest.mark.parametrize("content", [b"", b"\xff", b"[" * 100_000], ids=len)
def test_a_damaged_file_is_as_good_as_none(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)

    assert kept_verdict(tmp_path, "k") is None
